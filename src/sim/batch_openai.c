/* OpenAI's Batch API: questions as lines of an uploaded file, results and errors as files again. */
#include "sim/exchange.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OPENAI_LINES_MAX 50000

static void openai_time(struct jwrite *w, const char *key, bool has, int64_t s) {
    jwrite_key(w, key);
    if (has) {
        jwrite_int(w, s);
    } else {
        jwrite_null(w);
    }
}

static const char *openai_status(const struct batch *b) {
    switch (b->state) {
    case BATCH_VALIDATING:
        return "validating";
    case BATCH_FAILED:
        return "failed";
    case BATCH_RUNNING:
        return "in_progress";
    case BATCH_FINALIZING:
        return "finalizing";
    case BATCH_CANCELLING:
        return "cancelling";
    case BATCH_ENDED:
    default:
        return b->cancel_s != 0              ? "cancelled"
               : b->fates[BATCH_EXPIRED] > 0 ? "expired"
                                             : "completed";
    }
}

static void openai_errors(const struct batch *b, struct jwrite *w) {
    jwrite_key(w, "errors");
    if (b->state != BATCH_FAILED) {
        jwrite_null(w);
        return;
    }
    jwrite_object(w);
    format_str(w, "object", "list");
    jwrite_key(w, "data");
    jwrite_array(w);
    jwrite_object(w);
    format_str(w, "code", "invalid_json_line");
    format_str(w, "message", b->invalid);
    format_str(w, "param", NULL);
    format_int(w, "line", (int64_t)b->invalid_line);
    jwrite_end(w);
    jwrite_end(w);
    jwrite_end(w);
}

static void openai_times(const struct batch *b, const char *status, struct jwrite *w) {
    static const char *const ends[] = {"completed", "failed", "expired", "cancelled"};
    format_int(w, "created_at", b->created_s);
    openai_time(w, "in_progress_at", b->state >= BATCH_RUNNING, b->created_s);
    format_int(w, "expires_at", b->created_s + BATCH_WINDOW_S);
    openai_time(w, "finalizing_at", b->finalizing_s != 0, b->finalizing_s);
    openai_time(w, "cancelling_at", b->cancel_s != 0, b->cancel_s);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "%s_at", ends[i]);
        openai_time(w, key, strcmp(status, ends[i]) == 0, b->ended_s);
    }
}

static void openai_object(const struct batch *b, struct jwrite *w) {
    const char *status = openai_status(b);
    jwrite_object(w);
    format_str(w, "id", b->id);
    format_str(w, "object", "batch");
    format_str(w, "endpoint", b->endpoint);
    openai_errors(b, w);
    format_str(w, "input_file_id", b->input_file);
    format_str(w, "completion_window", "24h");
    format_str(w, "status", status);
    format_str(w, "output_file_id", b->output_file[0] != '\0' ? b->output_file : NULL);
    format_str(w, "error_file_id", b->error_file[0] != '\0' ? b->error_file : NULL);
    openai_times(b, status, w);
    jwrite_key(w, "request_counts");
    jwrite_object(w);
    format_int(w, "total", (int64_t)b->n);
    format_int(w, "completed", (int64_t)b->fates[BATCH_SUCCEEDED]);
    format_int(w, "failed", (int64_t)(b->fates[BATCH_ERRORED] + b->fates[BATCH_EXPIRED]));
    jwrite_end(w);
    jwrite_key(w, "metadata");
    if (b->metadata.n > 0) {
        jwrite_raw(w, sbuf_str(&b->metadata));
    } else {
        jwrite_null(w);
    }
    jwrite_end(w);
}

static double openai_show(struct exchange *x, const struct batch *b) {
    struct jwrite w;
    jwrite_init(&w, &x->answer.body->data);
    openai_object(b, &w);
    return 0;
}

