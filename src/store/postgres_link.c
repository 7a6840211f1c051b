#include "store/postgres_link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POSTGRES_CONNECT_S "5"
#define POSTGRES_ANSWER_MS 60000 /* then the server is given up */
#define POSTGRES_PAUSE_MS_MIN 50
#define POSTGRES_PAUSE_MS_MAX 1000
/* --- addresses */

static const char *link_option(const PQconninfoOption *options, const char *keyword) {
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val != NULL ? options->val : "";
        }
    }
    return "";
}

/* A password with a bare '@' or '/' in it would end up in the name of the host, which is told. */
static bool link_is_plain(const char *part) {
    return strpbrk(part, "@:/?# ") == NULL || part[0] == '/'; /* a folder with a socket */
}

/* Take "pool_mode=…" out of the address: libpq does not know it. False: it says something else. */
static bool link_take_pool_mode(struct postgres_link *l) {
    struct str url = str_of(l->url);
    size_t at = str_find(url, S("pool_mode="));
    if (at == STR_NPOS || at == 0 || (url.p[at - 1] != '?' && url.p[at - 1] != '&')) {
        return true;
    }
    struct str rest = str_skip(url, at + S("pool_mode=").n);
    size_t end = str_find(rest, S("&"));
    struct str value = str_take(rest, end == STR_NPOS ? rest.n : end);
    l->pooled = str_eq(value, S("transaction"));
    bool known = l->pooled || str_eq(value, S("session"));
    rest = str_skip(rest, value.n + (end != STR_NPOS));
    memmove(l->url + at, rest.p, rest.n + 1);
    if (rest.n == 0) {
        l->url[at - 1] = '\0';
    }
    return known;
}

enum err postgres_link_init(struct postgres_link *l, const char *url, enum sql_mode mode,
                            struct errinfo *reterr) {
    char *why = NULL; /* may repeat the password */
    *l = (struct postgres_link){.mode = mode, .url = mem_dup_cstr(url, strlen(url))};
    bool mode_known = link_take_pool_mode(l);
    PQconninfoOption *options = PQconninfoParse(l->url, &why);
    PQfreemem(why);
    const char *host = options != NULL ? link_option(options, "host") : "@";
    const char *port = options != NULL ? link_option(options, "port") : "@";
    if (options != NULL) {
        log_add_secret(str_of(link_option(options, "password")));
    }
    bool good = mode_known && link_is_plain(host) && strspn(port, "0123456789,") == strlen(port);
    if (good) {
        (void)snprintf(l->name, sizeof l->name, "postgresql://%s%s%s/%s", host,
                       port[0] != '\0' ? ":" : "", port, link_option(options, "dbname"));
    }
    PQconninfoFree(options);
    if (!good) {
        postgres_link_release(l);
        return errinfo_set(reterr, ERR_USAGE,
                           "not a PostgreSQL address: postgresql://USER:PASSWORD@HOST:PORT/NAME, "
                           "with %%40 for an @ in the password; pool_mode is session or "
                           "transaction");
    }
    rng_os(&l->key, sizeof l->key);
    l->key &= INT64_MAX;
    return ERR_OK;
}

void postgres_link_release(struct postgres_link *l) {
    postgres_link_drop(l);
    explicit_bzero(l->url, strlen(l->url));
    free(l->url);
    l->url = NULL;
}

/* --- asking */

void postgres_link_drop(struct postgres_link *l) {
    PQfinish(l->conn); /* NULL is fine */
    l->conn = NULL;
}

static bool link_is_ready(struct postgres_link *l) {
    int64_t until_ms = clock_mono_ms() + POSTGRES_ANSWER_MS;
    while (PQisBusy(l->conn) == 1) {
        struct pollfd fd = {.fd = PQsocket(l->conn), .events = POLLIN};
        int64_t left_ms = until_ms - clock_mono_ms();
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) == 0 || PQconsumeInput(l->conn) != 1) {
            return false;
        }
    }
    return true;
}

PGresult *postgres_link_await(struct postgres_link *l) {
    PGresult *last = NULL;
    for (;;) {
        PGresult *next = link_is_ready(l) ? PQgetResult(l->conn) : NULL;
        if (next == NULL) {
            break;
        }
        PQclear(last);
        last = next;
    }
    if (PQstatus(l->conn) != CONNECTION_OK || PQisBusy(l->conn) == 1) {
        PQclear(last);
        postgres_link_drop(l);
        return NULL;
    }
    return last;
}

PGresult *postgres_link_ask(struct postgres_link *l, const char *text) {
    if (PQsendQuery(l->conn, text) != 1) {
        postgres_link_drop(l);
        return NULL;
    }
    return postgres_link_await(l);
}

