/* One call, from asking to the answer:
 *
 *     llm_call ─► WAITING ─► SENT ─► answer, or a failure that no retry mends ─► done
 *                  ▲ ▲ └─► BATCHED ────▲ │    (with batches: batch.h)
 *                  │ └─────────┘         ▼
 *                  └───────────────── BACKOFF
 *
 * Invariants (1) a call is with its transport (a queue, a wave) exactly while WAITING, in a batch
 * exactly while BATCHED, and counted by its lane exactly while SENT; (2) a try counts against
 * tries_max unless it taught us a quirk, or was a 429 and others got through since this call's last
 * one: waiting one's turn is no failure, but a model that lets nobody through ends its calls; (3)
 * `done` is called once, from a callback of the loop, never from inside llm_call().
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/backoff.h"
#include "llm/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LLM_TAG_HEADER "X-Client-Request-Id: "
#define LLM_ADAPT_AFTER 50 /* answers of a model before its pace is known */
#define LLM_ADAPT_MS_MIN 30000
#define LLM_SWEEP_MS 1000
#define LLM_ADAPT_FACTOR 10 /* times the 95th percentile */

static const struct errinfo llm_canceled = {.text = "canceled"};

static void llm_call_replied(void *ctx, const struct http_reply *reply);

void llm_call_wait(struct llm_call *c) {
    struct llm *m = c->model->llm;
    c->state = LLM_CALL_WAITING;
    m->stats.waiting++;
    c->transport->join(c);
}

static void llm_call_unwait(struct llm_call *c) {
    struct llm *m = c->model->llm;
    c->transport->leave(c);
    m->stats.waiting--;
}

const char *llm_call_tag(const struct llm_call *c) {
    return c->tag + strlen(LLM_TAG_HEADER);
}

/* Back to the pool, then tell: `done` may ask the next question at once. */
static void llm_call_end(struct llm_call *c, const struct call_answer *answer) {
    struct llm *m = c->model->llm;
    llm_done_fn *done = c->request.done;
    void *ctx = c->request.ctx;
    c->state = LLM_CALL_IDLE;
    sbuf_release(&c->body);
    if (c->stream != NULL) {
        wire_stream_release(c->stream);
    }
    LIST_REMOVE(c, all);
    LIST_INSERT_HEAD(&m->pool, c, all);
    done(ctx, answer);
}

static void llm_call_fail(struct llm_call *c, enum err e, const struct errinfo *why) {
    struct errinfo detail = *why;
    (void)errinfo_wrap(&detail, e, "%.*s", STR_ARG(c->model->full_name));
    log_redact(detail.text);
    const struct call_answer answer = {.err = e,
                                       .detail = detail.text,
                                       .clue = c->clue,
                                       .model = c->model->full_name,
                                       .cost_nusd = MONEY_UNKNOWN,
                                       .usage = {.input_tokens = -1, .output_tokens = -1},
                                       .tries = MAX(c->tries, 1),
                                       .lost = c->lost,
                                       .lost_nusd = c->lost_nusd};
    llm_call_end(c, &answer);
}

void llm_call_abort(struct llm_call *c) {
    llm_call_fail(c, ERR_CANCELED, &llm_canceled);
}

static void llm_call_ended(void *ctx) {
    struct llm_call *c = ctx;
    llm_call_fail(c, c->end_err, c->end_why);
}

static void llm_call_reused(void *ctx) {
    struct llm_call *c = ctx;
    struct sbuf texts = c->body; /* outlive the call's end */
    struct call_answer answer = c->found;
    sbuf_init(&c->body, LLM_BODY_BYTES_MAX);
    llm_call_end(c, &answer);
    sbuf_release(&texts);
}

void llm_call_end_soon(struct llm_call *c, enum err e, const struct errinfo *why) {
    c->state = LLM_CALL_ENDING;
    c->end_err = e;
    c->end_why = why;
    loop_timer_start(c->model->llm->loop, &c->timer, 0, llm_call_ended, c);
}

/* Make the call one for the model at its place in the chain. */
static void llm_call_address(struct llm_call *c) {
    /* const for callers only */
    struct llm_model *model = (struct llm_model *)(uintptr_t)c->request.chain->models[c->chain_at];
    c->model = model;
    c->failures = 0;
    c->clue = CALL_CLUE_NONE;
    c->answers_seen = model->answers;
    sbuf_clear(&c->body);
}

