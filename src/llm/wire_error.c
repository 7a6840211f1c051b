#include "llm/wire_error.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

#define WIRE_MESSAGE_BYTES_READ ((size_t)4096)
#define WIRE_MESSAGE_BYTES_SHOWN ((size_t)200)

/* --- what the shapes have in common ---------------------------------------------------------- */

/* {"quotaId":"GenerateRequestsPerMinute…","quotaValue":"15"} */
static void wire_error_violation(const struct jnode *v, struct wire_error *e) {
    int64_t value;
    struct str id = jnode_get_str(v, "quotaId");
    if (str_to_i64(jnode_get_str(v, "quotaValue"), &value)) {
        limit_read_quota(id, value, &e->words);
    }
    e->quota = e->quota.n == 0 || str_find(id, S("PerDay")) != STR_NPOS ? id : e->quota;
}

/* Gemini's details: what is used up, how long to wait, why a key is no good. */
static void wire_error_details(const struct jnode *details, struct wire_error *e) {
    for (size_t i = 0; i < jnode_len(details); i++) {
        const struct jnode *d = jnode_at(details, i);
        const struct jnode *violations = jnode_get(d, "violations");
        struct str reason = jnode_get_str(d, "reason"), delay = jnode_get_str(d, "retryDelay");
        e->quota = reason.n > 0 ? reason : e->quota;
        e->retry_delay = delay.n > 0 ? delay : e->retry_delay;
        for (size_t k = 0; k < jnode_len(violations); k++) {
            wire_error_violation(jnode_at(violations, k), e);
        }
    }
}

/* {"error":{…}} as most have it, a string as error (Ollama), in an array (Gemini), the members of
 * an event themselves (Responses), no JSON, or a shape of its own (FastAPI, Mistral). */
static struct wire_error wire_error_of(const struct jnode *doc, struct str text, struct arena *a) {
    const struct jnode *body = jnode_type(doc) == JNODE_ARRAY ? jnode_at(doc, 0) : doc;
    const struct jnode *e = jnode_get(body, "error");
    if (jnode_type(e) == JNODE_STRING) {
        return (struct wire_error){.message = jnode_str(e), .is_object = true};
    }
    bool bare = e == NULL && str_eq(jnode_get_str(body, "type"), S("error"));
    e = bare ? body : e;
    const struct jnode *metadata = jnode_get(e, "metadata");
    struct wire_error error = {.message = jnode_get_str(e, "message"),
                               .code = jnode_get_str(e, "code"),
                               .type = bare ? S("") : jnode_get_str(e, "type"),
                               .param = jnode_get_str(e, "param"),
                               .status = jnode_get_str(e, "status"),
                               .is_object = jnode_type(e) == JNODE_OBJECT,
                               .is_moderation = jnode_get(metadata, "flagged_input") != NULL};
    if (jnode_type(jnode_get(e, "code")) == JNODE_INT) {
        error.code = str_fmt(a, "%lld", (long long)jnode_get_int(e, "code", 0));
    }
    wire_error_details(jnode_get(e, "details"), &error);
    if (error.message.n == 0) {
        error.message = jnode_get_str(body, "message"); /* some gateways */
    }
    if (error.message.n == 0) {
        error.message = str_trim(text);
    }
    error.words.slow_down = str_eq(error.code, S("slow_down"));
    limit_read_words(str_take(error.message, WIRE_MESSAGE_BYTES_READ), &error.words);
    return error;
}

bool wire_holds_error(const struct jnode *doc) {
    const struct jnode *body = jnode_type(doc) == JNODE_ARRAY ? jnode_at(doc, 0) : doc;
    enum jnode_type type = jnode_type(jnode_get(body, "error"));
    return type == JNODE_OBJECT || type == JNODE_STRING ||
           str_eq(jnode_get_str(body, "type"), S("error"));
}

/* --- what they mean -------------------------------------------------------------------------- */

/* The names of errors by code, type or status, and the HTTP status that goes with each: for those
 * that come inside a 200. */
