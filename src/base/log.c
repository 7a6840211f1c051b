#include "base/log.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_LINE_BYTES_MAX 4096
#define LOG_SECRET_BYTES_MIN 6

static struct {
    pthread_mutex_t lock;
    struct log_options options;
    char secrets[LOG_SECRETS_MAX][LOG_SECRET_BYTES_MAX + 1];
    size_t secrets_n;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .options = {.level = LOG_INFO}};

static const char *const log_level_names[] = {"debug", "info", "warning", "error"};

void log_init(const struct log_options *options) {
    pthread_mutex_lock(&logger.lock);
    logger.options = *options;
    pthread_mutex_unlock(&logger.lock);
}

void log_add_secret(struct str secret) {
    if (secret.n < LOG_SECRET_BYTES_MIN || secret.n > LOG_SECRET_BYTES_MAX) {
        return;
    }
    pthread_mutex_lock(&logger.lock);
    char *slot = logger.secrets[logger.secrets_n++ % LOG_SECRETS_MAX];
    memcpy(slot, secret.p, secret.n);
    slot[secret.n] = '\0';
    pthread_mutex_unlock(&logger.lock);
}

void log_redact(char *text) {
    pthread_mutex_lock(&logger.lock);
    for (size_t i = 0; i < MIN(logger.secrets_n, LOG_SECRETS_MAX); i++) {
        const char *secret = logger.secrets[i];
        for (char *hit = strstr(text, secret); hit != NULL; hit = strstr(hit, secret)) {
            memset(hit, '*', strlen(secret));
        }
    }
    pthread_mutex_unlock(&logger.lock);
}

static void log_write_json(enum log_level level, const char *text) {
    char out[LOG_LINE_BYTES_MAX * 2];
    size_t n = 0;
    for (const char *c = text; *c != '\0' && n < sizeof out - 8; c++) {
        if (*c == '"' || *c == '\\') {
            out[n++] = '\\';
            out[n++] = *c;
        } else if ((unsigned char)*c < 0x20) {
            n += (size_t)snprintf(out + n, 8, "\\u%04x", (unsigned)(unsigned char)*c);
        } else {
            out[n++] = *c;
        }
    }
    out[n] = '\0';
    char when[CLOCK_RFC3339_BYTES];
    clock_rfc3339(clock_wall_ms(), when);
    (void)fprintf(stderr, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":\"%s\"}\n", when,
                  log_level_names[level], out);
}

void log_line(enum log_level level, const char *fmt, ...) {
    if (level < logger.options.level) {
        return;
    }
    char text[LOG_LINE_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    log_redact(text);
    if (logger.options.json) {
        log_write_json(level, text);
    } else {
        (void)fprintf(stderr, "stumper: %s%s%s\n", level == LOG_INFO ? "" : log_level_names[level],
                      level == LOG_INFO ? "" : ": ", text);
    }
}
