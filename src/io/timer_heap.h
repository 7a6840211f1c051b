/* timer_heap.h - the running timers of a loop, earliest first: a binary heap whose members know
 * their place in it, so that stopping one of ten thousand costs a few swaps.
 *
 * Invariants  (1) entry i is due no earlier than entry (i - 1) / 2, and among equals was started no
 *             earlier;
 *             (2) entries[i].timer->slot == i + 1.
 */
#ifndef STUMPER_IO_TIMER_HEAP_H
#define STUMPER_IO_TIMER_HEAP_H

#include "io/loop.h"

struct timer_heap_entry {
    int64_t due_ms;
    uint64_t order; /* of the start */
    struct loop_timer *timer;
};

struct timer_heap {
    struct timer_heap_entry *entries;
    size_t n, capacity;
    uint64_t next_order;
};

/** Free the memory; no timer is in it from now on. Zero-initialised it is empty. */
void timer_heap_release(struct timer_heap *h);

/** @t must not be in it; takes t->due_ms. */
void timer_heap_add(struct timer_heap *h, struct loop_timer *t);

/** @t must be in it. */
void timer_heap_remove(struct timer_heap *h, struct loop_timer *t);

/** The first entry, or NULL; borrowed until the next change. */
const struct timer_heap_entry *timer_heap_first(const struct timer_heap *h);

#endif
