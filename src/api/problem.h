/* problem.h - inside the room: answers that say what went wrong, as application/problem+json
 * (RFC 9457) with code, request_id and, for invalid requests, errors[{pointer, line, detail}].
 *
 * Each of these answers the call. */
#ifndef STUMPER_API_PROBLEM_H
#define STUMPER_API_PROBLEM_H

#include "api/call.h"
#include "json/check.h"

/* What clients may rely on; docs/openapi.yaml lists them. */
#define PROBLEM_TABLE(X) /* name               code                        status  retry */        \
    X(PROBLEM_BAD_REQUEST, "bad_request", 400, false)                                              \
    X(PROBLEM_BAD_JSON, "invalid_json", 400, false)                                                \
    X(PROBLEM_UNAUTHORIZED, "unauthorized", 401, false)                                            \
    X(PROBLEM_FORBIDDEN, "forbidden", 403, false)                                                  \
    X(PROBLEM_NOT_FOUND, "not_found", 404, false)                                                  \
    X(PROBLEM_METHOD, "method_not_allowed", 405, false)                                            \
    X(PROBLEM_TIMEOUT, "request_timeout", 408, true)                                               \
    X(PROBLEM_CONFLICT, "conflict", 409, false)                                                    \
    X(PROBLEM_UNDERWAY, "idempotency_in_progress", 409, true)                                      \
    X(PROBLEM_GONE, "gone", 410, false)                                                            \
    X(PROBLEM_TOO_LARGE, "too_large", 413, false)                                                  \
    X(PROBLEM_URI, "uri_too_long", 414, false)                                                     \
    X(PROBLEM_MEDIA_TYPE, "unsupported_media_type", 415, false)                                    \
    X(PROBLEM_INVALID, "invalid_request", 422, false)                                              \
    X(PROBLEM_IDEMPOTENCY, "idempotency_mismatch", 422, false)                                     \
    X(PROBLEM_RATE, "rate_limited", 429, true)                                                     \
    X(PROBLEM_JOBS, "too_many_jobs", 429, true)                                                    \
    X(PROBLEM_SPEND, "spend_limit", 429, true)                                                     \
    X(PROBLEM_STREAMS, "too_many_streams", 429, true)                                              \
    X(PROBLEM_HEADER, "header_too_large", 431, false)                                              \
    X(PROBLEM_INTERNAL, "internal_error", 500, true)                                               \
    X(PROBLEM_NOT_HTTP, "not_implemented", 501, false)                                             \
    X(PROBLEM_BACKLOG, "backlog_full", 503, true)                                                  \
    X(PROBLEM_UNAVAILABLE, "unavailable", 503, true)                                               \
    X(PROBLEM_VERSION, "http_version_not_supported", 505, false)                                   \
    X(PROBLEM_DISK_FULL, "insufficient_storage", 507, true)

enum problem_code {
#define X(name, code, status, retry) name,
    PROBLEM_TABLE(X)
#undef X
        PROBLEM_CODES
};

/** A text for a person. */
PRINTF(3, 4) void problem_send(struct call *c, enum problem_code code, const char *fmt, ...);

/** … and when to come again, in seconds. */
PRINTF(4, 5)
void problem_send_later(struct call *c, enum problem_code code, int64_t retry_s, const char *fmt,
                        ...);

/** 405, with what the path takes. */
void problem_send_method(struct call *c, const char *allow);

/** 400: the body is no JSON. @why: with line and column. */
void problem_send_json(struct call *c, const struct jnode_where *where, const char *why);

/** 422 with all that is wrong in @doc, which the body is. */
void problem_send_check(struct call *c, const struct jcheck *check, const struct jnode *doc);

/** What the store said; ERR_NOT_FOUND means the job of the path. */
void problem_send_store(struct call *c, enum err e, const struct errinfo *detail);

/** A request that httpd/ refuses with @status. */
void problem_send_refused(struct call *c, int status, const char *reason);

#endif
