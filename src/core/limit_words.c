/* The limits that providers name in the words of a refusal.
 *
 *     OpenAI, Groq …  "… on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. …"
 *     Anthropic       "… maximum usage increase rate for input tokens per minute. Your current
 * limit is 58,276 input tokens per minute, and will increase to 68,276 at the next minute boundary.
 * … stay within the acceleration limit." Google          a quota's id, and its value beside it
 */
#include "core/limit.h"

#define WORDS_LIMIT_MAX INT64_C(1000000000000)

/* In this order: the names of some hold those of others. */
static const struct {
    const char *words;
    enum limit_kind kind;
} word_kinds[] = {
    {"requests per min", LIMIT_REQUESTS},
    {"output tokens per min", LIMIT_OUTPUT},
    {"input tokens per min", LIMIT_FRESH},
    {"tokens per min", LIMIT_TOKENS},
};

/* The first number in @text behind @before, with commas between thousands; 0: there is none. */
static int64_t words_number(struct str text, struct str before) {
    size_t at = str_find(text, before);
    struct str rest = str_skip(text, at == STR_NPOS ? text.n : at + before.n);
    int64_t n = 0;
    for (size_t i = 0; i < rest.n && n < WORDS_LIMIT_MAX; i++) {
        char c = rest.p[i];
        if (c >= '0' && c <= '9') {
            n = n * 10 + (c - '0');
        } else if (c != ',') {
            break;
        }
    }
    return MIN(n, WORDS_LIMIT_MAX);
}

static void words_acceleration(struct str message, struct limit_words *ret) {
    ret->slow_down = true;
    ret->input_per_minute = words_number(message, S("current limit is "));
    ret->input_next_minute = words_number(message, S("increase to "));
}

void limit_read_words(struct str message, struct limit_words *ret) {
    if (str_find(message, S("usage increase rate")) != STR_NPOS ||
        str_find(message, S("acceleration limit")) != STR_NPOS) {
        words_acceleration(message, ret);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(word_kinds); i++) {
        size_t at = str_find(message, str_of(word_kinds[i].words));
        if (at != STR_NPOS) {
            ret->per_minute[word_kinds[i].kind] =
                words_number(str_skip(message, at), S(": Limit "));
            return;
        }
    }
}

void limit_read_quota(struct str id, int64_t per_minute, struct limit_words *ret) {
    enum limit_kind kind = str_find(id, S("Request")) != STR_NPOS       ? LIMIT_REQUESTS
                           : str_find(id, S("InputToken")) != STR_NPOS  ? LIMIT_INPUT
                           : str_find(id, S("OutputToken")) != STR_NPOS ? LIMIT_OUTPUT
                           : str_find(id, S("Token")) != STR_NPOS       ? LIMIT_TOKENS
                                                                        : LIMIT_KINDS;
    if (kind != LIMIT_KINDS && str_find(id, S("PerMinute")) != STR_NPOS && per_minute > 0) {
        ret->per_minute[kind] = MIN(per_minute, WORDS_LIMIT_MAX);
    }
}
