/* table.h - a bounded map from 64-bit hashes to 64-bit values; the oldest entries give way.
 *
 * Used for what the simulator remembers about others (problems it wrote, requests it has seen), so
 * that no client can grow it without bound. It grows with what is in it up to that bound.
 */
#ifndef STUMPER_SIM_TABLE_H
#define STUMPER_SIM_TABLE_H

#include "base/str.h"

struct table_slot;

struct table {
    struct table_slot *slots;
    size_t sets, sets_max; /* powers of two; each set has room for TABLE_WAYS entries */
    size_t n;
    uint64_t clock;
};

#define TABLE_WAYS 8

/** @entries_max: how many it may grow to hold (rounded up to a power of two of sets). */
void table_init(struct table *t, size_t entries_max);
void table_release(struct table *t);

/** The value of @key, or NULL; valid until the next table_put(). */
uint64_t *table_get(struct table *t, uint64_t key);

/** The place for the value of @key, 0 if it is new. May drop the oldest of the entries that share
 * its set. */
uint64_t *table_put(struct table *t, uint64_t key);

/** A fast 64-bit hash of @s for tables and draws; not for secrets. */
uint64_t table_hash(struct str s, uint64_t seed);

#endif
