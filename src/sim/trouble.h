/* trouble.h - what can be wrong with a request, and how each provider says it.
 *
 * What is wrong is one of a few things; status, type and code are a provider's own, in one table.
 * The body is in its shape:
 *
 *     OpenAI     {"error":{"message","type","param","code"}}
 *     Anthropic  {"type":"error","error":{"type","message"},"request_id"}
 *     Gemini     {"error":{"code","message","status","details"}}
 */
#ifndef STUMPER_SIM_TROUBLE_H
#define STUMPER_SIM_TROUBLE_H

#include "base/sbuf.h"

/* Whose ways of putting things. */
enum dialect { DIALECT_OPENAI, DIALECT_ANTHROPIC, DIALECT_GEMINI, DIALECT_COUNT };

#define TROUBLE_TABLE(X)                                                                           \
    /* what       OpenAI                                          Anthropic                        \
                  Gemini */                                                                        \
    X(REQUEST, 400, "invalid_request_error", NULL, 400, "invalid_request_error", 400,              \
      "INVALID_ARGUMENT")                                                                          \
    X(NO_KEY, 401, "invalid_request_error", NULL, 401, "authentication_error", 403,                \
      "PERMISSION_DENIED")                                                                         \
    X(BAD_KEY, 401, "invalid_request_error", "invalid_api_key", 401, "authentication_error", 400,  \
      "INVALID_ARGUMENT")                                                                          \
    X(PATH, 404, "invalid_request_error", NULL, 404, "not_found_error", 404, "NOT_FOUND")          \
    X(METHOD, 405, "invalid_request_error", "method_not_supported", 405, "invalid_request_error",  \
      405, "INVALID_ARGUMENT")                                                                     \
    X(MODEL, 404, "invalid_request_error", "model_not_found", 404, "not_found_error", 404,         \
      "NOT_FOUND")                                                                                 \
    X(NOT_FOUND, 404, "invalid_request_error", NULL, 404, "not_found_error", 404, "NOT_FOUND")     \
    X(CONFLICT, 409, "invalid_request_error", NULL, 409, "conflict_error", 409, "ABORTED")         \
    X(TOO_LARGE, 413, "invalid_request_error", NULL, 413, "request_too_large", 400,                \
      "INVALID_ARGUMENT")                                                                          \
    X(REQUESTS, 429, "requests", "rate_limit_exceeded", 429, "rate_limit_error", 429,              \
      "RESOURCE_EXHAUSTED")                                                                        \
    X(TOKENS, 429, "tokens", "rate_limit_exceeded", 429, "rate_limit_error", 429,                  \
      "RESOURCE_EXHAUSTED")                                                                        \
    X(DAY, 429, "requests", "rate_limit_exceeded", 429, "rate_limit_error", 429,                   \
      "RESOURCE_EXHAUSTED")                                                                        \
    X(RAMP, 429, "requests", "slow_down", 429, "rate_limit_error", 429, "RESOURCE_EXHAUSTED")      \
    X(SPEND, 429, "insufficient_quota", "insufficient_quota", 429, "enforced_spend_limit_reached", \
      429, "RESOURCE_EXHAUSTED")                                                                   \
    X(INTERNAL, 500, "server_error", NULL, 500, "api_error", 500, "INTERNAL")                      \
    X(OVERLOADED, 503, "service_unavailable_error", "server_is_overloaded", 503,                   \
      "overloaded_error", 503, "UNAVAILABLE")                                                      \
    X(BUSY, 529, "service_unavailable_error", "server_is_overloaded", 529, "overloaded_error",     \
      503, "UNAVAILABLE") /* Anthropic's 529 */

enum trouble {
#define X(name, ...) TROUBLE_##name,
    TROUBLE_TABLE(X)
#undef X
        TROUBLE_COUNT
};

struct sim_error {
    enum trouble what;
    int status;        /* 0: the one of the table */
    const char *param; /* OpenAI: null if NULL */
    const char *code;  /* OpenAI: the one of the table if NULL */
    int64_t wait_ms;   /* when to come again; 0: not told */
    int64_t limit;     /* that was reached; 0: none */
    char model[64];    /* … by this model, as Gemini tells it */
    char message[384];
};

/** Fill in @e; returns false, so that `return sim_error_set(…)` reads as one step. A long message
 * is cut. */
PRINTF(5, 6)
bool sim_error_set(struct sim_error *e, enum trouble what, const char *param, const char *code,
                   const char *fmt, ...);

/** The HTTP status that @d answers with. */
int sim_error_status(const struct sim_error *e, enum dialect d);

/** Write the error's JSON body as @d does. @request_id: NULL, but for Anthropic. */
void sim_error_write(const struct sim_error *e, enum dialect d, const char *request_id,
                     struct sbuf *out);

#endif
