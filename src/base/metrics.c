#include "base/metrics.h"

#include "base/mem.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000
#define SECOND (1000 * INT64_C(1000))

const int64_t METRIC_BOUNDS_SLOW[METRIC_BOUNDS_SLOW_N] = {
    100 * MS,    250 * MS,    500 * MS,    1 * SECOND,   2500 * MS,    5 * SECOND,  10 * SECOND,
    20 * SECOND, 40 * SECOND, 60 * SECOND, 120 * SECOND, 300 * SECOND, 600 * SECOND};
const int64_t METRIC_BOUNDS_FAST[METRIC_BOUNDS_FAST_N] = {
    100,     250,      500,      1 * MS,   2500,       5 * MS,     10 * MS,    25 * MS,
    50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * SECOND, 5 * SECOND, 10 * SECOND};

struct metric {
    struct metric *next;
    const struct metric_family *family;
    char *labels;               /* `a="b",c="d"`, escaped; "" for none */
    atomic_int_least64_t value; /* a histogram's sum */
    atomic_int_least64_t buckets[];
};

struct metric_group {
    struct metric_group *next;
    const struct metric_family *family;
    struct metric *first, **last;
    size_t n;
};

struct metrics {
    pthread_mutex_t lock; /* of the lists; series themselves are atomic */
    struct metric_group *first, **last;
};

struct metrics *metrics_new(void) {
    struct metrics *m = mem_new(sizeof *m);
    ASSERT(pthread_mutex_init(&m->lock, NULL) == 0);
    m->last = &m->first;
    return m;
}

void metrics_free(struct metrics *m) {
    if (m == NULL) {
        return;
    }
    for (struct metric_group *g = m->first; g != NULL;) {
        struct metric_group *next_group = g->next;
        for (struct metric *s = g->first; s != NULL;) {
            struct metric *next = s->next;
            free(s->labels);
            free(s);
            s = next;
        }
        free(g);
        g = next_group;
    }
    ASSERT(pthread_mutex_destroy(&m->lock) == 0);
    free(m);
}

static void metric_escape(struct sbuf *out, struct str value) {
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\\' || c == '"') {
            sbuf_add_char(out, '\\');
        }
        sbuf_add_char(out, (unsigned char)c < 0x20 ? ' ' : c);
    }
}

/* @other: the values that stand for all series beyond the limit. */
static char *metric_labels(const struct metric_label *labels, size_t n, bool other) {
    struct sbuf text;
    sbuf_init(&text, METRIC_LABELS_MAX * (METRIC_LABEL_BYTES_MAX + 64) * 2);
    sbuf_add_cstr(&text, "");
    for (size_t i = 0; i < n; i++) {
        sbuf_addf(&text, "%s%s=\"", i > 0 ? "," : "", labels[i].name);
        metric_escape(&text,
                      other ? S("other") : str_take_utf8(labels[i].value, METRIC_LABEL_BYTES_MAX));
        sbuf_add_char(&text, '"');
    }
    char *owned = mem_dup_cstr(text.n > 0 ? text.p : "", text.n);
    sbuf_release(&text);
    return owned;
}

static struct metric_group *metrics_group(struct metrics *m, const struct metric_family *f) {
    for (struct metric_group *g = m->first; g != NULL; g = g->next) {
        if (g->family == f) {
            return g;
        }
    }
    ASSERT(f->kind != METRIC_HISTOGRAM || (f->bounds_n > 0 && f->bounds_n <= METRIC_BOUNDS_MAX));
    struct metric_group *g = mem_new(sizeof *g);
    g->family = f;
    g->last = &g->first;
    *m->last = g;
    m->last = &g->next;
    return g;
}

static struct metric *metric_find(const struct metric_group *g, const char *labels) {
    struct metric *s = g->first;
    while (s != NULL && strcmp(s->labels, labels) != 0) {
        s = s->next;
    }
    return s;
}

static struct metric *metric_make(struct metric_group *g, char *labels) {
    const struct metric_family *f = g->family;
    struct metric *s = mem_new(sizeof *s + (f->bounds_n + 1) * sizeof s->buckets[0]);
    s->family = f;
    s->labels = labels;
    *g->last = s;
    g->last = &s->next;
    g->n++;
    return s;
}

