#include "io/timer_heap.h"

#include "base/mem.h"

#include <stdlib.h>

#define TIMER_HEAP_CAPACITY_MIN ((size_t)64)

void timer_heap_release(struct timer_heap *h) {
    free(h->entries);
    *h = (struct timer_heap){.entries = NULL};
}

static bool timer_heap_before(const struct timer_heap_entry *a, const struct timer_heap_entry *b) {
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void timer_heap_put(struct timer_heap *h, size_t i, struct timer_heap_entry entry) {
    h->entries[i] = entry;
    entry.timer->slot = i + 1;
}

/* Put @entry at @i or above it. */
static void timer_heap_rise(struct timer_heap *h, size_t i, struct timer_heap_entry entry) {
    while (i > 0 && timer_heap_before(&entry, &h->entries[(i - 1) / 2])) {
        timer_heap_put(h, i, h->entries[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    timer_heap_put(h, i, entry);
}

/* Put @entry at @i or below it. */
static void timer_heap_sink(struct timer_heap *h, size_t i, struct timer_heap_entry entry) {
    for (size_t child = 2 * i + 1; child < h->n; child = 2 * i + 1) {
        if (child + 1 < h->n && timer_heap_before(&h->entries[child + 1], &h->entries[child])) {
            child++;
        }
        if (!timer_heap_before(&h->entries[child], &entry)) {
            break;
        }
        timer_heap_put(h, i, h->entries[child]);
        i = child;
    }
    timer_heap_put(h, i, entry);
}

void timer_heap_add(struct timer_heap *h, struct loop_timer *t) {
    ASSERT(t->slot == 0);
    if (h->n == h->capacity) {
        h->capacity = MAX(h->capacity * 2, TIMER_HEAP_CAPACITY_MIN);
        h->entries = mem_resize(h->entries, h->capacity, sizeof *h->entries);
    }
    struct timer_heap_entry entry = {.due_ms = t->due_ms, .order = h->next_order++, .timer = t};
    timer_heap_rise(h, h->n++, entry);
}

void timer_heap_remove(struct timer_heap *h, struct loop_timer *t) {
    size_t i = t->slot - 1;
    ASSERT(i < h->n && h->entries[i].timer == t);
    t->slot = 0;
    struct timer_heap_entry last = h->entries[--h->n];
    if (i == h->n) {
        return;
    }
    if (i > 0 && timer_heap_before(&last, &h->entries[(i - 1) / 2])) {
        timer_heap_rise(h, i, last);
    } else {
        timer_heap_sink(h, i, last);
    }
}

const struct timer_heap_entry *timer_heap_first(const struct timer_heap *h) {
    return h->n > 0 ? &h->entries[0] : NULL;
}
