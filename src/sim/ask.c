/* A question to a model: read, checked, let in by the limits, answered; then what its fault makes
 * of the answer. */
#include "sim/exchange.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ASK_EARLY_MS 3 /* a limit or an overload shows at once */
#define ASK_QUOTA "You exceeded your current quota, please check your plan and billing details."
#define ASK_OVERLOADED "Overloaded"
#define ASK_SLOW_DOWN                                                                              \
    "Slow down: a sudden increase in your request rate is impacting service reliability. Please "  \
    "reduce it to its original level and raise it gradually."
#define ASK_ACCELERATION                                                                           \
    "This request would exceed your organization's maximum usage increase rate for input tokens "  \
    "per minute. Please scale up your input tokens usage more gradually to stay within the "       \
    "acceleration limit."
#define ASK_WAIT_MS_MIN 50
#define ASK_WAIT_MS_SPAN 400

enum { DRAW_LATENCY = 600, DRAW_WAIT, DRAW_EARLY };

/* What a reasoning model refuses. */
static bool ask_parameters(enum dialect d, const struct sim_request *q, struct sim_error *reterr) {
    bool anthropic = d == DIALECT_ANTHROPIC;
    if (q->old_token_limit) {
        return sim_error_set(reterr, TROUBLE_REQUEST, "max_tokens", "unsupported_parameter",
                             "Unsupported parameter: 'max_tokens' is not supported with this "
                             "model. Use 'max_completion_tokens' instead.");
    }
    if (q->sampled && d == DIALECT_OPENAI) {
        return sim_error_set(reterr, TROUBLE_REQUEST, "temperature", "unsupported_value",
                             "Unsupported value: 'temperature' does not support this value with "
                             "this model. Only the default (1) value is supported.");
    }
    if (q->sampled && anthropic) {
        return sim_error_set(reterr, TROUBLE_REQUEST, NULL, NULL,
                             "`temperature` is deprecated for this model.");
    }
    if (anthropic && str_eq(q->messages[q->messages_n - 1].role, S("assistant"))) {
        return sim_error_set(reterr, TROUBLE_REQUEST, NULL, NULL,
                             "This model does not support assistant message prefill. The "
                             "conversation must end with a user message.");
    }
    return true;
}

bool ask_check(const struct sim_server *s, enum dialect d, const struct sim_request *q,
               struct sim_error *reterr) {
    if (brain_role(q->model) == ROLE_COUNT) {
        return sim_error_set(reterr, TROUBLE_MODEL, NULL, NULL,
                             "The model `%.*s` does not exist or you do not have access to it. "
                             "(This is a simulator: its models are engineer, checker and target.)",
                             STR_ARG(str_take(q->model, 60)));
    }
    return !s->options->reasoning || ask_parameters(d, q, reterr);
}

static enum trouble ask_limit_trouble(enum quota_kind k) {
    return k == QUOTA_TOKENS || k == QUOTA_OUTPUT ? TROUBLE_TOKENS
           : k == QUOTA_DAY                       ? TROUBLE_DAY
           : k == QUOTA_RAMP                      ? TROUBLE_RAMP
           : k == QUOTA_SPEND                     ? TROUBLE_SPEND
                                                  : TROUBLE_REQUESTS;
}

