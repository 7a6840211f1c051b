#include "sim/conn.h"

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

void handler_refuse(struct conn *c, const struct sim_error *e) {
    c->answer.status = e->status;
    sbuf_clear(&c->answer.body->data);
    sim_error_write(e, &c->answer.body->data);
}

/* Refuse with an error in place; gives the delay. */
#define REFUSE(c, status, param, code, ...)                                                        \
    do {                                                                                           \
        struct sim_error e_;                                                                       \
        (void)sim_error_set(&e_, status, "invalid_request_error", param, code, __VA_ARGS__);       \
        handler_refuse(c, &e_);                                                                    \
    } while (0)

static enum conn_route handler_route(struct str url, struct str *ret_name) {
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
static bool handler_method(struct conn *c, enum conn_route route, const char *method,
                           const char *url) {
    bool get =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    bool post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    if (route == ROUTE_NONE) {
        REFUSE(c, 404, NULL, NULL, "Invalid URL (%.10s %.100s)", method, url);
        return false;
    }
    if (route == ROUTE_CHAT ? post : get) {
        return true;
    }
    c->answer.allow = route == ROUTE_CHAT ? "POST" : "GET, HEAD";
    REFUSE(c, 405, NULL, "method_not_supported", "Not allowed to %.10s on %.100s. (HINT: use %s)",
           method, url, c->answer.allow);
    return false;
}

static bool handler_key(struct conn *c) {
    const char *key = c->server->options->key;
    const char *sent =
        MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (key == NULL) {
        return true;
    }
    if (sent == NULL || strncmp(sent, "Bearer ", 7) != 0) {
        REFUSE(c, 401, NULL, NULL,
               "You didn't provide an API key. You need to provide your API key in an "
               "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).");
        return false;
    }
    if (strcmp(sent + 7, key) != 0) {
        REFUSE(c, 401, NULL, "invalid_api_key", "Incorrect API key provided.");
        return false;
    }
    return true;
}

/* What a reasoning model refuses. */
static bool handler_parameters(struct conn *c, const struct sim_request *q) {
    if (!c->server->options->reasoning || (!q->old_token_limit && !q->sampled)) {
        return true;
    }
    if (q->old_token_limit) {
        REFUSE(c, 400, "max_tokens", "unsupported_parameter",
               "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
               "'max_completion_tokens' instead.");
    } else {
        REFUSE(c, 400, "temperature", "unsupported_value",
               "Unsupported value: 'temperature' does not support this value with this model. Only "
               "the default (1) value is supported.");
    }
    return false;
}

static void handler_bill(struct conn *c, const struct sim_request *q,
                         const struct brain_reply *reply) {
    struct ledger_entry *e = &c->answer.entry;
    const char *id = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, "X-Client-Request-Id");
    c->answer.billed = true;
    e->role = reply->role;
    e->fault = reply->fault;
    e->request_hash = reply->request_hash;
    e->input_tokens = reply->input_tokens;
    e->output_tokens = reply->output_tokens;
    (void)snprintf(e->model, sizeof e->model, "%.*s", STR_ARG(q->model));
    (void)snprintf(e->client_id, sizeof e->client_id, "%s", id != NULL ? id : "");
}

