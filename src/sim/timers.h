/* timers.h - a heap of deadlines in microseconds: part of their owners' structs. */
#ifndef STUMPER_SIM_TIMERS_H
#define STUMPER_SIM_TIMERS_H

#include <stddef.h>
#include <stdint.h>

struct timer {
    void (*fire)(struct timer *t); /* what its owner does when it is due */
    int64_t due_us;
    size_t slot; /* place in the heap + 1; 0: not in it */
};

struct timers {
    struct timer **heap;
    size_t n, capacity;
};

/** Free the heap; the timers are their owners'. */
void timers_release(struct timers *t);

/** Be due at @due_us. It must not be in the heap (asserted). */
void timers_add(struct timers *t, struct timer *timer, int64_t due_us);

/** Harmless if it is not in the heap. */
void timers_remove(struct timers *t, struct timer *timer);

/** The timer that is due first, or NULL. */
struct timer *timers_first(const struct timers *t);

#endif
