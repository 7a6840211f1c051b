/* store_key.h - API keys: only their digests are stored. A key is a tenant: its jobs carry its
 * number. See store.h for what holds for all operations. */
#ifndef STUMPER_STORE_STORE_KEY_H
#define STUMPER_STORE_STORE_KEY_H

#include "base/str.h"
#include "store/store.h"

enum { STORE_SCOPE_SUBMIT = 1u << 0, STORE_SCOPE_READ = 1u << 1, STORE_SCOPE_ADMIN = 1u << 2 };

#define STORE_KEY_NAME_BYTES 128

/* The reason of a job that is paused because what its key may still spend today pays for no further
 * attempt. */
#define STORE_DAY_SPENT                                                                            \
    "the API key has spent what it may spend today; resume the job tomorrow, or give it to a key " \
    "with a higher limit"

#define STORE_KEY_HASH_BYTES 65 /* SHA-256 of the key in hex, with a NUL */

struct key_row {
    int64_t number;          /* the tenant; from 1; given by the store */
    char id[STORE_ID_BYTES]; /* public, for people */
    char name[STORE_KEY_NAME_BYTES];
    char hash[STORE_KEY_HASH_BYTES];
    unsigned scopes;
    int64_t requests_per_minute;    /* 0: no limit */
    int64_t jobs_max;               /* that have not ended; 0: no limit */
    int64_t day_nusd_max;           /* dollars a day (UTC); 0: no limit */
    int64_t created_ms, revoked_ms; /* revoked_ms 0: good */
};

/* What a key has under way and has spent today (a day of UTC, by the time of each record). */
struct key_use {
    int64_t jobs, jobs_max;         /* that have not ended; jobs_max 0: no limit */
    int64_t day_nusd, day_nusd_max; /* since midnight; day_nusd_max 0: no limit */
    bool day_spent;                 /* a job was paused today, since the rest would not do for it */
    int64_t next_day_ms;            /* when that begins anew */
};

/* Add a key. ERR_EXISTS: there is one of that id or hash. */
struct store_key_add {
    struct store_op op;
    struct key_row key; /* number and created_ms are filled */
};
void store_key_add(struct store *s, struct store_key_add *o);

/* Revoke the key of a public id; once revoked it stays so. Its jobs stay and go on. ERR_NOT_FOUND.
 */
struct store_key_revoke {
    struct store_op op;
    const char *id;
};
void store_key_revoke(struct store *s, struct store_key_revoke *o);

/* What a worker may spend of a tenant's day: its purse. However many workers there are, what the
 * key has spent today and all purses together never pass what it may spend in a day; nothing is
 * promised of a key without such a limit, whose purses are as large as anybody wants.
 *
 * Ask for @want_nusd, or at least @need_nusd of it; if there is not so much, @keep_nusd is what
 * remains: what calls in flight may cost. The cost of each recorded call comes out of the purse of
 * its lease's worker, in the same transaction. A purse goes with the worker that quits. One that
 * was taken for dead keeps its own until the day is over, since its calls in flight may have been
 * billed. A worker asks for a purse of a tenant's once at a time. */
struct store_purse {
    struct store_op op;
    int64_t tenant, worker;
    int64_t keep_nusd, need_nusd, want_nusd; /* 0 <= keep <= need <= want */
    int64_t ret_nusd;                        /* what is in it now: keep, or need..want */
    int64_t ret_others_nusd;                 /* … in those of others alive: may come back */
};
void store_purse(struct store *s, struct store_purse *o);

#define STORE_KEY_WINDOW_US INT64_C(60000000)

/* Take up to @n requests of those that a key may send in a minute, by GCRA: a minute's worth may
 * come at once, then evenly. All processes take from one count. Of a key without a limit all are
 * given. */
struct store_key_requests {
    struct store_op op;
    int64_t tenant, n;
    int64_t ret_n;        /* that may be sent */
    int64_t ret_ahead_us; /* after this: until a minute's worth may come at once again */
};
void store_key_requests(struct store *s, struct store_key_requests *o);

/* --- reading, by the reading thread */

/* All keys, revoked ones too, oldest first. ERR_TOO_BIG: they do not fit into the arena. */
struct store_key_list {
    struct store_op op;
    struct arena *a; /* owns the results */
    struct key_row *ret;
    size_t ret_n;
};
void store_key_list(struct store *s, struct store_key_list *o);

/* The key with a digest, if it is good. ERR_NOT_FOUND: there is none, or it is revoked. */
struct store_key_find {
    struct store_op op;
    const char *hash;
    struct key_row ret;
};
void store_key_find(struct store *s, struct store_key_find *o);

#endif