static void ask_over_limit(struct exchange *x, struct str model, const struct quota_verdict *v) {
    static const char *const of[] = {[QUOTA_REQUESTS] = "requests per min (RPM)",
                                     [QUOTA_TOKENS] = "tokens per min (TPM)",
                                     [QUOTA_OUTPUT] = "output tokens per min (OTPM)",
                                     [QUOTA_CONCURRENCY] = "concurrent requests",
                                     [QUOTA_DAY] = "requests per day (RPD)"};
    struct sim_error e;
    int64_t wait_ms = (v->wait_us + 999) / 1000;
    enum trouble what = ask_limit_trouble(v->refused);
    if (v->refused == QUOTA_SPEND) {
        (void)sim_error_set(&e, what, NULL, NULL, ASK_QUOTA);
    } else if (v->refused == QUOTA_RAMP) {
        (void)sim_error_set(&e, what, NULL, NULL, "%s",
                            x->dialect == DIALECT_ANTHROPIC ? ASK_ACCELERATION : ASK_SLOW_DOWN);
    } else if (v->never) {
        (void)sim_error_set(&e, what, NULL, NULL,
                            "Request too large for %.*s in organization org-sim on %s: Limit "
                            "%" PRId64 ", Requested %" PRId64 ".",
                            STR_ARG(str_take(model, 60)), of[v->refused], v->limit, v->requested);
    } else {
        (void)sim_error_set(&e, what, NULL, NULL,
                            "Rate limit reached for %.*s in organization org-sim on %s: Limit "
                            "%" PRId64 ", Used %" PRId64 ", Requested %" PRId64
                            ". Please try again in %" PRId64 "ms.",
                            STR_ARG(str_take(model, 60)), of[v->refused], v->limit, v->used,
                            v->requested, wait_ms);
    }
    e.wait_ms = wait_ms;
    e.limit = v->limit;
    (void)snprintf(e.model, sizeof e.model, "%.*s", STR_ARG(str_take(model, 60)));
    exchange_refuse(x, &e);
    ledger_refused(&x->server->ledger, v->refused);
}

bool ask_admit(struct exchange *x, struct str model, enum quota_rule rule, int64_t input,
               int64_t output_max) {
    struct sim_server *s = x->server;
    struct quota_verdict v = {.refused = QUOTA_SPEND};
    if (s->options->spend_nusd > 0 && s->ledger.cost_nusd >= s->options->spend_nusd) {
        ask_over_limit(x, model, &v);
        return false;
    }
    struct quota_account *a = quotas_account(&s->limits, exchange_key(x), model);
    bool admitted = quotas_admit(&s->limits, a, rule, input,
                                 output_max < SIM_TOKENS_MAX ? output_max : 0, clock_mono_us(), &v);
    memcpy(x->answer.limits, v.views, sizeof v.views);
    if (!admitted) {
        ask_over_limit(x, model, &v);
        return false;
    }
    s->ledger.admitted++;
    x->account = a;
    x->rule = rule;
    return true;
}

static void ask_entry(struct exchange *x) {
    struct ledger_entry *e = &x->answer.entry;
    const struct brain_reply *reply = &x->said.reply;
    struct str id = httpd_header(x->q, "x-client-request-id");
    x->answer.billed = fault_billed(reply->fault);
    e->role = reply->role;
    e->fault = reply->fault;
    e->request_hash = reply->request_hash;
    e->usage = brain_usage(reply);
    (void)snprintf(e->model, sizeof e->model, "%.*s", STR_ARG(x->said.model));
    (void)snprintf(e->client_id, sizeof e->client_id, "%.*s", STR_ARG(id));
}

/* Faults that show in the status: no answer at all. */
static void ask_fail(struct exchange *x) {
    static const struct {
        enum trouble what;
        const char *words;
    } troubles[FAULT_COUNT] = {
        [FAULT_429] = {TROUBLE_REQUESTS, "Rate limit reached in organization org-sim on requests "
                                         "per min (RPM). Please try again later."},
        [FAULT_QUOTA] = {TROUBLE_SPEND, ASK_QUOTA},
        [FAULT_500] = {TROUBLE_INTERNAL, "The server had an error while processing your request. "
                                         "Sorry about that!"},
        [FAULT_503] = {TROUBLE_OVERLOADED,
                       "The server is currently overloaded. Please try again later."},
        [FAULT_529] = {TROUBLE_BUSY, ASK_OVERLOADED},
    };
    struct sim_error e;
    const struct brain_reply *reply = &x->said.reply;
    (void)sim_error_set(&e, troubles[reply->fault].what, NULL, NULL, "%s",
                        troubles[reply->fault].words);
    if (reply->fault == FAULT_429) {
        e.wait_ms = ASK_WAIT_MS_MIN + (int64_t)brain_pick(reply->luck, DRAW_WAIT, ASK_WAIT_MS_SPAN);
    }
    exchange_refuse(x, &e);
}

