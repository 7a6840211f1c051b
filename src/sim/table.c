#include "sim/table.h"

#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

struct table_slot {
    uint64_t key; /* 0: free; the key 0 is kept as 1 */
    uint64_t value;
    uint64_t stamp; /* when it was put or found last */
};

#define TABLE_SETS_MIN ((size_t)512)

void table_init(struct table *t, size_t entries_max) {
    size_t sets_max = TABLE_SETS_MIN;
    while (sets_max * TABLE_WAYS < entries_max) {
        sets_max *= 2;
    }
    *t = (struct table){.sets = TABLE_SETS_MIN, .sets_max = sets_max};
    t->slots = mem_new_array(t->sets * TABLE_WAYS, sizeof *t->slots);
}

void table_release(struct table *t) {
    free(t->slots);
    *t = (struct table){0};
}

static struct table_slot *table_set(struct table *t, uint64_t key) {
    return t->slots + (rng_mix(key) & (t->sets - 1)) * TABLE_WAYS;
}

static struct table_slot *table_find(struct table *t, uint64_t key) {
    struct table_slot *set = table_set(t, key);
    for (size_t i = 0; i < TABLE_WAYS; i++) {
        if (set[i].key == key) {
            set[i].stamp = ++t->clock;
            return &set[i];
        }
    }
    return NULL;
}

uint64_t *table_get(struct table *t, uint64_t key) {
    struct table_slot *slot = table_find(t, MAX(key, UINT64_C(1)));
    return slot != NULL ? &slot->value : NULL;
}

/* The place for a new @key: a free one or the oldest of its set. */
static struct table_slot *table_take(struct table *t, uint64_t key) {
    struct table_slot *set = table_set(t, key), *slot = set;
    for (size_t i = 1; i < TABLE_WAYS; i++) { /* a free one has the stamp 0 */
        slot = set[i].stamp < slot->stamp ? &set[i] : slot;
    }
    t->n += slot->key == 0;
    return slot;
}

static void table_grow(struct table *t) {
    struct table_slot *old = t->slots;
    size_t old_n = t->sets * TABLE_WAYS;
    t->sets *= 2;
    t->n = 0;
    t->slots = mem_new_array(t->sets * TABLE_WAYS, sizeof *t->slots);
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].key != 0) {
            *table_take(t, old[i].key) = old[i];
        }
    }
    free(old);
}

uint64_t *table_put(struct table *t, uint64_t key) {
    key = MAX(key, UINT64_C(1));
    struct table_slot *slot = table_find(t, key);
    if (slot == NULL) {
        if (t->sets < t->sets_max && t->n >= t->sets * TABLE_WAYS / 2) {
            table_grow(t); /* half full: sets still overflow seldom */
        }
        slot = table_take(t, key);
        *slot = (struct table_slot){.key = key, .stamp = ++t->clock};
    }
    return &slot->value;
}

uint64_t table_hash(struct str s, uint64_t seed) {
    uint64_t h = rng_mix(seed ^ s.n);
    while (s.n >= 8) {
        uint64_t x;
        memcpy(&x, s.p, sizeof x);
        h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
        s = str_skip(s, 8);
    }
    uint64_t rest = 0;
    if (s.n > 0) {
        memcpy(&rest, s.p, s.n);
    }
    return rng_mix(h ^ rest);
}
