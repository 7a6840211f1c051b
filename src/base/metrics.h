/* metrics.h - what the process counts about itself, for Prometheus.
 *
 * A room that measures has a constant `struct metric_family` per thing it measures and asks for the
 * series it needs (metric_get() once, the pointer is kept), then counts with a few atomic
 * instructions. The registry is passed down in options; there is no global one. NULL is a registry
 * and a series that forget everything, so nobody has to ask whether anybody wants to know.
 *
 * Units      whole numbers inside (microseconds, nanodollars, bytes); the family says how much one
 *            is in the unit that its name ends in (`_seconds`: 1e-6).
 * Limits     METRIC_SERIES_MAX series per family: more are counted together in one whose label
 *            values are all "other". Label values are cut at METRIC_LABEL_BYTES_MAX.
 * Threading  any thread, any time until metrics_free().
 */
#ifndef STUMPER_BASE_METRICS_H
#define STUMPER_BASE_METRICS_H

#include "base/sbuf.h"

#define METRIC_SERIES_MAX 512
#define METRIC_LABELS_MAX 4
#define METRIC_BOUNDS_MAX 24
#define METRIC_LABEL_BYTES_MAX ((size_t)120)

struct metrics;
struct metric;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Must outlive the registry. */
struct metric_family {
    const char *name; /* "stumper_llm_call_seconds" */
    const char *help; /* one line */
    enum metric_kind kind;
    double unit;           /* what 1 is worth; 0 means 1 */
    const int64_t *bounds; /* of a histogram's buckets, growing, in the whole unit */
    size_t bounds_n;       /* 1..METRIC_BOUNDS_MAX */
};

struct metric_label {
    const char *name; /* "provider" */
    struct str value; /* copied */
};

/* Bounds for durations in microseconds: calls of models (0.1 s … 10 min) / of our own (0.1 ms …
 * 10 s). Their families have unit 1e-6. */
#define METRIC_BOUNDS_SLOW_N 13
#define METRIC_BOUNDS_FAST_N 15
extern const int64_t METRIC_BOUNDS_SLOW[METRIC_BOUNDS_SLOW_N];
extern const int64_t METRIC_BOUNDS_FAST[METRIC_BOUNDS_FAST_N];

/** Free with metrics_free(). */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/** The series of @f with these labels, made if need be; lives as long as the registry. @labels_n at
 * most METRIC_LABELS_MAX. */
struct metric *metric_get(struct metrics *m, const struct metric_family *f,
                          const struct metric_label *labels, size_t labels_n);

/** Counters (@n ≥ 0) and gauges. */
void metric_add(struct metric *series, int64_t n);

/** Gauges. */
void metric_set(struct metric *series, int64_t v);

/** Histograms. */
void metric_observe(struct metric *series, int64_t v);

/** What was added or set / how often was observed. */
int64_t metric_value(const struct metric *series);

/** Append everything in Prometheus' text format 0.0.4. A histogram that is being written to may be
 * rendered a few observations behind, never inconsistent in itself. */
void metrics_render(struct metrics *m, struct sbuf *out);

#endif
