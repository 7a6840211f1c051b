#include "sim/request.h"

#include <string.h>

void request_object(struct request_reader *r, const char *param, request_member_fn *member) {
    struct str key;
    if (scan_peek(&r->scan) != '{') {
        scan_skip(&r->scan);
        REQUEST_REFUSE(r, param, "invalid_type", "Invalid type for '%s': expected an object.",
                       param);
        return;
    }
    for (scan_object(&r->scan); scan_key(&r->scan, &key);) {
        member(r, key);
    }
}

void request_array(struct request_reader *r, const char *param,
                   void (*element)(struct request_reader *r)) {
    if (scan_peek(&r->scan) != '[') {
        scan_skip(&r->scan);
        REQUEST_REFUSE(r, param, "invalid_type",
                       "Invalid type for '%s': expected an array of objects.", param);
        return;
    }
    for (scan_array(&r->scan); scan_next(&r->scan);) {
        element(r);
    }
}

struct str request_str(struct request_reader *r, const char *param) {
    if (scan_peek(&r->scan) == '"') {
        return scan_str(&r->scan);
    }
    scan_skip(&r->scan);
    REQUEST_REFUSE(r, param, "invalid_type", "Invalid type for '%s': expected a string.", param);
    return S("");
}

int64_t request_int(struct request_reader *r, const char *param, int64_t min, int64_t otherwise) {
    char c = scan_peek(&r->scan);
    if (c != '\0') {
        scan_skip(&r->scan);
        if (c != 'n') {
            REQUEST_REFUSE(r, param, "invalid_type", "Invalid type for '%s': expected an integer.",
                           param);
        }
        return otherwise;
    }
    double v = scan_number(&r->scan);
    if (!(v >= (double)min)) {
        REQUEST_REFUSE(r, param, "integer_below_min_value",
                       "Invalid '%s': integer below minimum value. Expected a value >= %lld.",
                       param, (long long)min);
        return otherwise;
    }
    return v < (double)SIM_TOKENS_MAX ? (int64_t)v : SIM_TOKENS_MAX;
}

bool request_bool(struct request_reader *r, const char *param) {
    char c = scan_peek(&r->scan);
    if (c == 't' || c == 'f') {
        return scan_bool(&r->scan);
    }
    scan_skip(&r->scan);
    if (c != 'n') {
        REQUEST_REFUSE(r, param, "invalid_type", "Invalid type for '%s': expected a boolean.",
                       param);
    }
    return false;
}

/* {"type":…,"text":…} or a string: gives the text, moved behind the @n bytes at @to. */
static size_t request_part(struct request_reader *r, const char *param, char *to, size_t n) {
    struct str key, text;
    if (scan_peek(&r->scan) != '{') {
        text = request_str(r, param);
        memmove(to + n, text.p, text.n);
        return n + text.n;
    }
    for (scan_object(&r->scan); scan_key(&r->scan, &key);) {
        if (str_eq(key, S("text"))) {
            text = request_str(r, param);
            memmove(to + n, text.p, text.n); /* to is before every part, and they only shrink */
            n += text.n;
        } else {
            scan_skip(&r->scan);
        }
    }
    return n;
}

struct str request_text(struct request_reader *r, const char *param) {
    switch (scan_peek(&r->scan)) {
    case '[': {
        char *to = r->scan.p;
        size_t n = 0;
        for (scan_array(&r->scan); scan_next(&r->scan);) {
            n = request_part(r, param, to, n);
        }
        return (struct str){to, n};
    }
    case 'n':
        scan_skip(&r->scan);
        return S("");
    default:
        return request_str(r, param);
    }
}

void request_sampling(struct request_reader *r, double usual) {
    if (scan_peek(&r->scan) == '\0') {
        double v = scan_number(&r->scan);
        r->request->sampled = r->request->sampled || v < usual || v > usual;
    } else {
        scan_skip(&r->scan);
    }
}

bool request_is_one_of(struct str key, const char *const *names) {
    while (*names != NULL && !str_eq(key, str_of(*names))) {
        names++;
    }
    return *names != NULL;
}

void request_add(struct request_reader *r, struct sim_message m) {
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", NULL};
    struct sim_request *q = r->request;
    r->messages_seen = true;
    if (!request_is_one_of(m.role, roles)) {
        REQUEST_REFUSE(r, "messages", "invalid_value",
                       "Invalid value: '%.*s'. Supported values are: 'system', 'assistant', "
                       "'user', 'function', 'tool', and 'developer'.",
                       STR_ARG(str_take(m.role, 40)));
    } else if (q->messages_n == SIM_MESSAGES_MAX - 1) { /* one is kept for the instructions */
        REQUEST_REFUSE(r, "messages", "array_above_max_length",
                       "This simulator takes at most %d messages.", SIM_MESSAGES_MAX - 1);
    } else {
        q->messages[q->messages_n++] = m;
    }
}

static void request_instruct(struct request_reader *r) {
    struct sim_request *q = r->request;
    if (r->system.n > 0) {
        memmove(q->messages + 1, q->messages, q->messages_n * sizeof *q->messages);
        q->messages[0] = (struct sim_message){S("system"), r->system};
        q->messages_n++;
    }
}

void request_begin(struct request_reader *r, struct sbuf *body, struct sim_request *ret,
                   struct sim_error *reterr) {
    *r = (struct request_reader){.request = ret, .error = reterr};
    ret->model = S("");
    ret->messages_n = 0;
    ret->form = SIM_FORM_TEXT;
    ret->output_tokens_max = SIM_TOKENS_MAX;
    ret->seed = 0;
    ret->old_token_limit = ret->sampled = ret->stream = ret->stream_usage = false;
    scan_init(&r->scan, body->p != NULL ? body->p : &r->none, body->n);
    r->scan.failed = !str_is_utf8(sbuf_str(body)) || scan_peek(&r->scan) != '{';
    scan_object(&r->scan);
}

bool request_done(struct request_reader *r) {
    request_instruct(r);
    return scan_done(&r->scan) ||
           sim_error_set(r->error, TROUBLE_REQUEST, NULL, NULL,
                         "We could not parse the JSON body of your request. (HINT: This likely "
                         "means you aren't using your HTTP library correctly. The API expects a "
                         "JSON payload, but what was sent was not valid JSON.)");
}

bool request_read(struct request_reader *r, struct sbuf *body, request_member_fn *member,
                  struct sim_request *ret, struct sim_error *reterr) {
    struct str key;
    for (request_begin(r, body, ret, reterr); scan_key(&r->scan, &key);) {
        member(r, key);
    }
    return request_done(r);
}