static void openai_write(struct batch *b, const struct batch_item *item, enum batch_fate fate,
                         int status, struct str body) {
    struct sbuf *out = fate == BATCH_SUCCEEDED ? &b->results : &b->errors;
    char id[48];
    struct jwrite w;
    if (fate == BATCH_CANCELLED) {
        return; /* what was not begun is not there */
    }
    (void)snprintf(id, sizeof id, "batch_req_%016" PRIx64, str_hash(item->custom_id));
    jwrite_init(&w, out);
    jwrite_object(&w);
    format_str(&w, "id", id);
    jwrite_key(&w, "custom_id");
    jwrite_str(&w, item->custom_id);
    jwrite_key(&w, "response");
    if (fate == BATCH_EXPIRED) {
        jwrite_null(&w);
        jwrite_key(&w, "error");
        jwrite_raw(&w, S("{\"code\":\"batch_expired\",\"message\":\"This request could not be "
                         "executed before the completion window expired.\"}"));
    } else {
        jwrite_object(&w);
        format_int(&w, "status_code", status);
        format_str(&w, "request_id", id);
        jwrite_key(&w, "body");
        jwrite_raw(&w, body);
        jwrite_end(&w);
        format_str(&w, "error", NULL);
    }
    jwrite_end(&w);
    sbuf_add_char(out, '\n');
}

/* A line of the file: {"custom_id":…,"method":"POST","url":…,"body":{…}}; gives what is wrong. */
static const char *openai_item(struct batch *b, char *line, size_t n) {
    struct scan s;
    struct batch_item item = {0};
    struct str key, url = S(""), method = S("");
    scan_init(&s, line, n);
    s.failed = !str_is_utf8((struct str){line, n}) || scan_peek(&s) != '{';
    for (scan_object(&s); scan_key(&s, &key);) {
        char value = scan_peek(&s);
        struct str *to = str_eq(key, S("custom_id")) ? &item.custom_id
                         : str_eq(key, S("url"))     ? &url
                         : str_eq(key, S("method"))  ? &method
                                                     : NULL;
        if (to != NULL && value == '"') {
            *to = scan_str(&s);
        } else if (str_eq(key, S("body")) && value == '{') {
            item.body = scan_raw(&s);
        } else {
            scan_skip(&s);
        }
    }
    return !scan_done(&s)               ? "This line is not parseable as valid JSON."
           : item.custom_id.n == 0      ? "Missing required parameter: 'custom_id'."
           : item.body.n == 0           ? "Missing required parameter: 'body'."
           : !str_eq(method, S("POST")) ? "Invalid method: only POST is supported."
           : !str_eq(url, str_of(b->endpoint))
               ? "The URL provided for this request does not match the batch endpoint."
           : b->n == OPENAI_LINES_MAX || !batch_add(b, item) ? "The file has too many lines."
                                                             : NULL;
}

static void openai_items(struct batch *b, size_t n) {
    struct table ids;
    char *line = b->input, *end = b->input + n;
    table_init(&ids, BATCH_ITEMS_MAX);
    for (size_t number = 1; line < end && b->invalid[0] == '\0'; number++) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop != NULL ? stop : end;
        if (str_trim((struct str){line, (size_t)(stop - line)}).n > 0) {
            const char *wrong = openai_item(b, line, (size_t)(stop - line));
            if (wrong == NULL) {
                uint64_t *seen = table_put(&ids, table_hash(b->items[b->n - 1].custom_id, 0));
                wrong = *seen != 0 ? "The custom_id for this request is a duplicate of another "
                                     "request."
                                   : NULL;
                *seen = 1;
            }
            (void)snprintf(b->invalid, sizeof b->invalid, "%s", wrong != NULL ? wrong : "");
            b->invalid_line = number;
        }
        line = stop + 1;
    }
    if (b->n == 0 && b->invalid[0] == '\0') {
        (void)snprintf(b->invalid, sizeof b->invalid, "The batch input file is empty.");
    }
    table_release(&ids);
}

/* The members of the request. */
struct openai_order {
    struct str file, endpoint, window, metadata;
};

static bool openai_order_read(struct sbuf *body, struct openai_order *ret) {
    struct scan s;
    struct str key;
    char none = '\0';
    *ret = (struct openai_order){0};
    scan_init(&s, body->p != NULL ? body->p : &none, body->n);
    s.failed = !str_is_utf8(sbuf_str(body)) || scan_peek(&s) != '{';
    for (scan_object(&s); scan_key(&s, &key);) {
        char value = scan_peek(&s);
        struct str *to = str_eq(key, S("input_file_id"))       ? &ret->file
                         : str_eq(key, S("endpoint"))          ? &ret->endpoint
                         : str_eq(key, S("completion_window")) ? &ret->window
                                                               : NULL;
        if (to != NULL && value == '"') {
            *to = scan_str(&s);
        } else if (str_eq(key, S("metadata")) && value == '{') {
            ret->metadata = scan_raw(&s);
        } else {
            scan_skip(&s);
        }
    }
    return scan_done(&s);
}

