/* table.h - a bounded map from 64-bit hashes to 64-bit values; the oldest entries give way.
 *
 * Used for what the simulator remembers about others (problems it wrote, requests it has seen), so
 * that no client can grow it without bound. Two generations: when the young one is full it becomes
 * the old one and the old one is dropped; what is asked for in the old one moves to the young one.
 * So the last n_max entries that were used are always there, and at most twice as many.
 */
#ifndef STUMPER_SIM_TABLE_H
#define STUMPER_SIM_TABLE_H

#include "base/str.h"

struct table_slot;

struct table_generation {
    struct table_slot *slots; /* open addressing; NULL: none yet */
    size_t capacity;          /* power of two, or 0 */
    size_t n;
};

struct table {
    struct table_generation young, old;
    size_t n_max; /* entries of a generation */
};

/** @n_max: how many entries are kept for certain; at least 1. Memory grows with what is in it. */
void table_init(struct table *t, size_t n_max);
void table_release(struct table *t);

/** The value of @key, or NULL; valid until the next call. */
uint64_t *table_get(struct table *t, uint64_t key);

/** The place for the value of @key, which is 0 if the key is new; valid until the next call. */
uint64_t *table_put(struct table *t, uint64_t key);

/** A fast 64-bit hash of @s for tables and draws; not for secrets. */
uint64_t table_hash(struct str s, uint64_t seed);

#endif
