#include "sim/limit.h"

#include "sim/table.h"

#include <math.h>

#define LIMIT_US_PER_S INT64_C(1000000)
#define LIMIT_MINUTE_S 60.0
#define LIMIT_FOREVER_S (INT64_C(10) * 365 * 86400)

const char *limit_name(enum limit_kind k) {
    static const char *const names[LIMIT_KINDS] = {[LIMIT_REQUESTS] = "requests",
                                                   [LIMIT_TOKENS] = "tokens",
                                                   [LIMIT_OUTPUT] = "output_tokens",
                                                   [LIMIT_CONCURRENCY] = "concurrency",
                                                   [LIMIT_DAY] = "day",
                                                   [LIMIT_SPEND] = "spend"};
    return names[k];
}

/* "600", or "30s:300" behind the first. */
static bool limit_step_read(struct str text, bool first, struct limit_step *ret) {
    struct limit_step step = {0};
    if (!first) {
        struct str from = str_trim(str_split(&text, ':'));
        if (!str_ends(from, S("s")) || !str_to_i64(str_take(from, from.n - 1), &step.from_s) ||
            step.from_s < 1 || step.from_s > LIMIT_FOREVER_S) {
            return false;
        }
    }
    if (!str_to_i64(str_trim(text), &step.value) || step.value < 1 || step.value > LIMIT_MAX) {
        return false;
    }
    *ret = step;
    return true;
}

bool limit_plan_read(struct str text, struct limit_plan *ret) {
    struct limit_plan plan = {0};
    do {
        struct str part = str_split(&text, ',');
        if (plan.n == LIMIT_STEPS_MAX || !limit_step_read(part, plan.n == 0, &plan.steps[plan.n]) ||
            (plan.n > 0 && plan.steps[plan.n].from_s <= plan.steps[plan.n - 1].from_s)) {
            return false;
        }
        plan.n++;
    } while (text.n > 0);
    *ret = plan;
    return true;
}

void limits_init(struct limits *l, const struct limit_options *options) {
    l->options = options;
    l->first_us = 0;
    l->accounts_n = 0;
}

struct limit_account *limits_account(struct limits *l, struct str key, struct str model) {
    uint64_t id = table_hash(model, table_hash(key, 0));
    for (size_t i = 0; i < l->accounts_n; i++) {
        if (l->accounts[i].id == id) {
            return &l->accounts[i];
        }
    }
    if (l->accounts_n == LIMIT_ACCOUNTS_MAX) {
        return &l->accounts[LIMIT_ACCOUNTS_MAX - 1];
    }
    struct limit_account *a = &l->accounts[l->accounts_n++];
    *a = (struct limit_account){.id = id};
    return a;
}

/* The limit that holds now; 0: none. */
static int64_t limit_now(const struct limits *l, enum limit_kind k, int64_t now_us) {
    const struct limit_plan *plan = &l->options->of[k];
    int64_t value = 0;
    for (size_t i = 0; i < plan->n; i++) {
        if (now_us - l->first_us >= plan->steps[i].from_s * LIMIT_US_PER_S) {
            value = plan->steps[i].value;
        }
    }
    return value;
}

static double limit_capacity(const struct limits *l, int64_t limit) {
    double burst_s = l->options->burst_s > 0 ? l->options->burst_s : LIMIT_MINUTE_S;
    return fmax((double)limit * burst_s / LIMIT_MINUTE_S, 1);
}

static double limit_per_us(int64_t limit) {
    return (double)limit / (LIMIT_MINUTE_S * (double)LIMIT_US_PER_S);
}

static void limit_refill(const struct limits *l, struct limit_bucket *b, int64_t limit,
                         int64_t now_us) {
    double full = limit_capacity(l, limit);
    double gained = (double)(now_us - b->at_us) * limit_per_us(limit);
    b->level = b->at_us == 0 ? full : fmin(full, b->level + fmax(gained, 0));
    b->at_us = now_us;
}

/* What @rule counts of a request when it comes. */
static int64_t limit_cost(enum limit_kind k, enum limit_rule rule, int64_t input,
                          int64_t output_max) {
    if (k == LIMIT_TOKENS) {
        return rule == LIMIT_RULE_ADMISSION ? input + output_max : input;
    }
    return k == LIMIT_REQUESTS ? 1 : 0;
}