static double ask_delay_ms(const struct exchange *x) {
    enum fault fault = x->said.reply.fault;
    struct rng r;
    rng_init_stream(&r, x->said.reply.luck, DRAW_LATENCY);
    double ms = spread_draw(&x->server->options->latency_ms, &r);
    if (fault == FAULT_HANG) {
        return EXCHANGE_NEVER;
    }
    if (fault == FAULT_429 || fault == FAULT_QUOTA || fault == FAULT_503 || fault == FAULT_529) {
        return MIN(ms, (double)ASK_EARLY_MS);
    }
    return fault == FAULT_500 || fault == FAULT_RESET
               ? ms * brain_unit(x->said.reply.luck, DRAW_EARLY)
               : ms;
}

/* The answer goes out bit by bit: gives when the first bit does. */
static double ask_begin_stream(struct exchange *x, bool raw, double ms) {
    stream_init(x, raw, x->q->started_us + (int64_t)(ms * 1000));
    return (double)(stream_first_us(x) - x->q->started_us) / 1000;
}

/* A whole answer, or what its fault leaves of it. */
static double ask_whole(struct exchange *x, double ms) {
    struct sim_error e;
    struct sbuf *body = &x->answer.body->data;
    enum fault fault = x->said.reply.fault;
    if (fault == FAULT_IN_200) {
        (void)sim_error_set(&e, TROUBLE_BUSY, NULL, NULL, ASK_OVERLOADED);
        x->format->failed(&x->said, &e, false, body);
        return ms;
    }
    x->format->whole(&x->said, body);
    if (fault == FAULT_MALFORMED && x->said.reply.role == ROLE_TARGET) {
        body->n /= 2; /* free text has no form to break: the body itself is cut */
    }
    bool by_bits = fault == FAULT_CUT || fault == FAULT_STALL || fault == FAULT_DRIP ||
                   x->server->options->keep_alive_ms > 0;
    return by_bits ? ask_begin_stream(x, true, ms) : ms;
}

static double ask_answer(struct exchange *x, bool stream) {
    enum fault fault = x->said.reply.fault;
    double ms = ask_delay_ms(x);
    x->answer.entry.served_ms = ms;
    if (fault == FAULT_RESET || fault == FAULT_HANG) {
        x->answer.reset = true;
    } else if (!fault_speaks(fault)) {
        ask_fail(x);
    } else if (stream) {
        sbuf_add(&x->answer.body->data, x->said.text);
        return ask_begin_stream(x, false, ms);
    } else {
        return ask_whole(x, ms);
    }
    return ms;
}

static bool ask_read(struct exchange *x, const struct format *f, struct sim_request *q,
                     struct sim_error *reterr) {
    if (x->q->body->n > SIM_BODY_BYTES_MAX) {
        return sim_error_set(reterr, TROUBLE_TOO_LARGE, NULL, NULL,
                             "The request is larger than %zu bytes.", SIM_BODY_BYTES_MAX);
    }
    if (!f->read(x->q->body, q, reterr)) {
        return false;
    }
    q->model = q->model.n > 0 ? q->model : x->name; /* Gemini's stands in the path */
    return ask_check(x->server, f->dialect, q, reterr);
}

double ask(struct exchange *x, const struct format *f, bool stream) {
    struct sim_server *s = x->server;
    struct sim_request *q = &s->request;
    struct sim_error error;
    x->format = f;
    if (!ask_read(x, f, q, &error)) {
        exchange_refuse(x, &error);
        return 0;
    }
    if (!ask_admit(x, q->model, f->rule, brain_input_tokens(q), q->output_tokens_max)) {
        return 0;
    }
    brain_answer(&s->brain, q, &s->text, &x->said.reply);
    x->said.model = q->model;
    x->said.text = sbuf_str(&s->text);
    x->said.created_s = clock_wall_ms() / 1000;
    x->said.usage_asked = q->stream_usage;
    x->answer.request_id = x->said.reply.luck;
    ask_entry(x);
    return ask_answer(x, stream || q->stream);
}
