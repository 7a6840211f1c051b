#include "core/sched.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *stop_name(enum stop s) {
    static const char *const names[STOP_COUNT] = {
        [STOP_NOT_YET] = "running",
        [STOP_DONE] = "done",
        [STOP_MAX_ATTEMPTS] = "max_attempts",
        [STOP_MAX_COST] = "max_cost",
        [STOP_DEADLINE] = "deadline",
        [STOP_STALLED] = "stalled",
        [STOP_ERRORS] = "errors",
        [STOP_INTERRUPTED] = "interrupted",
        [STOP_CANCELLED] = "cancelled",
    };
    ASSERT((unsigned)s < STOP_COUNT);
    return names[s];
}

void sched_init(struct sched *s, const struct job_spec *spec, int64_t now_ms, int64_t accepted,
                int64_t launched) {
    *s = (struct sched){.wanted = spec->num_problems,
                        .concurrency = spec->concurrency,
                        .max_attempts = spec->max_attempts,
                        .stall_attempts = spec->stall_attempts,
                        .stall_errors = spec->stall_errors,
                        .deadline_at_ms = spec->deadline_ms > 0 ? now_ms + spec->deadline_ms : 0,
                        .launched = launched,
                        .streak_from = launched};
    s->outcomes[OUTCOME_ACCEPTED] = accepted;
}

/* Of one that failed nobody knows the stage. */
void sched_recall(struct sched *s, const int64_t outcomes[OUTCOME_COUNT]) {
    int64_t judged = outcomes[OUTCOME_ACCEPTED] + outcomes[OUTCOME_SURPLUS];
    int64_t checked = judged + outcomes[OUTCOME_SOLVED];
    int64_t written = checked + outcomes[OUTCOME_REJECTED];
    s->passed[ATTEMPT_STAGE_ENGINEER] += written;
    s->ended[ATTEMPT_STAGE_ENGINEER] += outcomes[OUTCOME_DUPLICATE];
    s->passed[ATTEMPT_STAGE_CHECK] += checked;
    s->ended[ATTEMPT_STAGE_CHECK] += outcomes[OUTCOME_REJECTED];
    s->passed[ATTEMPT_STAGE_TARGET] += checked;
    s->passed[ATTEMPT_STAGE_JUDGE] += judged;
    s->ended[ATTEMPT_STAGE_JUDGE] += outcomes[OUTCOME_SOLVED];
}

void sched_owe(struct sched *s, int64_t n) {
    s->owed = n;
}

int64_t sched_launched(struct sched *s) {
    s->owed = MAX(s->owed - 1, 0);
    s->in_stage[ATTEMPT_STAGE_ENGINEER]++;
    return s->launched++;
}

void sched_moved(struct sched *s, enum attempt_stage from, enum attempt_stage to) {
    s->passed[from]++;
    s->in_stage[from]--;
    s->in_stage[to]++;
}

static void sched_note_error(struct sched *s, const char *cause) {
    if (strncmp(s->cause, cause, sizeof s->cause - 1) != 0) {
        (void)snprintf(s->cause, sizeof s->cause, "%s", cause);
        s->errors_in_row = 0;
    }
    s->errors_in_row++;
}

void sched_ended(struct sched *s, int64_t index, enum attempt_stage stage, enum outcome outcome,
                 const char *cause) {
    bool valid_and_unsolved = outcome == OUTCOME_ACCEPTED || outcome == OUTCOME_SURPLUS;
    s->in_stage[stage]--;
    s->outcomes[outcome]++;
    s->passed[stage] += valid_and_unsolved;
    s->ended[stage] += !valid_and_unsolved;
    if (valid_and_unsolved) {
        s->streak_from = s->launched;
        s->streak_ended = 0;
    } else if (index >= s->streak_from && index - s->streak_from < s->stall_attempts) {
        s->streak_ended++;
    }
    if (outcome == OUTCOME_FAILED) {
        sched_note_error(s, cause);
    } else {
        s->errors_in_row = 0;
    }
    if (s->outcomes[OUTCOME_ACCEPTED] >= s->wanted) {
        s->stop = STOP_DONE;
    }
}

