/* The limits that providers tell in the headers of every answer.
 *
 *     OpenAI, Groq, xAI …  x-ratelimit-{limit,remaining,reset}-{requests,tokens}; reset is a Go
 *                          duration ("6m0s"); numbers may carry commas; 0 and -1 mean nothing
 *     Anthropic            anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-
 *                          {limit,remaining}; tokens are rounded to thousands; what its cache gave
 *                          is not counted
 *     Fireworks            x-ratelimit-limit-tokens-{prompt,cache-adjusted-prompt,generated}, per
 *                          second; x-ratelimit-over-limit: yes, though it was answered
 */
#include "core/limit.h"

#include <math.h>

#define HEADERS_NUMBER_MAX 1000000000000.0
#define HEADERS_MS_MAX 1e15
#define HEADERS_WINDOW_MS_MAX 600000 /* a limit that takes longer to refill is none per minute */

enum header_part { PART_LIMIT, PART_REMAINING, PART_RESET, PARTS };

static const struct {
    const char *before, *after; /* of the part's name */
    enum limit_kind kind;
    double per_minute; /* what the numbers are multiplied by */
} header_forms[] = {
    {"x-ratelimit-", "-requests", LIMIT_REQUESTS, 1},
    {"x-ratelimit-", "-tokens", LIMIT_TOKENS, 1},
    {"x-ratelimit-", "-project-tokens", LIMIT_TOKENS,
     1}, /* beside the other: the lower one counts */
    {"x-ratelimit-", "-tokens-prompt", LIMIT_INPUT, 60},
    {"x-ratelimit-", "-tokens-cache-adjusted-prompt", LIMIT_FRESH, 60},
    {"x-ratelimit-", "-tokens-generated", LIMIT_OUTPUT, 60},
    {"anthropic-ratelimit-requests-", "", LIMIT_REQUESTS, 1},
    {"anthropic-ratelimit-tokens-", "", LIMIT_TOKENS, 1},
    {"anthropic-ratelimit-input-tokens-", "", LIMIT_FRESH, 1},
    {"anthropic-ratelimit-output-tokens-", "", LIMIT_OUTPUT, 1},
};

static const char *const header_parts[PARTS] = {
    [PART_LIMIT] = "limit", [PART_REMAINING] = "remaining", [PART_RESET] = "reset"};

static bool header_digit(char c) {
    return c >= '0' && c <= '9';
}

/* A number in front of @rest, with commas between thousands; it is taken off. */
static bool header_number(struct str *rest, double *ret) {
    char digits[32];
    size_t n = 0, i = 0;
    for (; i < rest->n && (header_digit(rest->p[i]) || rest->p[i] == '.' || rest->p[i] == ',');
         i++) {
        if (rest->p[i] != ',') {
            if (n == sizeof digits) {
                return false;
            }
            digits[n++] = rest->p[i];
        }
    }
    *rest = str_skip(*rest, i);
    return str_to_double((struct str){digits, n}, ret);
}

/* The unit in front of @rest in milliseconds; it is taken off. 0: there is none. */
static double header_unit_ms(struct str *rest) {
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1},        {"us", 0.001},  {"\xc2\xb5s", 0.001}, {"\xce\xbcs", 0.001},
                 {"ns", 0.000001}, {"h", 3600000}, {"m", 60000},         {"s", 1000},
                 {"d", 86400000}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        struct str name = str_of(units[i].name);
        if (str_starts(*rest, name)) {
            *rest = str_skip(*rest, name.n);
            return units[i].ms;
        }
    }
    return 0;
}

int64_t limit_duration_ms(struct str text) {
    struct str rest = str_trim(text);
    double sum_ms = 0, number;
    if (str_to_double(rest, &number)) {
        sum_ms = number * 1000;
        rest = S("");
    } else if (rest.n == 0) {
        return -1;
    }
    while (rest.n > 0) {
        double unit_ms = header_number(&rest, &number) ? header_unit_ms(&rest) : 0;
        if (unit_ms == 0) {
            return -1;
        }
        sum_ms += number * unit_ms;
    }
    return sum_ms >= 0 && sum_ms <= HEADERS_MS_MAX ? (int64_t)ceil(sum_ms) : -1;
}

