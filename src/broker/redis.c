/* Tokens at a Redis server: a stream for each of three priorities, read by one consumer group.
 *
 * Everything that changes more than one key is a script (redis/), so that no crash leaves half of
 * it. Beside the streams there are `waiting`, which entry is a job's, and `bell`, a list with at
 * most one element that is there while tokens are: a consumer that finds no token waits for the
 * bell (BLPOP wakes exactly one), on a connection of its own, and then asks again.
 *
 * Invariants  (1) an entry is in the streams until it is acknowledged, and in `waiting` until it is
 *             given to somebody; (2) `listening` is true while a BLPOP is under way; (3) `maybe` is
 *             true unless the server said that nothing waits and the bell has not rung since.
 */
#include "broker/redis_link.h"
#include "broker/remote.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REDIS_LISTEN_S 5 /* of one BLPOP; then the tokens are asked for in any case */
#define REDIS_RECLAIM_EVERY_MS 10000
#define REDIS_SILENT_MS 15000 /* about a token that was given */
#define REDIS_ABSENT_MS 3600000
#define REDIS_ARENA_BYTES_MAX ((size_t)1 << 20)
#define REDIS_CONSUMER_BYTES 96
#define REDIS_KEY_BYTES (URL_NAME_BYTES + 32)

enum redis_key { REDIS_WAITING, REDIS_BELL, REDIS_HIGH, REDIS_NORMAL, REDIS_LOW, REDIS_KEYS };

struct redis {
    struct broker_url url;
    char consumer[REDIS_CONSUMER_BYTES];
    char keys[REDIS_KEYS][REDIS_KEY_BYTES];
    struct redis_link link, bell;
    bool listening, maybe;
    bool told_of_garbage;
    int64_t listening_since_ms, reclaim_at_ms;
    struct arena a; /* of one exchange */
};

extern const unsigned char broker_redis_put[], broker_redis_take[], broker_redis_ack[],
    broker_redis_reclaim[];
extern const size_t broker_redis_put_size, broker_redis_take_size, broker_redis_ack_size,
    broker_redis_reclaim_size;

/* --- scripts */

/* EVAL of a script over all keys; @args are to follow. */
static void redis_script(struct redis *r, struct redis_command *c, const unsigned char *text,
                         size_t n, int args) {
    arena_reset(&r->a);
    redis_command_init(c, 3 + REDIS_KEYS + args, &r->a);
    redis_command_add(c, S("EVAL"));
    redis_command_add(c, (struct str){(const char *)text, n});
    redis_command_add(c, str_fmt(&r->a, "%d", REDIS_KEYS));
    for (int i = 0; i < REDIS_KEYS; i++) {
        redis_command_add(c, str_of(r->keys[i]));
    }
}

static void redis_add_int(struct redis *r, struct redis_command *c, int64_t v) {
    redis_command_add(c, str_fmt(&r->a, "%" PRId64, v));
}

/* An exchange whose answer does not matter. */
static enum err redis_tell(struct redis_link *l, const struct redis_command *c,
                           struct errinfo *reterr) {
    redisReply *reply = NULL;
    enum err e = redis_link_ask(l, c, &reply, reterr);
    freeReplyObject(reply);
    return e;
}

static enum err redis_put(void *server, const struct broker_token *tokens, size_t n,
                          struct errinfo *reterr) {
    struct redis *r = server;
    struct redis_command c;
    redis_script(r, &c, broker_redis_put, broker_redis_put_size, 1 + 3 * (int)n);
    redis_add_int(r, &c, BROKER_TOKENS_MAX);
    for (size_t i = 0; i < n; i++) {
        redis_command_add(&c, str_of(tokens[i].job_id));
        redis_add_int(r, &c, tokens[i].tenant);
        redis_add_int(r, &c, tokens[i].priority);
    }
    return redis_tell(&r->link, &c, reterr);
}

