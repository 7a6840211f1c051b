#include "api/query.h"

#include "api/problem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct query_known {
    struct query *q;
    const char *const *known;
};

void query_fail(struct query *q, const char *fmt, ...) {
    size_t n = strlen(q->wrong);
    va_list args;
    if (n > 0 && n + 1 < sizeof q->wrong) {
        q->wrong[n++] = ' ';
        q->wrong[n] = '\0';
    }
    va_start(args, fmt);
    (void)vsnprintf(q->wrong + n, sizeof q->wrong - n, fmt, args); /* what does not fit is cut */
    va_end(args);
}

static bool query_check_known(void *ctx, struct str name, struct str value) {
    struct query_known *k = ctx;
    (void)value;
    for (size_t i = 0; k->known[i] != NULL; i++) {
        if (str_eq(name, str_of(k->known[i]))) {
            return true;
        }
    }
    query_fail(k->q, "There is no argument \"%.*s\" here.", STR_ARG(str_take_utf8(name, 40)));
    return true;
}

void query_begin(struct query *q, struct call *c, const char *const *known) {
    struct query_known k = {q, known};
    q->c = c;
    q->wrong[0] = '\0';
    httpd_query_each(c->q, query_check_known, &k);
}

int64_t query_int(struct query *q, const char *name, int64_t min, int64_t max, int64_t otherwise) {
    struct str text = httpd_query(q->c->q, name);
    int64_t v;
    if (text.p == NULL) {
        return otherwise;
    }
    if (!str_to_i64(text, &v) || v < min || v > max) {
        query_fail(q, "%s must be an integer from %" PRId64 " to %" PRId64 ".", name, min, max);
        return otherwise;
    }
    return v;
}

struct str query_str(struct query *q, const char *name, size_t bytes_max) {
    struct str text = httpd_query(q->c->q, name);
    if (text.n > bytes_max || !str_is_utf8(text)) {
        query_fail(q, "%s must be a text of at most %zu bytes.", name, bytes_max);
        return S("");
    }
    return text;
}

bool query_end(struct query *q) {
    if (q->wrong[0] != '\0') {
        problem_send(q->c, PROBLEM_BAD_REQUEST, "%s", q->wrong);
    }
    return q->wrong[0] == '\0';
}