void sched_tell_lent(struct sched *s, int64_t lent, const int64_t ended[OUTCOME_COUNT]) {
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        s->outcomes[outcome] += ended[outcome];
    }
    if (ended[OUTCOME_ACCEPTED] + ended[OUTCOME_SURPLUS] > 0) {
        s->streak_from = s->launched;
        s->streak_ended = 0;
        s->errors_in_row = 0;
    }
    s->lent = lent;
    if (s->outcomes[OUTCOME_ACCEPTED] >= s->wanted) {
        s->stop = STOP_DONE;
    }
}

void sched_dropped(struct sched *s, enum attempt_stage stage) {
    s->in_stage[stage]--;
}

int64_t sched_in_flight(const struct sched *s) {
    int64_t n = 0;
    for (int stage = 0; stage < ATTEMPT_STAGES; stage++) {
        n += s->in_stage[stage];
    }
    return n;
}

double sched_chance(const struct sched *s, enum attempt_stage stage) {
    double chance = 1;
    for (int k = (int)stage; k < ATTEMPT_STAGES; k++) {
        chance *= (double)(s->passed[k] + 1) / (double)(s->passed[k] + s->ended[k] + 1);
    }
    return chance;
}

void sched_stop_for(struct sched *s, enum stop why) {
    if (s->stop == STOP_NOT_YET) {
        s->stop = why;
    }
}

static void sched_check_end(struct sched *s, int64_t now_ms, int64_t in_flight) {
    if (s->outcomes[OUTCOME_ACCEPTED] >= s->wanted) {
        sched_stop_for(s, STOP_DONE);
    } else if (s->stall_errors > 0 && s->errors_in_row >= s->stall_errors) {
        sched_stop_for(s, STOP_ERRORS);
    } else if (s->stall_attempts > 0 && s->streak_ended >= s->stall_attempts) {
        sched_stop_for(s, STOP_STALLED);
    } else if (s->deadline_at_ms > 0 && now_ms >= s->deadline_at_ms) {
        sched_stop_for(s, STOP_DEADLINE);
    } else if (s->max_attempts > 0 && s->launched >= s->max_attempts && in_flight == 0) {
        sched_stop_for(s, STOP_MAX_ATTEMPTS); /* before that, those in flight may reach N */
    }
}

void sched_set_late(struct sched *s, const int64_t late[ATTEMPT_STAGES]) {
    memcpy(s->late, late, sizeof s->late);
}

/* Attempts that must be begun, on average, to get from what is in flight to N. */
static double sched_needed(const struct sched *s) {
    double missing = (double)(s->wanted - s->outcomes[OUTCOME_ACCEPTED]) -
                     (double)s->lent * sched_chance(s, ATTEMPT_STAGE_ENGINEER);
    for (int stage = 0; stage < ATTEMPT_STAGES; stage++) {
        int64_t expected = MAX(s->in_stage[stage] - s->late[stage], 0);
        missing -= (double)expected * sched_chance(s, (enum attempt_stage)stage);
    }
    return missing / sched_chance(s, ATTEMPT_STAGE_ENGINEER);
}

int64_t sched_collect_now(const struct sched *s) {
    return MIN(s->owed, MAX(s->concurrency - sched_in_flight(s), 0));
}

int64_t sched_launch_now(struct sched *s, int64_t now_ms) {
    int64_t in_flight = sched_in_flight(s) + s->lent;
    sched_check_end(s, now_ms, in_flight);
    if (s->stop != STOP_NOT_YET) {
        return 0;
    }
    int64_t room = s->concurrency - in_flight;
    if (s->max_attempts > 0) {
        room = MIN(room, s->max_attempts - s->launched);
    }
    double needed = ceil(sched_needed(s) - 1e-9); /* no launch for a rounding error */
    needed = MAX(needed, (double)s->owed);
    return needed <= 0 ? 0 : needed >= (double)room ? MAX(room, 0) : (int64_t)needed;
}
