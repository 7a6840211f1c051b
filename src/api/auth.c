#include "api/auth.h"

#include "api/digest.h"
#include "api/key.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define US_PER_S INT64_C(1000000)
#define AUTH_RATE_PORTIONS 20

static size_t auth_bucket(const char *hash) {
    return str_hash(str_take(str_of(hash), 8)) % AUTH_BUCKETS;
}

struct key *auth_find(const struct auth *auth, struct str authorization) {
    char hash[STORE_KEY_HASH_BYTES];
    const struct str scheme = S("Bearer ");
    if (!str_eq_nocase(str_take(authorization, scheme.n), scheme)) {
        return NULL;
    }
    key_hash(str_trim(str_skip(authorization, scheme.n)), hash);
    struct key *found = NULL;
    for (struct key *k = auth->keys[auth_bucket(hash)]; k != NULL; k = k->next) {
        bool good = digest_same(k->row.hash, hash, sizeof hash) && k->row.revoked_ms == 0;
        found = good ? k : found;
    }
    return found;
}

static int64_t auth_step_us(const struct key *key) {
    return MAX(STORE_KEY_WINDOW_US / key->row.requests_per_minute, INT64_C(1));
}

struct auth_rate auth_count(struct key *key, int64_t now_us) {
    struct auth_rate r = {.quota = key->row.requests_per_minute};
    if (r.quota <= 0) {
        return r;
    }
    int64_t step_us = auth_step_us(key), end_us = now_us + STORE_KEY_WINDOW_US;
    int64_t due_us = MAX(key->due_us, now_us);
    key->given = now_us < key->given_until_us ? key->given : 0;
    if (key->given > 0) {
        key->given--;
    } else if (due_us + step_us > end_us) { /* others can only have made it later */
        r.retry_s = (due_us + step_us - end_us + US_PER_S - 1) / US_PER_S;
    } else {
        r.ask = true;
    }
    due_us = MAX(due_us - key->given * step_us, now_us);
    r.remaining = (end_us - due_us) / step_us;
    r.reset_s = (due_us - now_us + US_PER_S - 1) / US_PER_S;
    return r;
}

int64_t auth_want(const struct key *key, int64_t n) {
    return MAX(n, key->row.requests_per_minute / AUTH_RATE_PORTIONS);
}

void auth_give(struct key *key, int64_t n, int64_t ahead_us, int64_t now_us) {
    key->given = (now_us < key->given_until_us ? key->given : 0) + n;
    key->given_until_us = now_us + STORE_KEY_WINDOW_US;
    key->due_us = now_us + ahead_us;
}

struct auth_text {
    char *p;
    size_t n;
};

PRINTF(2, 3) static void auth_add(struct auth_text *t, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->p + t->n, AUTH_FIELD_BYTES - t->n, fmt, args);
    va_end(args);
    ASSERT(n >= 0 && t->n + (size_t)n < AUTH_FIELD_BYTES); /* three members of numbers fit */
    t->n += (size_t)n;
}

/* draft-ietf-httpapi-ratelimit-headers-10; several policies are members of a list. */
bool auth_fields(const struct auth_rate *rate, const struct auth_share *share,
                 char ret_policy[AUTH_FIELD_BYTES], char ret_left[AUTH_FIELD_BYTES]) {
    struct auth_text policy = {ret_policy, 0}, left = {ret_left, 0};
    if (rate->quota > 0) {
        auth_add(&policy, "\"default\";q=%" PRId64 ";w=%" PRId64, rate->quota, AUTH_RATE_WINDOW_S);
        auth_add(&left, "\"default\";r=%" PRId64 ";t=%" PRId64, rate->remaining, rate->reset_s);
    }
    if (share->known && share->jobs_max > 0) {
        const char *comma = policy.n > 0 ? ", " : "";
        auth_add(&policy, "%s\"jobs\";q=%" PRId64, comma, share->jobs_max);
        auth_add(&left, "%s\"jobs\";r=%" PRId64, comma, share->jobs_left);
    }
    if (share->known && share->day_cents_max > 0) {
        const char *comma = policy.n > 0 ? ", " : "";
        auth_add(&policy, "%s\"cents\";q=%" PRId64 ";w=86400", comma, share->day_cents_max);
        auth_add(&left, "%s\"cents\";r=%" PRId64 ";t=%" PRId64, comma, share->day_cents_left,
                 share->day_reset_s);
    }
    return policy.n > 0;
}

void auth_take(struct auth *auth, const struct key_row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct key **bucket = &auth->keys[auth_bucket(rows[i].hash)], *k = *bucket;
        while (k != NULL && k->row.number != rows[i].number) {
            k = k->next;
        }
        if (k == NULL) {
            k = mem_new(sizeof *k);
            TAILQ_INIT(&k->waiting);
            k->next = *bucket;
            *bucket = k;
        }
        if (k->row.revoked_ms == 0) {
            k->row = rows[i];
        }
    }
    auth->any = auth->any || n > 0;
}

void auth_revoke(struct auth *auth, struct str id, int64_t now_ms) {
    for (size_t i = 0; i < AUTH_BUCKETS; i++) {
        for (struct key *k = auth->keys[i]; k != NULL; k = k->next) {
            if (str_eq(str_of(k->row.id), id)) {
                k->row.revoked_ms = now_ms;
            }
        }
    }
}

void auth_release(struct auth *auth) {
    for (size_t i = 0; i < AUTH_BUCKETS; i++) {
        while (auth->keys[i] != NULL) {
            struct key *next = auth->keys[i]->next;
            free(auth->keys[i]);
            auth->keys[i] = next;
        }
    }
}
