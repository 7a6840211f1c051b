/* part.h - how the workers of a fleet share one limit, though each sees only what the store keeps.
 * Pure arithmetic; the store has the clock, and does one claim after the other.
 *
 * Each worker holds a part of the limit, from 0 to 1, as a lease: it may use it until the lease
 * ends, reckoned from the moment it asked, and the store counts it until then, reckoned from the
 * later moment at which it answered. So a worker that loses the store uses nothing any more when
 * others may take its part over.
 *
 *     a worker asks: "I use HELD, and want DEMAND" ─► it may use GRANT from now on
 *
 * The sum of what may be used is never above 1:
 *     growing    a grant takes only what nobody else is counted for
 *     shrinking  a worker that is granted less is counted for what it uses until it asks again and
 *                says that it uses less
 * Who was told nothing yet uses nothing. Wanted is what the demand is of that of all; who wants
 * nothing keeps PART_IDLE, shared by all such, so that it can begin at once. Workers that have
 * never asked are such, too: what they may have is counted for nobody, so the first who asks gets
 * it, even if all the rest is still counted for a worker that has died.
 */
#ifndef STUMPER_CORE_PART_H
#define STUMPER_CORE_PART_H

#include <stdint.h>

#define PART_IDLE 0.05
#define PART_LEASE_MS 15000

/* All other workers, as far as the store knows, in sums: with a lease that has not ended, or
 * without one (counted 0, demand 0). */
struct part_others {
    int64_t n, idle; /* so many, and those of them whose demand is 0 */
    double counted;  /* what they may use at most */
    int64_t demand;  /* calls that wait or are under way */
};

/* What a claim comes to. */
struct part_claim {
    double grant;   /* what the worker may use from now on */
    double counted; /* what it is counted for until it asks again */
};

/**
 * @held    what the worker uses now: its last grant, 0 if that has ended or there was none
 * @units   of the limit, where it is one of calls in flight, which cannot be divided: what is
 * granted is a whole number of them; 0: it can be divided
 */
struct part_claim part_claim(const struct part_others *others, int64_t demand, double held,
                             int64_t units);

/** How often to claim, in ms, where @others share the limits: 1 s, but seldomer where they are more
 * than 200, for claims are done one after the other; a third of a lease at the most. / How soon
 * where a worker has no part yet, or others wait for what it gives back. */
int64_t part_claim_every_ms(int64_t others);
int64_t part_claim_soon_ms(int64_t others);

#endif
