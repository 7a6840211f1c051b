/* Anthropic's Message Batches: questions in the body, results as lines. */
#include "sim/exchange.h"

#include "base/clock.h"

#include <stdio.h>

static void anthropic_time(struct jwrite *w, const char *key, int64_t s) {
    char time[CLOCK_RFC3339_BYTES];
    clock_rfc3339(s * 1000, time);
    format_str(w, key, s != 0 ? time : NULL);
}

static void anthropic_object(const struct exchange *x, const struct batch *b, struct jwrite *w) {
    static const char *const names[BATCH_FATES] = {"succeeded", "errored", "expired", "canceled"};
    char url[256];
    bool ended = b->state == BATCH_ENDED;
    jwrite_object(w);
    format_str(w, "id", b->id);
    format_str(w, "type", "message_batch");
    format_str(w, "processing_status",
               ended                          ? "ended"
               : b->state == BATCH_CANCELLING ? "canceling"
                                              : "in_progress");
    jwrite_key(w, "request_counts");
    jwrite_object(w);
    format_int(w, "processing", ended ? 0 : (int64_t)b->n);
    for (size_t i = 0; i < BATCH_FATES; i++) { /* told once it has ended */
        format_int(w, names[i], ended ? (int64_t)b->fates[i] : 0);
    }
    jwrite_end(w);
    anthropic_time(w, "created_at", b->created_s);
    anthropic_time(w, "expires_at", b->created_s + BATCH_WINDOW_S);
    anthropic_time(w, "ended_at", b->ended_s);
    anthropic_time(w, "cancel_initiated_at", b->cancel_s);
    format_str(w, "archived_at", NULL);
    (void)snprintf(url, sizeof url, "%s://%.*s/v1/messages/batches/%s/results",
                   x->server->options->tls_cert != NULL ? "https" : "http",
                   STR_ARG(str_take(httpd_header(x->q, "host"), 100)), b->id);
    format_str(w, "results_url", ended ? url : NULL);
    jwrite_end(w);
}

static double anthropic_show(struct exchange *x, const struct batch *b) {
    struct jwrite w;
    jwrite_init(&w, &x->answer.body->data);
    anthropic_object(x, b, &w);
    return 0;
}

static void anthropic_write(struct batch *b, const struct batch_item *item, enum batch_fate fate,
                            int status, struct str body) {
    static const char *const types[BATCH_FATES] = {"succeeded", "errored", "expired", "canceled"};
    struct jwrite w;
    (void)status;
    jwrite_init(&w, &b->results);
    jwrite_object(&w);
    jwrite_key(&w, "custom_id");
    jwrite_str(&w, item->custom_id);
    jwrite_key(&w, "result");
    jwrite_object(&w);
    format_str(&w, "type", types[fate]);
    if (body.n > 0) {
        jwrite_key(&w, fate == BATCH_SUCCEEDED ? "message" : "error");
        jwrite_raw(&w, body);
    }
    jwrite_end(&w);
    jwrite_end(&w);
    sbuf_add_char(&b->results, '\n');
}

static bool anthropic_id_is_right(struct str id) {
    bool right = id.n >= 1 && id.n <= 64;
    for (size_t i = 0; right && i < id.n; i++) {
        char c = id.p[i];
        right = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '_' || c == '-';
    }
    return right;
}

/* One of the requests: {"custom_id":…,"params":{…}}; gives what is wrong. */
static const char *anthropic_item(struct scan *s, struct batch *b, struct table *ids) {
    struct batch_item item = {0};
    struct str key;
    s->failed = s->failed || scan_peek(s) != '{';
    for (scan_object(s); scan_key(s, &key);) {
        char value = scan_peek(s);
        if (str_eq(key, S("custom_id")) && value == '"') {
            item.custom_id = scan_str(s);
        } else if (str_eq(key, S("params")) && value == '{') {
            item.body = scan_raw(s);
        } else {
            scan_skip(s);
        }
    }
    if (s->failed) {
        return NULL; /* of the whole body */
    }
    if (!anthropic_id_is_right(item.custom_id)) {
        return "custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'";
    }
    uint64_t *seen = table_put(ids, table_hash(item.custom_id, 0));
    const char *wrong = *seen != 0            ? "custom_id: must be unique within the batch"
                        : item.body.n == 0    ? "params: Field required"
                        : !batch_add(b, item) ? "too many requests in one batch"
                                              : NULL;
    *seen = 1;
    return wrong;
}