bool llm_call_readdress(struct llm_call *c, const struct llm_model *model) {
    const struct llm_chain *chain = c->request.chain;
    size_t at = c->chain_at;
    while (at < chain->n && chain->models[at] != model) {
        at++;
    }
    if (at < chain->n && at != c->chain_at) {
        c->chain_at = at;
        llm_call_address(c);
    }
    return at < chain->n;
}

/* To the next of its chain; false if there is none. */
static bool llm_call_move_on(struct llm_call *c) {
    if (c->chain_at + 1 == c->request.chain->n) {
        return false;
    }
    c->chain_at++;
    llm_call_address(c);
    llm_call_wait(c);
    return true;
}

/* This model will not answer it: the next in the chain may. */
static void llm_call_give_up(struct llm_call *c, enum err e, const struct errinfo *why) {
    if (e == ERR_CANCELED || !llm_call_move_on(c)) {
        llm_call_fail(c, e, why);
    }
}

void llm_call_pass_on(struct llm_call *c, enum err e, const struct errinfo *why) {
    llm_call_unwait(c);
    if (llm_call_move_on(c)) {
        llm_lanes_pump(c->model);
    } else {
        llm_call_end_soon(c, e, why);
    }
}

/* Long enough for the slowest answers of this model, short enough that a hung request does not hold
 * a run. 0: too early to tell, the configured deadlines hold alone. */
static int64_t llm_patience_ms(const struct llm_model *model) {
    const struct histogram *h = &model->latency_ms;
    return h->n < LLM_ADAPT_AFTER
               ? 0
               : MAX(LLM_ADAPT_FACTOR * histogram_quantile(h, 0.95), LLM_ADAPT_MS_MIN);
}

/* Looks at requests that were sent before their model's pace was known, too. */
static void llm_sweep(void *ctx) {
    struct llm *m = ctx;
    int64_t now_ms = loop_now_ms(m->loop);
    struct llm_call *c;
    LIST_FOREACH(c, &m->calls, all) {
        int64_t patience_ms = c->state == LLM_CALL_SENT ? llm_patience_ms(c->model) : 0;
        if (patience_ms > 0 && now_ms - c->sent_ms > patience_ms && !c->late) {
            c->late = true;
            http_cancel(c->transfer); /* goes on in llm_call_replied() */
        }
    }
    if (m->stats.in_flight > 0) {
        loop_timer_start(m->loop, &m->sweep, LLM_SWEEP_MS, llm_sweep, m);
    }
}

/* Is the answer to come as a stream? */
static bool llm_call_streams(const struct llm_call *c) {
    const struct llm_model *model = c->model;
    bool is_long = c->request.spec->output_tokens_max > LLM_STREAM_FROM_TOKENS;
    bool wanted = model->provider->stream == LLM_STREAM_AUTO
                      ? is_long && !model->is_near
                      : model->provider->stream == LLM_STREAM_ALWAYS;
    return wanted && c->transport->streams && (model->quirks & WIRE_NO_STREAM) == 0;
}

static void llm_call_write(struct llm_call *c) {
    const struct llm_model *model = c->model;
    c->ask = (struct wire_ask){
        .provider = model->provider,
        .manner = model->manner,
        .spec = c->request.spec,
        .model = model->name,
        .output_tokens_max = model->cap > 0 ? MIN(c->request.spec->output_tokens_max, model->cap)
                                            : c->request.spec->output_tokens_max,
        .quirks = model->quirks,
        .stream = llm_call_streams(c)};
    wire_body(model->wire, &c->ask, &c->body);
}

static void llm_call_start_stream(struct llm_call *c) {
    if (c->stream == NULL) {
        c->stream = mem_new(sizeof *c->stream);
        wire_stream_init(c->stream, LLM_REPLY_BYTES_MAX);
    }
    wire_stream_start(c->stream, c->model->wire, &c->ask, &c->model->quirks);
    c->http.stream = wire_stream_feed;
    c->http.stream_ctx = c->stream;
    c->http.idle_ms = c->model->llm->config->idle_ms;
}

void llm_call_prepare(struct llm_call *c) {
    if (c->body.n == 0) {
        llm_call_write(c);
    }
}

