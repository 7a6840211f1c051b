/* gate.h - how many calls may be at one model at once, learned from its 429s. Pure arithmetic; the
 * caller has the clock.
 *
 * A lone 429 concerns the call that got it. When a noticeable share of the answers are 429, it
 * concerns everybody: the gate closes until the provider's time has passed, opens to half of what
 * was in flight, and widens by one with every answer (which doubles it every round trip) until
 * nobody waits in front of it.
 */
#ifndef STUMPER_LLM_GATE_H
#define STUMPER_LLM_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct gate {
    int64_t in_flight;
    int64_t in_flight_max; /* INT64_MAX: no limit known */
    int64_t closed_until_ms;
    int64_t answers;      /* ever; tells a call whether anybody got through meanwhile */
    double limited_share; /* of the last answers, exponentially weighted */
};

/** Open, and no limit known. */
void gate_init(struct gate *g);

/** May a call go now? If so it counts as in flight. */
bool gate_enter(struct gate *g, int64_t now_ms);

/** Milliseconds until it makes sense to ask again because of the time alone; -1: it is not closed.
 */
int64_t gate_closed_ms(const struct gate *g, int64_t now_ms);

/** A call came back: answered (or failed for reasons of its own). */
void gate_left(struct gate *g, bool answered);

/** A call came back with a 429 that asks to wait @wait_ms. */
void gate_limited(struct gate *g, int64_t now_ms, int64_t wait_ms);

/** Nobody waits any more, neither for the gate nor for a time to try again: the limit is forgotten.
 */
void gate_idle(struct gate *g);

#endif
