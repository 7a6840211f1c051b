/* OpenAI Chat Completions. Unknown members are passed over: so do the many servers that speak it.
 */
#include "sim/format.h"

static void chat_message_member(struct request_reader *r, struct str key) {
    struct sim_message *m = &r->message;
    if (str_eq(key, S("role"))) {
        m->role = request_str(r, "messages[].role");
    } else if (str_eq(key, S("content"))) {
        m->content = request_text(r, "messages[].content");
    } else {
        scan_skip(&r->scan);
    }
}

static void chat_message(struct request_reader *r) {
    r->message = (struct sim_message){0};
    request_object(r, "messages", chat_message_member);
    request_add(r, r->message);
}

static void chat_messages(struct request_reader *r) {
    r->messages_seen = true;
    r->request->messages_n = 0;
    bool array = scan_peek(&r->scan) == '[';
    request_array(r, "messages", chat_message);
    if (array && r->request->messages_n == 0) {
        REQUEST_REFUSE(r, "messages", "empty_array",
                       "Invalid 'messages': empty array. Expected an array with minimum length 1, "
                       "but got an empty array instead.");
    }
}

static void chat_form(struct request_reader *r) {
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
        r->request->form = SIM_FORM_JSON_SCHEMA;
        if (!schema) {
            REQUEST_REFUSE(r, "response_format.json_schema", "missing_required_parameter",
                           "Missing required parameter: 'response_format.json_schema'.");
        }
    } else if (str_eq(type, S("json_object"))) {
        r->request->form = SIM_FORM_JSON_OBJECT;
    } else if (!str_eq(type, S("text"))) {
        REQUEST_REFUSE(r, "response_format.type", "invalid_value",
                       "Invalid value for 'response_format.type'. Supported values are: "
                       "'json_object', 'json_schema', and 'text'.");
    }
}

static void chat_stream_option(struct request_reader *r, struct str key) {
    if (str_eq(key, S("include_usage"))) {
        r->request->stream_usage = request_bool(r, "stream_options.include_usage");
    } else {
        scan_skip(&r->scan);
    }
}

static void chat_member(struct request_reader *r, struct str key) {
    struct sim_request *q = r->request;
    if (str_eq(key, S("model"))) {
        q->model = request_str(r, "model");
    } else if (str_eq(key, S("messages"))) {
        chat_messages(r);
    } else if (str_eq(key, S("max_completion_tokens"))) {
        q->output_tokens_max = request_int(r, "max_completion_tokens", 1, SIM_TOKENS_MAX);
    } else if (str_eq(key, S("max_tokens"))) {
        q->old_token_limit = scan_peek(&r->scan) == '\0';
        q->output_tokens_max = request_int(r, "max_tokens", 1, SIM_TOKENS_MAX);
    } else if (str_eq(key, S("response_format"))) {
        chat_form(r);
    } else if (str_eq(key, S("stream"))) {
        q->stream = request_bool(r, "stream");
    } else if (str_eq(key, S("stream_options")) && scan_peek(&r->scan) == '{') {
        r->stream_options_seen = true;
        request_object(r, "stream_options", chat_stream_option);
    } else if (str_eq(key, S("temperature")) || str_eq(key, S("top_p"))) {
        request_sampling(r, 1);
    } else if (str_eq(key, S("seed"))) {
        q->seed = request_int(r, "seed", -SIM_TOKENS_MAX, 0);
    } else if (str_eq(key, S("n"))) {
        if (request_int(r, "n", 1, 1) != 1) {
            REQUEST_REFUSE(r, "n", "unsupported_value",
                           "This simulator gives one choice: send 'n': 1.");
        }
    } else {
        scan_skip(&r->scan);
    }
}

static void chat_check_json(struct request_reader *r) {
    const struct sim_request *q = r->request;
    if (q->form != SIM_FORM_JSON_OBJECT) {
        return;
    }
    for (size_t i = 0; i < q->messages_n; i++) {
        if (str_find(q->messages[i].content, S("JSON")) != STR_NPOS ||
            str_find(q->messages[i].content, S("json")) != STR_NPOS) {
            return;
        }
    }
    REQUEST_REFUSE(r, "messages", NULL,
                   "'messages' must contain the word 'json' in some form, to use "
                   "'response_format' of type 'json_object'.");
}

