#include "sim/table.h"

#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_CAPACITY_MIN ((size_t)1024)

struct table_slot {
    uint64_t key; /* 0: free; the key 0 is kept as 1 */
    uint64_t value;
};

void table_init(struct table *t, size_t n_max) {
    *t = (struct table){.n_max = n_max};
}

void table_release(struct table *t) {
    free(t->young.slots);
    free(t->old.slots);
    table_init(t, t->n_max);
}

/* The slot that holds @key or where it belongs; NULL only in an empty generation. */
static struct table_slot *generation_slot(const struct table_generation *g, uint64_t key) {
    if (g->capacity == 0) {
        return NULL;
    }
    size_t i = rng_mix(key) & (g->capacity - 1);
    while (g->slots[i].key != 0 && g->slots[i].key != key) {
        i = (i + 1) & (g->capacity - 1);
    }
    return &g->slots[i];
}

static void generation_grow(struct table_generation *g) {
    struct table_generation bigger = {.capacity = MAX(g->capacity * 2, TABLE_CAPACITY_MIN),
                                      .n = g->n};
    bigger.slots = mem_new_array(bigger.capacity, sizeof *bigger.slots);
    for (size_t i = 0; i < g->capacity; i++) {
        if (g->slots[i].key != 0) {
            struct table_slot *slot = generation_slot(&bigger, g->slots[i].key);
            ASSERT(slot != NULL);
            *slot = g->slots[i];
        }
    }
    free(g->slots);
    *g = bigger;
}

static uint64_t *table_add(struct table *t, uint64_t key, uint64_t value) {
    if (t->young.n >= t->n_max) {
        free(t->old.slots);
        t->old = t->young;
        t->young = (struct table_generation){0};
    }
    if (t->young.n * 3 >= t->young.capacity * 2) {
        generation_grow(&t->young);
    }
    struct table_slot *slot = generation_slot(&t->young, key);
    ASSERT(slot != NULL);
    *slot = (struct table_slot){key, value};
    t->young.n++;
    return &slot->value;
}

uint64_t *table_get(struct table *t, uint64_t key) {
    key = MAX(key, UINT64_C(1));
    struct table_slot *slot = generation_slot(&t->young, key);
    if (slot != NULL && slot->key == key) {
        return &slot->value;
    }
    slot = generation_slot(&t->old, key);
    return slot != NULL && slot->key == key ? table_add(t, key, slot->value) : NULL;
}

uint64_t *table_put(struct table *t, uint64_t key) {
    uint64_t *value = table_get(t, key);
    return value != NULL ? value : table_add(t, MAX(key, UINT64_C(1)), 0);
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
