/* Tokens in a table of a PostgreSQL server: those that wait, and those that were given to somebody
 * who has yet to acknowledge them. Each step is one statement (postgres/), its own transaction.
 *
 * Waking    who puts tokens that it has no use for itself notifies the others, ten times a second
 * at most. Where no notification arrives (behind pgbouncer, in transaction mode) whoever wants
 * tokens looks: soon after it was given some, then ever more rarely, at least once a second.
 * Sleeping  `fd` is of an epoll set: the connection, and a timer for what is due.
 *
 * Invariants  (1) `maybe` is true unless the server said that nothing waits, and nobody has put or
 *             notified since; (2) the timer is set to the next thing that is due.
 */
#include "broker/remote.h"
#include "broker/url.h"
#include "io/pq.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define POSTGRES_CHANNEL "stumper_broker"
#define POSTGRES_NOTIFY_EVERY_MS 100
#define POSTGRES_LOOK_MS_MIN 5
#define POSTGRES_LOOK_MS_MAX 1000
#define POSTGRES_SILENT_US "15000000" /* about a token that was given */
#define POSTGRES_ARRAY_BYTES_MAX ((size_t)REMOTE_BATCH_MAX * (2 * BROKER_JOB_ID_BYTES + 3) + 3)

struct postgres {
    struct pq pq;
    char label[sizeof(((struct pq *)NULL)->name) + 16]; /* "PostgreSQL at …", for people */
    bool named;
    char fleet[URL_NAME_BYTES]; /* as the URL says; otherwise the schema that we are in */
    int bell, timer;            /* epoll, timerfd */
    bool maybe;
    bool news;                         /* what we have put may be for others */
    bool told_of_garbage;              /* in the log */
    int64_t told_mono_ms;              /* when we notified them */
    int64_t look_mono_ms, look_gap_ms; /* when to look in any case */
    size_t waiting;                    /* as far as we know */
    struct sbuf arrays[3];             /* parameters of one exchange */
};

extern const unsigned char broker_postgres_make[], broker_postgres_put[], broker_postgres_prune[],
    broker_postgres_take[], broker_postgres_ack[], broker_postgres_tend[];

/* --- exchanges */

static enum err postgres_ask(struct postgres *p, const unsigned char *text,
                             const char *const *values, int n, PGresult **ret,
                             struct errinfo *reterr) {
    PGresult *result = pq_ask_with(&p->pq, (const char *)text, values, n);
    const char *reason;
    enum err e = pq_judge(result, &reason);
    if (e != ERR_OK) {
        e = errinfo_set(reterr, e, "%s", reason);
        PQclear(result);
        return e;
    }
    *ret = result;
    return ERR_OK;
}

/* An exchange that returns how many rows it changed, or a number. */
static enum err postgres_tell(struct postgres *p, const unsigned char *text,
                              const char *const *values, int n, int64_t *ret_n,
                              struct errinfo *reterr) {
    PGresult *result = NULL;
    enum err e = postgres_ask(p, text, values, n, &result, reterr);
    if (e == ERR_OK &&
        (PQntuples(result) == 0 || !str_to_i64(str_of(PQgetvalue(result, 0, 0)), ret_n))) {
        *ret_n = 0;
    }
    PQclear(result);
    return e;
}

/* An array of numbers or names as PostgreSQL reads it: {"a","b"}. */
static void array_add(struct sbuf *b, const char *text) {
    sbuf_add_cstr(b, b->n == 0 ? "{\"" : ",\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            sbuf_add_char(b, '\\');
        }
        sbuf_add_char(b, *text);
    }
    sbuf_add_char(b, '"');
}

static void array_add_int(struct sbuf *b, int64_t value) {
    sbuf_addf(b, "%c%" PRId64, b->n == 0 ? '{' : ',', value);
}

/* The arrays, whole, behind the first @n of @values; they are to be filled anew next time. */
static void arrays_end(struct postgres *p, const char **values, int n) {
    for (size_t i = 0; i < ARRAY_LEN(p->arrays); i++) {
        sbuf_add_char(&p->arrays[i], '}');
        values[n++] = p->arrays[i].p;
    }
}

static void arrays_begin(struct postgres *p) {
    for (size_t i = 0; i < ARRAY_LEN(p->arrays); i++) {
        sbuf_clear(&p->arrays[i]);
    }
}

/* --- putting */

