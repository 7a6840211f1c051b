#include "cli/pace.h"

#define PACE_ACCEPTED_MIN 5
#define PACE_ETA_MS_MAX (INT64_C(1000) * 24 * 3600 * 1000)

void pace_add(struct pace *p, int64_t now_ms, int64_t accepted) {
    struct pace_sample now = {.at_ms = now_ms, .accepted = accepted};
    if (p->n == 0) {
        p->first = now;
    } else if (now_ms - p->samples[(p->n - 1) % PACE_SAMPLES].at_ms < PACE_STEP_MS) {
        return;
    }
    p->samples[p->n++ % PACE_SAMPLES] = now;
}

static double pace_since(const struct pace_sample *then, int64_t now_ms, int64_t accepted) {
    return (double)(accepted - then->accepted) * 60000.0 / (double)(now_ms - then->at_ms);
}

double pace_per_minute(const struct pace *p, int64_t now_ms, int64_t accepted) {
    if (p->n == 0 || now_ms <= p->first.at_ms || accepted <= p->first.accepted) {
        return -1;
    }
    const struct pace_sample *oldest = &p->samples[p->n > PACE_SAMPLES ? p->n % PACE_SAMPLES : 0];
    if (accepted - oldest->accepted >= PACE_ACCEPTED_MIN && now_ms > oldest->at_ms) {
        return pace_since(oldest, now_ms, accepted);
    }
    return pace_since(&p->first, now_ms, accepted);
}

int64_t pace_eta_ms(double per_minute, int64_t wanted, int64_t accepted) {
    if (accepted >= wanted) {
        return 0;
    }
    double ms = per_minute > 0 ? (double)(wanted - accepted) * 60000.0 / per_minute : -1;
    return ms >= 0 && ms < (double)PACE_ETA_MS_MAX ? (int64_t)ms : -1;
}
