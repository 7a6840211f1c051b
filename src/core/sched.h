/* sched.h - how many attempts should be running now, and when to stop. Pure arithmetic over
 * counters.
 *
 * Far from N every slot is kept full. Near N no more attempts are launched than the observed
 * acceptance rate says are needed: the expected yield of what is in flight (by stage: an attempt
 * that passed the checker is worth more than one that was just begun) is set against what is still
 * wanted.
 */
#ifndef STUMPER_CORE_SCHED_H
#define STUMPER_CORE_SCHED_H

#include "core/attempt.h"

enum stop {
    STOP_NOT_YET,
    STOP_DONE, /* N accepted */
    STOP_MAX_ATTEMPTS,
    STOP_MAX_COST, /* no money for another call */
    STOP_DEADLINE,
    STOP_STALLED, /* stall_attempts in a row without an acceptance */
    STOP_ERRORS,  /* stall_errors in a row with one cause */
    STOP_INTERRUPTED,
    STOP_COUNT
};

/** "done", "max_attempts", … */
const char *stop_name(enum stop s);

struct sched {
    /* limits */
    int64_t wanted, concurrency, max_attempts, stall_attempts, stall_errors;
    int64_t deadline_at_ms; /* on the caller's clock; 0: none */
    /* counters */
    int64_t launched; /* attempts ever begun */
    int64_t outcomes[OUTCOME_COUNT];
    int64_t in_stage[ATTEMPT_STAGES]; /* attempts in flight, by stage */
    int64_t entered[ATTEMPT_STAGES];  /* attempts that reached a stage and have ended since (not
                                         FAILED) */
    int64_t accepted_from;            /* of these, how many were valid and unsolved */
    int64_t since_accepted;           /* finished attempts since the last acceptance */
    int64_t errors_in_row;            /* with `cause` */
    char cause[128];
    enum stop stop; /* sticky once it is not STOP_NOT_YET */
};

/** Start for @spec; @accepted and @launched are what the store has from earlier runs. */
void sched_init(struct sched *s, const struct job_spec *spec, int64_t now_ms, int64_t accepted,
                int64_t launched);

/** An attempt was begun / moved from one stage to the next / ended. */
void sched_launched(struct sched *s);
void sched_moved(struct sched *s, enum attempt_stage from, enum attempt_stage to);
void sched_ended(struct sched *s, enum attempt_stage stage, const struct problem *p);
/** An attempt was given up without an outcome (interrupted, abandoned). */
void sched_dropped(struct sched *s, enum attempt_stage stage);

/** How many attempts to launch now: 0..concurrency - in flight. Sets s->stop when the end is
 * reached. */
int64_t sched_launch_now(struct sched *s, int64_t now_ms);

/** End for a reason from outside (interrupted, no money). Does nothing if it stopped already. */
void sched_stop_for(struct sched *s, enum stop why);

/** Probability that an attempt in @stage will be accepted, from what was observed (Laplace's rule,
 * so never 0 or 1). */
double sched_chance(const struct sched *s, enum attempt_stage stage);

int64_t sched_in_flight(const struct sched *s);

#endif
