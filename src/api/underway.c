#include "api/underway.h"

bool underway_hold(struct underway *u, struct underway_key *k, int64_t tenant, struct str key) {
    struct underway_list *bucket = &u->buckets[str_hash(key) % UNDERWAY_BUCKETS];
    const struct underway_key *other;
    if (key.n == 0) {
        return true;
    }
    LIST_FOREACH(other, bucket, in_bucket) {
        if (other->tenant == tenant && str_eq(other->key, key)) {
            return false;
        }
    }
    k->tenant = tenant;
    k->key = key;
    k->held = true;
    LIST_INSERT_HEAD(bucket, k, in_bucket);
    return true;
}

void underway_release(struct underway_key *k) {
    if (k->held) {
        LIST_REMOVE(k, in_bucket);
        k->held = false;
    }
}