/* Would @cost pass bucket @k? What is produced later only needs a bucket that is not in debt. */
static bool limit_passes(const struct limits *l, const struct limit_bucket *b, enum limit_kind k,
                         int64_t limit, int64_t cost, struct limit_verdict *ret) {
    double need = k == LIMIT_OUTPUT ? 1 : fmin((double)cost, limit_capacity(l, limit));
    /* The slack forgives what adding up fractions loses: a request that waited as it was told. */
    bool never = k == LIMIT_TOKENS && cost > limit;
    if (!never && b->level >= need - 1e-6) {
        return true;
    }
    ret->refused = k;
    ret->never = never;
    ret->limit = limit;
    ret->requested = cost;
    ret->used = MAX(limit - (int64_t)floor(b->level), INT64_C(0));
    ret->wait_us = never ? 0 : (int64_t)ceil((need - b->level) / limit_per_us(limit));
    return false;
}

static bool limit_buckets_pass(struct limits *l, struct limit_account *a, enum limit_rule rule,
                               int64_t input, int64_t output_max, int64_t now_us,
                               struct limit_verdict *ret) {
    for (enum limit_kind k = LIMIT_REQUESTS; k < LIMIT_BUCKETS; k++) {
        int64_t limit = limit_now(l, k, now_us);
        if (limit == 0 || (k == LIMIT_OUTPUT && rule != LIMIT_RULE_PRODUCED)) {
            continue;
        }
        limit_refill(l, &a->buckets[k], limit, now_us);
        if (!limit_passes(l, &a->buckets[k], k, limit, limit_cost(k, rule, input, output_max),
                          ret)) {
            return false;
        }
    }
    return true;
}

/* Limits that are counted, not refilled. */
static bool limit_counts_pass(struct limits *l, const struct limit_account *a, int64_t now_us,
                              struct limit_verdict *ret) {
    const struct {
        enum limit_kind kind;
        int64_t used;
    } counts[] = {{LIMIT_CONCURRENCY, a->in_flight}, {LIMIT_DAY, a->today}};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int64_t limit = limit_now(l, counts[i].kind, now_us);
        if (limit > 0 && counts[i].used >= limit) {
            ret->refused = counts[i].kind;
            ret->limit = limit;
            ret->used = counts[i].used;
            ret->requested = 1;
            return false;
        }
    }
    return true;
}

static void limit_look(struct limits *l, struct limit_account *a, enum limit_rule rule,
                       int64_t now_us, struct limit_verdict *ret) {
    for (enum limit_kind k = LIMIT_REQUESTS; k < LIMIT_BUCKETS; k++) {
        int64_t limit = limit_now(l, k, now_us);
        struct limit_bucket *b = &a->buckets[k];
        if (limit > 0 && (k != LIMIT_OUTPUT || rule == LIMIT_RULE_PRODUCED)) {
            limit_refill(l, b, limit, now_us);
            double missing = limit_capacity(l, limit) - b->level;
            ret->views[k] = (struct limit_view){
                .limit = limit,
                .remaining = (int64_t)fmax(floor(b->level), 0),
                .reset_us = (int64_t)ceil(missing / limit_per_us(limit)),
            };
        }
    }
}

bool limits_admit(struct limits *l, struct limit_account *a, enum limit_rule rule, int64_t input,
                  int64_t output_max, int64_t now_us, struct limit_verdict *ret) {
    *ret = (struct limit_verdict){.refused = LIMIT_KINDS};
    if (l->first_us == 0) {
        l->first_us = now_us;
    }
    bool admitted = limit_counts_pass(l, a, now_us, ret) &&
                    limit_buckets_pass(l, a, rule, input, output_max, now_us, ret);
    if (admitted) {
        for (enum limit_kind k = LIMIT_REQUESTS; k < LIMIT_BUCKETS; k++) {
            a->buckets[k].level -= (double)limit_cost(k, rule, input, output_max);
        }
        a->in_flight++;
        a->today++;
    }
    limit_look(l, a, rule, now_us, ret);
    return admitted;
}

void limits_produced(struct limits *l, struct limit_account *a, enum limit_rule rule,
                     int64_t tokens, int64_t now_us) {
    int64_t limit = limit_now(l, LIMIT_OUTPUT, now_us);
    if (rule == LIMIT_RULE_PRODUCED && limit > 0) {
        limit_refill(l, &a->buckets[LIMIT_OUTPUT], limit, now_us);
        a->buckets[LIMIT_OUTPUT].level -= (double)tokens;
    }
}

void limits_leave(struct limit_account *a) {
    ASSERT(a->in_flight > 0);
    a->in_flight--;
}
