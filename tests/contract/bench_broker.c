/* How quick tokens are, from one process to another by way of a server on this machine:
 * bench_broker prints a JSON line for each broker. */
#include "base/clock.h"
#include "base/defs.h"
#include "broker_rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LATENCY_N 2000
#define QUIET_N 50
#define QUIET_MS 120 /* longer than anybody keeps news to itself */
#define FLOOD_N 10000
#define PATIENCE_MS 60000

static struct eater eater;

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* One after the other, @gap_ms apart: from broker_publish() to the consumer's function. */
static void measure_latency(const char *how, struct broker *from, int n, int64_t gap_ms) {
    static int64_t took_us[LATENCY_N];
    char id[BROKER_JOB_ID_BYTES];
    int before = eater.n;
    for (int i = 0; i < n; i++) {
        pause_ms(gap_ms);
        (void)snprintf(id, sizeof id, "job%d", i);
        broker_want(eater.consumer, 1000);
        int64_t start_us = clock_mono_us();
        publish(from, id, 0);
        eater_run(&eater, before + i + 1, PATIENCE_MS);
        took_us[i] = clock_mono_us() - start_us;
    }
    qsort(took_us, (size_t)n, sizeof took_us[0], by_size);
    (void)printf("\"%s_p50_us\":%lld,\"%s_p99_us\":%lld,", how, (long long)took_us[n / 2], how,
                 (long long)took_us[n * 99 / 100]);
}

static void measure_throughput(struct broker *from) {
    char id[BROKER_JOB_ID_BYTES];
    int before = eater.n;
    int64_t start_us = clock_mono_us();
    broker_want(eater.consumer, FLOOD_N);
    for (int i = 0; i < FLOOD_N; i++) {
        (void)snprintf(id, sizeof id, "many%d", i);
        publish(from, id, 0);
    }
    eater_run(&eater, before + FLOOD_N, PATIENCE_MS);
    (void)printf("\"tokens_per_second\":%.0f,\"lost\":%d}\n",
                 (double)(eater.n - before) * 1e6 / (double)(clock_mono_us() - start_us),
                 FLOOD_N - (eater.n - before));
}

int main(void) {
    for (size_t i = 0; i < BACKENDS; i++) {
        const struct backend *backend = &backends[i];
        struct server server = {0};
        if (backend->start != NULL) {
            server_init(&server);
            backend->start(&server, NULL);
        }
        struct broker *from = backend_open(backend, &server, "bench");
        struct broker *to = backend->start == NULL ? from : backend_open(backend, &server, "bench");
        eater_begin(&eater, to);
        (void)printf("{\"broker\":\"%s\",", backend->name);
        measure_latency("row", from, LATENCY_N, 0);
        measure_latency("quiet", from, QUIET_N, QUIET_MS);
        measure_throughput(from);
        eater_end(&eater);
        if (to != from) {
            broker_free(to);
            server_stop(&server, SIGKILL);
            broker_free(from);
            server_release(&server);
        } else {
            broker_free(from);
        }
    }
    return 0;
}