static enum err postgres_prune(struct postgres *p, struct errinfo *reterr) {
    char most[24];
    int64_t ignored;
    (void)snprintf(most, sizeof most, "%zu", BROKER_TOKENS_MAX);
    p->waiting = MIN(p->waiting, BROKER_TOKENS_MAX);
    return postgres_tell(p, broker_postgres_prune, (const char *[]){p->fleet, most}, 2, &ignored,
                         reterr);
}

static enum err postgres_put(void *server, const struct broker_token *tokens, size_t n,
                             struct errinfo *reterr) {
    struct postgres *p = server;
    const char *values[4] = {p->fleet};
    int64_t new_n = 0;
    arrays_begin(p);
    for (size_t i = 0; i < n; i++) {
        array_add(&p->arrays[0], tokens[i].job_id);
        array_add_int(&p->arrays[1], tokens[i].tenant);
        array_add_int(&p->arrays[2], tokens[i].priority);
    }
    arrays_end(p, values, 1);
    enum err e = postgres_tell(p, broker_postgres_put, values, 4, &new_n, reterr);
    if (e == ERR_OK && new_n > 0) {
        p->maybe = p->news = true;
        p->waiting += (size_t)new_n;
    }
    return e == ERR_OK && p->waiting > BROKER_TOKENS_MAX ? postgres_prune(p, reterr) : e;
}

static enum err postgres_ack(void *server, const struct receipt *receipts, size_t n,
                             struct errinfo *reterr) {
    struct postgres *p = server;
    const char *values[3];
    int64_t ignored;
    arrays_begin(p);
    for (size_t i = 0; i < n; i++) {
        array_add_int(&p->arrays[0], (int64_t)receipts[i].high);
        array_add_int(&p->arrays[1], (int64_t)receipts[i].low);
    }
    arrays_end(p, values, 0);
    return postgres_tell(p, broker_postgres_ack, values, 2, &ignored, reterr);
}

/* --- taking */

static void postgres_note_garbage(struct postgres *p) {
    if (!p->told_of_garbage) {
        log_warn("%s: somebody else writes into stumper_broker.tokens; what is no token is dropped",
                 p->label);
        p->told_of_garbage = true;
    }
}

static struct str postgres_text(const PGresult *rows, int row, int column) {
    return (struct str){PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column)};
}

/* The tokens of an answer of take.sql or tend.sql; what is none is acknowledged at once. */
static enum err postgres_read_tokens(struct postgres *p, const PGresult *rows,
                                     struct remote_tokens *to, struct errinfo *reterr) {
    struct receipt garbage[REMOTE_BATCH_MAX];
    size_t garbage_n = 0;
    for (int i = 0; i < PQntuples(rows) && i < REMOTE_BATCH_MAX; i++) {
        struct remote_token *t = mem_new(sizeof *t);
        int64_t key = 0, given = 0;
        bool known = str_to_i64(postgres_text(rows, i, 0), &key) &&
                     str_to_i64(postgres_text(rows, i, 1), &given);
        t->receipt = (struct receipt){.high = (uint64_t)key, .low = (uint64_t)given};
        if (known && broker_token_read(postgres_text(rows, i, 2), postgres_text(rows, i, 3),
                                       postgres_text(rows, i, 4), &t->token)) {
            TAILQ_INSERT_TAIL(to, t, link);
            continue;
        }
        if (known) {
            postgres_note_garbage(p);
            garbage[garbage_n++] = t->receipt;
        }
        free(t);
    }
    return garbage_n > 0 ? postgres_ack(p, garbage, garbage_n, reterr) : ERR_OK;
}

static enum err postgres_take_some(struct postgres *p, size_t n, struct remote_tokens *to,
                                   size_t *ret_n, struct errinfo *reterr) {
    char most[24];
    PGresult *rows = NULL;
    (void)snprintf(most, sizeof most, "%zu", n);
    enum err e =
        postgres_ask(p, broker_postgres_take, (const char *[]){p->fleet, most}, 2, &rows, reterr);
    if (e == ERR_OK) {
        *ret_n = (size_t)PQntuples(rows);
        p->maybe = *ret_n >= n;
        e = postgres_read_tokens(p, rows, to, reterr);
    }
    PQclear(rows);
    return e;
}

/* Notifications of others, and of the server's end. */
static enum err postgres_hear(struct postgres *p, struct errinfo *reterr) {
    PGnotify *heard;
    if (PQconsumeInput(p->pq.conn) != 1) {
        return errinfo_set(reterr, ERR_NETWORK, "the server has closed the connection");
    }
    while ((heard = PQnotifies(p->pq.conn)) != NULL) {
        p->maybe = p->maybe || (heard->be_pid != PQbackendPID(p->pq.conn) &&
                                strcmp(heard->extra, p->fleet) == 0);
        PQfreemem(heard);
    }
    return ERR_OK;
}

