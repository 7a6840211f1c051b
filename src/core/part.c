#include "core/part.h"

#include "base/defs.h"

#include <math.h>

#define PART_DUST 1e-9 /* what sums of fractions lose */
#define PART_CLAIM_MS_MIN INT64_C(1000)
#define PART_CLAIM_MS_MAX ((int64_t)PART_LEASE_MS / 3)
#define PART_CLAIM_EACH_MS 5 /* a claim takes a store 2 to 5 ms: bench/RESULTS.md */

/* The part that its demand is worth. */
static double part_wanted(const struct part_others *others, int64_t demand) {
    double sum = (double)demand + (double)others->demand;
    double idle = (double)others->idle + (demand == 0 ? 1 : 0);
    if (sum <= 0) {
        return 1 / (double)(others->n + 1);
    }
    double kept = idle > 0 ? PART_IDLE : 0;
    return demand == 0 ? kept / idle : (1 - kept) * (double)demand / sum;
}

/* Whole units; one at least for who wants any, if there is room for it. */
static double part_whole(double part, double free, int64_t demand, int64_t units) {
    double n = floor(part * (double)units + PART_DUST);
    if (n < 1 && demand > 0) {
        n = 1;
    }
    n = MIN(n, floor(free * (double)units + PART_DUST));
    return n / (double)units;
}

struct part_claim part_claim(const struct part_others *others, int64_t demand, double held,
                             int64_t units) {
    double free = MAX(1 - others->counted, 0), wanted = part_wanted(others, demand);
    double grant = units > 0 ? part_whole(wanted, free, demand, units) : MIN(wanted, free);
    return (struct part_claim){.grant = grant, .counted = MAX(grant, held)};
}

int64_t part_claim_every_ms(int64_t others) {
    return MIN(MAX(others * PART_CLAIM_EACH_MS, PART_CLAIM_MS_MIN), PART_CLAIM_MS_MAX);
}

int64_t part_claim_soon_ms(int64_t others) {
    return part_claim_every_ms(others) / 10;
}