static void llm_call_fill_request(struct llm_call *c, const struct llm_lane *lane) {
    const struct llm_model *model = c->model;
    const struct llm_config *config = model->llm->config;
    memcpy(c->headers, model->headers, model->headers_n * sizeof *c->headers);
    c->headers[model->headers_n] = c->tag;
    c->headers[model->headers_n + 1] = lane->auth;
    c->headers[model->headers_n + 2] = NULL;
    c->http = (struct http_request){.method = "POST",
                                    .url = c->ask.stream ? model->stream_url : model->url,
                                    .headers = c->headers,
                                    .body = sbuf_str(&c->body),
                                    .connect_ms = config->connect_ms,
                                    .first_byte_ms = config->first_byte_ms,
                                    .total_ms = config->total_ms,
                                    .body_bytes_max = LLM_REPLY_BYTES_MAX,
                                    .http2 = model->provider->http2};
    if (c->ask.stream) {
        llm_call_start_stream(c);
    }
}

bool llm_call_send(struct llm_call *c, struct llm_lane *lane) {
    struct llm *m = c->model->llm;
    llm_call_fill_request(c, lane);
    if (http_send(m->http, &c->http, llm_call_replied, c, &c->transfer) != ERR_OK) {
        return false;
    }
    llm_call_unwait(c);
    c->state = LLM_CALL_SENT;
    c->lane = lane;
    c->sent_ms = loop_now_ms(m->loop);
    c->late = false;
    if (m->stats.in_flight == 0) {
        loop_timer_start(m->loop, &m->sweep, LLM_SWEEP_MS, llm_sweep, m);
    }
    m->stats.requests++;
    m->stats.retries += c->tries++ > 0;
    m->stats.in_flight++;
    return true;
}

static void llm_call_again(void *ctx) {
    struct llm_call *c = ctx;
    c->model->llm->stats.waiting--;
    llm_call_wait(c);
    llm_lanes_pump(c->model);
}

static void llm_call_back_off(struct llm_call *c, int64_t wait_ms) {
    struct llm *m = c->model->llm;
    c->state = LLM_CALL_BACKOFF;
    m->stats.waiting++;
    loop_timer_start(m->loop, &c->timer, wait_ms, llm_call_again, c);
}

/* Waiting one's turn is no failure; but where nobody gets through it is one. */
static bool llm_call_has_failed(struct llm_call *c, enum err e) {
    bool others_get_through = c->model->answers > c->answers_seen || c->lane->limit.in_flight > 0;
    c->answers_seen = c->model->answers;
    return e != ERR_RATE_LIMIT || !others_get_through;
}

/* How long to wait before the next try. @asked_ms: the provider's wish, -1 if it has none. */
static int64_t llm_call_wait_ms(struct llm_call *c, enum err e, int64_t asked_ms) {
    struct llm *m = c->model->llm;
    struct limit *l = &c->lane->limit;
    int64_t wait_ms =
        asked_ms >= 0 ? asked_ms : backoff_ms(MAX(c->failures - 1, 0), rng_u64(&m->rng));
    if (e != ERR_RATE_LIMIT) {
        return MAX(wait_ms, limit_retry_ms(l, loop_now_ms(m->loop)));
    }
    return l->state == LIMIT_OPEN ? wait_ms : 0; /* its lane waits, for all */
}

/* A failure that cost nothing: try again, or give up. */
static void llm_call_retry(struct llm_call *c, enum err e, const struct errinfo *why,
                           int64_t asked_ms) {
    const struct llm_config *config = c->model->llm->config;
    struct errinfo detail = *why;
    c->failures += llm_call_has_failed(c, e);
    if (c->failures >= config->tries_max) {
        if (c->tries > 1) {
            (void)errinfo_wrap(&detail, e, "%" PRId64 " tries, the last", c->tries);
        }
        llm_call_give_up(c, e, &detail);
    } else if (asked_ms > config->retry_wait_ms_max) {
        (void)errinfo_wrap(&detail, e, "asked to wait %" PRId64 " s", asked_ms / 1000);
        llm_call_give_up(c, e, &detail);
    } else {
        llm_call_back_off(c, llm_call_wait_ms(c, e, asked_ms));
    }
}

static void llm_call_answered(struct llm_call *c, const struct http_reply *reply,
                              struct call_answer *answer) {
    struct llm_model *model = c->model;
    histogram_add(&model->latency_ms, reply->total_us / 1000);
    answer->latency_ms = reply->total_us / 1000;
    answer->tries = c->tries;
    answer->lost = c->lost;
    answer->lost_nusd = c->lost_nusd;
    answer->model = model->full_name;
    llm_reuse_put(c, answer);
    if (answer->cost_nusd == MONEY_UNKNOWN) { /* few tell what they take */
        answer->cost_nusd =
            price_cost(model->price, &answer->usage, clock_wall_ms(), c->transport->tariff);
    }
    llm_call_end(c, answer);
}