static const struct {
    const char *name;
    int status;
} wire_error_names[] = {
    {"api_error", 500},
    {"authentication_error", 401},
    {"billing_error", 402},
    {"conflict_error", 409},
    {"context_length_exceeded", 400},
    {"data_residency_mismatch", 400},
    {"invalid_api_key", 401},
    {"invalid_prompt", 400},
    {"invalid_request_error", 400},
    {"model_not_found", 404},
    {"not_found_error", 404},
    {"overloaded_error", 529},
    {"permission_error", 403},
    {"rate_limit_error", 429},
    {"rate_limit_exceeded", 429},
    {"request_too_large", 413},
    {"slow_down", 429},
    {"timeout_error", 504},
    {"DEADLINE_EXCEEDED", 504},
    {"FAILED_PRECONDITION", 400},
    {"INVALID_ARGUMENT", 400},
    {"NOT_FOUND", 404},
    {"PERMISSION_DENIED", 403},
    {"RESOURCE_EXHAUSTED", 429},
    {"UNAUTHENTICATED", 401},
    {"UNAVAILABLE", 503},
};

static int wire_status_of_name(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(wire_error_names); i++) {
        if (str_eq(name, str_of(wire_error_names[i].name))) {
            return wire_error_names[i].status;
        }
    }
    return 0;
}

/* A 429 that waiting does not mend, whatever its status. */
static bool wire_is_out_of_quota(const struct wire_error *e) {
    static const char *const names[] = {"insufficient_quota",
                                        "credit_balance_exhausted",
                                        "organization_usage_limit_exceeded",
                                        "organization_spend_limit_exceeded",
                                        "project_spend_limit_exceeded",
                                        "billing_hard_limit_reached",
                                        "enforced_spend_limit_reached",
                                        "credit balance is too low"}; /* Anthropic's 400 */
    bool found = str_find(e->quota, S("PerDay")) != STR_NPOS;         /* not today */
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str name = str_of(names[i]);
        found = found || str_eq(e->code, name) || str_eq(e->type, name) ||
                (e->is_object && str_find(e->message, name) != STR_NPOS);
    }
    return found;
}

/* An error inside a 200: its code may be an HTTP status (OpenRouter), or a name that stands for
 * one; otherwise it is the server's own trouble. */
static int wire_status_of(int status, const struct wire_error *e) {
    int64_t code;
    if (status != 200) {
        return status;
    }
    if (str_to_i64(e->code, &code) && code >= 400 && code < 600) {
        return (int)code;
    }
    const struct str names[] = {e->code, e->type, e->status};
    int found = wire_is_out_of_quota(e) ? 429 : 0;
    for (size_t i = 0; i < ARRAY_LEN(names) && found == 0; i++) {
        found = wire_status_of_name(names[i]);
    }
    return found != 0 ? found : 500;
}

static enum err wire_classify(int status, const struct wire_error *e) {
    if (status < 500 && status != 401 && wire_is_out_of_quota(e)) {
        return ERR_QUOTA;
    }
    if (e->words.slow_down && (status == 429 || status == 503)) {
        return ERR_RATE_LIMIT;
    }
    switch (status) {
    case 400: /* Gemini's answer to a wrong key */
        return str_eq(e->quota, S("API_KEY_INVALID")) ? ERR_AUTH : ERR_REJECTED;
    case 401:
        return ERR_AUTH;
    case 403:
        return e->is_moderation ? ERR_REJECTED : ERR_AUTH;
    case 402:
        return ERR_QUOTA;
    case 404:
        return ERR_NOT_FOUND;
    case 408:
    case 409:
        return ERR_UNAVAILABLE;
    case 429:
        return ERR_RATE_LIMIT;
    default:
        return status >= 500 ? ERR_UNAVAILABLE : ERR_REJECTED;
    }
}

/* x-should-retry overrides what the status says. */
static enum err wire_obey(const struct http_reply *reply, enum err e) {
    struct str should_retry = http_reply_header(reply, S("x-should-retry"));
    if (str_eq(should_retry, S("true")) && err_class(e) == ERR_CLASS_PERMANENT) {
        return ERR_UNAVAILABLE;
    }
    if (str_eq(should_retry, S("false")) && err_class(e) != ERR_CLASS_PERMANENT) {
        return ERR_REJECTED;
    }
    return e;
}

