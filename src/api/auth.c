#include "api/auth.h"

#include "api/digest.h"
#include "api/key.h"
#include "base/mem.h"

#include <stdlib.h>

#define US_PER_S INT64_C(1000000)

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

struct auth_rate auth_count(struct key *key, int64_t now_us) {
    struct auth_rate r = {.quota = key->row.requests_per_minute};
    if (r.quota <= 0) {
        return r;
    }
    const int64_t window_us = AUTH_RATE_WINDOW_S * US_PER_S;
    int64_t step_us = MAX(window_us / r.quota, INT64_C(1));
    int64_t due_us = MAX(key->due_us, now_us) + step_us;
    if (due_us > now_us + window_us) {
        r.retry_s = (due_us - window_us - now_us + US_PER_S - 1) / US_PER_S;
    } else {
        key->due_us = due_us;
    }
    r.remaining = MAX((now_us + window_us - key->due_us) / step_us, INT64_C(0));
    r.reset_s = MAX((key->due_us - now_us + US_PER_S - 1) / US_PER_S, INT64_C(0));
    return r;
}

void auth_take(struct auth *auth, const struct key_row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct key **bucket = &auth->keys[auth_bucket(rows[i].hash)], *k = *bucket;
        while (k != NULL && k->row.number != rows[i].number) {
            k = k->next;
        }
        if (k == NULL) {
            k = mem_new(sizeof *k);
            k->next = *bucket;
            *bucket = k;
        }
        k->row = rows[i];
    }
    auth->any = auth->any || n > 0;
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
