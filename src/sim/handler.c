#include "sim/exchange.h"

#include "base/clock.h"
#include "sim/respond.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HANDLER_JSON "application/json"
#define HANDLER_PREFIX S("/v1")
#define HANDLER_EARLY_MS 3 /* a limit or an overload shows at once */
#define HANDLER_WAIT_MS_MIN 50
#define HANDLER_WAIT_MS_SPAN 400

enum { DRAW_LATENCY = 600, DRAW_WAIT, DRAW_EARLY };

void handler_refuse(struct exchange *x, const struct sim_error *e) {
    x->answer.status = e->status;
    sbuf_clear(&x->answer.body->data);
    sim_error_write(e, &x->answer.body->data);
}

/* Refuse with an error in place; gives the delay. */
#define REFUSE(x, status, param, code, ...)                                                        \
    do {                                                                                           \
        struct sim_error e_;                                                                       \
        (void)sim_error_set(&e_, status, "invalid_request_error", param, code, __VA_ARGS__);       \
        handler_refuse(x, &e_);                                                                    \
    } while (0)

static enum route handler_route(struct str url, struct str *ret_name) {
    struct str path = str_starts(url, HANDLER_PREFIX) ? str_skip(url, HANDLER_PREFIX.n) : url;
    if (str_eq(path, S("/chat/completions"))) {
        return ROUTE_CHAT;
    }
    if (str_eq(path, S("/models"))) {
        return ROUTE_MODELS;
    }
    if (str_starts(path, S("/models/"))) {
        *ret_name = str_skip(path, sizeof "/models/" - 1);
        return ROUTE_MODEL;
    }
    return str_eq(url, S("/healthz"))          ? ROUTE_HEALTH
           : str_eq(url, S("/ledger/summary")) ? ROUTE_LEDGER
                                               : ROUTE_NONE;
}

/* True if the method fits the route; otherwise 404 or 405 is the answer. */
static bool handler_method(struct exchange *x, enum route route) {
    const char *method = x->q->method, *url = x->q->path;
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    bool post = strcmp(method, "POST") == 0;
    if (route == ROUTE_NONE) {
        REFUSE(x, 404, NULL, NULL, "Invalid URL (%.10s %.100s)", method, url);
        return false;
    }
    if (route == ROUTE_CHAT ? post : get) {
        return true;
    }
    x->answer.allow = route == ROUTE_CHAT ? "POST" : "GET, HEAD";
    REFUSE(x, 405, NULL, "method_not_supported", "Not allowed to %.10s on %.100s. (HINT: use %s)",
           method, url, x->answer.allow);
    return false;
}

static bool handler_key(struct exchange *x) {
    const char *key = x->server->options->key;
    struct str sent = httpd_header(x->q, "authorization");
    if (key == NULL) {
        return true;
    }
    if (!str_starts(sent, S("Bearer "))) {
        REFUSE(x, 401, NULL, NULL,
               "You didn't provide an API key. You need to provide your API key in an "
               "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).");
        return false;
    }
    if (!str_eq(str_skip(sent, sizeof "Bearer " - 1), str_of(key))) {
        REFUSE(x, 401, NULL, "invalid_api_key", "Incorrect API key provided.");
        return false;
    }
    return true;
}

/* What a reasoning model refuses. */
static bool handler_parameters(struct exchange *x, const struct sim_request *q) {
    if (!x->server->options->reasoning || (!q->old_token_limit && !q->sampled)) {
        return true;
    }
    if (q->old_token_limit) {
        REFUSE(x, 400, "max_tokens", "unsupported_parameter",
               "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
               "'max_completion_tokens' instead.");
    } else {
        REFUSE(x, 400, "temperature", "unsupported_value",
               "Unsupported value: 'temperature' does not support this value with this model. Only "
               "the default (1) value is supported.");
    }
    return false;
}

static void handler_bill(struct exchange *x, const struct sim_request *q,
                         const struct brain_reply *reply) {
    struct ledger_entry *e = &x->answer.entry;
    struct str id = httpd_header(x->q, "x-client-request-id");
    x->answer.billed = true;
    e->role = reply->role;
    e->fault = reply->fault;
    e->request_hash = reply->request_hash;
    e->input_tokens = reply->input_tokens;
    e->output_tokens = reply->output_tokens;
    (void)snprintf(e->model, sizeof e->model, "%.*s", STR_ARG(q->model));
    (void)snprintf(e->client_id, sizeof e->client_id, "%.*s", STR_ARG(id));
}