static enum err redis_ack(void *server, const struct receipt *receipts, size_t n,
                          struct errinfo *reterr) {
    struct redis *r = server;
    struct redis_command c;
    redis_script(r, &c, broker_redis_ack, broker_redis_ack_size, 1 + 2 * (int)n);
    redis_command_add(&c, str_of(r->url.name));
    for (size_t i = 0; i < n; i++) {
        redis_add_int(r, &c, receipts[i].band);
        redis_command_add(
            &c, str_fmt(&r->a, "%" PRIu64 "-%" PRIu64, receipts[i].high, receipts[i].low));
    }
    return redis_tell(&r->link, &c, reterr);
}

/* --- tokens in answers */

static struct str redis_text(const redisReply *reply, size_t i) {
    return i < reply->elements && reply->element[i]->type == REDIS_REPLY_STRING
               ? (struct str){reply->element[i]->str, reply->element[i]->len}
               : S("");
}

static bool redis_read_id(struct str id, struct receipt *ret) {
    struct str high = str_split(&id, '-');
    char text[2][24] = {"", ""};
    char *ends[2];
    if (high.n == 0 || id.n == 0 || high.n >= sizeof text[0] || id.n >= sizeof text[1]) {
        return false;
    }
    memcpy(text[0], high.p, high.n);
    memcpy(text[1], id.p, id.n);
    ret->high = strtoull(text[0], &ends[0], 10);
    ret->low = strtoull(text[1], &ends[1], 10);
    return *ends[0] == '\0' && *ends[1] == '\0';
}

static void redis_note_garbage(struct redis *r) {
    if (!r->told_of_garbage) {
        log_warn("%s: somebody else writes into the streams of '%s'; what is no token is dropped",
                 r->url.label, r->url.name);
        r->told_of_garbage = true;
    }
}

/* The tokens of an answer of take or reclaim ({band, id, job, tenant, priority} each); the rest is
 * acknowledged at once. */
static enum err redis_read_tokens(struct redis *r, const redisReply *reply,
                                  struct remote_tokens *to, size_t *ret_n, struct errinfo *reterr) {
    struct receipt garbage[REMOTE_BATCH_MAX];
    size_t garbage_n = 0;
    *ret_n = 0;
    for (size_t i = 0; i < reply->elements && i < 3 * REMOTE_BATCH_MAX; i++) {
        const redisReply *entry = reply->element[i];
        struct remote_token *t = mem_new(sizeof *t);
        bool known = entry->elements > 0 && entry->element[0]->type == REDIS_REPLY_INTEGER &&
                     redis_read_id(redis_text(entry, 1), &t->receipt);
        t->receipt.band = known ? (int)entry->element[0]->integer : -1;
        if (known && broker_token_read(redis_text(entry, 2), redis_text(entry, 3),
                                       redis_text(entry, 4), &t->token)) {
            TAILQ_INSERT_TAIL(to, t, link);
            ++*ret_n;
            continue;
        }
        redis_note_garbage(r);
        if (known && garbage_n < ARRAY_LEN(garbage)) { /* more are reclaimed later */
            garbage[garbage_n++] = t->receipt;
        }
        free(t);
    }
    return garbage_n > 0 ? redis_ack(r, garbage, garbage_n, reterr) : ERR_OK;
}

/* --- taking */

/* Up to @n entries; 0: only ring the bell for somebody else, if there are any. @ret_n: how many of
 * them were tokens. */
static enum err redis_take_some(struct redis *r, size_t n, struct remote_tokens *to, size_t *ret_n,
                                struct errinfo *reterr) {
    struct redis_command c;
    redisReply *reply = NULL;
    redis_script(r, &c, broker_redis_take, broker_redis_take_size, 3);
    redis_command_add(&c, str_of(r->url.name));
    redis_command_add(&c, str_of(r->consumer));
    redis_add_int(r, &c, (int64_t)n);
    enum err e = redis_link_ask(&r->link, &c, &reply, reterr);
    if (e == ERR_OK) {
        r->maybe = n == 0 || reply->elements >= n;
        e = redis_read_tokens(r, reply, to, ret_n, reterr);
    }
    freeReplyObject(reply);
    return e;
}