static const struct format *openai_endpoint(struct str path) {
    return str_eq(path, S("/v1/chat/completions")) ? &format_chat
           : str_eq(path, S("/v1/responses"))      ? &format_responses
                                                   : NULL;
}

double batch_openai_create(struct exchange *x) {
    struct sim_server *s = x->server;
    struct openai_order o;
    bool read = openai_order_read(x->q->body, &o);
    const struct format *f = openai_endpoint(o.endpoint);
    struct depot_file *file = depot_file_find(&s->depot, o.file);
    struct batch *b = NULL;
    if (!read || !str_eq(o.window, S("24h"))) {
        EXCHANGE_REFUSE(x, TROUBLE_REQUEST, "completion_window", "invalid_value",
                        "Invalid value for 'completion_window'. Supported values are: '24h'.");
    } else if (f == NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_REQUEST, "endpoint", "invalid_value",
                        "Invalid value for 'endpoint'. This simulator supports: "
                        "'/v1/chat/completions', '/v1/responses'.");
    } else if (file == NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_REQUEST, "input_file_id", "invalid_value",
                        "Invalid 'input_file_id': there is no such file.");
    } else if ((b = batch_new(s, f, openai_write, "batch_", sbuf_str(&file->data))) == NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_TOO_LARGE, NULL, NULL, "This simulator keeps no more.");
    } else {
        memcpy(b->input_file, file->id, sizeof b->input_file);
        (void)snprintf(b->endpoint, sizeof b->endpoint, "%.*s", STR_ARG(o.endpoint));
        sbuf_add(&b->metadata, o.metadata);
        openai_items(b, file->data.n);
        batch_start(b);
        return openai_show(x, b);
    }
    return 0;
}

/* The batch in the path; NULL: the answer says that there is none. */
static struct batch *openai_find(struct exchange *x) {
    struct batch *b = batch_find(&x->server->depot, DIALECT_OPENAI, x->name);
    if (b == NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_NOT_FOUND, NULL, NULL, "No batch found with id '%.*s'.",
                        STR_ARG(str_take(x->name, 60)));
    }
    return b;
}

double batch_openai_get(struct exchange *x) {
    struct batch *b = openai_find(x);
    return b != NULL ? openai_show(x, b) : 0;
}

double batch_openai_cancel(struct exchange *x) {
    struct batch *b = openai_find(x);
    if (b == NULL) {
        return 0;
    }
    if (b->state == BATCH_FINALIZING || b->state == BATCH_ENDED || b->state == BATCH_FAILED) {
        EXCHANGE_REFUSE(x, TROUBLE_CONFLICT, NULL, NULL, "Cannot cancel a batch with status '%s'.",
                        openai_status(b));
        return 0;
    }
    batch_cancel(b);
    return openai_show(x, b);
}

double batch_openai_list(struct exchange *x) {
    struct batch_page page = batch_page(&x->server->depot, DIALECT_OPENAI,
                                        httpd_query(x->q, "after"), exchange_limit(x));
    struct jwrite w;
    const struct batch *last = NULL;
    jwrite_init(&w, &x->answer.body->data);
    jwrite_object(&w);
    format_str(&w, "object", "list");
    jwrite_key(&w, "data");
    jwrite_array(&w);
    for (const struct batch *b = page.first; b != page.behind; b = b->next) {
        if (b->format->dialect == DIALECT_OPENAI) {
            openai_object(b, &w);
            last = b;
        }
    }
    jwrite_end(&w);
    format_str(&w, "first_id", page.first != NULL ? page.first->id : NULL);
    format_str(&w, "last_id", last != NULL ? last->id : NULL);
    jwrite_key(&w, "has_more");
    jwrite_bool(&w, page.behind != NULL);
    jwrite_end(&w);
    return 0;
}
