/* When answers are sent, and the loop.
 *
 * The HTTP server is driven from outside: our ppoll() waits for it, for the next timer, for the
 * order to stop. Sending a delayed answer costs the more the more requests wait (httpd/server.c),
 * so with many waiting they are sent in batches: all that are due within half a batch before or
 * after (at most 0.5 ms), which keeps the latency right on average.
 *
 * Whether a client still waits is not watched while its latency passes: a provider bills an answer
 * whether it is read or not. Clients that are left hanging are watched.
 */
#include "sim/exchange.h"

#include "base/clock.h"
#include "base/mem.h"

#include <poll.h>
#include <stdlib.h>

#define SERVER_BATCH_US 500
#define SERVER_PER_US 8 /* a microsecond of batch for so many waiting */
#define SERVER_FLUSH_US 100000
#define SERVER_INPUT_MS 60000 /* the questions of a batch may be 200 MB */

/* Its time has come. */
static void server_send(struct exchange *x) {
    if (x->stream.piece > 0) {
        stream_send(x);
    } else {
        exchange_send(x);
    }
}

static void server_fire(struct timer *t) {
    server_send(CONTAINER_OF(t, struct exchange, timer));
}

static void server_begin(struct sim_server *s, struct httpd_request *q) {
    struct exchange *x = q->state;
    x->server = s;
    x->q = q;
    x->timer.fire = server_fire;
    x->answer.status = 200;
    x->answer.body = buffer_take(&s->buffers);
    x->answer.content_type = "application/json";
    x->answer.request_id = rng_mix(++s->serial);
}

/* Malformed, or past a limit. */
static void server_refuse(void *ctx, struct httpd_request *q, int status, const char *reason) {
    struct exchange *x = q->state;
    struct sim_error e;
    server_begin(ctx, q);
    handler_identify(x);
    if (status == 413) {
        exchange_too_large(x);
    } else {
        (void)sim_error_set(&e, TROUBLE_REQUEST, NULL, NULL, "%s", reason);
        e.status = status;
        exchange_refuse(x, &e);
    }
    x->answer.close = true;
    exchange_send(x);
}

/* All is read: answer now or later. */
static void server_request(void *ctx, struct httpd_request *q) {
    struct sim_server *s = ctx;
    struct exchange *x = q->state;
    server_begin(s, q);
    double delay_ms = handler_answer(x);
    if (delay_ms < 0) { /* never */
        httpd_watch(q);
    } else if (delay_ms > 0) {
        timers_add(&s->timers, &x->timer, q->started_us + (int64_t)(delay_ms * 1000));
    } else {
        server_send(x);
    }
}

static void server_over(void *ctx, struct httpd_request *q, bool whole) {
    struct sim_server *s = ctx;
    struct exchange *x = q->state;
    (void)whole;
    timers_remove(&s->timers, &x->timer);
    stream_bill(x);
    buffer_give(x->answer.body);
    if (x->account != NULL) {
        quotas_leave(x->account);
    }
}

static const struct httpd_handler server_handler = {
    .request = server_request, .refuse = server_refuse, .over = server_over};

static enum err server_listen(struct sim_server *s, struct errinfo *reterr) {
    const struct sim_options *o = s->options;
    const struct httpd_options options = {
        .listen = {.address = o->listen, .port = o->port, .fd = -1},
        .tls_cert = o->tls_cert,
        .tls_key = o->tls_key,
        .handler = &server_handler,
        .ctx = s,
        .state_bytes = sizeof(struct exchange),
        .body_bytes_max = BATCH_BODY_BYTES_MAX,
        .stream_bytes_max = SIM_STREAM_BYTES_MAX,
        .input_ms = o->input_ms > 0 ? o->input_ms : SERVER_INPUT_MS,
        .idle_ms = o->idle_ms,
    };
    return httpd_new(&options, &s->httpd, reterr);
}

enum err sim_server_new(const struct sim_options *options, struct sim_server **ret,
                        struct errinfo *reterr) {
    struct sim_server *s = mem_new(sizeof *s);
    s->options = options;
    enum err e = truth_open(&s->truth, options->truth_path, reterr);
    if (e != ERR_OK) {
        free(s);
        return e;
    }
    e = ledger_open(&s->ledger, options->ledger_path, options->prices, reterr);
    if (e != ERR_OK) {
        truth_close(&s->truth);
        free(s);
        return e;
    }
    quotas_init(&s->limits, &options->limits);
    brain_init(&s->brain, &options->brain, &s->truth);
    buffers_init(&s->buffers, SIM_ANSWER_BYTES_MAX);
    sbuf_init(&s->text, SIM_BODY_BYTES_MAX);
    sbuf_init(&s->scratch, SIM_STREAM_BYTES_MAX);
    e = server_listen(s, reterr);
    if (e != ERR_OK) {
        sim_server_free(s);
        return e;
    }
    *ret = s;
    return ERR_OK;
}

int sim_server_port(const struct sim_server *s) {
    return httpd_port(s->httpd);
}

static int64_t server_batch_us(const struct sim_server *s) {
    return MIN((int64_t)s->timers.n / SERVER_PER_US, (int64_t)SERVER_BATCH_US);
}

static void server_send_due(struct sim_server *s, int64_t now_us) {
    int64_t until_us = now_us + server_batch_us(s);
    struct timer *t;
    while ((t = timers_first(&s->timers)) != NULL && t->due_us <= until_us) {
        timers_remove(&s->timers, t);
        t->fire(t);
    }
}

/* Wait for sockets, the next timer, the next chore or the order to stop. */
static void server_wait(struct sim_server *s, int64_t chore_us) {
    struct timer *t = timers_first(&s->timers);
    int64_t now_us = clock_mono_us();
    int64_t until_us = MIN(chore_us, now_us + httpd_wait_ms(s->httpd) * 1000);
    if (t != NULL) {
        until_us = MIN(until_us, t->due_us + server_batch_us(s));
    }
    int64_t wait_us = MAX(until_us - now_us, INT64_C(0));
    struct timespec wait = {wait_us / 1000000, wait_us % 1000000 * 1000};
    struct pollfd fds[] = {{.fd = httpd_fd(s->httpd), .events = POLLIN},
                           {.fd = s->options->stop_fd, .events = POLLIN}};
    if (ppoll(fds, ARRAY_LEN(fds), &wait, NULL) > 0) {
        s->stopping = fds[1].revents != 0;
    }
}

void sim_server_run(struct sim_server *s) {
    int64_t flush_us = 0;
    while (!s->stopping) {
        int64_t now_us = clock_mono_us();
        server_send_due(s, now_us);
        httpd_turn(s->httpd);
        journal_flush(&s->truth.file); /* at the latest by exchange_send(); here in one go */
        if (now_us >= flush_us) {
            journal_flush(&s->ledger.file);
            flush_us = now_us + SERVER_FLUSH_US;
        }
        server_wait(s, s->ledger.file.pending.n > 0 ? flush_us : INT64_MAX);
    }
}

void sim_server_free(struct sim_server *s) {
    if (s->httpd != NULL) {
        httpd_free(s->httpd);
    }
    buffers_release(&s->buffers);
    timers_release(&s->timers);
    sbuf_release(&s->text);
    sbuf_release(&s->scratch);
    brain_release(&s->brain);
    depot_release(&s->depot);
    ledger_close(&s->ledger);
    truth_close(&s->truth);
    free(s);
}