static bool chat_read(struct sbuf *body, struct sim_request *ret, struct sim_error *reterr) {
    struct request_reader r;
    if (!request_read(&r, body, chat_member, ret, reterr)) {
        return false;
    }
    if (ret->model.n == 0) {
        REQUEST_REFUSE(&r, NULL, NULL, "you must provide a model parameter");
    }
    if (!r.messages_seen) {
        REQUEST_REFUSE(&r, "messages", "missing_required_parameter",
                       "Missing required parameter: 'messages'.");
    }
    if (r.stream_options_seen && !ret->stream) {
        REQUEST_REFUSE(&r, "stream_options", NULL,
                       "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    }
    chat_check_json(&r);
    return !r.refused;
}

static void chat_usage(const struct brain_reply *reply, struct jwrite *w) {
    jwrite_key(w, "usage");
    jwrite_object(w);
    format_int(w, "prompt_tokens", reply->input_tokens);
    format_int(w, "completion_tokens", reply->output_tokens);
    format_int(w, "total_tokens", reply->input_tokens + reply->output_tokens);
    jwrite_key(w, "prompt_tokens_details");
    jwrite_object(w);
    format_int(w, "cached_tokens", reply->cached_tokens);
    format_int(w, "audio_tokens", 0);
    jwrite_end(w);
    jwrite_key(w, "completion_tokens_details");
    jwrite_object(w);
    format_int(w, "reasoning_tokens", reply->reasoning_tokens);
    format_int(w, "audio_tokens", 0);
    format_int(w, "accepted_prediction_tokens", 0);
    format_int(w, "rejected_prediction_tokens", 0);
    jwrite_end(w);
    jwrite_end(w);
}

static void chat_head(const struct said *s, const char *object, struct jwrite *w) {
    format_id(w, "id", "chatcmpl-", s);
    format_str(w, "object", object);
    format_int(w, "created", s->created_s);
    jwrite_key(w, "model");
    jwrite_str(w, s->model);
    format_str(w, "service_tier", "default");
    format_str(w, "system_fingerprint", "fp_sim");
}

static void chat_choice_end(const char *finish, struct jwrite *w) {
    jwrite_key(w, "logprobs");
    jwrite_null(w);
    format_str(w, "finish_reason", finish);
    jwrite_end(w);
    jwrite_end(w);
}

static const char *chat_finish(const struct said *s) {
    return s->reply.cut ? "length" : "stop";
}

static void chat_whole(const struct said *s, struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    chat_head(s, "chat.completion", &w);
    jwrite_key(&w, "choices");
    jwrite_array(&w);
    jwrite_object(&w);
    format_int(&w, "index", 0);
    jwrite_key(&w, "message");
    jwrite_object(&w);
    format_str(&w, "role", "assistant");
    jwrite_key(&w, s->reply.refused ? "refusal" : "content");
    jwrite_str(&w, s->text);
    format_str(&w, s->reply.refused ? "content" : "refusal", NULL);
    jwrite_key(&w, "annotations");
    jwrite_raw(&w, S("[]"));
    jwrite_end(&w);
    chat_choice_end(chat_finish(s), &w);
    chat_usage(&s->reply, &w);
    jwrite_end(&w);
}

/* A chunk up to and with its choices; the first one names the role. */
static void chat_chunk(const struct said *s, enum said_part part, struct str piece,
                       struct sbuf *out) {
    struct jwrite w;
    event_begin(NULL, &w, out);
    chat_head(s, "chat.completion.chunk", &w);
    jwrite_key(&w, "choices");
    jwrite_array(&w);
    jwrite_object(&w);
    format_int(&w, "index", 0);
    jwrite_key(&w, "delta");
    jwrite_object(&w);
    if (part == SAID_BEGIN) {
        format_str(&w, "role", "assistant");
        format_str(&w, "content", s->reply.refused ? NULL : "");
        format_str(&w, "refusal", NULL);
    } else if (part == SAID_PIECE) {
        jwrite_key(&w, s->reply.refused ? "refusal" : "content");
        jwrite_str(&w, piece);
    }
    jwrite_end(&w);
    chat_choice_end(part == SAID_END ? chat_finish(s) : NULL, &w);
    if (s->usage_asked) {
        format_str(&w, "usage", NULL);
    }
    event_end(&w);
}

static void chat_events(struct said *s, enum said_part part, struct str piece, struct sbuf *out) {
    struct jwrite w;
    chat_chunk(s, part, piece, out);
    if (part != SAID_END) {
        return;
    }
    if (s->usage_asked) {
        event_begin(NULL, &w, out);
        chat_head(s, "chat.completion.chunk", &w);
        jwrite_key(&w, "choices");
        jwrite_raw(&w, S("[]"));
        chat_usage(&s->reply, &w);
        event_end(&w);
    }
    sbuf_add_cstr(out, "data: [DONE]\n\n");
}

static void chat_failed(struct said *s, const struct sim_error *e, bool stream, struct sbuf *out) {
    (void)s;
    event_error(e, DIALECT_OPENAI, NULL, stream, out);
}

const struct format format_chat = {
    .dialect = DIALECT_OPENAI,
    .rule = QUOTA_RULE_ADMISSION,
    .read = chat_read,
    .whole = chat_whole,
    .events = chat_events,
    .failed = chat_failed,
};
