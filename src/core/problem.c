#include "core/problem.h"

static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_ACCEPTED] = "accepted",   [OUTCOME_REJECTED] = "rejected", [OUTCOME_SOLVED] = "solved",
    [OUTCOME_DUPLICATE] = "duplicate", [OUTCOME_SURPLUS] = "surplus",   [OUTCOME_FAILED] = "failed",
};

const char *outcome_name(enum outcome o) {
    ASSERT(o < OUTCOME_COUNT);
    return outcome_names[o];
}

enum outcome outcome_from_name(struct str name) {
    int o = 0;
    while (o < OUTCOME_COUNT && !str_eq(name, str_of(outcome_names[o]))) {
        o++;
    }
    return (enum outcome)o;
}