static enum err postgres_notify(struct postgres *p, struct errinfo *reterr) {
    static const unsigned char text[] = "SELECT pg_notify('" POSTGRES_CHANNEL "', $1)";
    int64_t ignored;
    p->news = false;
    p->told_mono_ms = clock_mono_ms();
    return postgres_tell(p, text, (const char *[]){p->fleet}, 1, &ignored, reterr);
}

/* Ring when it is time to notify, or to look again. */
static void postgres_set_timer(struct postgres *p, bool wants) {
    int64_t due_ms = p->news ? p->told_mono_ms + POSTGRES_NOTIFY_EVERY_MS : INT64_MAX;
    struct itimerspec at = {0};
    if (wants) {
        due_ms = MIN(due_ms, p->look_mono_ms);
    }
    if (due_ms < INT64_MAX) {
        int64_t left_ms = MAX(due_ms - clock_mono_ms(), 1);
        at.it_value =
            (struct timespec){.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};
    }
    (void)timerfd_settime(p->timer, 0, &at, NULL); /* also takes back that it has rung */
}

static enum err postgres_take(void *server, size_t want, struct remote_tokens *to,
                              struct errinfo *reterr) {
    struct postgres *p = server;
    enum err e = postgres_hear(p, reterr);
    p->maybe = p->maybe || want == 0 /* by the time that something is wanted */ ||
               clock_mono_ms() >= p->look_mono_ms;
    while (e == ERR_OK && p->maybe && want > 0) {
        size_t n = 0;
        e = postgres_take_some(p, MIN(want, REMOTE_BATCH_MAX), to, &n, reterr);
        want -= MIN(want, n);
        p->look_gap_ms =
            n > 0 ? POSTGRES_LOOK_MS_MIN : MIN(2 * p->look_gap_ms, (int64_t)POSTGRES_LOOK_MS_MAX);
        p->look_mono_ms = clock_mono_ms() + p->look_gap_ms;
    }
    p->news = p->news && p->maybe; /* otherwise all was for us */
    if (e == ERR_OK && p->news && clock_mono_ms() - p->told_mono_ms >= POSTGRES_NOTIFY_EVERY_MS) {
        e = postgres_notify(p, reterr);
    }
    postgres_set_timer(p, want > 0);
    return e;
}

static enum err postgres_tend(void *server, struct remote_tokens *to, size_t *ret_waiting,
                              struct errinfo *reterr) {
    struct postgres *p = server;
    char most[24];
    int64_t waiting = 0;
    PGresult *rows = NULL;
    (void)snprintf(most, sizeof most, "%d", REMOTE_BATCH_MAX);
    enum err e =
        postgres_ask(p, broker_postgres_tend, (const char *[]){p->fleet, POSTGRES_SILENT_US, most},
                     3, &rows, reterr);
    if (e == ERR_OK && str_to_i64(postgres_text(rows, 0, 5), &waiting)) {
        *ret_waiting = p->waiting = (size_t)MAX(waiting, 0);
        e = postgres_read_tokens(p, rows, to, reterr);
    }
    PQclear(rows);
    return e == ERR_OK && p->waiting > BROKER_TOKENS_MAX ? postgres_prune(p, reterr) : e;
}

/* --- coming and going */

/* Only an owner may make tables: where they are there already, nobody needs to be. */
static enum err postgres_make(struct postgres *p, struct errinfo *reterr) {
    int64_t there;
    enum err e =
        pq_ask_int(&p->pq, "SELECT (to_regclass('stumper_broker.tokens') IS NOT NULL)::int", 0,
                   &there, reterr);
    if (e == ERR_OK && there == 0) {
        e = pq_do(&p->pq, (const char *)broker_postgres_make, reterr);
        if (e == ERR_READ_ONLY) {
            e = errinfo_wrap(reterr, e,
                             "its table cannot be made (CREATE SCHEMA stumper_broker AUTHORIZATION "
                             "this user, once, would allow it)");
        }
    }
    return e;
}

static enum err postgres_find_fleet(struct postgres *p, struct errinfo *reterr) {
    PGresult *rows = NULL;
    static const unsigned char text[] = "SELECT coalesce(current_schema(), '')";
    enum err e = p->named ? ERR_OK : postgres_ask(p, text, NULL, 0, &rows, reterr);
    if (rows != NULL) {
        (void)snprintf(p->fleet, sizeof p->fleet, "%s", PQgetvalue(rows, 0, 0));
    }
    PQclear(rows);
    return e;
}

