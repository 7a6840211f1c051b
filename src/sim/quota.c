#include "sim/quota.h"

#include "sim/table.h"

#include <math.h>

#define QUOTA_US_PER_S INT64_C(1000000)
#define QUOTA_MINUTE_S 60.0
#define QUOTA_RAMP_GROWTH 1.5
#define QUOTA_FOREVER_S (INT64_C(10) * 365 * 86400)

const char *quota_name(enum quota_kind k) {
    static const char *const names[QUOTA_KINDS] = {[QUOTA_REQUESTS] = "requests",
                                                   [QUOTA_TOKENS] = "tokens",
                                                   [QUOTA_OUTPUT] = "output_tokens",
                                                   [QUOTA_CONCURRENCY] = "concurrency",
                                                   [QUOTA_DAY] = "day",
                                                   [QUOTA_RAMP] = "ramp",
                                                   [QUOTA_SPEND] = "spend"};
    return names[k];
}

/* "600", or "30s:300" behind the first. */
static bool quota_step_read(struct str text, bool first, struct quota_step *ret) {
    struct quota_step step = {0};
    if (!first) {
        struct str from = str_trim(str_split(&text, ':'));
        if (!str_ends(from, S("s")) || !str_to_i64(str_take(from, from.n - 1), &step.from_s) ||
            step.from_s < 1 || step.from_s > QUOTA_FOREVER_S) {
            return false;
        }
    }
    if (!str_to_i64(str_trim(text), &step.value) || step.value < 1 || step.value > QUOTA_MAX) {
        return false;
    }
    *ret = step;
    return true;
}

bool quota_plan_read(struct str text, struct quota_plan *ret) {
    struct quota_plan plan = {0};
    do {
        struct str part = str_split(&text, ',');
        if (plan.n == QUOTA_STEPS_MAX || !quota_step_read(part, plan.n == 0, &plan.steps[plan.n]) ||
            (plan.n > 0 && plan.steps[plan.n].from_s <= plan.steps[plan.n - 1].from_s)) {
            return false;
        }
        plan.n++;
    } while (text.n > 0);
    *ret = plan;
    return true;
}

void quotas_init(struct quotas *l, const struct quota_options *options) {
    l->options = options;
    l->first_us = 0;
    l->accounts_n = 0;
}

struct quota_account *quotas_account(struct quotas *l, struct str key, struct str model) {
    uint64_t id = table_hash(model, table_hash(key, 0));
    for (size_t i = 0; i < l->accounts_n; i++) {
        if (l->accounts[i].id == id) {
            return &l->accounts[i];
        }
    }
    if (l->accounts_n == QUOTA_ACCOUNTS_MAX) {
        return &l->accounts[QUOTA_ACCOUNTS_MAX - 1];
    }
    struct quota_account *a = &l->accounts[l->accounts_n++];
    *a = (struct quota_account){.id = id};
    return a;
}

/* The limit that holds now; 0: none. */
static int64_t quota_now(const struct quotas *l, enum quota_kind k, int64_t now_us) {
    const struct quota_plan *plan = &l->options->of[k];
    int64_t value = 0;
    for (size_t i = 0; i < plan->n; i++) {
        if (now_us - l->first_us >= plan->steps[i].from_s * QUOTA_US_PER_S) {
            value = plan->steps[i].value;
        }
    }
    return value;
}

static double quota_capacity(const struct quotas *l, int64_t limit) {
    double burst_s = l->options->burst_s > 0 ? l->options->burst_s : QUOTA_MINUTE_S;
    return fmax((double)limit * burst_s / QUOTA_MINUTE_S, 1);
}

static double quota_per_us(int64_t limit) {
    return (double)limit / (QUOTA_MINUTE_S * (double)QUOTA_US_PER_S);
}

static void quota_refill(const struct quotas *l, struct quota_bucket *b, int64_t limit,
                         int64_t now_us) {
    double full = quota_capacity(l, limit);
    double gained = (double)(now_us - b->at_us) * quota_per_us(limit);
    b->level = b->at_us == 0 ? full : fmin(full, b->level + fmax(gained, 0));
    b->at_us = now_us;
}

/* What @rule counts of a request when it comes. */
static int64_t quota_cost(enum quota_kind k, enum quota_rule rule, int64_t input,
                          int64_t output_max) {
    if (k == QUOTA_TOKENS) {
        return rule == QUOTA_RULE_ADMISSION ? input + output_max : input;
    }
    return k == QUOTA_REQUESTS ? 1 : 0;
}

/* Would @cost pass bucket @k? What is produced later only needs a bucket that is not in debt. */
static bool quota_passes(const struct quotas *l, const struct quota_bucket *b, enum quota_kind k,
                         int64_t limit, int64_t cost, struct quota_verdict *ret) {
    double need = k == QUOTA_OUTPUT ? 1 : fmin((double)cost, quota_capacity(l, limit));
    /* The slack forgives what adding up fractions loses: a request that waited as it was told. */
    bool never = k == QUOTA_TOKENS && cost > limit;
    if (!never && b->level >= need - 1e-6) {
        return true;
    }
    ret->refused = k;
    ret->never = never;
    ret->limit = limit;
    ret->requested = cost;
    ret->used = MAX(limit - (int64_t)floor(b->level), INT64_C(0));
    ret->wait_us = never ? 0 : (int64_t)ceil((need - b->level) / quota_per_us(limit));
    return false;
}

