/* The writer is a thread with a connection of its own: it takes all that waits and adds it in one
 * transaction. Everybody else shares a reading connection, and the index, hashes of what is in the
 * file, that tells when it is worth asking. */
#include "store/cache.h"

#include "store/lock.h"
#include "store/names.h"
#include "store/sql.h"

#include "base/clock.h"
#include "base/hashset.h"
#include "base/mailbox.h"
#include "base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_HASHES, CACHE_FIND, CACHE_ADD, CACHE_QUERIES };

static const char *const cache_queries[CACHE_QUERIES] = {
    [CACHE_HASHES] = "SELECT DISTINCT hash FROM answers",
    [CACHE_FIND] = "SELECT finish, model_id, text FROM answers "
                   "WHERE hash = $1 AND request = $2 AND job <> $3",
    [CACHE_ADD] = "INSERT INTO answers (hash, finish, model_id, created_ms, job, request, text) "
                  "SELECT $1, $2, $3, $4, $5, $6, $7 "
                  "WHERE NOT EXISTS (SELECT 1 FROM answers WHERE hash = $1 AND request = $6)",
};

extern const unsigned char store_schema_cache_0001[], store_schema_cache_0002[];
static const char *const cache_texts[] = {(const char *)store_schema_cache_0001,
                                          (const char *)store_schema_cache_0002};
static const struct sql_schema cache_schema = {
    .application_id = 0x53544d43, /* "STMC" */
    .texts = cache_texts,
    .texts_n = ARRAY_LEN(cache_texts),
};

/* An answer on its way to the writer; its texts lie behind it. */
struct cache_entry {
    struct mailbox_msg link;
    enum call_finish finish;
    struct str request, job, model_id, text;
    char bytes[];
};

struct cache {
    struct store_lock lock;
    struct mailbox inbox;
    struct mailbox_msg stop; /* the last message */
    pthread_t thread;
    struct sql *writer;
    void (*tell)(void *ctx, const char *why); /* at a failure; NULL: nobody */
    void *tell_ctx;
    enum err write_err; /* the first; then nothing is tried any more */
    struct errinfo write_why;
    pthread_mutex_t reading; /* protects what follows */
    struct sql *reader;
    struct hashset index;
    enum err read_err; /* likewise */
    struct errinfo read_why;
};

/* --- the writer's thread */

static void cache_add(struct sql *db, const struct cache_entry *e) {
    struct sql_query *q = sql_use(db, CACHE_ADD);
    sql_put_int(q, (int64_t)str_hash(e->request));
    sql_put_str(q, str_of(names_of_finish(e->finish)));
    sql_put_str(q, e->model_id);
    sql_put_int(q, clock_wall_ms());
    sql_put_str(q, e->job);
    sql_put_str(q, e->request);
    sql_put_str(q, e->text);
    (void)sql_run(q);
}

static void cache_tell(const struct cache *c, enum err e, const struct errinfo *why) {
    if (e != ERR_OK && c->tell != NULL) {
        c->tell(c->tell_ctx, errinfo_text(why, e));
    }
}

static void cache_add_all(struct cache *c, struct mailbox_msg *first) {
    if (c->write_err != ERR_OK) {
        return;
    }
    sql_begin(c->writer);
    for (struct mailbox_msg *msg = first; msg != NULL; msg = msg->next) {
        if (msg != &c->stop) {
            cache_add(c->writer, CONTAINER_OF(msg, struct cache_entry, link));
        }
    }
    c->write_err = sql_commit(c->writer, &c->write_why);
    cache_tell(c, c->write_err, &c->write_why);
    (void)sql_upkeep(c->writer);
}

/* Tell the index what is in the file now, and free the entries; true if the last message was among
 * them. */
static bool cache_index_all(struct cache *c, struct mailbox_msg *msg) {
    bool stop = false, kept = c->write_err == ERR_OK;
    (void)pthread_mutex_lock(&c->reading);
    for (struct mailbox_msg *next; msg != NULL; msg = next) {
        next = msg->next;
        if (msg == &c->stop) {
            stop = true;
            continue;
        }
        struct cache_entry *e = CONTAINER_OF(msg, struct cache_entry, link);
        if (kept) {
            (void)hashset_add(&c->index, str_hash(e->request));
        }
        free(e);
    }
    (void)pthread_mutex_unlock(&c->reading);
    return stop;
}

static void *cache_thread(void *ctx) {
    struct cache *c = ctx;
    struct mailbox_msg *all;
    do {
        all = mailbox_wait(&c->inbox);
        cache_add_all(c, all);
    } while (!cache_index_all(c, all));
    return NULL;
}

