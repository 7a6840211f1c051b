#include "sim/request.h"

#include "sim/scan.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REQUEST_ERROR "invalid_request_error"

bool sim_error_set(struct sim_error *e, int status, const char *type, const char *param,
                   const char *code, const char *fmt, ...) {
    va_list args;
    *e = (struct sim_error){.status = status, .type = type, .param = param, .code = code};
    va_start(args, fmt);
    (void)vsnprintf(e->message, sizeof e->message, fmt, args); /* a long value is cut */
    va_end(args);
    return false;
}

void sim_error_write(const struct sim_error *e, struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    jwrite_key(&w, "error");
    jwrite_object(&w);
    jwrite_key(&w, "message");
    jwrite_cstr(&w, e->message);
    jwrite_key(&w, "type");
    jwrite_cstr(&w, e->type);
    jwrite_key(&w, "param");
    jwrite_cstr(&w, e->param);
    jwrite_key(&w, "code");
    jwrite_cstr(&w, e->code);
    jwrite_end(&w);
    jwrite_end(&w);
}

/* What was read so far, and the first thing wrong with it. */
struct request_reader {
    struct scan scan;
    struct sim_request *request;
    struct sim_error *error;
    bool refused, messages_seen;
};

#define REFUSE(r, param, code, ...)                                                                \
    ((r)->refused =                                                                                \
         (r)->refused || !sim_error_set((r)->error, 400, REQUEST_ERROR, param, code, __VA_ARGS__))

/* A string; anything else is passed over and refused. */
static struct str request_str(struct request_reader *r, const char *param) {
    if (scan_peek(&r->scan) == '"') {
        return scan_str(&r->scan);
    }
    scan_skip(&r->scan);
    REFUSE(r, param, "invalid_type", "Invalid type for '%s': expected a string.", param);
    return S("");
}

/* A whole number in @min..SIM_TOKENS_MAX; null counts as absent. */
static int64_t request_int(struct request_reader *r, const char *param, int64_t min,
                           int64_t otherwise) {
    char c = scan_peek(&r->scan);
    if (c != '\0') {
        scan_skip(&r->scan);
        if (c != 'n') {
            REFUSE(r, param, "invalid_type", "Invalid type for '%s': expected an integer.", param);
        }
        return otherwise;
    }
    double v = scan_number(&r->scan);
    if (!(v >= (double)min)) {
        REFUSE(r, param, "integer_below_min_value",
               "Invalid '%s': integer below minimum value. Expected a value >= %lld.", param,
               (long long)min);
        return otherwise;
    }
    return v < (double)SIM_TOKENS_MAX ? (int64_t)v : SIM_TOKENS_MAX;
}

/* {"type":"text","text":…}: gives the text, moved behind the @n bytes at @to. */
static size_t request_part(struct request_reader *r, char *to, size_t n) {
    struct str key;
    if (scan_peek(&r->scan) != '{') {
        (void)request_str(r, "messages[].content[]");
        return n;
    }
    for (scan_object(&r->scan); scan_key(&r->scan, &key);) {
        if (str_eq(key, S("text"))) {
            struct str text = request_str(r, "messages[].content[].text");
            memmove(to + n, text.p, text.n); /* to is before every part, and they only shrink */
            n += text.n;
        } else {
            scan_skip(&r->scan);
        }
    }
    return n;
}

static struct str request_content(struct request_reader *r) {
    switch (scan_peek(&r->scan)) {
    case '[': {
        char *to = r->scan.p;
        size_t n = 0;
        for (scan_array(&r->scan); scan_next(&r->scan);) {
            n = request_part(r, to, n);
        }
        return (struct str){to, n};
    }
    case 'n':
        scan_skip(&r->scan);
        return S("");
    default:
        return request_str(r, "messages[].content");
    }
}

static void request_message(struct request_reader *r) {
    struct sim_message m = {0};
    struct str key;
    if (scan_peek(&r->scan) != '{') {
        scan_skip(&r->scan);
        REFUSE(r, "messages", "invalid_type", "Invalid type for 'messages': expected objects.");
        return;
    }
    for (scan_object(&r->scan); scan_key(&r->scan, &key);) {
        if (str_eq(key, S("role"))) {
            m.role = request_str(r, "messages[].role");
        } else if (str_eq(key, S("content"))) {
            m.content = request_content(r);
        } else {
            scan_skip(&r->scan);
        }
    }
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (str_eq(m.role, str_of(roles[i]))) {
            if (r->request->messages_n < SIM_MESSAGES_MAX) {
                r->request->messages[r->request->messages_n++] = m;
            } else {
                REFUSE(r, "messages", "array_above_max_length",
                       "This simulator takes at most %d messages.", SIM_MESSAGES_MAX);
            }
            return;
        }
    }
    REFUSE(r, "messages", "invalid_value",
           "Invalid value: '%.*s'. Supported values are: 'system', 'assistant', 'user', "
           "'function', 'tool', and 'developer'.",
           STR_ARG(str_take(m.role, 40)));
}

static void request_messages(struct request_reader *r) {
    r->messages_seen = true;
    if (scan_peek(&r->scan) != '[') {
        scan_skip(&r->scan);
        REFUSE(r, "messages", "invalid_type",
               "Invalid type for 'messages': expected an array of objects.");
        return;
    }
    r->request->messages_n = 0;
    for (scan_array(&r->scan); scan_next(&r->scan);) {
        request_message(r);
    }
    if (r->request->messages_n == 0) {
        REFUSE(r, "messages", "empty_array",
               "Invalid 'messages': empty array. Expected an array with minimum length 1, but got "
               "an empty array instead.");
    }
}