/* The answer that the reply and its fault make. */
static void handler_reply(struct exchange *x, const struct sim_request *q,
                          const struct brain_reply *reply) {
    struct sim_server *s = x->server;
    struct sbuf *body = &x->answer.body->data;
    x->answer.request_id = reply->luck;
    if (reply->fault == FAULT_RESET || reply->fault == FAULT_HANG) {
        x->answer.reset = true;
        return;
    }
    if (!fault_billed(reply->fault)) {
        x->answer.wait_ms = reply->fault == FAULT_429
                                ? HANDLER_WAIT_MS_MIN + (int64_t)brain_pick(reply->luck, DRAW_WAIT,
                                                                            HANDLER_WAIT_MS_SPAN)
                                : 0;
        struct sim_error e = respond_fault(reply->fault, q->model, x->answer.wait_ms);
        handler_refuse(x, &e);
        return;
    }
    handler_bill(x, q, reply);
    respond_completion(reply, q->model, sbuf_str(&s->text), clock_wall_ms() / 1000, body);
    if (reply->fault == FAULT_MALFORMED && reply->role == ROLE_TARGET) {
        body->n /= 2; /* free text has no form to break: the body itself is cut */
    }
}

static double handler_delay(const struct sim_server *s, const struct brain_reply *reply) {
    struct rng r;
    rng_init_stream(&r, reply->luck, DRAW_LATENCY);
    double ms = spread_draw(&s->options->latency_ms, &r);
    if (reply->fault == FAULT_HANG) {
        return -1;
    }
    if (reply->fault == FAULT_429 || reply->fault == FAULT_QUOTA || reply->fault == FAULT_503) {
        return MIN(ms, (double)HANDLER_EARLY_MS);
    }
    return reply->fault == FAULT_500 || reply->fault == FAULT_RESET
               ? ms * brain_unit(reply->luck, DRAW_EARLY)
               : ms;
}

/* Refused by a limit that is enforced: OpenAI's words. */
static void handler_over_limit(struct exchange *x, const struct sim_request *q,
                               const struct limit_verdict *v) {
    struct sim_error e = respond_over_limit(v, q->model);
    x->answer.wait_ms = (v->wait_us + 999) / 1000;
    handler_refuse(x, &e);
    ledger_refused(&x->server->ledger, v->refused);
}

/* Money first, then the limits of its key and model. */
static bool handler_admit(struct exchange *x, const struct sim_request *q) {
    struct sim_server *s = x->server;
    struct limit_verdict v = {.refused = LIMIT_SPEND, .never = true};
    int64_t output_max = q->output_tokens_max < SIM_TOKENS_MAX ? q->output_tokens_max : 0;
    if (s->options->spend_nusd > 0 && s->ledger.cost_nusd >= s->options->spend_nusd) {
        handler_over_limit(x, q, &v);
        return false;
    }
    struct limit_account *a =
        limits_account(&s->limits, httpd_header(x->q, "authorization"), q->model);
    bool admitted = limits_admit(&s->limits, a, LIMIT_RULE_ADMISSION, brain_input_tokens(q),
                                 output_max, clock_mono_us(), &v);
    memcpy(x->answer.limits, v.views, sizeof v.views);
    if (!admitted) {
        handler_over_limit(x, q, &v);
        return false;
    }
    s->ledger.admitted++;
    x->account = a;
    return true;
}

static double handler_chat(struct exchange *x) {
    struct sim_server *s = x->server;
    struct sim_request *q = &s->request;
    struct sim_error error;
    struct brain_reply reply;
    if (!sim_request_read(x->q->body, q, &error)) {
        handler_refuse(x, &error);
        return 0;
    }
    if (brain_role(q->model) == ROLE_COUNT) {
        REFUSE(x, 404, NULL, "model_not_found",
               "The model `%.*s` does not exist or you do not have access to it. (This is a "
               "simulator: its models are engineer, checker and target.)",
               STR_ARG(str_take(q->model, 60)));
        return 0;
    }
    if (!handler_parameters(x, q) || !handler_admit(x, q)) {
        return 0;
    }
    brain_answer(&s->brain, q, &s->text, &reply);
    handler_reply(x, q, &reply);
    double delay_ms = handler_delay(s, &reply);
    x->answer.entry.served_ms = delay_ms;
    return delay_ms;
}

