#include "core/budget.h"

static int64_t budget_cap(const struct budget *b) {
    return b->max_nusd == MONEY_UNKNOWN ? INT64_MAX : b->max_nusd;
}

static void budget_check(const struct budget *b) {
    ASSERT(b->spent_nusd >= 0 && b->reserved_nusd >= 0);
    ASSERT(b->spent_nusd <= budget_cap(b) && b->lost_nusd >= 0);
    ASSERT(b->lost_nusd <= budget_cap(b) - b->spent_nusd);
    ASSERT(b->reserved_nusd <= budget_cap(b) - b->spent_nusd - b->lost_nusd);
}

static void budget_add_excess(struct budget *b, int64_t nusd) {
    if (__builtin_add_overflow(b->excess_nusd, nusd, &b->excess_nusd)) {
        b->excess_nusd = INT64_MAX;
    }
}

void budget_init(struct budget *b, int64_t max_nusd, int64_t spent_nusd) {
    ASSERT(max_nusd >= MONEY_UNKNOWN && spent_nusd >= 0);
    *b = (struct budget){.max_nusd = max_nusd};
    b->spent_nusd = MIN(spent_nusd, budget_cap(b));
    b->excess_nusd = spent_nusd - b->spent_nusd;
    budget_check(b);
}

static int64_t budget_used(const struct budget *b) {
    return b->spent_nusd + b->lost_nusd + b->reserved_nusd;
}

int64_t budget_left(const struct budget *b) {
    return b->max_nusd == MONEY_UNKNOWN ? INT64_MAX : b->max_nusd - budget_used(b);
}

bool budget_reserve(struct budget *b, int64_t nusd) {
    ASSERT(nusd >= 0);
    if (nusd > budget_cap(b) - budget_used(b)) {
        return false;
    }
    b->reserved_nusd += nusd;
    budget_check(b);
    return true;
}

void budget_settle(struct budget *b, int64_t reserved_nusd, int64_t cost_nusd) {
    ASSERT(cost_nusd >= MONEY_UNKNOWN);
    budget_release(b, reserved_nusd);
    int64_t counted = cost_nusd == MONEY_UNKNOWN ? reserved_nusd : MIN(cost_nusd, reserved_nusd);
    b->spent_nusd += counted;
    if (cost_nusd > counted) {
        budget_add_excess(b, cost_nusd - counted);
    }
    budget_check(b);
}

void budget_lose(struct budget *b, int64_t nusd) {
    ASSERT(nusd >= 0);
    b->lost_nusd += MIN(nusd, budget_cap(b) - budget_used(b));
    budget_check(b);
}

void budget_release(struct budget *b, int64_t reserved_nusd) {
    ASSERT(reserved_nusd >= 0 && reserved_nusd <= b->reserved_nusd);
    b->reserved_nusd -= reserved_nusd;
}
