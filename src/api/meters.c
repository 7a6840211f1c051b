#include "api/meters.h"

#include "api/routes.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct metric_family meters_requests = {
    .name = "stumper_api_request_seconds",
    .help = "Time from a request's headers to its answer, by route and class of status.",
    .kind = METRIC_HISTOGRAM,
    .unit = 1e-6,
    .bounds = METRIC_BOUNDS_FAST,
    .bounds_n = METRIC_BOUNDS_FAST_N,
};

static const struct metric_family meters_streams = {
    .name = "stumper_api_streams",
    .help = "Event and result streams that are open.",
    .kind = METRIC_GAUGE,
};

static const struct metric_family meters_connections = {
    .name = "stumper_api_connections",
    .help = "Connections that are open.",
    .kind = METRIC_GAUGE,
};

static const struct metric_family meters_submissions = {
    .name = "stumper_api_submissions_total",
    .help = "Requests for jobs that were answered with a job, by whether it was there already.",
    .kind = METRIC_COUNTER,
};

static const struct metric_family meters_webhooks = {
    .name = "stumper_webhook_tries_total",
    .help = "Tries to deliver a webhook, by what became of them.",
    .kind = METRIC_COUNTER,
};

static struct metric *meters_series(struct metrics *m, const struct metric_family *f,
                                    const char *label, const char *value) {
    const struct metric_label one = {label, str_of(value)};
    return metric_get(m, f, &one, 1);
}

void meters_init(struct meters *m, struct metrics *metrics) {
    *m = (struct meters){.metrics = metrics};
    m->connections = metric_get(metrics, &meters_connections, NULL, 0);
    m->streams = metric_get(metrics, &meters_streams, NULL, 0);
    m->submitted = meters_series(metrics, &meters_submissions, "job", "new");
    m->replayed = meters_series(metrics, &meters_submissions, "job", "replayed");
    m->delivered = meters_series(metrics, &meters_webhooks, "result", "delivered");
    m->retried = meters_series(metrics, &meters_webhooks, "result", "retried");
    m->given_up = meters_series(metrics, &meters_webhooks, "result", "given_up");
}

/* The series of a route and a class of statuses, the last route standing for none. */
static struct metric *meters_of(struct meters *m, const struct route *route, int status) {
    static const char *const classes[METERS_CLASSES] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
    size_t n;
    const struct route *all = routes_all(&n);
    ASSERT(n < METERS_ROUTES_MAX);
    size_t at = route != NULL ? (size_t)(route - all) : METERS_ROUTES_MAX - 1;
    struct metric **series = &m->requests[at][status / 100 % METERS_CLASSES];
    if (*series == NULL && m->metrics != NULL) {
        const struct metric_label labels[] = {
            {"method", str_of(route != NULL ? route->method : "none")},
            {"route", str_of(route != NULL ? route->path : "none")},
            {"status", str_of(classes[status / 100 % METERS_CLASSES])},
        };
        *series = metric_get(m->metrics, &meters_requests, labels, ARRAY_LEN(labels));
    }
    return *series;
}

void meters_request(struct meters *m, const struct route *route, int status, int64_t took_us) {
    metric_observe(meters_of(m, route, status), took_us);
}

/* --- what the system says, under the names that Prometheus' own clients use */

static void meters_gauge(struct sbuf *out, const char *name, const char *help, const char *kind,
                         double v) {
    sbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, kind, name, v);
}

/* The second number of statm: pages that are resident. */
static double meters_resident_bytes(void) {
    char line[128] = "";
    int64_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL) {
        return 0;
    }
    struct str text = fgets(line, sizeof line, f) != NULL ? str_of(line) : S("");
    (void)fclose(f); /* was only read */
    (void)str_split(&text, ' ');
    return str_to_i64(str_split(&text, ' '), &pages) ? (double)pages * (double)sysconf(_SC_PAGESIZE)
                                                     : 0;
}

static int meters_files(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL) {
        return 0;
    }
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d); /* was only read */
    return n - 3;      /* ".", ".." and itself */
}

static void meters_process(struct sbuf *out) {
    struct rusage u = {0};
    (void)getrusage(RUSAGE_SELF, &u); /* cannot fail for ourselves */
    double cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    meters_gauge(out, "process_cpu_seconds_total", "User and system CPU time spent.", "counter",
                 cpu_s);
    meters_gauge(out, "process_resident_memory_bytes", "Resident memory.", "gauge",
                 meters_resident_bytes());
    meters_gauge(out, "process_open_fds", "Open file descriptors.", "gauge", meters_files());
}

void meters_render(struct meters *m, struct sbuf *out) {
    sbuf_add_cstr(out, "# HELP stumper_build_info What is running.\n"
                       "# TYPE stumper_build_info gauge\n"
                       "stumper_build_info{version=\"" STUMPER_VERSION "\"} 1\n");
    metrics_render(m->metrics, out);
    meters_process(out);
}