/* Signals are for the threads of loops. */
static void cache_start_thread(struct cache *c) {
    sigset_t all, before;
    (void)sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    ASSERT(pthread_create(&c->thread, NULL, cache_thread, c) == 0);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

/* --- everybody's threads */

static enum err cache_read_index(struct cache *c, struct errinfo *reterr) {
    sql_begin(c->reader);
    struct sql_query *q = sql_use(c->reader, CACHE_HASHES);
    while (sql_next(q)) {
        (void)hashset_add(&c->index, (uint64_t)sql_int(q, 0));
    }
    return sql_commit(c->reader, reterr);
}

static enum err cache_connect(struct cache *c, const char *path, struct errinfo *reterr) {
    enum err e =
        sql_open(path, SQL_WRITER, &cache_schema, cache_queries, CACHE_QUERIES, &c->writer, reterr);
    if (e != ERR_OK) {
        return e;
    }
    e = sql_open(path, SQL_READER, &cache_schema, cache_queries, CACHE_QUERIES, &c->reader, reterr);
    if (e == ERR_OK) {
        e = cache_read_index(c, reterr);
        if (e != ERR_OK) {
            sql_close(c->reader);
        }
    }
    if (e != ERR_OK) {
        sql_close(c->writer);
    }
    return e;
}

static void cache_free(struct cache *c) {
    store_lock_release(&c->lock);
    ASSERT(pthread_mutex_destroy(&c->reading) == 0);
    hashset_release(&c->index);
    free(c);
}

enum err cache_open(const char *path, struct cache **ret, struct errinfo *reterr) {
    struct cache *c = mem_new(sizeof *c);
    enum err e = store_lock_take(&c->lock, path, reterr);
    if (e != ERR_OK) {
        free(c);
        return e;
    }
    hashset_init(&c->index);
    ASSERT(pthread_mutex_init(&c->reading, NULL) == 0);
    e = cache_connect(c, path, reterr);
    if (e != ERR_OK) {
        cache_free(c);
        return e;
    }
    mailbox_init(&c->inbox, NULL, NULL);
    cache_start_thread(c);
    *ret = c;
    return ERR_OK;
}

void cache_on_failure(struct cache *c, void (*tell)(void *ctx, const char *why), void *ctx) {
    c->tell = tell;
    c->tell_ctx = ctx;
}

enum err cache_close(struct cache *c, struct errinfo *reterr) {
    mailbox_send(&c->inbox, &c->stop);
    ASSERT(pthread_join(c->thread, NULL) == 0);
    mailbox_release(&c->inbox);
    sql_close(c->reader);
    sql_close(c->writer);
    enum err e = c->write_err != ERR_OK ? c->write_err : c->read_err;
    if (e != ERR_OK) {
        const struct errinfo *why = c->write_err != ERR_OK ? &c->write_why : &c->read_why;
        (void)errinfo_set(reterr, e, "%s", errinfo_text(why, e));
    }
    cache_free(c);
    return e;
}

/* The current row as an answer whose texts lie in @text. */
static void cache_read_row(struct sql_query *q, struct sbuf *text, struct call_answer *ret) {
    struct str model_id = sql_str(q, 1), answer = sql_str(q, 2);
    sbuf_clear(text);
    sbuf_add(text, model_id);
    sbuf_add(text, answer);
    struct str all = sbuf_str(text);
    *ret = (struct call_answer){.reused = true,
                                .finish = names_finish(sql_str(q, 0)),
                                .model_id = str_take(all, model_id.n),
                                .text = str_skip(all, model_id.n)};
}

static bool cache_find(struct cache *c, uint64_t hash, struct str request, struct str job,
                       struct sbuf *ret_text, struct call_answer *ret) {
    bool found = false;
    sql_begin(c->reader);
    struct sql_query *q = sql_use(c->reader, CACHE_FIND);
    sql_put_int(q, (int64_t)hash);
    sql_put_str(q, request);
    sql_put_str(q, job);
    if (sql_next(q)) {
        cache_read_row(q, ret_text, ret);
        found = true;
        sql_end(q);
    }
    c->read_err = sql_commit(c->reader, &c->read_why);
    cache_tell(c, c->read_err, &c->read_why);
    if (c->read_err != ERR_OK || sbuf_overflowed(ret_text)) {
        sbuf_clear(ret_text); /* half an answer is none */
        found = false;
    }
    return found;
}

bool cache_get(struct cache *c, struct str request, struct str job, struct sbuf *ret_text,
               struct call_answer *ret) {
    uint64_t hash = str_hash(request);
    (void)pthread_mutex_lock(&c->reading);
    bool found = c->read_err == ERR_OK && hashset_has(&c->index, hash) &&
                 cache_find(c, hash, request, job, ret_text, ret);
    (void)pthread_mutex_unlock(&c->reading);
    return found;
}

/* Copies @s to *@at and moves that on. */
static struct str cache_copy(char **at, struct str s) {
    struct str copy = {*at, s.n};
    if (s.n > 0) {
        memcpy(*at, s.p, s.n);
        *at += s.n;
    }
    return copy;
}

void cache_put(struct cache *c, struct str request, struct str job,
               const struct call_answer *answer) {
    struct cache_entry *e =
        mem_new(sizeof *e + request.n + job.n + answer->model_id.n + answer->text.n);
    char *at = e->bytes;
    e->finish = answer->finish;
    e->request = cache_copy(&at, request);
    e->job = cache_copy(&at, job);
    e->model_id = cache_copy(&at, answer->model_id);
    e->text = cache_copy(&at, answer->text);
    mailbox_send(&c->inbox, &e->link);
}