static const struct {
    char state[6]; /* the beginning of a SQLSTATE */
    enum err err;
} link_errors[] = {
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

enum err postgres_link_judge(const PGresult *result, const char **ret_reason) {
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
    *ret_reason = reason != NULL ? reason : "unknown error";
    for (size_t i = 0; state != NULL && i < ARRAY_LEN(link_errors); i++) {
        if (strncmp(state, link_errors[i].state, strlen(link_errors[i].state)) == 0) {
            return link_errors[i].err;
        }
    }
    return ERR_INTERNAL;
}

static enum err link_told(struct postgres_link *l, const PGresult *result, struct errinfo *reterr) {
    const char *reason;
    enum err e = postgres_link_judge(result, &reason);
    return e == ERR_OK ? e : errinfo_set(reterr, e, "%s: %s", l->name, reason);
}

enum err postgres_link_do(struct postgres_link *l, const char *text, struct errinfo *reterr) {
    PGresult *result = postgres_link_ask(l, text);
    enum err e = link_told(l, result, reterr);
    PQclear(result);
    return e;
}

enum err postgres_link_ask_int(struct postgres_link *l, const char *text, int64_t otherwise,
                               int64_t *ret, struct errinfo *reterr) {
    PGresult *result = postgres_link_ask(l, text);
    enum err e = link_told(l, result, reterr);
    bool there = e == ERR_OK && PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0;
    if (!there || !str_to_i64(str_of(PQgetvalue(result, 0, 0)), ret)) {
        *ret = otherwise;
    }
    PQclear(result);
    return e;
}

/* --- the lock of a process */

/* The server may still think that the session which we have lost is there. */
static enum err link_end_former_session(struct postgres_link *l, struct errinfo *reterr) {
    char text[256];
    (void)snprintf(text, sizeof text,
                   "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE application_name = 'stumper-%" PRIx64 "' AND pid <> pg_backend_pid()",
                   (uint64_t)l->key);
    return postgres_link_do(l, text, reterr);
}

/* It may have to wait for the end of the former session, and for somebody who looks who is alive.
 */
static enum err link_sign_in(struct postgres_link *l, struct errinfo *reterr) {
    char text[96];
    if (l->pooled) {
        return ERR_OK;
    }
    enum err e = l->generation > 0 ? link_end_former_session(l, reterr) : ERR_OK;
    (void)snprintf(text, sizeof text, "SELECT pg_advisory_lock(%" PRId64 ")", l->key);
    if (e == ERR_OK) {
        e = postgres_link_do(l, text, reterr);
    }
    if (e == ERR_OK && l->generation > 0) {
        (void)snprintf(text, sizeof text,
                       "UPDATE writers SET missing_ms = NULL WHERE key = %" PRId64, l->key);
        e = postgres_link_do(l, text, reterr);
    }
    return e;
}

/* --- connecting */

/* What the operator has set to be safer stays. A client that vanished without a word is noticed by
 * the server after 11 s; one that stands still in a transaction keeps others from its jobs for 5 s.
 */
#define LINK_SETTINGS                                                                              \
    "SELECT set_config('synchronous_commit', 'on', false)"                                         \
    " WHERE current_setting('synchronous_commit') = 'off';"                                        \
    " SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '5s'; SET jit = off;"    \
    " SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3"

#define LINK_POOLED_SETTINGS                                                                       \
    " SELECT set_config('synchronous_commit', 'on', true)"                                         \
    " WHERE current_setting('synchronous_commit') = 'off';"                                        \
    " SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '5s';"       \
    " SET LOCAL jit = off;"

/* What the server mentions by the way would go to stderr otherwise. */
static void link_hear_nothing(void *ctx, const char *notice) {
    (void)ctx;
    (void)notice;
}

static enum err link_open(struct postgres_link *l, struct errinfo *reterr) {
    char application[32];
    (void)snprintf(application, sizeof application, "stumper-%" PRIx64, (uint64_t)l->key);
    const char *keywords[] = {"dbname",
                              "application_name",
                              "client_encoding",
                              "connect_timeout",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "target_session_attrs",
                              NULL};
    const char *values[] = {l->url,
                            application,
                            "UTF8",
                            POSTGRES_CONNECT_S,
                            "5",
                            "2",
                            "3",
                            "10000",
                            l->mode == SQL_WRITER ? "read-write" : "any",
                            NULL};
    l->conn = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(l->conn) != CONNECTION_OK) {
        struct str why = str_trim(str_of(PQerrorMessage(l->conn)));
        enum err e = errinfo_set(reterr, ERR_UNAVAILABLE, "%s: %.*s", l->name, STR_ARG(why));
        postgres_link_drop(l);
        return e;
    }
    (void)PQsetNoticeProcessor(l->conn, link_hear_nothing, NULL);
    return l->pooled ? ERR_OK : postgres_link_do(l, LINK_SETTINGS, reterr);
}

const char *postgres_link_settings(const struct postgres_link *l) {
    return l->pooled ? LINK_POOLED_SETTINGS : "";
}

enum err postgres_link_connect(struct postgres_link *l, struct errinfo *reterr) {
    postgres_link_drop(l);
    enum err e = link_open(l, reterr);
    if (e == ERR_OK && l->mode == SQL_WRITER) {
        e = link_sign_in(l, reterr);
    }
    if (e != ERR_OK) {
        postgres_link_drop(l);
        l->pause_ms = MIN(MAX(2 * l->pause_ms, POSTGRES_PAUSE_MS_MIN), POSTGRES_PAUSE_MS_MAX);
        l->retry_mono_ms = clock_mono_ms() + l->pause_ms;
        return e;
    }
    l->generation++;
    l->pause_ms = 0;
    return ERR_OK;
}

void postgres_link_notice(struct postgres_link *l) {
    struct pollfd fd = {.fd = l->conn != NULL ? PQsocket(l->conn) : -1, .events = POLLIN};
    if (poll(&fd, 1, 0) > 0 &&
        (PQconsumeInput(l->conn) != 1 || PQstatus(l->conn) != CONNECTION_OK)) {
        postgres_link_drop(l);
    }
}

enum err postgres_link_revive(struct postgres_link *l, struct errinfo *reterr) {
    if (l->conn != NULL) {
        return ERR_OK;
    }
    if (clock_mono_ms() < l->retry_mono_ms) {
        return errinfo_set(reterr, ERR_UNAVAILABLE, "%s: not connected", l->name);
    }
    enum err e = postgres_link_connect(l, reterr);
    return e == ERR_BUSY ? ERR_UNAVAILABLE : e; /* its lock is not free yet */
}
