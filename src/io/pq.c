#include "io/pq.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- addresses */

static const char *pq_option(const PQconninfoOption *options, const char *keyword) {
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val != NULL ? options->val : "";
        }
    }
    return "";
}

/* A password with a bare '@' or '/' in it would end up in the name of the host, which is told. */
static bool pq_is_plain(const char *part) {
    return strpbrk(part, "@:/?# ") == NULL || part[0] == '/'; /* a folder with a socket */
}

/* Take "pool_mode=…" out of the address: libpq does not know it. False: it says something else. */
static bool pq_take_pool_mode(struct pq *p) {
    struct str url = str_of(p->url);
    size_t at = str_find(url, S("pool_mode="));
    if (at == STR_NPOS || at == 0 || (url.p[at - 1] != '?' && url.p[at - 1] != '&')) {
        return true;
    }
    struct str rest = str_skip(url, at + S("pool_mode=").n);
    size_t end = str_find(rest, S("&"));
    struct str value = str_take(rest, end == STR_NPOS ? rest.n : end);
    p->pooled = str_eq(value, S("transaction"));
    bool known = p->pooled || str_eq(value, S("session"));
    rest = str_skip(rest, value.n + (end != STR_NPOS));
    memmove(p->url + at, rest.p, rest.n + 1);
    if (rest.n == 0) {
        p->url[at - 1] = '\0';
    }
    return known;
}

enum err pq_init(struct pq *p, struct str url, int64_t answer_ms, struct errinfo *reterr) {
    char *why = NULL; /* may repeat the password */
    *p = (struct pq){.url = mem_dup_cstr(url.p, url.n), .answer_ms = answer_ms};
    bool mode_known = pq_take_pool_mode(p);
    PQconninfoOption *options = PQconninfoParse(p->url, &why);
    PQfreemem(why);
    const char *host = options != NULL ? pq_option(options, "host") : "@";
    const char *port = options != NULL ? pq_option(options, "port") : "@";
    if (options != NULL) {
        log_add_secret(str_of(pq_option(options, "password")));
    }
    bool good = mode_known && pq_is_plain(host) && strspn(port, "0123456789,") == strlen(port);
    if (good) {
        (void)snprintf(p->name, sizeof p->name, "postgresql://%s%s%s/%s", host,
                       port[0] != '\0' ? ":" : "", port, pq_option(options, "dbname"));
    }
    PQconninfoFree(options);
    if (!good) {
        pq_release(p);
        return errinfo_set(reterr, ERR_USAGE,
                           "not a PostgreSQL address: postgresql://USER:PASSWORD@HOST:PORT/NAME, "
                           "with %%40 for an @ in the password; pool_mode is session or "
                           "transaction");
    }
    return ERR_OK;
}

void pq_release(struct pq *p) {
    pq_drop(p);
    if (p->url != NULL) {
        explicit_bzero(p->url, strlen(p->url));
    }
    free(p->url);
    p->url = NULL;
}

/* --- connecting */

/* It would go to stderr otherwise. */
static void pq_hear_nothing(void *ctx, const char *notice) {
    (void)ctx;
    (void)notice;
}

/* What libpq says, on one line: it takes one for each address that it tried, and some for hints. */
static enum err pq_cannot_connect(const struct pq *p, struct errinfo *reterr) {
    struct str text = str_of(PQerrorMessage(p->conn));
    char why[ERRINFO_BYTES] = "";
    for (size_t n = 0; text.n > 0 && n < sizeof why;) {
        struct str line = str_trim(str_split(&text, '\n'));
        n += (size_t)snprintf(why + n, sizeof why - n, n > 0 && line.n > 0 ? "; %.*s" : "%.*s",
                              STR_ARG(line));
    }
    return errinfo_set(reterr, ERR_UNAVAILABLE, "%s", why);
}

/* A server that vanished without a word is noticed after 11 s. */
enum err pq_connect(struct pq *p, const char *application, bool writable, struct errinfo *reterr) {
    const char *const settings[][2] = {
        {"dbname", p->url},
        {"application_name", application},
        {"client_encoding", "UTF8"},
        {"connect_timeout", PQ_CONNECT_S},
        {"keepalives_idle", "5"},
        {"keepalives_interval", "2"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "10000"},
        {"target_session_attrs", writable ? "read-write" : "any"},
    };
    const char *keywords[ARRAY_LEN(settings) + 1] = {0}, *values[ARRAY_LEN(settings) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        keywords[i] = settings[i][0];
        values[i] = settings[i][1];
    }
    pq_drop(p);
    p->conn = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(p->conn) != CONNECTION_OK) {
        enum err e = pq_cannot_connect(p, reterr);
        pq_drop(p);
        return e;
    }
    (void)PQsetNoticeProcessor(p->conn, pq_hear_nothing, NULL);
    return ERR_OK;
}

void pq_drop(struct pq *p) {
    PQfinish(p->conn); /* NULL is fine */
    p->conn = NULL;
}

/* --- asking */

static bool pq_is_ready(struct pq *p) {
    int64_t until_ms = clock_mono_ms() + p->answer_ms;
    while (PQisBusy(p->conn) == 1) {
        struct pollfd fd = {.fd = PQsocket(p->conn), .events = POLLIN};
        int64_t left_ms = until_ms - clock_mono_ms();
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) == 0 || PQconsumeInput(p->conn) != 1) {
            return false;
        }
    }
    return true;
}