/* Fill the batch; *@ret_wrong and *@ret_at: what is wrong with which request. */
static bool anthropic_items(struct batch *b, size_t n, const char **ret_wrong, size_t *ret_at) {
    struct scan s;
    struct table ids;
    struct str key;
    *ret_wrong = NULL;
    table_init(&ids, BATCH_ITEMS_MAX);
    scan_init(&s, b->input, n);
    s.failed = !str_is_utf8((struct str){b->input, n}) || scan_peek(&s) != '{';
    for (scan_object(&s); scan_key(&s, &key);) {
        if (!str_eq(key, S("requests")) || scan_peek(&s) != '[') {
            scan_skip(&s);
            continue;
        }
        size_t at = 0;
        for (scan_array(&s); scan_next(&s) && *ret_wrong == NULL; at++) {
            *ret_wrong = anthropic_item(&s, b, &ids);
            *ret_at = at;
        }
        s.failed = s.failed || *ret_wrong != NULL;
    }
    table_release(&ids);
    return scan_done(&s) && b->n > 0;
}

double batch_anthropic_create(struct exchange *x) {
    struct sim_server *s = x->server;
    struct str sent = sbuf_str(x->q->body);
    struct batch *b = batch_new(s, &format_messages, anthropic_write, "msgbatch_", sent);
    const char *wrong;
    size_t at = 0;
    if (b == NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_TOO_LARGE, NULL, NULL, "This simulator keeps no more.");
    } else if (anthropic_items(b, sent.n, &wrong, &at)) {
        batch_start(b);
        return anthropic_show(x, b);
    } else {
        batch_drop(b);
        if (wrong != NULL) {
            EXCHANGE_REFUSE(x, TROUBLE_REQUEST, NULL, NULL, "requests.%zu.%s", at, wrong);
        } else {
            EXCHANGE_REFUSE(x, TROUBLE_REQUEST, NULL, NULL,
                            "requests: a list of 1 to %d objects with custom_id and params is "
                            "needed",
                            BATCH_ITEMS_MAX);
        }
    }
    return 0;
}

/* The batch in the path; NULL: the answer says that there is none. */
static struct batch *anthropic_find(struct exchange *x) {
    struct batch *b = batch_find(&x->server->depot, DIALECT_ANTHROPIC, x->name);
    if (b == NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_NOT_FOUND, NULL, NULL, "Message batch %.*s not found",
                        STR_ARG(str_take(x->name, 60)));
    }
    return b;
}

double batch_anthropic_get(struct exchange *x) {
    struct batch *b = anthropic_find(x);
    return b != NULL ? anthropic_show(x, b) : 0;
}

double batch_anthropic_cancel(struct exchange *x) {
    struct batch *b = anthropic_find(x);
    if (b == NULL) {
        return 0;
    }
    batch_cancel(b);
    return anthropic_show(x, b);
}

double batch_anthropic_results(struct exchange *x) {
    struct batch *b = anthropic_find(x);
    if (b != NULL && b->state != BATCH_ENDED) {
        EXCHANGE_REFUSE(x, TROUBLE_REQUEST, NULL, NULL,
                        "The batch has not finished processing yet.");
    } else if (b != NULL) {
        x->answer.content_type = "application/x-jsonl";
        sbuf_add(&x->answer.body->data, sbuf_str(&b->results));
    }
    return 0;
}

double batch_anthropic_list(struct exchange *x) {
    struct batch_page page = batch_page(&x->server->depot, DIALECT_ANTHROPIC,
                                        httpd_query(x->q, "after_id"), exchange_limit(x));
    struct jwrite w;
    const struct batch *last = NULL;
    jwrite_init(&w, &x->answer.body->data);
    jwrite_object(&w);
    jwrite_key(&w, "data");
    jwrite_array(&w);
    for (const struct batch *b = page.first; b != page.behind; b = b->next) {
        if (b->format == &format_messages) {
            anthropic_object(x, b, &w);
            last = b;
        }
    }
    jwrite_end(&w);
    jwrite_key(&w, "has_more");
    jwrite_bool(&w, page.behind != NULL);
    format_str(&w, "first_id", page.first != NULL ? page.first->id : NULL);
    format_str(&w, "last_id", last != NULL ? last->id : NULL);
    jwrite_end(&w);
    return 0;
}