static enum err postgres_open(void *server, struct errinfo *reterr) {
    struct postgres *p = server;
    struct remote_tokens none = TAILQ_HEAD_INITIALIZER(none);
    size_t n;
    enum err e = pq_connect(&p->pq, "stumper-broker", true, reterr);
    if (e == ERR_OK) {
        struct epoll_event event = {.events = EPOLLIN};
        (void)epoll_ctl(p->bell, EPOLL_CTL_ADD, PQsocket(p->pq.conn), &event); /* or it is looked */
        e = postgres_make(p, reterr);
    }
    if (e == ERR_OK) {
        e = postgres_find_fleet(p, reterr);
    }
    if (e == ERR_OK && !p->pq.pooled) {
        e = pq_do(&p->pq, "LISTEN " POSTGRES_CHANNEL, reterr);
    }
    if (e == ERR_OK) {
        e = postgres_take_some(p, 0, &none, &n, reterr); /* may we? */
    }
    p->maybe = true;
    p->news = false;
    p->told_mono_ms = clock_mono_ms() - POSTGRES_NOTIFY_EVERY_MS;
    p->look_mono_ms = 0;
    p->look_gap_ms = POSTGRES_LOOK_MS_MIN;
    p->waiting = 0;
    return e;
}

static void postgres_close(void *server) {
    struct postgres *p = server;
    pq_drop(&p->pq);
}

static int postgres_fd(void *server) {
    const struct postgres *p = server;
    return p->bell;
}

static void postgres_free(void *server) {
    struct postgres *p = server;
    pq_release(&p->pq);
    (void)close(p->bell);
    (void)close(p->timer);
    for (size_t i = 0; i < ARRAY_LEN(p->arrays); i++) {
        sbuf_release(&p->arrays[i]);
    }
    free(p);
}

static const struct remote_ops postgres_ops = {.open = postgres_open,
                                               .close = postgres_close,
                                               .put = postgres_put,
                                               .take = postgres_take,
                                               .ack = postgres_ack,
                                               .tend = postgres_tend,
                                               .fd = postgres_fd,
                                               .free = postgres_free};

/* --- the address */

/* name=FLEET is ours, the rest is libpq's. */
static enum err postgres_read_url(struct postgres *p, const char *text, struct errinfo *reterr) {
    struct sbuf url;
    struct str query = str_of(text), before = str_split(&query, '?');
    enum err e = ERR_OK;
    sbuf_init(&url, str_of(text).n);
    sbuf_add(&url, before);
    while (query.n > 0 && e == ERR_OK) {
        struct str part = str_split(&query, '&');
        if (!str_starts(part, S("name="))) {
            sbuf_add_char(&url, memchr(url.p, '?', url.n) == NULL ? '?' : '&');
            sbuf_add(&url, part);
        } else if (broker_name_read(str_skip(part, strlen("name=")), p->fleet)) {
            p->named = true;
        } else {
            e = errinfo_set(reterr, ERR_USAGE, "name= wants LETTERS-AND-DIGITS");
        }
    }
    e = e == ERR_OK ? pq_init(&p->pq, sbuf_str(&url), REMOTE_DEADLINE_MS, reterr) : e;
    explicit_bzero(url.p, url.n);
    sbuf_release(&url);
    return e;
}

static void postgres_make_bell(struct postgres *p) {
    struct epoll_event event = {.events = EPOLLIN};
    p->bell = epoll_create1(EPOLL_CLOEXEC);
    p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    ASSERT(p->bell >= 0 && p->timer >= 0);
    ASSERT(epoll_ctl(p->bell, EPOLL_CTL_ADD, p->timer, &event) == 0);
}

enum err broker_postgres_new(const char *url, struct metrics *metrics, struct broker **ret,
                             struct errinfo *reterr) {
    struct postgres *p = mem_new(sizeof *p);
    enum err e = postgres_read_url(p, url, reterr);
    if (e != ERR_OK) {
        free(p);
        return e;
    }
    (void)snprintf(p->label, sizeof p->label, "PostgreSQL at %s",
                   p->pq.name + strlen("postgresql://"));
    for (size_t i = 0; i < ARRAY_LEN(p->arrays); i++) {
        sbuf_init(&p->arrays[i], POSTGRES_ARRAY_BYTES_MAX);
    }
    postgres_make_bell(p);
    *ret = broker_remote_new(&postgres_ops, p, p->label, metrics);
    return ERR_OK;
}
