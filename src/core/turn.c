#include "core/turn.h"

static size_t turn_oldest(const int64_t *oldest, size_t n) {
    size_t best = TURN_NOBODY;
    for (size_t i = 0; i < n; i++) {
        if (oldest[i] >= 0 && (best == TURN_NOBODY || oldest[i] < oldest[best])) {
            best = i;
        }
    }
    return best;
}

size_t turn_next(const struct turn *t, const int64_t *oldest, size_t n) {
    if (t->used % TURN_OLDEST == TURN_OLDEST - 1) {
        return turn_oldest(oldest, n);
    }
    for (size_t i = n; i-- > 0;) {
        if (oldest[i] >= 0) {
            return i;
        }
    }
    return TURN_NOBODY;
}

void turn_use(struct turn *t) {
    t->used++;
}