/* "22s" or "1.5s" */
static int64_t wire_delay_ms(struct str delay) {
    double seconds;
    bool told = str_ends(delay, S("s")) && str_to_double(str_take(delay, delay.n - 1), &seconds) &&
                seconds >= 0 && seconds < 1e9;
    return told ? (int64_t)(seconds * 1000) : -1;
}

/* --- for a person ---------------------------------------------------------------------------- */

/* A provider's words, fit to be shown: a key that it repeats is taken out before the text is cut,
 * so that no half of it stays. */
static struct str wire_shown(struct str message, struct arena *a) {
    char *copy = ARENA_ARRAY(a, char, MIN(message.n, WIRE_MESSAGE_BYTES_READ) + 1);
    size_t n = 0;
    for (; n < message.n && n < WIRE_MESSAGE_BYTES_READ; n++) {
        copy[n] = (unsigned char)message.p[n] < ' ' ? ' ' : message.p[n];
    }
    log_redact(copy);
    return str_take_utf8((struct str){copy, n}, WIRE_MESSAGE_BYTES_SHOWN);
}

/* Whose error is this, by its shape? */
static enum call_clue wire_clue_of_format(const struct wire *wire, const struct jnode *doc,
                                          const struct wire_error *e) {
    bool anthropic = str_eq(jnode_get_str(doc, "type"), S("error")) && e->type.n > 0;
    bool gemini = e->status.n > 0 && e->code.n > 0;
    if (anthropic && wire != &wire_anthropic) {
        return CALL_CLUE_SPEAKS_ANTHROPIC;
    }
    if (gemini && wire != &wire_gemini) {
        return CALL_CLUE_SPEAKS_GEMINI;
    }
    bool openai = e->is_object && !anthropic && !gemini && jnode_get(doc, "error") != NULL &&
                  jnode_get(jnode_get(doc, "error"), "param") != NULL;
    return openai && (wire == &wire_anthropic || wire == &wire_gemini) ? CALL_CLUE_SPEAKS_OPENAI
                                                                       : CALL_CLUE_NONE;
}

static enum call_clue wire_clue(const struct wire *wire, int status, struct str text,
                                const struct jnode *doc, const struct wire_error *e) {
    enum call_clue clue = wire_clue_of_format(wire, doc, e);
    if (clue != CALL_CLUE_NONE) {
        return clue;
    }
    if (status / 100 == 3) {
        return CALL_CLUE_MOVED;
    }
    if (status < 500 && doc == NULL && str_starts(str_trim(text), S("<"))) {
        return CALL_CLUE_WEB_PAGE;
    }
    bool names_model = e->is_object && str_find(e->message, S("model")) != STR_NPOS;
    if (str_eq(e->code, S("model_not_found")) || (status == 404 && names_model)) {
        return CALL_CLUE_NO_MODEL;
    }
    return status == 404 || status == 405 ? CALL_CLUE_NO_PATH
           : status == 403                ? CALL_CLUE_FORBIDDEN
           : status == 407                ? CALL_CLUE_PROXY_KEY
                                          : CALL_CLUE_NONE;
}

void wire_read_error(const struct wire *wire, const struct wire_ask *ask,
                     const struct http_reply *reply, const struct jnode *doc, unsigned *known,
                     struct arena *a, struct wire_result *ret) {
    struct wire_error error = wire_error_of(doc, reply->body, a);
    int status = wire_status_of(reply->status, &error);
    struct str place = reply->status / 100 == 3 ? http_reply_header(reply, S("location")) : S("");
    struct str shown = wire_shown(place.n > 0 ? place : error.message, a);
    ret->err = wire_obey(reply, wire_classify(status, &error));
    ret->retry_after_ms = wire_retry_after_ms(reply, clock_wall_ms());
    if (ret->retry_after_ms < 0) {
        ret->retry_after_ms = wire_delay_ms(error.retry_delay);
    }
    ret->words = error.words;
    ret->learned = (status == 400 || status == 422) && wire_learn(ask, &error, known, &ret->cap);
    ret->answer.clue = wire_clue(wire, status, reply->body, doc, &error);
    (void)errinfo_set(&ret->detail, ret->err, "HTTP %d%s%.*s", status,
                      place.n > 0   ? ", to "
                      : shown.n > 0 ? ": "
                                    : "",
                      STR_ARG(shown));
}
