/* pace.h - how fast problems are accepted, and when it will be done at that pace. */
#ifndef STUMPER_CLI_PACE_H
#define STUMPER_CLI_PACE_H

#include <stdint.h>

#define PACE_SAMPLES 61
#define PACE_STEP_MS 1000

/* The last minute in steps of a second, and the whole run. Zero-initialise it. */
struct pace {
    struct pace_sample {
        int64_t at_ms, accepted;
    } samples[PACE_SAMPLES]; /* a ring */
    int64_t n;               /* samples ever taken */
    struct pace_sample first;
};

/** Tell the count at a time. Times grow. */
void pace_add(struct pace *p, int64_t now_ms, int64_t accepted);

/** Acceptances per minute: of the last minute, or of the whole run while the last minute had fewer
 * than five. Negative: too early to tell. */
double pace_per_minute(const struct pace *p, int64_t now_ms, int64_t accepted);

/** Milliseconds until @wanted at @per_minute; -1 when that cannot be told. */
int64_t pace_eta_ms(double per_minute, int64_t wanted, int64_t accepted);

#endif