/* The answer that the reply and its fault make. */
static void handler_reply(struct conn *c, const struct sim_request *q,
                          const struct brain_reply *reply) {
    struct sim_server *s = c->server;
    struct sbuf *body = &c->answer.body->data;
    c->answer.limits = true;
    c->answer.request_id = reply->luck;
    if (reply->fault == FAULT_RESET || reply->fault == FAULT_HANG) {
        c->answer.reset = true;
        return;
    }
    if (!fault_billed(reply->fault)) {
        c->answer.wait_ms = reply->fault == FAULT_429
                                ? HANDLER_WAIT_MS_MIN + (int64_t)brain_pick(reply->luck, DRAW_WAIT,
                                                                            HANDLER_WAIT_MS_SPAN)
                                : 0;
        struct sim_error e = respond_fault(reply->fault, q->model, c->answer.wait_ms);
        handler_refuse(c, &e);
        return;
    }
    handler_bill(c, q, reply);
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

static double handler_chat(struct conn *c) {
    struct sim_server *s = c->server;
    struct sim_request *q = &s->request;
    struct sim_error error;
    struct brain_reply reply;
    if (!sim_request_read(&c->body->data, q, &error)) {
        handler_refuse(c, &error);
        return 0;
    }
    if (brain_role(q->model) == ROLE_COUNT) {
        REFUSE(c, 404, NULL, "model_not_found",
               "The model `%.*s` does not exist or you do not have access to it. (This is a "
               "simulator: its models are engineer, checker and target.)",
               STR_ARG(str_take(q->model, 60)));
        return 0;
    }
    if (!handler_parameters(c, q)) {
        return 0;
    }
    brain_answer(&s->brain, q, &s->text, &reply);
    handler_reply(c, q, &reply);
    double delay_ms = handler_delay(s, &reply);
    c->answer.entry.served_ms = delay_ms;
    return delay_ms;
}

static void handler_text(struct conn *c, struct str text) {
    c->answer.content_type = "text/plain; charset=utf-8";
    sbuf_add(&c->answer.body->data, text);
}

double handler_answer(struct conn *c, const char *method, const char *url) {
    struct sim_server *s = c->server;
    struct str name = S("");
    struct sbuf *body = &c->answer.body->data;
    enum conn_route route = handler_route(str_of(url), &name);
    if (!handler_method(c, route, method, url)) {
        return 0;
    }
    if (c->too_big) {
        REFUSE(c, 413, NULL, NULL, "The request is larger than %zu bytes.", SIM_BODY_BYTES_MAX);
        return 0;
    }
    if (route == ROUTE_HEALTH) {
        handler_text(c, S("ok\n"));
    } else if (route == ROUTE_LEDGER) {
        ledger_summary(&s->ledger, body);
    } else if (!handler_key(c)) {
        return 0;
    } else if (route == ROUTE_CHAT) {
        return handler_chat(c);
    } else if (route == ROUTE_MODELS) {
        respond_models(clock_wall_ms() / 1000, body);
    } else if (!respond_model(name, clock_wall_ms() / 1000, body)) {
        REFUSE(c, 404, "model", "model_not_found", "The model '%.*s' does not exist",
               STR_ARG(str_take(name, 60)));
    }
    return 0;
}

static void handler_header(struct MHD_Response *r, const char *name, const char *value) {
    (void)MHD_add_response_header(r, name, value); /* fails only for names and values not ours */
}

static void handler_number(struct MHD_Response *r, const char *name, int64_t v, const char *unit) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64 "%s", v, unit);
    handler_header(r, name, text);
}

static void handler_limits(struct MHD_Response *r, const struct conn_answer *a) {
    bool spent = a->wait_ms > 0;
    handler_header(r, "x-ratelimit-limit-requests", "10000");
    handler_header(r, "x-ratelimit-remaining-requests", spent ? "0" : "9999");
    handler_number(r, "x-ratelimit-reset-requests", spent ? a->wait_ms : 6, "ms");
    handler_header(r, "x-ratelimit-limit-tokens", "10000000");
    handler_header(r, "x-ratelimit-remaining-tokens", "9998990");
    handler_header(r, "x-ratelimit-reset-tokens", "6ms");
    if (spent) {
        handler_number(r, "retry-after-ms", a->wait_ms, "");
        handler_number(r, "retry-after", (a->wait_ms + 999) / 1000, "");
    }
}

static void handler_give(void *buffer) {
    buffer_give(buffer);
}

enum MHD_Result handler_send(struct conn *c) {
    struct conn_answer *a = &c->answer;
    struct buffer *body = a->body;
    char id[32];
    if (a->billed) {
        /* Whoever has read a problem finds it in the truth file, even if we are killed. */
        journal_flush(&c->server->truth.file);
        ledger_add(&c->server->ledger, &a->entry);
        a->billed = false;
    }
    a->body = NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
        body->data.n, body->data.p, handler_give, body);
    ASSERT(r != NULL); /* as with any malloc */
    (void)snprintf(id, sizeof id, "req_%016" PRIx64, a->request_id);
    handler_header(r, "content-type", a->content_type);
    handler_header(r, "x-request-id", id);
    handler_header(r, "openai-version", "2020-10-01");
    handler_number(r, "openai-processing-ms", (clock_mono_us() - c->started_us) / 1000, "");
    if (a->limits) {
        handler_limits(r, a);
    }
    if (a->allow != NULL) {
        handler_header(r, "allow", a->allow);
    }
    if (a->close) {
        handler_header(r, "connection", "close");
    }
    enum MHD_Result sent = MHD_queue_response(c->mhd, (unsigned)a->status, r);
    MHD_destroy_response(r);
    return sent;
}
