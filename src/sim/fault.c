#include "sim/fault.h"

static const struct {
    const char *name;
    bool billed;
} faults[] = {
#define X(code, name, billed) {name, billed},
    FAULT_TABLE(X)
#undef X
};

const char *fault_name(enum fault f) {
    return faults[f].name;
}

bool fault_billed(enum fault f) {
    return faults[f].billed;
}

bool fault_speaks(enum fault f) {
    return faults[f].billed || f == FAULT_IN_200 || f == FAULT_CUT || f == FAULT_STALL;
}

void fault_rates_spread(struct fault_rates *r, double rate) {
    for (int f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        r->of[f] += f != FAULT_QUOTA ? rate / (FAULT_COUNT - 2) : 0;
    }
}

enum fault fault_draw(const struct fault_rates *r, double u) {
    for (int f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        if (u < r->of[f]) {
            return (enum fault)f;
        }
        u -= r->of[f];
    }
    return FAULT_NONE;
}