static enum err redis_listen(struct redis *r, struct errinfo *reterr) {
    struct redis_command c;
    arena_reset(&r->a);
    redis_command_init(&c, 3, &r->a);
    redis_command_add(&c, S("BLPOP"));
    redis_command_add(&c, str_of(r->keys[REDIS_BELL]));
    redis_add_int(r, &c, REDIS_LISTEN_S);
    r->listening = true;
    r->listening_since_ms = clock_mono_ms();
    return redis_link_send(&r->bell, &c, reterr);
}

/* Has the bell rung, or was it time to look in any case? Also notices that the server hung up. */
static enum err redis_hear(struct redis *r, bool *ret_rang, struct errinfo *reterr) {
    redisReply *reply = NULL;
    enum err e = redis_link_receive(&r->bell, 0, &reply, reterr);
    if (e == ERR_OK && reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        e = errinfo_set(reterr, ERR_PROTOCOL, "it says: %s", reply->str);
    } else if (e == ERR_OK && reply != NULL) {
        r->listening = false;
        r->maybe = true;
        *ret_rang = reply->type == REDIS_REPLY_ARRAY;
    } else if (e == ERR_OK && r->listening &&
               clock_mono_ms() - r->listening_since_ms >
                   REDIS_LISTEN_S * 1000 + REMOTE_DEADLINE_MS) {
        e = errinfo_set(reterr, ERR_TIMEOUT, "it does not answer");
    }
    freeReplyObject(reply);
    return e;
}

static enum err redis_take(void *server, size_t want, struct remote_tokens *to,
                           struct errinfo *reterr) {
    struct redis *r = server;
    bool rang = false;
    size_t n = 0;
    enum err e = redis_hear(r, &rang, reterr);
    if (want == 0) {
        r->maybe = true; /* by the time that something is wanted */
        return e == ERR_OK && rang ? redis_take_some(r, 0, to, &n, reterr) : e;
    }
    while (e == ERR_OK && r->maybe && want > 0) {
        e = redis_take_some(r, MIN(want, REMOTE_BATCH_MAX), to, &n, reterr);
        want -= MIN(want, n);
    }
    return e == ERR_OK && want > 0 && !r->listening ? redis_listen(r, reterr) : e;
}

/* --- tending */

static enum err redis_reclaim(struct redis *r, struct remote_tokens *to, struct errinfo *reterr) {
    struct redis_command c;
    redisReply *reply = NULL;
    size_t n;
    redis_script(r, &c, broker_redis_reclaim, broker_redis_reclaim_size, 5);
    redis_command_add(&c, str_of(r->url.name));
    redis_command_add(&c, str_of(r->consumer));
    redis_add_int(r, &c, REDIS_SILENT_MS);
    redis_add_int(r, &c, REDIS_ABSENT_MS);
    redis_add_int(r, &c, REMOTE_BATCH_MAX);
    enum err e = redis_link_ask(&r->link, &c, &reply, reterr);
    if (e == ERR_OK) {
        e = redis_read_tokens(r, reply, to, &n, reterr);
        r->reclaim_at_ms = clock_mono_ms() + REDIS_RECLAIM_EVERY_MS;
    }
    freeReplyObject(reply);
    return e;
}

static enum err redis_tend(void *server, struct remote_tokens *to, size_t *ret_waiting,
                           struct errinfo *reterr) {
    struct redis *r = server;
    struct redis_command c;
    redisReply *reply = NULL;
    arena_reset(&r->a);
    redis_command_init(&c, 2, &r->a);
    redis_command_add(&c, S("HLEN"));
    redis_command_add(&c, str_of(r->keys[REDIS_WAITING]));
    enum err e = redis_link_ask(&r->link, &c, &reply, reterr);
    if (e == ERR_OK) {
        *ret_waiting = (size_t)MAX(reply->integer, 0);
        freeReplyObject(reply);
    }
    return e == ERR_OK && clock_mono_ms() >= r->reclaim_at_ms ? redis_reclaim(r, to, reterr) : e;
}

/* --- coming and going */

