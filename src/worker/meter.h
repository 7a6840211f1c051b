/* meter.h - what workers count for /metrics. Inside the room only. Any thread; a NULL registry
 * counts nothing. */
#ifndef STUMPER_WORKER_METER_H
#define STUMPER_WORKER_METER_H

#include "base/metrics.h"
#include "core/call.h"
#include "core/problem.h"

/** A call was answered, or failed after all retries. */
void meter_call(struct metrics *m, enum role role, const struct call_answer *answer);

/** An attempt ended. */
void meter_outcome(struct metrics *m, enum outcome outcome);

/** A job got its first attempt, so long after it was submitted. */
void meter_wait(struct metrics *m, int64_t wait_ms);

#endif
