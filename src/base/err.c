#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct err_row {
    const char *name;
    const char *text;
    enum err_class cls;
    int http;
};

static const struct err_row err_rows[ERR_COUNT] = {
#define X(code, name, text, cls, http) [code] = {name, text, ERR_CLASS_##cls, http},
    ERR_TABLE(X)
#undef X
};

static const struct err_row *err_row(enum err e) {
    return (unsigned)e < ERR_COUNT ? &err_rows[e] : &err_rows[ERR_INTERNAL];
}

const char *err_name(enum err e) {
    return err_row(e)->name;
}
const char *err_text(enum err e) {
    return err_row(e)->text;
}
enum err_class err_class(enum err e) {
    return err_row(e)->cls;
}
int err_http_status(enum err e) {
    return err_row(e)->http;
}

enum err err_from_name(const char *name) {
    for (int e = 0; e < ERR_COUNT; e++) {
        if (strcmp(err_rows[e].name, name) == 0) {
            return (enum err)e;
        }
    }
    return ERR_INTERNAL;
}

enum err errinfo_set(struct errinfo *info, enum err e, const char *fmt, ...) {
    if (info != NULL) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(info->text, sizeof info->text, fmt, args); /* cut on purpose */
        va_end(args);
    }
    return e;
}

enum err errinfo_wrap(struct errinfo *info, enum err e, const char *fmt, ...) {
    if (info != NULL) {
        struct errinfo inner = *info;
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(info->text, sizeof info->text, fmt, args); /* cut on purpose */
        va_end(args);
        size_t used = strlen(info->text);
        (void)snprintf(info->text + used, sizeof info->text - used, ": %s",
                       errinfo_text(&inner, e));
    }
    return e;
}

const char *errinfo_text(const struct errinfo *info, enum err e) {
    return info != NULL && info->text[0] != '\0' ? info->text : err_text(e);
}

void assert_failed(const char *cond, const char *file, int line) {
    (void)fprintf(stderr, "stumper: internal error: %s:%d: `%s` does not hold\n", file, line, cond);
    abort();
}
