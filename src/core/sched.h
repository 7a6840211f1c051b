/* sched.h - how many attempts should be running now, and when to stop. Pure arithmetic over
 * counters.
 *
 * Far from N every slot is kept full. Near N no more attempts are launched than the observed rates
 * say are needed: what the attempts in flight are expected to yield is set against what is still
 * wanted. The expectation goes by stage (an attempt that passed the checker is worth more than one
 * just begun); a stage's pass rate counts every attempt that left the stage, also those still in
 * flight further on, so it is not biased by rejections coming in sooner than acceptances.
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
    STOP_CANCELLED, /* by whoever ordered the job */
    STOP_COUNT
};

/** "done", "max_attempts", … */
const char *stop_name(enum stop s);

#define SCHED_CAUSE_BYTES 160

struct sched {
    /* limits; 0: none */
    int64_t wanted, concurrency, max_attempts, stall_attempts, stall_errors;
    int64_t deadline_at_ms; /* on the caller's clock */
    /* counters */
    int64_t lent;     /* attempts that other workers have, or may begin */
    int64_t owed;     /* attempts that go on whether they are needed or not, still to be launched */
    int64_t launched; /* attempts ever begun, earlier runs included: also the next launch's index */
    int64_t outcomes[OUTCOME_COUNT];
    int64_t in_stage[ATTEMPT_STAGES]; /* attempts in flight */
    int64_t late[ATTEMPT_STAGES];     /* of them, those that hang: nothing is expected of them */
    int64_t passed[ATTEMPT_STAGES];   /* went on from a stage (from the last: to acceptance) */
    int64_t ended[ATTEMPT_STAGES];    /* ended in a stage otherwise */
    int64_t streak_from;  /* launches from here on had no acceptance after they were launched … */
    int64_t streak_ended; /* … and so many of the first stall_attempts of them have ended */
    int64_t errors_in_row; /* with one `cause` */
    char cause[SCHED_CAUSE_BYTES];
    enum stop stop; /* sticky, but reaching N wins over any other reason */
};

/** Start for @spec; @accepted and @launched are what the store has from earlier runs. */
void sched_init(struct sched *s, const struct job_spec *spec, int64_t now_ms, int64_t accepted,
                int64_t launched);

/** What attempts came to that ended before: until there are others, these are the rates observed.
 */
void sched_recall(struct sched *s, const int64_t outcomes[OUTCOME_COUNT]);

/** @n attempts of an earlier run have answers on their way: they are launched even if fewer would
 * do. */
void sched_owe(struct sched *s, int64_t n);

/** How many of those to launch now although an end is reached: 0..concurrency - in flight. */
int64_t sched_collect_now(const struct sched *s);

/** An attempt was begun; returns its launch index, for sched_ended(). */
int64_t sched_launched(struct sched *s);

/** It went on from one stage to the next. */
void sched_moved(struct sched *s, enum attempt_stage from, enum attempt_stage to);

/** It ended with an outcome while in @stage. @cause: for OUTCOME_FAILED, short and stable. */
void sched_ended(struct sched *s, int64_t index, enum attempt_stage stage, enum outcome outcome,
                 const char *cause);

/** It was given up without an outcome (interrupted). */
void sched_dropped(struct sched *s, enum attempt_stage stage);

/** Other workers help: they have, or may begin, @lent attempts, and those of them that ended since
 * the last time came to @ended, by outcome. */
void sched_tell_lent(struct sched *s, int64_t lent, const int64_t ended[OUTCOME_COUNT]);

/** How many of the attempts in flight, by stage, wait for an answer much longer than answers take:
 * near N they are replaced, not waited for. */
void sched_set_late(struct sched *s, const int64_t late[ATTEMPT_STAGES]);

/** How many attempts to launch now: 0..concurrency - in flight - lent. Sets s->stop when an end is
 * reached. */
int64_t sched_launch_now(struct sched *s, int64_t now_ms);

/** Stop for a reason from outside (interrupted, no money). Does nothing if it stopped already. */
void sched_stop_for(struct sched *s, enum stop why);

/** The share of attempts in @stage that will be accepted, as far as observed. Without observations
 * 1, so that nothing is launched that may turn out needless; never 0. */
double sched_chance(const struct sched *s, enum attempt_stage stage);

/** Attempts begun here and not ended, over all stages. */
int64_t sched_in_flight(const struct sched *s);

#endif
