#include "store/names.h"

#include "store/store.h"

static const char *const job_state_names[JOB_STATES] = {
    [JOB_QUEUED] = "queued",         [JOB_RUNNING] = "running",     [JOB_PAUSED] = "paused",
    [JOB_CANCELLING] = "cancelling", [JOB_SUCCEEDED] = "succeeded", [JOB_PARTIAL] = "partial",
    [JOB_FAILED] = "failed",         [JOB_CANCELLED] = "cancelled",
};

static const char *const finish_names[] = {
    [CALL_FINISH_STOP] = "stop",
    [CALL_FINISH_LENGTH] = "length",
    [CALL_FINISH_REFUSAL] = "refusal",
    [CALL_FINISH_OTHER] = "other",
};

const char *job_state_name(enum job_state s) {
    ASSERT((unsigned)s < JOB_STATES);
    return job_state_names[s];
}

bool job_state_is_final(enum job_state s) {
    return s == JOB_SUCCEEDED || s == JOB_PARTIAL || s == JOB_FAILED || s == JOB_CANCELLED;
}

enum job_state job_state_from_name(struct str name) {
    int s = 0;
    while (s < JOB_STATES && !str_eq(name, str_of(job_state_names[s]))) {
        s++;
    }
    return (enum job_state)s;
}

enum role names_role(struct str name) {
    int r = 0;
    while (r < ROLE_COUNT && !str_eq(name, str_of(role_name((enum role)r)))) {
        r++;
    }
    return (enum role)r;
}

const char *names_of_finish(enum call_finish finish) {
    ASSERT((unsigned)finish < ARRAY_LEN(finish_names));
    return finish_names[finish];
}

enum call_finish names_finish(struct str name) {
    int f = 0;
    while (f < CALL_FINISH_OTHER && !str_eq(name, str_of(finish_names[f]))) {
        f++;
    }
    return (enum call_finish)f;
}