PGresult *pq_await(struct pq *p) {
    PGresult *last = NULL;
    for (;;) {
        PGresult *next = pq_is_ready(p) ? PQgetResult(p->conn) : NULL;
        if (next == NULL) {
            break;
        }
        PQclear(last);
        last = next;
    }
    if (PQstatus(p->conn) != CONNECTION_OK || PQisBusy(p->conn) == 1) {
        PQclear(last);
        pq_drop(p);
        return NULL;
    }
    return last;
}

bool pq_begin_row(struct pq *p) {
    return PQenterPipelineMode(p->conn) == 1;
}

static PGresult *pq_await_next(struct pq *p) {
    return pq_is_ready(p) ? PQgetResult(p->conn) : NULL;
}

PGresult *pq_end_row(struct pq *p, size_t n) {
    PGresult *kept = NULL, *end = NULL;
    const char *reason;
    bool good = PQpipelineSync(p->conn) == 1;
    for (size_t i = 0; good && i < n; i++) {
        PGresult *next = pq_await_next(p);
        if (kept == NULL || pq_judge(kept, &reason) == ERR_OK) {
            PQclear(kept);
            kept = next;
        } else {
            PQclear(next);
        }
        good = next != NULL && pq_await_next(p) == NULL; /* each ends with a NULL */
    }
    end = good ? pq_await_next(p) : NULL;
    good = PQresultStatus(end) == PGRES_PIPELINE_SYNC && PQexitPipelineMode(p->conn) == 1;
    PQclear(end);
    if (!good || PQstatus(p->conn) != CONNECTION_OK) {
        PQclear(kept);
        pq_drop(p);
        return NULL;
    }
    return kept;
}

static PGresult *pq_await_if(struct pq *p, int sent) {
    if (sent != 1) {
        pq_drop(p);
        return NULL;
    }
    return pq_await(p);
}

PGresult *pq_ask(struct pq *p, const char *text) {
    return pq_await_if(p, PQsendQuery(p->conn, text));
}

PGresult *pq_ask_with(struct pq *p, const char *text, const char *const *values, int n) {
    return pq_await_if(p, PQsendQueryParams(p->conn, text, n, NULL, values, NULL, NULL, 0));
}

static const struct {
    char state[6]; /* the beginning of a SQLSTATE */
    enum err err;
} pq_errors[] = {
    {"08", ERR_UNAVAILABLE},    /* connection */
    {"57P", ERR_UNAVAILABLE},   /* shutdown, killed */
    {"53300", ERR_UNAVAILABLE}, /* too many connections */
    {"25P03", ERR_UNAVAILABLE}, /* idle in a transaction for too long */
    {"25006", ERR_UNAVAILABLE}, /* became a standby */
    {"40", ERR_BUSY},           /* deadlock, serialisation */
    {"55P03", ERR_BUSY},        /* lock_timeout */
    {"53100", ERR_DISK_FULL},   {"42501", ERR_READ_ONLY}, {"XX001", ERR_CORRUPT},
    {"XX002", ERR_CORRUPT},     {"54", ERR_TOO_BIG},
};

/* Sessions change between transactions: what was prepared is another's, or not there. */
static const char *pq_pooler_hint(const char *state) {
    bool prepared = strcmp(state, "26000") == 0 || strcmp(state, "42P05") == 0;
    return prepared ? "behind a pooler of transactions (pgbouncer) its address has to end in "
                      "?pool_mode=transaction"
                    : NULL;
}

enum err pq_judge(const PGresult *result, const char **ret_reason) {
    *ret_reason = "the server has closed the connection, or does not answer";
    if (result == NULL) {
        return ERR_UNAVAILABLE;
    }
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        return ERR_OK;
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *reason = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = state != NULL ? pq_pooler_hint(state) : NULL;
    *ret_reason = hint != NULL ? hint : reason != NULL ? reason : "unknown error";
    for (size_t i = 0; state != NULL && i < ARRAY_LEN(pq_errors); i++) {
        if (strncmp(state, pq_errors[i].state, strlen(pq_errors[i].state)) == 0) {
            return pq_errors[i].err;
        }
    }
    return ERR_INTERNAL;
}

static enum err pq_told(const PGresult *result, struct errinfo *reterr) {
    const char *reason;
    enum err e = pq_judge(result, &reason);
    return e == ERR_OK ? e : errinfo_set(reterr, e, "%s", reason);
}

enum err pq_do(struct pq *p, const char *text, struct errinfo *reterr) {
    PGresult *result = pq_ask(p, text);
    enum err e = pq_told(result, reterr);
    PQclear(result);
    return e;
}

enum err pq_ask_int(struct pq *p, const char *text, int64_t otherwise, int64_t *ret,
                    struct errinfo *reterr) {
    PGresult *result = pq_ask(p, text);
    enum err e = pq_told(result, reterr);
    bool there = e == ERR_OK && PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0;
    if (!there || !str_to_i64(str_of(PQgetvalue(result, 0, 0)), ret)) {
        *ret = otherwise;
    }
    PQclear(result);
    return e;
}