static bool llm_call_lost_its_key(const struct llm_call *c) {
    return limit_is_stopped(&c->lane->limit, loop_now_ms(c->model->llm->loop));
}

/* A stream that came as a plain body: some servers forget to say what it is. */
static void llm_call_find_stream(struct llm_call *c, const struct http_reply *reply) {
    struct str body = str_trim(reply->body);
    if (c->ask.stream && !c->stream->fed && reply->err == ERR_OK && reply->status == 200 &&
        (str_starts(body, S("data:")) || str_starts(body, S("event:")))) {
        (void)wire_stream_feed(c->stream, reply->body); /* what it says is told at the end */
    }
}

/* What came back, if it can be read: a whole reply, or a stream that says itself how it ended. */
static bool llm_call_result(struct llm_call *c, const struct http_reply *reply,
                            struct wire_result *ret) {
    struct llm_model *model = c->model;
    llm_call_find_stream(c, reply);
    if (c->ask.stream && c->stream->fed) {
        bool canceled = reply->err == ERR_CANCELED && !c->late;
        wire_stream_end(c->stream, reply, &model->llm->scratch, ret);
        return !canceled && (reply->err == ERR_OK || ret->err != reply->err);
    }
    if (reply->err == ERR_OK) {
        wire_read(model->wire, &c->ask, reply, &model->quirks, &model->llm->scratch, ret);
    }
    return reply->err == ERR_OK;
}

/* A request that was sent has come to nothing, and nobody knows whether it was worked on: then it
 * is on the bill. What is known are bounds: nothing, or all that it could cost. */
static void llm_call_lose(struct llm_call *c) {
    const struct price *price = c->model->price;
    c->lost++;
    if (price != NULL) {
        c->lost_nusd += price_bound(price, c->request.spec, clock_wall_ms(), c->transport->tariff);
    }
}

/* Its model knows better now how it is to be asked. */
static void llm_call_learned(struct llm_call *c, const struct wire_result *result) {
    c->model->cap = result->cap > 0 ? result->cap : c->model->cap;
    sbuf_clear(&c->body);
    llm_call_wait(c);
}

static void llm_call_read(struct llm_call *c, const struct http_reply *reply,
                          struct wire_result *result) {
    struct llm_model *model = c->model;
    llm_lane_note(c, reply, result, result->err);
    enum err_class class = err_class(result->err);
    c->clue = result->answer.clue;
    if (result->err != ERR_OK && c->ask.stream && c->stream->begun) {
        llm_call_lose(c); /* an error after the beginning of an answer */
    }
    if (result->err == ERR_OK) {
        llm_call_answered(c, reply, &result->answer);
    } else if (result->learned) {
        llm_call_learned(c, result);
    } else if (llm_call_lost_its_key(c) && !llm_model_is_dead(model)) {
        llm_call_wait(c); /* for another key */
    } else if (class == ERR_CLASS_RETRY || class == ERR_CLASS_WAIT) {
        llm_call_retry(c, result->err, &result->detail, result->retry_after_ms);
    } else {
        llm_call_give_up(c, result->err, &result->detail);
    }
}

/* No whole reply came. */
static void llm_call_unanswered(struct llm_call *c, const struct http_reply *reply) {
    struct errinfo why = reply->detail;
    enum err e = reply->err;
    c->clue = CALL_CLUE_NONE;
    if (reply->sent) {
        llm_call_lose(c);
    }
    if (e == ERR_CANCELED && c->late) {
        e = errinfo_set(&why, ERR_TIMEOUT,
                        "no answer in %" PRId64 " s, much longer than its others take",
                        (loop_now_ms(c->model->llm->loop) - c->sent_ms) / 1000);
    }
    llm_lane_note(c, reply, NULL, e);
    if (err_class(e) == ERR_CLASS_RETRY) {
        llm_call_retry(c, e, &why, -1);
    } else {
        llm_call_give_up(c, e, &why);
    }
}

/* Nobody needs it: it is not sent, or not again. */
static void llm_call_withdraw(struct llm_call *c) {
    if (c->unwanted && (c->state == LLM_CALL_WAITING || c->state == LLM_CALL_BACKOFF)) {
        llm_cancel(c);
    }
}

