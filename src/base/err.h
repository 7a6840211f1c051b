/* err.h - one table of error codes: name, text, what to do about it, and the HTTP status it
 * becomes.
 *
 * Functions that can fail return `enum err` (0 is ERR_OK) and, where a sentence helps, fill an
 * optional `struct errinfo *reterr`, which never allocates and is touched only on failure. Library
 * code does not log; the boundary (request, attempt, command) reports once.
 */
#ifndef STUMPER_BASE_ERR_H
#define STUMPER_BASE_ERR_H

#include "base/defs.h"

/* What a caller may do about an error. */
enum err_class {
    ERR_CLASS_NONE,      /* not an error */
    ERR_CLASS_RETRY,     /* try again after a backoff */
    ERR_CLASS_WAIT,      /* try again when the peer says so */
    ERR_CLASS_PERMANENT, /* trying again changes nothing */
    ERR_CLASS_BUG,       /* stored data or our own code is wrong: stop and look */
};

/* clang-format off */
#define ERR_TABLE(X) /* code        name             text                                class      http */ \
    X(ERR_OK,          "ok",            "no error",                                       NONE,      200) \
    X(ERR_USAGE,       "usage",         "wrong usage",                                    PERMANENT, 400) \
    X(ERR_INVALID,     "invalid",       "invalid value",                                  PERMANENT, 422) \
    X(ERR_SYNTAX,      "syntax",        "malformed text",                                 PERMANENT, 400) \
    X(ERR_NOT_FOUND,   "not_found",     "not found",                                      PERMANENT, 404) \
    X(ERR_GONE,        "gone",          "was there and is deleted",                       PERMANENT, 410) \
    X(ERR_EXISTS,      "exists",        "exists already",                                 PERMANENT, 409) \
    X(ERR_CONFLICT,    "conflict",      "conflicts with what is there",                   PERMANENT, 409) \
    X(ERR_STALE,       "stale",         "the lease belongs to somebody else by now",      PERMANENT, 409) \
    X(ERR_TOO_BIG,     "too_big",       "limit exceeded",                                 PERMANENT, 413) \
    X(ERR_UNSUPPORTED, "unsupported",   "not supported",                                  PERMANENT, 501) \
    X(ERR_BUSY,        "busy",          "in use",                                         RETRY,     503) \
    X(ERR_UNAVAILABLE, "unavailable",   "peer unavailable",                               RETRY,     503) \
    X(ERR_NETWORK,     "network",       "connection failed",                              RETRY,     502) \
    X(ERR_TIMEOUT,     "timeout",       "deadline passed",                                RETRY,     504) \
    X(ERR_PROTOCOL,    "protocol",      "peer broke the protocol",                        RETRY,     502) \
    X(ERR_RATE_LIMIT,  "rate_limit",    "peer asked to slow down",                        WAIT,      429) \
    X(ERR_AUTH,        "auth",          "key missing, wrong or not allowed",              PERMANENT, 401) \
    X(ERR_QUOTA,       "quota",         "account is out of quota or money",               PERMANENT, 402) \
    X(ERR_REJECTED,    "rejected",      "peer rejected the request",                      PERMANENT, 400) \
    X(ERR_TRUNCATED,   "truncated",     "answer was cut off",                             RETRY,     502) \
    X(ERR_EMPTY,       "empty",         "answer was empty",                               RETRY,     502) \
    X(ERR_REFUSED,     "refused",       "model refused to answer",                        PERMANENT, 502) \
    X(ERR_MALFORMED,   "malformed",     "answer has the wrong form",                      RETRY,     502) \
    X(ERR_BUDGET,      "budget",        "budget spent",                                   PERMANENT, 402) \
    X(ERR_CANCELED,    "canceled",      "canceled",                                       PERMANENT, 409) \
    X(ERR_IO,          "io",            "input/output error",                             PERMANENT, 500) \
    X(ERR_DISK_FULL,   "disk_full",     "no space left on the disk",                      PERMANENT, 507) \
    X(ERR_READ_ONLY,   "read_only",     "not writable",                                   PERMANENT, 500) \
    X(ERR_CORRUPT,     "corrupt",       "stored data is corrupt",                         BUG,       500) \
    X(ERR_INTERNAL,    "internal",      "internal error",                                 BUG,       500)
/* clang-format on */

enum err {
#define X(code, name, text, cls, http) code,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

#define ERRINFO_BYTES 512

/* What went wrong, for a person. Zero-initialise it; it holds an empty text until something fails.
 */
struct errinfo {
    char text[ERRINFO_BYTES]; /* NUL-terminated; cut at the end if longer */
};

/** The stable name of a code, such as "rate_limit". Any value is accepted; unknown ones give
 * "internal". */
const char *err_name(enum err e);

/** The code of a name that err_name() gave; ERR_INTERNAL for a name it does not know. */
enum err err_from_name(const char *name);

/** A short text for a code, such as "deadline passed". */
const char *err_text(enum err e);

/** What a caller may do about a code. */
enum err_class err_class(enum err e);

/** The HTTP status that the API gives for a code. */
int err_http_status(enum err e);

/**
 * Set the text and return @e, so that `return errinfo_set(reterr, ERR_INVALID, "…", …);` reads as
 * one step.
 *
 * @info  may be NULL; then nothing is written
 */
PRINTF(3, 4) enum err errinfo_set(struct errinfo *info, enum err e, const char *fmt, ...);

/**
 * Put context before the text that is there ("context: text") and return @e.
 *
 * @info  may be NULL; an empty text becomes err_text(@e)
 */
PRINTF(3, 4) enum err errinfo_wrap(struct errinfo *info, enum err e, const char *fmt, ...);

/** The text of @info, or err_text(@e) when it is empty. Borrowed from @info. */
const char *errinfo_text(const struct errinfo *info, enum err e);

#endif
