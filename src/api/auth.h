/* auth.h - inside the room: API keys, what they may do, and how often.
 *
 * All keys of the store are held here by their digests, read anew when the store says that one
 * changed. What is changed here holds before it is answered. A key that is sent is digested, found
 * by its digest and compared in constant time, so the time taken says nothing about a key that is
 * right in part.
 *
 * Rate        requests per minute by GCRA: one burst of a minute's worth, then evenly. The count is
 *             the store's, for all processes; it gives requests some at a time (quota.h).
 */
#ifndef STUMPER_API_AUTH_H
#define STUMPER_API_AUTH_H

#include "store/store_key.h"

#include <sys/queue.h>

#define AUTH_RATE_WINDOW_S (STORE_KEY_WINDOW_US / 1000000)
#define AUTH_BUCKETS 256

struct call;

struct key {
    struct key *next;
    struct key_row row;
    int64_t given; /* requests that the store has given and nobody has sent yet */
    int64_t given_until_us;
    int64_t due_us; /* GCRA's theoretical arrival time, of all that was given, as last told */
    /* quota.h's */
    bool asking;
    struct store_key_requests ask;
    TAILQ_HEAD(, call) waiting;
};

struct auth {
    struct key *keys[AUTH_BUCKETS]; /* the store's, also revoked ones; a key stays where it is */
    bool any;                       /* there is a key: closed */
    bool reading, again;            /* the store is being asked / has to be asked once more */
    struct loop_timer retry;        /* after it has failed */
};

/* What is left of a key's rate. */
struct auth_rate {
    int64_t quota;     /* 0: no limit */
    int64_t remaining; /* requests */
    int64_t reset_s;   /* until all are there again */
    int64_t retry_s;   /* not 0: refused, and when to come again */
    bool ask;          /* the store has to be asked, then it is to be counted again */
};

/* What is left of what a key may have under way and spend, once the store was asked. */
struct auth_share {
    bool known;
    int64_t jobs_max, jobs_left;           /* jobs_max 0: no limit */
    int64_t day_cents_max, day_cents_left; /* day_cents_max 0: no limit */
    int64_t day_reset_s;                   /* until a new day begins */
};

#define AUTH_FIELD_BYTES 160

/** The values of RateLimit-Policy and RateLimit; false if there is no limit to tell. @rate, @share:
 * what is known of. */
bool auth_fields(const struct auth_rate *rate, const struct auth_share *share,
                 char ret_policy[AUTH_FIELD_BYTES], char ret_left[AUTH_FIELD_BYTES]);

/** The good key of a value of the Authorization header ("Bearer …"); NULL if there is none. */
struct key *auth_find(const struct auth *auth, struct str authorization);

/** Count a request of @key at @now_us, by a clock that never jumps. */
struct auth_rate auth_count(struct key *key, int64_t now_us);

/** How many requests to ask the store for, where @n wait: a twentieth of a minute's at least. */
int64_t auth_want(const struct key *key, int64_t n);

/** The store has given some; they are good for a minute. @ahead_us: as it said. */
void auth_give(struct key *key, int64_t n, int64_t ahead_us, int64_t now_us);

/** Take what was read or added for what there is, but for keys that are revoked: they stay so, and
 * what was read may be older. */
void auth_take(struct auth *auth, const struct key_row *rows, size_t n);

/** No longer let the key of public id @id in; @now_ms is not 0. */
void auth_revoke(struct auth *auth, struct str id, int64_t now_ms);

void auth_release(struct auth *auth);

#endif