static bool quota_buckets_pass(struct quotas *l, struct quota_account *a, enum quota_rule rule,
                               int64_t input, int64_t output_max, int64_t now_us,
                               struct quota_verdict *ret) {
    for (enum quota_kind k = QUOTA_REQUESTS; k < QUOTA_BUCKETS; k++) {
        int64_t limit = quota_now(l, k, now_us);
        if (limit == 0 || (k == QUOTA_OUTPUT && rule != QUOTA_RULE_PRODUCED)) {
            continue;
        }
        quota_refill(l, &a->buckets[k], limit, now_us);
        if (!quota_passes(l, &a->buckets[k], k, limit, quota_cost(k, rule, input, output_max),
                          ret)) {
            return false;
        }
    }
    return true;
}

/* Has the use risen too quickly? */
static bool quota_ramp_passes(struct quotas *l, struct quota_account *a, int64_t input,
                              int64_t now_us, struct quota_verdict *ret) {
    int64_t start = quota_now(l, QUOTA_RAMP, now_us);
    if (start == 0) {
        return true;
    }
    double passed_s = a->ramp.at_us == 0 ? 0 : (double)(now_us - a->ramp.at_us) / 1e6;
    double grown = pow(QUOTA_RAMP_GROWTH, passed_s / l->options->ramp_s);
    double limit = fmax(a->ramp_limit, (double)start);
    quota_refill(l, &a->ramp, (int64_t)limit, now_us);
    bool used = a->ramp.level < quota_capacity(l, (int64_t)limit) / 2;
    a->ramp_limit =
        fmin(fmax(used ? limit * grown : limit / grown, (double)start), (double)QUOTA_MAX);
    quota_refill(l, &a->ramp, (int64_t)a->ramp_limit, now_us); /* may hold less now */
    return quota_passes(l, &a->ramp, QUOTA_RAMP, (int64_t)a->ramp_limit, input, ret);
}

/* Limits that are counted, not refilled. */
static bool quota_counts_pass(struct quotas *l, const struct quota_account *a, int64_t now_us,
                              struct quota_verdict *ret) {
    const struct {
        enum quota_kind kind;
        int64_t used;
    } counts[] = {{QUOTA_CONCURRENCY, a->in_flight}, {QUOTA_DAY, a->today}};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int64_t limit = quota_now(l, counts[i].kind, now_us);
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

static void quota_look(struct quotas *l, struct quota_account *a, enum quota_rule rule,
                       int64_t now_us, struct quota_verdict *ret) {
    for (enum quota_kind k = QUOTA_REQUESTS; k < QUOTA_BUCKETS; k++) {
        int64_t limit = quota_now(l, k, now_us);
        struct quota_bucket *b = &a->buckets[k];
        if (limit > 0 && (k != QUOTA_OUTPUT || rule == QUOTA_RULE_PRODUCED)) {
            quota_refill(l, b, limit, now_us);
            double missing = quota_capacity(l, limit) - b->level;
            ret->views[k] = (struct quota_view){
                .limit = limit,
                .remaining = (int64_t)fmax(floor(b->level), 0),
                .reset_us = (int64_t)ceil(missing / quota_per_us(limit)),
            };
        }
    }
}

bool quotas_admit(struct quotas *l, struct quota_account *a, enum quota_rule rule, int64_t input,
                  int64_t output_max, int64_t now_us, struct quota_verdict *ret) {
    *ret = (struct quota_verdict){.refused = QUOTA_KINDS};
    if (l->first_us == 0) {
        l->first_us = now_us;
    }
    bool admitted = quota_counts_pass(l, a, now_us, ret) &&
                    quota_buckets_pass(l, a, rule, input, output_max, now_us, ret) &&
                    quota_ramp_passes(l, a, input, now_us, ret);
    if (admitted) {
        a->ramp.level -= (double)input;
        for (enum quota_kind k = QUOTA_REQUESTS; k < QUOTA_BUCKETS; k++) {
            a->buckets[k].level -= (double)quota_cost(k, rule, input, output_max);
        }
        a->in_flight++;
        a->today++;
    }
    quota_look(l, a, rule, now_us, ret);
    return admitted;
}

void quotas_produced(struct quotas *l, struct quota_account *a, enum quota_rule rule,
                     int64_t tokens, int64_t now_us) {
    int64_t limit = quota_now(l, QUOTA_OUTPUT, now_us);
    if (rule == QUOTA_RULE_PRODUCED && limit > 0) {
        quota_refill(l, &a->buckets[QUOTA_OUTPUT], limit, now_us);
        a->buckets[QUOTA_OUTPUT].level -= (double)tokens;
    }
}

void quotas_leave(struct quota_account *a) {
    ASSERT(a->in_flight > 0);
    a->in_flight--;
}
