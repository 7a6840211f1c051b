#include "broker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void redis_wipe(const struct server *s, const char *fleet) {
    (void)fleet;
    (void)server_redis(s, "FLUSHALL");
}

static void postgres_wipe(const struct server *s, const char *fleet) {
    (void)fleet;
    (void)server_postgres(s, "TRUNCATE stumper_broker.tokens");
}

const struct backend backends[BACKENDS] = {
    {.name = "local", .exact = true},
    {.name = "redis",
     .new = broker_redis_new,
     .url = "redis://127.0.0.1",
     .start = server_start_redis,
     .wipe = redis_wipe,
     .stop = SIGKILL,
     .exact = true},
    {.name = "rabbit",
     .new = broker_rabbit_new,
     .url = "amqp://127.0.0.1",
     .start = server_start_rabbit,
     .wipe = server_purge_queues,
     .stop = SIGTERM},
    {.name = "postgres",
     .new = broker_postgres_new,
     .url = "postgresql://stumper@127.0.0.1",
     .path = "/postgres",
     .start = server_start_postgres,
     .wipe = postgres_wipe,
     .stop = SIGQUIT,
     .exact = true},
};

void pause_ms(int64_t ms) {
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

bool is_degraded(struct broker *b) {
    return broker_degraded(b) != NULL;
}

bool is_well(struct broker *b) {
    return broker_degraded(b) == NULL;
}

void await_broker(struct broker *b, bool (*condition)(struct broker *b)) {
    int64_t until_ms = clock_mono_ms() + LONG_MS;
    while (!condition(b) && clock_mono_ms() < until_ms) {
        pause_ms(1);
    }
    assert_true(condition(b));
}

struct broker *backend_open(const struct backend *backend, const struct server *s,
                            const char *fleet) {
    struct broker *b;
    char url[128];
    if (backend->new == NULL) {
        return broker_local_new();
    }
    (void)snprintf(url, sizeof url, "%s:%d%s?name=%s", backend->url, s->port,
                   backend->path != NULL ? backend->path : "", fleet);
    assert_int_equal(backend->new (url, NULL, &b, NULL), ERR_OK);
    await_broker(b, is_well);
    return b;
}

static _Thread_local off_t log_before_bytes; /* when the last broker was opened */

/* Within log_of(). */
static off_t log_bytes(void) {
    struct stat s;
    assert_int_equal(fstat(STDERR_FILENO, &s), 0);
    return s.st_size;
}

struct broker *open_url(const struct backend *backend, const char *before, int port,
                        const char *after) {
    struct broker *ret;
    char url[256];
    (void)snprintf(url, sizeof url, "%s:%d%s", before, port, after);
    log_before_bytes = log_bytes();
    assert_int_equal(backend->new (url, NULL, &ret, NULL), ERR_OK);
    return ret;
}

static bool has_told(struct broker *b) {
    (void)b;
    return log_bytes() > log_before_bytes;
}

void stay_out(struct broker *b) {
    await_broker(b, has_told);
    assert_true(is_degraded(b));
    broker_free(b);
}

void log_of(void (*fn)(void), char *ret, size_t size) {
    char path[] = "/tmp/stumper-log-XXXXXX";
    int fd = mkstemp(path), before = dup(STDERR_FILENO);
    assert_true(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    fn();
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    ssize_t n = pread(fd, ret, size - 1, 0);
    ret[MAX(n, 0)] = '\0';
    (void)close(fd);
    (void)unlink(path);
}

static void on_token(void *ctx, const struct broker_token *token) {
    struct eater *e = ctx;
    assert_true(e->n < SEEN_MAX);
    (void)snprintf(e->seen[e->n++], BROKER_JOB_ID_BYTES, "%s", token->job_id);
    if (!e->silent) {
        broker_ack(e->consumer, token->job_id);
    }
    if (e->n == e->stop_at) {
        loop_stop(e->loop);
    }
}

void eater_begin(struct eater *e, struct broker *b) {
    e->broker = b;
    e->loop = loop_new();
    e->n = e->stop_at = 0;
    e->silent = false;
    e->consumer = broker_join(b, e->loop, on_token, e);
}

static void on_time(void *ctx) {
    struct eater *e = ctx;
    loop_stop(e->loop);
}

void eater_run(struct eater *e, int n, int64_t ms) {
    struct loop_timer timer = {0};
    e->stop_at = n;
    loop_timer_start(e->loop, &timer, ms, on_time, e);
    loop_run(e->loop);
    loop_timer_stop(&timer);
}

void eater_leave(struct eater *e) {
    if (e->consumer != NULL) {
        broker_leave(e->consumer);
        e->consumer = NULL;
    }
}

void eater_end(struct eater *e) {
    eater_leave(e);
    eater_run(e, -1, 10); /* what was under way comes home */
    loop_free(e->loop);
}

void publish(struct broker *b, const char *job_id, int64_t priority) {
    struct broker_token token = {.priority = priority};
    (void)snprintf(token.job_id, sizeof token.job_id, "%s", job_id);
    broker_publish(b, &token);
}

/* --- of one test */

struct broker_rig rig;

void rig_start(const struct backend *backend, const char *const *more) {
    rig.backend = backend;
    if (backend->start != NULL) {
        server_init(&rig.server);
        backend->start(&rig.server, more);
    }
}

void rig_stop(void) {
    if (rig.backend->start != NULL) {
        server_release(&rig.server);
    }
}

int rig_set_up(void **state) {
    static int n;
    (void)state;
    (void)snprintf(rig.fleet, sizeof rig.fleet, "fleet%d", ++n);
    rig.b = backend_open(rig.backend, &rig.server, rig.fleet);
    eater_begin(&rig.one, rig.b);
    return 0;
}

int rig_tear_down(void **state) {
    (void)state;
    eater_end(&rig.one);
    broker_free(rig.b);
    return 0;
}

void assert_waiting(size_t n) {
    int64_t until_ms = clock_mono_ms() + LONG_MS; /* a server is asked once a second */
    size_t found = broker_waiting(rig.b);
    while (found != n && clock_mono_ms() < until_ms && rig.backend->start != NULL) {
        pause_ms(1);
        found = broker_waiting(rig.b);
    }
    assert_int_equal(found, n); /* those on their way to the server are not counted meanwhile */
}

void come_in(struct broker *b) {
    static struct eater e;
    await_broker(b, is_well);
    eater_begin(&e, b);
    broker_want(e.consumer, 50);
    for (int i = 0; i < 50; i++) {
        char id[BROKER_JOB_ID_BYTES];
        (void)snprintf(id, sizeof id, "job%d", i);
        publish(b, id, 0);
    }
    eater_run(&e, 50, LONG_MS);
    assert_int_equal(e.n, 50);
    eater_end(&e);
    broker_free(b);
}