struct metric *metric_get(struct metrics *m, const struct metric_family *f,
                          const struct metric_label *labels, size_t labels_n) {
    if (m == NULL) {
        return NULL;
    }
    ASSERT(labels_n <= METRIC_LABELS_MAX);
    (void)pthread_mutex_lock(&m->lock); /* cannot fail: a plain mutex, initialised */
    struct metric_group *g = metrics_group(m, f);
    char *text = metric_labels(labels, labels_n, false);
    struct metric *s = metric_find(g, text);
    if (s == NULL && g->n >= METRIC_SERIES_MAX) {
        free(text);
        text = metric_labels(labels, labels_n, true);
        s = metric_find(g, text);
    }
    if (s == NULL) {
        s = metric_make(g, text);
    } else {
        free(text);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return s;
}

void metric_add(struct metric *series, int64_t n) {
    if (series != NULL) {
        atomic_fetch_add_explicit(&series->value, n, memory_order_relaxed);
    }
}

void metric_set(struct metric *series, int64_t v) {
    if (series != NULL) {
        atomic_store_explicit(&series->value, v, memory_order_relaxed);
    }
}

void metric_observe(struct metric *series, int64_t v) {
    if (series == NULL) {
        return;
    }
    const struct metric_family *f = series->family;
    size_t i = 0;
    while (i < f->bounds_n && v > f->bounds[i]) {
        i++;
    }
    atomic_fetch_add_explicit(&series->buckets[i], 1, memory_order_relaxed);
    metric_add(series, v);
}

int64_t metric_value(const struct metric *series) {
    if (series == NULL) {
        return 0;
    }
    if (series->family->kind != METRIC_HISTOGRAM) {
        return atomic_load_explicit(&series->value, memory_order_relaxed);
    }
    int64_t n = 0;
    for (size_t i = 0; i <= series->family->bounds_n; i++) {
        n += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
    }
    return n;
}

static void metric_render_number(int64_t v, const struct metric_family *f, struct sbuf *out) {
    if (f->unit > 0) {
        sbuf_addf(out, "%.9g", (double)v * f->unit);
    } else {
        sbuf_addf(out, "%" PRId64, v);
    }
}

static void metric_render_line(const struct metric *s, struct sbuf *out) {
    sbuf_addf(out, *s->labels != '\0' ? "%s{%s} " : "%s%s ", s->family->name, s->labels);
    metric_render_number(metric_value(s), s->family, out);
    sbuf_add_char(out, '\n');
}

static void metric_render_histogram(const struct metric *s, struct sbuf *out) {
    const struct metric_family *f = s->family;
    const char *comma = *s->labels != '\0' ? "," : "";
    int64_t n = 0;
    for (size_t i = 0; i <= f->bounds_n; i++) {
        n += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        sbuf_addf(out, "%s_bucket{%s%sle=\"", f->name, s->labels, comma);
        if (i < f->bounds_n) {
            metric_render_number(f->bounds[i], f, out);
        } else {
            sbuf_add_cstr(out, "+Inf");
        }
        sbuf_addf(out, "\"} %" PRId64 "\n", n);
    }
    const char *open = *s->labels != '\0' ? "{" : "", *close = *s->labels != '\0' ? "}" : "";
    sbuf_addf(out, "%s_sum%s%s%s ", f->name, open, s->labels, close);
    metric_render_number(atomic_load_explicit(&s->value, memory_order_relaxed), f, out);
    sbuf_addf(out, "\n%s_count%s%s%s %" PRId64 "\n", f->name, open, s->labels, close, n);
}

void metrics_render(struct metrics *m, struct sbuf *out) {
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    if (m == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    for (const struct metric_group *g = m->first; g != NULL; g = g->next) {
        const struct metric_family *f = g->family;
        sbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, kinds[f->kind]);
        for (const struct metric *s = g->first; s != NULL; s = s->next) {
            if (f->kind == METRIC_HISTOGRAM) {
                metric_render_histogram(s, out);
            } else {
                metric_render_line(s, out);
            }
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
}