static double header_value(enum header_part part, struct str text) {
    double number = -1;
    struct str rest = str_trim(text);
    if (part == PART_RESET) {
        return (double)limit_duration_ms(rest); /* -1: a date, which nobody needs */
    }
    bool good = header_number(&rest, &number) && rest.n == 0 && number <= HEADERS_NUMBER_MAX;
    return good ? number : -1;
}

static bool header_starts(struct str *rest, const char *prefix) {
    struct str p = str_of(prefix);
    bool starts = str_eq_nocase(str_take(*rest, p.n), p);
    *rest = starts ? str_skip(*rest, p.n) : *rest;
    return starts;
}

/* Is it the name of one of the numbers, and which? */
static bool header_find(struct str name, size_t *ret_form, enum header_part *ret_part) {
    for (size_t f = 0; f < ARRAY_LEN(header_forms); f++) {
        struct str rest = name;
        bool begins = header_starts(&rest, header_forms[f].before);
        for (int part = 0; begins && part < PARTS; part++) {
            struct str end = rest;
            if (header_starts(&end, header_parts[part]) &&
                str_eq_nocase(end, str_of(header_forms[f].after))) {
                *ret_form = f;
                *ret_part = (enum header_part)part;
                return true;
            }
        }
    }
    return false;
}

/* Does what is missing come back in minutes? A quota per day is no pace. */
static bool header_is_per_minute(const double numbers[PARTS]) {
    double missing = numbers[PART_LIMIT] - numbers[PART_REMAINING];
    if (numbers[PART_REMAINING] < 0 || numbers[PART_RESET] < 0 || missing < 1) {
        return true; /* as far as can be told */
    }
    return numbers[PART_RESET] * numbers[PART_LIMIT] / missing <= HEADERS_WINDOW_MS_MAX;
}

/* Of two numbers for the same the lower one; -1: nothing yet. */
static int64_t header_lower(int64_t told, double number) {
    return number < 0 ? told : told < 0 ? (int64_t)number : MIN(told, (int64_t)number);
}

static void header_tell(const double numbers[PARTS], double per_minute, struct limit_quota *ret) {
    ret->per_minute = header_lower(ret->per_minute, numbers[PART_LIMIT] * per_minute);
    ret->remaining = header_lower(ret->remaining, numbers[PART_REMAINING] * per_minute);
}

void limit_read_headers(struct str headers, struct limit_told *ret) {
    bool over = false;
    double numbers[ARRAY_LEN(header_forms)][PARTS];
    for (size_t f = 0; f < ARRAY_LEN(header_forms); f++) {
        for (int part = 0; part < PARTS; part++) {
            numbers[f][part] = -1;
        }
    }
    while (headers.n > 0) {
        struct str value = str_split(&headers, '\n'), name = str_split(&value, ':');
        size_t f;
        enum header_part part;
        if (header_find(name, &f, &part)) {
            numbers[f][part] = header_value(part, value);
        }
        over = over || (str_eq_nocase(name, S("x-ratelimit-over-limit")) &&
                        str_eq_nocase(str_trim(value), S("yes")));
    }
    for (int k = 0; k < LIMIT_KINDS; k++) {
        ret->of[k].per_minute = ret->of[k].remaining = -1;
    }
    for (size_t f = 0; f < ARRAY_LEN(header_forms); f++) {
        if (numbers[f][PART_LIMIT] >= 1 && header_is_per_minute(numbers[f])) {
            numbers[f][PART_REMAINING] = over ? 0 : numbers[f][PART_REMAINING];
            header_tell(numbers[f], header_forms[f].per_minute, &ret->of[header_forms[f].kind]);
        }
    }
}
