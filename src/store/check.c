#include "store/check.h"

#include "store/reader.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    size_t query;
    const char *text;
} store_checks[] = {
#define X(name, text, query) {R_CHECK_##name, text},
    STORE_CHECKS(X)
#undef X
};

/* @text with its "%d", if it has one, replaced by @number. */
static void check_say(char *ret, size_t size, const char *text, int64_t number) {
    struct str rest = str_of(text);
    size_t at = str_find(rest, S("%d"));
    if (at == STR_NPOS) {
        (void)snprintf(ret, size, "%s", text);
    } else {
        (void)snprintf(ret, size, "%.*s%" PRId64 "%s", (int)at, text, number, text + at + 2);
    }
}

enum err store_check(struct store_reader *r, struct errinfo *reterr) {
    char found[256] = "", job[64] = "";
    sql_begin(r->db);
    sql_check(r->db);
    for (size_t i = 0; i < ARRAY_LEN(store_checks) && found[0] == '\0'; i++) {
        struct sql_query *q = sql_use(r->db, store_checks[i].query);
        if (sql_next(q)) {
            (void)snprintf(job, sizeof job, "%.*s", STR_ARG(sql_str(q, 0)));
            check_say(found, sizeof found, store_checks[i].text, sql_int(q, 1));
            sql_end(q);
        }
    }
    enum err e = sql_commit(r->db, reterr);
    if (e == ERR_OK && found[0] != '\0') {
        e = errinfo_set(reterr, ERR_CORRUPT, "%s: job %s: %s", r->path, job, found);
    }
    return e;
}
