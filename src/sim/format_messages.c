/* Anthropic Messages. Members it does not know are refused, as there. */
#include "sim/format.h"

static void messages_item_member(struct request_reader *r, struct str key) {
    if (str_eq(key, S("role"))) {
        r->message.role = request_str(r, "messages.role");
    } else if (str_eq(key, S("content"))) {
        r->message.content = request_text(r, "messages.content");
    } else {
        scan_skip(&r->scan);
        REQUEST_REFUSE(r, NULL, NULL, "messages.%.*s: Extra inputs are not permitted",
                       STR_ARG(str_take(key, 60)));
    }
}

static void messages_item(struct request_reader *r) {
    r->message = (struct sim_message){0};
    request_object(r, "messages", messages_item_member);
    if (!str_eq(r->message.role, S("user")) && !str_eq(r->message.role, S("assistant"))) {
        REQUEST_REFUSE(r, NULL, NULL,
                       "messages: Unexpected role \"%.*s\". The Messages API accepts a top-level "
                       "`system` parameter, not \"system\" as an input message role.",
                       STR_ARG(str_take(r->message.role, 40)));
    }
    request_add(r, r->message);
}

static void messages_form(struct request_reader *r, struct str key) {
    if (str_eq(key, S("type"))) {
        struct str type = request_str(r, "output_config.format.type");
        if (str_eq(type, S("json_schema"))) {
            r->request->form = SIM_FORM_JSON_SCHEMA;
        } else {
            REQUEST_REFUSE(r, NULL, NULL,
                           "output_config.format.type: Input should be "
                           "'json_schema'");
        }
    } else {
        r->schema_seen = r->schema_seen || str_eq(key, S("schema"));
        scan_skip(&r->scan);
    }
}

static void messages_output_config(struct request_reader *r, struct str key) {
    if (str_eq(key, S("format")) && scan_peek(&r->scan) == '{') {
        request_object(r, "output_config.format", messages_form);
    } else {
        scan_skip(&r->scan);
    }
}

static void messages_other(struct request_reader *r, struct str key) {
    static const char *const known[] = {"cache_control",
                                        "container",
                                        "context_management",
                                        "inference_geo",
                                        "mcp_servers",
                                        "metadata",
                                        "service_tier",
                                        "speed",
                                        "stop_sequences",
                                        "thinking",
                                        "tool_choice",
                                        "tools",
                                        NULL};
    scan_skip(&r->scan);
    if (!request_is_one_of(key, known)) {
        REQUEST_REFUSE(r, NULL, NULL, "%.*s: Extra inputs are not permitted",
                       STR_ARG(str_take(key, 60)));
    }
}

static void messages_member(struct request_reader *r, struct str key) {
    struct sim_request *q = r->request;
    if (str_eq(key, S("model"))) {
        q->model = request_str(r, "model");
    } else if (str_eq(key, S("messages"))) {
        request_array(r, "messages", messages_item);
    } else if (str_eq(key, S("system"))) {
        r->system = request_text(r, "system");
    } else if (str_eq(key, S("max_tokens"))) {
        q->output_tokens_max = request_int(r, "max_tokens", 1, SIM_TOKENS_MAX);
    } else if (str_eq(key, S("output_config"))) {
        request_object(r, "output_config", messages_output_config);
    } else if (str_eq(key, S("output_format")) && scan_peek(&r->scan) == '{') {
        request_object(r, "output_format", messages_form);
    } else if (str_eq(key, S("stream"))) {
        q->stream = request_bool(r, "stream");
    } else if (str_eq(key, S("temperature")) || str_eq(key, S("top_p"))) {
        request_sampling(r, 1);
    } else if (str_eq(key, S("top_k"))) {
        request_sampling(r, -1);
    } else {
        messages_other(r, key);
    }
}

static bool messages_read(struct sbuf *body, struct sim_request *ret, struct sim_error *reterr) {
    struct request_reader r;
    if (!request_read(&r, body, messages_member, ret, reterr)) {
        return false;
    }
    if (ret->model.n == 0) {
        REQUEST_REFUSE(&r, NULL, NULL, "model: Field required");
    }
    if (ret->output_tokens_max == SIM_TOKENS_MAX) {
        REQUEST_REFUSE(&r, NULL, NULL, "max_tokens: Field required");
    }
    if (!r.messages_seen) {
        REQUEST_REFUSE(&r, NULL, NULL, "messages: at least one message is required");
    }
    if (ret->form == SIM_FORM_JSON_SCHEMA && !r.schema_seen) {
        REQUEST_REFUSE(&r, NULL, NULL, "output_config.format.schema: Field required");
    }
    return !r.refused;
}

