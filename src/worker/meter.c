#include "worker/meter.h"

#include <string.h>

#define METER_US_PER_MS 1000

static const struct metric_family meter_calls = {.name = "stumper_llm_call_seconds",
                                                 .help = "Time to a model's answer.",
                                                 .kind = METRIC_HISTOGRAM,
                                                 .unit = 1e-6,
                                                 .bounds = METRIC_BOUNDS_SLOW,
                                                 .bounds_n = METRIC_BOUNDS_SLOW_N};
static const struct metric_family meter_errors = {
    .name = "stumper_llm_call_errors_total",
    .help = "Calls that failed after all retries, by class.",
    .kind = METRIC_COUNTER};
static const struct metric_family meter_retries = {
    .name = "stumper_llm_retries_total",
    .help = "Requests that were made again for the same call.",
    .kind = METRIC_COUNTER};
static const struct metric_family meter_tokens = {.name = "stumper_llm_tokens_total",
                                                  .help = "Tokens that were paid for.",
                                                  .kind = METRIC_COUNTER};
static const struct metric_family meter_cost = {.name = "stumper_llm_cost_dollars_total",
                                                .help = "What calls with a known price have cost.",
                                                .kind = METRIC_COUNTER,
                                                .unit = 1e-9};
static const struct metric_family meter_attempts = {
    .name = "stumper_attempts_total", .help = "Attempts that ended.", .kind = METRIC_COUNTER};
static const struct metric_family meter_waits = {
    .name = "stumper_job_wait_seconds",
    .help = "From a job's submission to its first attempt.",
    .kind = METRIC_HISTOGRAM,
    .unit = 1e-6,
    .bounds = METRIC_BOUNDS_FAST,
    .bounds_n = METRIC_BOUNDS_FAST_N};

/* The labels of a call: provider, model, role, and one more to be filled in. */
struct meter_labels {
    struct metric_label v[4];
};

static struct meter_labels meter_labels(enum role role, struct str model) {
    const char *slash = memchr(model.p, '/', model.n);
    size_t provider_n = slash == NULL ? model.n : (size_t)(slash - model.p);
    return (struct meter_labels){
        {{"provider", str_take(model, provider_n)},
         {"model", slash == NULL ? model : str_skip(model, provider_n + 1)},
         {"role", str_of(role_name(role))}}};
}

void meter_call(struct metrics *m, enum role role, const struct call_answer *answer) {
    if (m == NULL) {
        return;
    }
    struct meter_labels labels = meter_labels(role, answer->model);
    if (answer->tries > 1) {
        metric_add(metric_get(m, &meter_retries, labels.v, 3), answer->tries - 1);
    }
    if (answer->err != ERR_OK) {
        labels.v[3] = (struct metric_label){"error", str_of(err_name(answer->err))};
        metric_add(metric_get(m, &meter_errors, labels.v, 4), 1);
        return;
    }
    metric_observe(metric_get(m, &meter_calls, labels.v, 3), answer->latency_ms * METER_US_PER_MS);
    labels.v[3] = (struct metric_label){"kind", str_of("input")};
    metric_add(metric_get(m, &meter_tokens, labels.v, 4), MAX(answer->usage.input_tokens, 0));
    labels.v[3].value = str_of("output");
    metric_add(metric_get(m, &meter_tokens, labels.v, 4), MAX(answer->usage.output_tokens, 0));
    metric_add(metric_get(m, &meter_cost, labels.v, 3), MAX(answer->cost_nusd, 0));
}

void meter_outcome(struct metrics *m, enum outcome outcome) {
    const struct metric_label label = {"outcome", str_of(outcome_name(outcome))};
    metric_add(metric_get(m, &meter_attempts, &label, 1), 1);
}

void meter_wait(struct metrics *m, int64_t wait_ms) {
    metric_observe(metric_get(m, &meter_waits, NULL, 0), MAX(wait_ms, 0) * METER_US_PER_MS);
}
