#include "base/hashset.h"

#include "base/mem.h"

#include <stdlib.h>

#define HASHSET_CAPACITY_MIN 64

void hashset_init(struct hashset *s) {
    *s = (struct hashset){0};
}

void hashset_release(struct hashset *s) {
    free(s->slots);
    hashset_init(s);
}

static uint64_t hashset_key(uint64_t hash) {
    return hash == 0 ? 1 : hash;
}

/* The slot that holds @key, or the empty one where it belongs. */
static size_t hashset_slot(const uint64_t *slots, size_t capacity, uint64_t key) {
    size_t at = (size_t)(key ^ (key >> 32)) & (capacity - 1);
    while (slots[at] != 0 && slots[at] != key) {
        at = (at + 1) & (capacity - 1);
    }
    return at;
}

bool hashset_has(const struct hashset *s, uint64_t hash) {
    uint64_t key = hashset_key(hash);
    return s->capacity > 0 && s->slots[hashset_slot(s->slots, s->capacity, key)] == key;
}

static void hashset_grow(struct hashset *s) {
    size_t capacity = MAX(s->capacity * 2, HASHSET_CAPACITY_MIN);
    uint64_t *slots = mem_new_array(capacity, sizeof *slots);
    for (size_t i = 0; i < s->capacity; i++) {
        if (s->slots[i] != 0) {
            slots[hashset_slot(slots, capacity, s->slots[i])] = s->slots[i];
        }
    }
    free(s->slots);
    s->slots = slots;
    s->capacity = capacity;
}

bool hashset_add(struct hashset *s, uint64_t hash) {
    if ((s->n + 1) * 10 > s->capacity * 7) {
        hashset_grow(s);
    }
    uint64_t key = hashset_key(hash);
    size_t at = hashset_slot(s->slots, s->capacity, key);
    if (s->slots[at] == key) {
        return false;
    }
    s->slots[at] = key;
    s->n++;
    return true;
}