static void messages_usage(const struct brain_reply *reply, bool done, struct jwrite *w) {
    jwrite_key(w, "usage");
    jwrite_object(w);
    format_int(w, "input_tokens", reply->input_tokens - reply->cached_tokens);
    format_int(w, "cache_creation_input_tokens", 0);
    format_int(w, "cache_read_input_tokens", reply->cached_tokens);
    format_int(w, "output_tokens", done ? reply->output_tokens : 1);
    if (done) {
        jwrite_key(w, "output_tokens_details");
        jwrite_object(w);
        format_int(w, "thinking_tokens", reply->reasoning_tokens);
        jwrite_end(w);
    }
    format_str(w, "service_tier", "standard");
    jwrite_end(w);
}

static const char *messages_stop(const struct said *s) {
    return s->reply.refused ? "refusal" : s->reply.cut ? "max_tokens" : "end_turn";
}

static void messages_stop_members(const struct said *s, bool done, struct jwrite *w) {
    format_str(w, "stop_reason", done ? messages_stop(s) : NULL);
    format_str(w, "stop_sequence", NULL);
    if (done && s->reply.refused) {
        jwrite_key(w, "stop_details");
        jwrite_raw(w, S("{\"type\":\"refusal\",\"category\":null,\"explanation\":null}"));
    }
}

static void messages_block(const struct said *s, bool thinking, struct str text, struct jwrite *w) {
    jwrite_object(w);
    format_str(w, "type", thinking ? "thinking" : "text");
    jwrite_key(w, thinking ? "thinking" : "text");
    jwrite_str(w, text);
    if (thinking) {
        format_id(w, "signature", "sim", s);
    }
    jwrite_end(w);
}

static void messages_object(const struct said *s, bool done, struct jwrite *w) {
    jwrite_object(w);
    format_id(w, "id", "msg_", s);
    format_str(w, "type", "message");
    format_str(w, "role", "assistant");
    jwrite_key(w, "model");
    jwrite_str(w, s->model);
    jwrite_key(w, "content");
    jwrite_array(w);
    if (done && s->reply.reasoning_tokens > 0) {
        messages_block(s, true, S(""), w);
    }
    if (done && s->text.n > 0) {
        messages_block(s, false, s->text, w);
    }
    jwrite_end(w);
    messages_stop_members(s, done, w);
    messages_usage(&s->reply, done, w);
    jwrite_end(w);
}

static void messages_whole(const struct said *s, struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    messages_object(s, true, &w);
}

static void messages_event(const char *type, int index, struct jwrite *w, struct sbuf *out) {
    event_begin(type, w, out);
    format_str(w, "type", type);
    if (index >= 0) {
        format_int(w, "index", index);
    }
}

static void messages_block_start(const struct said *s, int index, bool thinking, struct sbuf *out) {
    struct jwrite w;
    messages_event("content_block_start", index, &w, out);
    jwrite_key(&w, "content_block");
    messages_block(s, thinking, S(""), &w);
    event_end(&w);
}

static void messages_block_stop(int index, struct sbuf *out) {
    struct jwrite w;
    messages_event("content_block_stop", index, &w, out);
    event_end(&w);
}

static int messages_index(const struct said *s) {
    return s->reply.reasoning_tokens > 0 ? 1 : 0;
}

static void messages_begin(const struct said *s, struct sbuf *out) {
    struct jwrite w;
    messages_event("message_start", -1, &w, out);
    jwrite_key(&w, "message");
    messages_object(s, false, &w);
    event_end(&w);
    if (s->reply.reasoning_tokens > 0) {
        messages_block_start(s, 0, true, out);
        messages_block_stop(0, out);
    }
    messages_block_start(s, messages_index(s), false, out);
    messages_event("ping", -1, &w, out);
    event_end(&w);
}

static void messages_end(const struct said *s, struct sbuf *out) {
    struct jwrite w;
    messages_block_stop(messages_index(s), out);
    messages_event("message_delta", -1, &w, out);
    jwrite_key(&w, "delta");
    jwrite_object(&w);
    messages_stop_members(s, true, &w);
    jwrite_end(&w);
    messages_usage(&s->reply, true, &w);
    event_end(&w);
    messages_event("message_stop", -1, &w, out);
    event_end(&w);
}

static void messages_events(struct said *s, enum said_part part, struct str piece,
                            struct sbuf *out) {
    struct jwrite w;
    if (part == SAID_BEGIN) {
        messages_begin(s, out);
    } else if (part == SAID_END) {
        messages_end(s, out);
    } else {
        messages_event("content_block_delta", messages_index(s), &w, out);
        jwrite_key(&w, "delta");
        jwrite_object(&w);
        format_str(&w, "type", "text_delta");
        jwrite_key(&w, "text");
        jwrite_str(&w, piece);
        jwrite_end(&w);
        event_end(&w);
    }
}

static void messages_failed(struct said *s, const struct sim_error *e, bool stream,
                            struct sbuf *out) {
    (void)s;
    event_error(e, DIALECT_ANTHROPIC, "error", stream, out);
}

const struct format format_messages = {
    .dialect = DIALECT_ANTHROPIC,
    .rule = QUOTA_RULE_PRODUCED,
    .read = messages_read,
    .whole = messages_whole,
    .events = messages_events,
    .failed = messages_failed,
};
