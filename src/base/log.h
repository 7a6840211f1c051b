/* log.h - one line per event on stderr, for a person or (as JSON) for a machine.
 *
 * Only boundaries log: a request, an attempt, a command that ended. Secrets that were registered
 * never come out: every line is searched for them and they are replaced. This is the one module
 * with global state. Threading: all functions may be called from any thread once log_init() has
 * returned.
 */
#ifndef STUMPER_BASE_LOG_H
#define STUMPER_BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_options {
    enum log_level level; /* lines below it are dropped */
    bool json;            /* {"time":…,"level":…,"msg":…} instead of "level: msg" */
};

/** Set what is written; without it: LOG_INFO, plain. */
void log_init(const struct log_options *options);

/** Write one line. */
PRINTF(2, 3) void log_line(enum log_level level, const char *fmt, ...);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#define LOG_SECRETS_MAX 64
#define LOG_SECRET_BYTES_MAX 512

/** Register a secret (copied); shorter than 6 bytes is ignored, beyond LOG_SECRETS_MAX the oldest
 * is dropped. */
void log_add_secret(struct str secret);

/** Replace every registered secret in the NUL-terminated @text by '*', in place. */
void log_redact(char *text);

#endif
