#include "llm/gate.h"

#include "base/defs.h"

#define GATE_WEIGHT 0.05        /* of one answer in the share: the last twenty or so count */
#define GATE_SHARE_NOTICED 0.15 /* three or four 429s in a row from a clean start */

void gate_init(struct gate *g) {
    *g = (struct gate){.in_flight_max = INT64_MAX};
}

bool gate_enter(struct gate *g, int64_t now_ms) {
    if (now_ms < g->closed_until_ms || g->in_flight >= g->in_flight_max) {
        return false;
    }
    g->in_flight++;
    return true;
}

int64_t gate_closed_ms(const struct gate *g, int64_t now_ms) {
    return now_ms < g->closed_until_ms ? g->closed_until_ms - now_ms : -1;
}

static void gate_note(struct gate *g, bool limited) {
    g->limited_share += GATE_WEIGHT * ((limited ? 1 : 0) - g->limited_share);
}

void gate_left(struct gate *g, bool answered) {
    g->in_flight--;
    gate_note(g, false);
    if (answered) {
        g->answers++;
        g->in_flight_max += g->in_flight_max < INT64_MAX;
    }
}

void gate_limited(struct gate *g, int64_t now_ms, int64_t wait_ms) {
    int64_t in_flight = g->in_flight--;
    gate_note(g, true);
    if (g->limited_share < GATE_SHARE_NOTICED) {
        return;
    }
    if (now_ms >= g->closed_until_ms) { /* one cut a burst */
        g->in_flight_max = MAX(in_flight / 2, 1);
    }
    g->closed_until_ms = MAX(g->closed_until_ms, now_ms + wait_ms);
}

void gate_idle(struct gate *g) {
    g->in_flight_max = INT64_MAX;
}