static void handler_text(struct exchange *x, struct str text) {
    x->answer.content_type = "text/plain; charset=utf-8";
    sbuf_add(&x->answer.body->data, text);
}

double handler_answer(struct exchange *x) {
    struct sim_server *s = x->server;
    struct str name = S("");
    struct sbuf *body = &x->answer.body->data;
    enum route route = handler_route(str_of(x->q->path), &name);
    if (!handler_method(x, route)) {
        return 0;
    }
    if (route == ROUTE_HEALTH) {
        handler_text(x, S("ok\n"));
    } else if (route == ROUTE_LEDGER) {
        ledger_summary(&s->ledger, body);
    } else if (!handler_key(x)) {
        return 0;
    } else if (route == ROUTE_CHAT) {
        return handler_chat(x);
    } else if (route == ROUTE_MODELS) {
        respond_models(clock_wall_ms() / 1000, body);
    } else if (!respond_model(name, clock_wall_ms() / 1000, body)) {
        REFUSE(x, 404, "model", "model_not_found", "The model '%.*s' does not exist",
               STR_ARG(str_take(name, 60)));
    }
    return 0;
}

static void handler_number(struct httpd_response *r, const char *name, int64_t v,
                           const char *unit) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64 "%s", v, unit);
    httpd_response_header(r, name, text);
}

/* As Go writes a duration, to the millisecond. */
static void handler_duration(char *out, size_t n, int64_t us) {
    int64_t ms = (us + 999) / 1000;
    if (ms < 1000) {
        (void)snprintf(out, n, "%" PRId64 "ms", ms);
    } else if (ms < 60000) {
        (void)snprintf(out, n, "%gs", (double)ms / 1000);
    } else {
        (void)snprintf(out, n, "%" PRId64 "m%gs", ms / 60000, (double)(ms % 60000) / 1000);
    }
}

static void handler_limits(struct httpd_response *r, const struct answer *a) {
    static const char *const of[] = {"requests", "tokens"};
    for (size_t k = 0; k < ARRAY_LEN(of); k++) {
        const struct limit_view *v = &a->limits[k];
        char name[64], reset[64];
        if (v->limit == 0) {
            continue;
        }
        (void)snprintf(name, sizeof name, "x-ratelimit-limit-%s", of[k]);
        handler_number(r, name, v->limit, "");
        (void)snprintf(name, sizeof name, "x-ratelimit-remaining-%s", of[k]);
        handler_number(r, name, v->remaining, "");
        (void)snprintf(name, sizeof name, "x-ratelimit-reset-%s", of[k]);
        handler_duration(reset, sizeof reset, v->reset_us);
        httpd_response_header(r, name, reset);
    }
    if (a->wait_ms > 0) {
        handler_number(r, "retry-after-ms", a->wait_ms, "");
        handler_number(r, "retry-after", (a->wait_ms + 999) / 1000, "");
    }
}

static void handler_give(void *buffer) {
    buffer_give(buffer);
}

void handler_send(struct exchange *x) {
    struct answer *a = &x->answer;
    struct buffer *body = a->body;
    char id[32];
    if (a->reset) {
        httpd_reset(x->q); /* the client sees a reset, not an orderly end */
        return;
    }
    if (a->billed) {
        /* Whoever has read a problem finds it in the truth file, even if we are killed. */
        journal_flush(&x->server->truth.file);
        ledger_add(&x->server->ledger, &a->entry);
        a->billed = false;
    }
    a->body = NULL;
    struct httpd_response *r =
        httpd_response_new(a->status, sbuf_str(&body->data), handler_give, body);
    (void)snprintf(id, sizeof id, "req_%016" PRIx64, a->request_id);
    httpd_response_header(r, "content-type", a->content_type);
    httpd_response_header(r, "x-request-id", id);
    httpd_response_header(r, "openai-version", "2020-10-01");
    handler_number(r, "openai-processing-ms", (clock_mono_us() - x->q->started_us) / 1000, "");
    handler_limits(r, a);
    if (a->allow != NULL) {
        httpd_response_header(r, "allow", a->allow);
    }
    if (a->close) {
        httpd_response_header(r, "connection", "close");
    }
    httpd_respond(x->q, r);
    httpd_response_free(r);
}