static void llm_call_replied(void *ctx, const struct http_reply *reply) {
    struct llm_call *c = ctx;
    struct llm_model *model = c->model;
    struct llm *m = model->llm;
    struct wire_result result;
    c->transfer = NULL;
    if (--m->stats.in_flight == 0) {
        loop_timer_stop(&m->sweep);
    }
    if (llm_call_result(c, reply, &result)) {
        llm_call_read(c, reply, &result);
    } else {
        llm_call_unanswered(c, reply);
    }
    llm_call_withdraw(c);
    arena_reset(&m->scratch);
    for (model = m->models; model != NULL; model = model->next) {
        llm_lanes_pump(model); /* room at the HTTP client is room for all */
    }
}

void llm_call_return(struct llm_call *c, enum err e, const struct errinfo *why) {
    enum err_class class = err_class(e);
    bool may_mend = class == ERR_CLASS_RETRY || class == ERR_CLASS_WAIT;
    c->failures += may_mend;
    if (c->unwanted) {
        llm_call_fail(c, ERR_CANCELED, &llm_canceled);
    } else if (may_mend && c->failures < c->model->llm->config->tries_max) {
        llm_call_wait(c);
    } else {
        llm_call_give_up(c, e, why);
    }
}

void llm_call_deliver(struct llm_call *c, int status, struct str body) {
    struct llm_model *model = c->model;
    struct llm *m = model->llm;
    const struct http_reply reply = {
        .status = status, .body = body, .total_us = (loop_now_ms(m->loop) - c->sent_ms) * 1000};
    struct wire_result result;
    wire_read(model->wire, &c->ask, &reply, &model->quirks, &m->scratch, &result);
    c->clue = result.answer.clue;
    if (result.err == ERR_OK) {
        llm_call_answered(c, &reply, &result.answer);
    } else if (result.learned && !c->unwanted) {
        llm_call_learned(c, &result);
    } else {
        llm_call_return(c, result.err, &result.detail);
    }
    arena_reset(&m->scratch);
}

static struct llm_call *llm_call_new(struct llm *m) {
    struct llm_call *c = LIST_FIRST(&m->pool);
    if (c != NULL) {
        LIST_REMOVE(c, all);
    } else {
        c = mem_new(sizeof *c);
        sbuf_init(&c->body, LLM_BODY_BYTES_MAX);
    }
    LIST_INSERT_HEAD(&m->calls, c, all);
    return c;
}

void llm_call(struct llm *m, const struct llm_request *request, struct llm_call **ret) {
    ASSERT(request->chain->n > 0 && request->priority >= 0 &&
           request->priority <= LLM_PRIORITY_MAX);
    struct llm_call *c = llm_call_new(m);
    c->request = *request;
    c->chain_at = 0;
    c->tries = c->lost = c->lost_nusd = 0;
    c->unwanted = false;
    c->transport = request->book != NULL ? &llm_waves : &llm_lanes;
    (void)snprintf(c->tag, sizeof c->tag, LLM_TAG_HEADER "%s", request->tag);
    c->request.tag = NULL; /* the caller's */
    llm_call_address(c);
    *ret = c;
    if (llm_reuse_get(c, &c->found)) {
        c->state = LLM_CALL_ENDING;
        loop_timer_start(m->loop, &c->timer, 0, llm_call_reused, c);
    } else {
        llm_call_wait(c);
        llm_lanes_pump(c->model);
    }
}

void llm_cancel(struct llm_call *c) {
    struct llm *m = c->model->llm;
    if (c->state == LLM_CALL_SENT) {
        if (!c->late) {
            http_cancel(c->transfer);
        }
        c->late = false; /* whoever cut it off: it is cancelled now */
        return;
    }
    if (c->state == LLM_CALL_WAITING) {
        llm_call_unwait(c);
    } else if (c->state == LLM_CALL_BATCHED) {
        batch_leave(c);
    } else if (c->state == LLM_CALL_BACKOFF) {
        m->stats.waiting--;
    }
    llm_call_end_soon(c, ERR_CANCELED, &llm_canceled);
}

void llm_relinquish(struct llm_call *c) {
    c->unwanted = true;
    llm_call_withdraw(c);
    if (c->state == LLM_CALL_BATCHED) {
        batch_relinquish(c->batch);
    }
}
