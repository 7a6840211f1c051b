#include "store/postgres_link.h"

#include "base/clock.h"
#include "base/rng.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#define POSTGRES_ANSWER_MS 60000 /* then the server is given up */
#define POSTGRES_PAUSE_MS_MIN 50
#define POSTGRES_PAUSE_MS_MAX 1000

enum err postgres_link_init(struct postgres_link *l, const char *url, enum sql_mode mode,
                            struct errinfo *reterr) {
    *l = (struct postgres_link){.mode = mode};
    rng_os(&l->key, sizeof l->key);
    l->key &= INT64_MAX;
    return pq_init(&l->pq, str_of(url), POSTGRES_ANSWER_MS, reterr);
}

/* The server's words, with its name before them. */
static enum err link_told(const struct postgres_link *l, enum err e, struct errinfo *reterr) {
    return e == ERR_OK ? e : errinfo_wrap(reterr, e, "%s", l->pq.name);
}

enum err postgres_link_do(struct postgres_link *l, const char *text, struct errinfo *reterr) {
    return link_told(l, pq_do(&l->pq, text, reterr), reterr);
}

enum err postgres_link_ask_int(struct postgres_link *l, const char *text, int64_t otherwise,
                               int64_t *ret, struct errinfo *reterr) {
    return link_told(l, pq_ask_int(&l->pq, text, otherwise, ret, reterr), reterr);
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
    if (l->pq.pooled) {
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

static enum err link_open(struct postgres_link *l, struct errinfo *reterr) {
    char application[32];
    (void)snprintf(application, sizeof application, "stumper-%" PRIx64, (uint64_t)l->key);
    enum err e = pq_connect(&l->pq, application, l->mode == SQL_WRITER, reterr);
    if (e != ERR_OK) {
        return link_told(l, e, reterr);
    }
    return l->pq.pooled ? ERR_OK : postgres_link_do(l, LINK_SETTINGS, reterr);
}

const char *postgres_link_settings(const struct postgres_link *l) {
    return l->pq.pooled ? LINK_POOLED_SETTINGS : "";
}

enum err postgres_link_connect(struct postgres_link *l, struct errinfo *reterr) {
    enum err e = link_open(l, reterr);
    if (e == ERR_OK && l->mode == SQL_WRITER) {
        e = link_sign_in(l, reterr);
    }
    if (e != ERR_OK) {
        pq_drop(&l->pq);
        l->pause_ms = MIN(MAX(2 * l->pause_ms, POSTGRES_PAUSE_MS_MIN), POSTGRES_PAUSE_MS_MAX);
        l->retry_mono_ms = clock_mono_ms() + l->pause_ms;
        return e;
    }
    l->generation++;
    l->pause_ms = 0;
    return ERR_OK;
}

void postgres_link_notice(struct postgres_link *l) {
    struct pollfd fd = {.fd = l->pq.conn != NULL ? PQsocket(l->pq.conn) : -1, .events = POLLIN};
    if (poll(&fd, 1, 0) > 0 &&
        (PQconsumeInput(l->pq.conn) != 1 || PQstatus(l->pq.conn) != CONNECTION_OK)) {
        pq_drop(&l->pq);
    }
}

enum err postgres_link_revive(struct postgres_link *l, struct errinfo *reterr) {
    if (l->pq.conn != NULL) {
        return ERR_OK;
    }
    if (clock_mono_ms() < l->retry_mono_ms) {
        return errinfo_set(reterr, ERR_UNAVAILABLE, "%s: not connected", l->pq.name);
    }
    enum err e = postgres_link_connect(l, reterr);
    return e == ERR_BUSY ? ERR_UNAVAILABLE : e; /* its lock is not free yet */
}