static enum err redis_log_in(struct redis *r, struct redis_link *l, struct errinfo *reterr) {
    const struct broker_url *u = &r->url;
    struct redis_command c;
    enum err e = ERR_OK;
    arena_reset(&r->a);
    if (u->password[0] != '\0') {
        redis_command_init(&c, 3, &r->a);
        redis_command_add(&c, S("AUTH"));
        if (u->user[0] != '\0') {
            redis_command_add(&c, str_of(u->user));
        }
        redis_command_add(&c, str_of(u->password));
        e = redis_tell(l, &c, reterr);
    }
    if (e == ERR_OK && u->path[0] != '\0') {
        redis_command_init(&c, 2, &r->a);
        redis_command_add(&c, S("SELECT"));
        redis_command_add(&c, str_of(u->path));
        e = redis_tell(l, &c, reterr);
    }
    return e;
}

static enum err redis_open(void *server, struct errinfo *reterr) {
    struct redis *r = server;
    struct redis_link *const links[] = {&r->link, &r->bell};
    enum err e = ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(links) && e == ERR_OK; i++) {
        e = redis_link_open(links[i], &r->url, reterr);
        e = e == ERR_OK ? redis_log_in(r, links[i], reterr) : e;
    }
    r->listening = false;
    r->maybe = true;
    r->reclaim_at_ms = 0;
    return e == ERR_OK ? redis_put(r, NULL, 0, reterr) : e; /* may we, and does it know scripts? */
}

static void redis_close(void *server) {
    struct redis *r = server;
    redis_link_close(&r->link);
    redis_link_close(&r->bell);
}

static int redis_fd(void *server) {
    const struct redis *r = server;
    return r->bell.fd;
}

static void redis_free(void *server) {
    struct redis *r = server;
    arena_release(&r->a);
    explicit_bzero(&r->url, sizeof r->url);
    free(r);
}

static const struct remote_ops redis_ops = {.open = redis_open,
                                            .close = redis_close,
                                            .put = redis_put,
                                            .take = redis_take,
                                            .ack = redis_ack,
                                            .tend = redis_tend,
                                            .fd = redis_fd,
                                            .free = redis_free};

/* Of this broker and no other, also after a restart with the same pid. */
static void redis_name(struct redis *r) {
    static const char *const of[REDIS_KEYS] = {[REDIS_WAITING] = "waiting",
                                               [REDIS_BELL] = "bell",
                                               [REDIS_HIGH] = "high",
                                               [REDIS_NORMAL] = "normal",
                                               [REDIS_LOW] = "low"};
    char host[REDIS_CONSUMER_BYTES / 2] = "";
    uint32_t unique;
    (void)gethostname(host, sizeof host - 1);
    rng_os(&unique, sizeof unique);
    (void)snprintf(r->consumer, sizeof r->consumer, "%s/%ld/%08" PRIx32, host, (long)getpid(),
                   unique);
    for (int i = 0; i < REDIS_KEYS; i++) {
        (void)snprintf(r->keys[i], sizeof r->keys[i], "{stumper:%s}:%s", r->url.name, of[i]);
    }
}

enum err broker_redis_new(const char *url, struct metrics *metrics, struct broker **ret,
                          struct errinfo *reterr) {
    static const struct broker_scheme scheme = {"redis", "rediss", "6379", "6379", "Redis"};
    struct redis *r = mem_new(sizeof *r);
    int64_t db;
    enum err e = broker_url_read(url, &scheme, &r->url, reterr);
    if (e == ERR_OK && r->url.path[0] != '\0' && !str_to_i64(str_of(r->url.path), &db)) {
        e = errinfo_set(reterr, ERR_USAGE,
                        "what follows the URL's HOST:PORT/ is the number of a "
                        "database, not a name");
    }
    if (e != ERR_OK) {
        free(r);
        return e;
    }
    arena_init(&r->a, REDIS_ARENA_BYTES_MAX);
    redis_name(r);
    r->link.fd = r->bell.fd = -1;
    *ret = broker_remote_new(&redis_ops, r, r->url.label, metrics);
    return ERR_OK;
}