static void request_format(struct request_reader *r) {
    struct str key, type = S("");
    bool schema = false;
    if (scan_peek(&r->scan) != '{') {
        scan_skip(&r->scan);
        return;
    }
    for (scan_object(&r->scan); scan_key(&r->scan, &key);) {
        if (str_eq(key, S("type"))) {
            type = request_str(r, "response_format.type");
        } else {
            schema = schema || (str_eq(key, S("json_schema")) && scan_peek(&r->scan) == '{');
            scan_skip(&r->scan);
        }
    }
    if (str_eq(type, S("json_schema"))) {
        r->request->format = SIM_FORMAT_JSON_SCHEMA;
        if (!schema) {
            REFUSE(r, "response_format.json_schema", "missing_required_parameter",
                   "Missing required parameter: 'response_format.json_schema'.");
        }
    } else if (str_eq(type, S("json_object"))) {
        r->request->format = SIM_FORMAT_JSON_OBJECT;
    } else if (!str_eq(type, S("text"))) {
        REFUSE(r, "response_format.type", "invalid_value",
               "Invalid value for 'response_format.type'. Supported values are: 'json_object', "
               "'json_schema', and 'text'.");
    }
}

static void request_stream(struct request_reader *r) {
    if (scan_peek(&r->scan) == 't') {
        REFUSE(r, "stream", "unsupported_value",
               "Streaming is not supported by this simulator. Send 'stream': false.");
    }
    scan_skip(&r->scan);
}

static void request_sampling(struct request_reader *r) {
    if (scan_peek(&r->scan) == '\0') {
        double v = scan_number(&r->scan);
        r->request->sampled = r->request->sampled || v < 1 || v > 1;
    } else {
        scan_skip(&r->scan);
    }
}

static void request_member(struct request_reader *r, struct str key) {
    struct sim_request *q = r->request;
    if (str_eq(key, S("model"))) {
        q->model = request_str(r, "model");
    } else if (str_eq(key, S("messages"))) {
        request_messages(r);
    } else if (str_eq(key, S("max_completion_tokens"))) {
        q->output_tokens_max = request_int(r, "max_completion_tokens", 1, SIM_TOKENS_MAX);
    } else if (str_eq(key, S("max_tokens"))) {
        q->old_token_limit = scan_peek(&r->scan) == '\0';
        q->output_tokens_max = request_int(r, "max_tokens", 1, SIM_TOKENS_MAX);
    } else if (str_eq(key, S("response_format"))) {
        request_format(r);
    } else if (str_eq(key, S("stream"))) {
        request_stream(r);
    } else if (str_eq(key, S("temperature")) || str_eq(key, S("top_p"))) {
        request_sampling(r);
    } else if (str_eq(key, S("seed"))) {
        q->seed = request_int(r, "seed", -SIM_TOKENS_MAX, 0);
    } else if (str_eq(key, S("n"))) {
        if (request_int(r, "n", 1, 1) != 1) {
            REFUSE(r, "n", "unsupported_value", "This simulator gives one choice: send 'n': 1.");
        }
    } else {
        scan_skip(&r->scan);
    }
}

/* What is known only once all has been read. */
static void request_check(struct request_reader *r) {
    const struct sim_request *q = r->request;
    if (q->model.n == 0) {
        REFUSE(r, NULL, NULL, "you must provide a model parameter");
    }
    if (!r->messages_seen) {
        REFUSE(r, "messages", "missing_required_parameter",
               "Missing required parameter: 'messages'.");
    }
    if (q->format != SIM_FORMAT_JSON_OBJECT) {
        return;
    }
    for (size_t i = 0; i < q->messages_n; i++) {
        if (str_find(q->messages[i].content, S("JSON")) != STR_NPOS ||
            str_find(q->messages[i].content, S("json")) != STR_NPOS) {
            return;
        }
    }
    REFUSE(r, "messages", NULL,
           "'messages' must contain the word 'json' in some form, to use 'response_format' of type "
           "'json_object'.");
}

bool sim_request_read(struct sbuf *body, struct sim_request *ret, struct sim_error *reterr) {
    char none = '\0';
    struct request_reader r = {.request = ret, .error = reterr};
    struct str key;
    ret->model = S("");
    ret->messages_n = 0;
    ret->format = SIM_FORMAT_TEXT;
    ret->output_tokens_max = SIM_TOKENS_MAX;
    ret->seed = 0;
    ret->old_token_limit = ret->sampled = false;
    scan_init(&r.scan, body->p != NULL ? body->p : &none, body->n);
    r.scan.failed = !str_is_utf8(sbuf_str(body)) || scan_peek(&r.scan) != '{';
    for (scan_object(&r.scan); scan_key(&r.scan, &key);) {
        request_member(&r, key);
    }
    if (!scan_done(&r.scan)) {
        return sim_error_set(
            reterr, 400, REQUEST_ERROR, NULL, NULL,
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't "
            "using your HTTP library correctly. The API expects a JSON payload, but what was sent "
            "was not valid JSON.)");
    }
    request_check(&r);
    return !r.refused;
}
