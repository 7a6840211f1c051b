/* underway.h - inside the room: idempotency keys whose first request has no answer yet. Until the
 * store has its job nobody can say what a second one would get, so it is told to come again. */
#ifndef STUMPER_API_UNDERWAY_H
#define STUMPER_API_UNDERWAY_H

#include "base/str.h"

#include <stdint.h>
#include <sys/queue.h>

#define UNDERWAY_BUCKETS 256

/* Part of what submits; zeroed at first. */
struct underway_key {
    LIST_ENTRY(underway_key) in_bucket;
    int64_t tenant;
    struct str key;
    bool held;
};

/* Zeroed at first. */
struct underway {
    LIST_HEAD(underway_list, underway_key) buckets[UNDERWAY_BUCKETS];
};

/** Hold @tenant's @key, which is borrowed; an empty one is no key. False: another one holds it. */
NODISCARD bool underway_hold(struct underway *u, struct underway_key *k, int64_t tenant,
                             struct str key);

/** Harmless if it is not held. */
void underway_release(struct underway_key *k);

#endif
