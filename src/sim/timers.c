#include "sim/timers.h"

#include "base/mem.h"

#include <stdlib.h>

#define TIMERS_CAPACITY_MIN ((size_t)256)

void timers_release(struct timers *t) {
    free(t->heap);
    *t = (struct timers){0};
}

static void timers_put(struct timers *t, size_t i, struct timer *timer) {
    t->heap[i] = timer;
    timer->slot = i + 1;
}

static void timers_up(struct timers *t, size_t i, struct timer *timer) {
    while (i > 0 && t->heap[(i - 1) / 2]->due_us > timer->due_us) {
        timers_put(t, i, t->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    timers_put(t, i, timer);
}

static void timers_down(struct timers *t, size_t i, struct timer *timer) {
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < t->n && t->heap[child + 1]->due_us < t->heap[child]->due_us) {
            child++;
        }
        if (child >= t->n || t->heap[child]->due_us >= timer->due_us) {
            break;
        }
        timers_put(t, i, t->heap[child]);
        i = child;
    }
    timers_put(t, i, timer);
}

void timers_add(struct timers *t, struct timer *timer, int64_t due_us) {
    ASSERT(timer->slot == 0);
    if (t->n == t->capacity) {
        t->capacity = MAX(t->capacity * 2, TIMERS_CAPACITY_MIN);
        t->heap = mem_resize(t->heap, t->capacity, sizeof *t->heap);
    }
    timer->due_us = due_us;
    timers_up(t, t->n++, timer);
}

void timers_remove(struct timers *t, struct timer *timer) {
    if (timer->slot == 0) {
        return;
    }
    size_t i = timer->slot - 1;
    struct timer *last = t->heap[--t->n];
    timer->slot = 0;
    if (last == timer) {
        return;
    }
    if (i > 0 && t->heap[(i - 1) / 2]->due_us > last->due_us) {
        timers_up(t, i, last);
    } else {
        timers_down(t, i, last);
    }
}

struct timer *timers_first(const struct timers *t) {
    return t->n > 0 ? t->heap[0] : NULL;
}
