/* OpenAI Responses. Members it does not know are refused, as there; Perplexity's response_format is
 * taken for text.format. */
#include "sim/format.h"

static void responses_item_member(struct request_reader *r, struct str key) {
    if (str_eq(key, S("role"))) {
        r->message.role = request_str(r, "input[].role");
    } else if (str_eq(key, S("content"))) {
        r->message.content = request_text(r, "input[].content");
    } else {
        scan_skip(&r->scan);
    }
}

static void responses_item(struct request_reader *r) {
    r->message = (struct sim_message){0};
    request_object(r, "input", responses_item_member);
    if (r->message.role.n > 0) { /* other items (reasoning, references) say nothing here */
        request_add(r, r->message);
    }
}

static void responses_input(struct request_reader *r) {
    if (scan_peek(&r->scan) == '"') {
        request_add(r, (struct sim_message){S("user"), request_str(r, "input")});
    } else {
        request_array(r, "input", responses_item);
    }
}

static void responses_format_member(struct request_reader *r, struct str key) {
    if (str_eq(key, S("type"))) {
        struct str type = request_str(r, "text.format.type");
        r->request->form = str_eq(type, S("json_schema"))   ? SIM_FORM_JSON_SCHEMA
                           : str_eq(type, S("json_object")) ? SIM_FORM_JSON_OBJECT
                                                            : SIM_FORM_TEXT;
    } else {
        r->schema_seen =
            r->schema_seen || str_eq(key, S("schema")) || str_eq(key, S("json_schema"));
        scan_skip(&r->scan);
    }
}

static void responses_text_member(struct request_reader *r, struct str key) {
    if (str_eq(key, S("format")) && scan_peek(&r->scan) == '{') {
        request_object(r, "text.format", responses_format_member);
    } else {
        scan_skip(&r->scan);
    }
}

static void responses_other(struct request_reader *r, struct str key) {
    static const char *const known[] = {"background",
                                        "conversation",
                                        "include",
                                        "max_steps",
                                        "max_tool_calls",
                                        "metadata",
                                        "models",
                                        "parallel_tool_calls",
                                        "preset",
                                        "previous_response_id",
                                        "prompt",
                                        "prompt_cache_key",
                                        "prompt_cache_retention",
                                        "reasoning",
                                        "safety_identifier",
                                        "service_tier",
                                        "store",
                                        "stream_options",
                                        "tool_choice",
                                        "tools",
                                        "top_logprobs",
                                        "truncation",
                                        "user",
                                        NULL};
    scan_skip(&r->scan);
    if (!request_is_one_of(key, known)) {
        REQUEST_REFUSE(r, NULL, "unknown_parameter", "Unknown parameter: '%.*s'.",
                       STR_ARG(str_take(key, 60)));
    }
}

static void responses_member(struct request_reader *r, struct str key) {
    struct sim_request *q = r->request;
    if (str_eq(key, S("model"))) {
        q->model = request_str(r, "model");
    } else if (str_eq(key, S("input"))) {
        responses_input(r);
    } else if (str_eq(key, S("instructions"))) {
        r->system = request_text(r, "instructions");
    } else if (str_eq(key, S("max_output_tokens"))) {
        q->output_tokens_max = request_int(r, "max_output_tokens", 16, SIM_TOKENS_MAX);
    } else if (str_eq(key, S("text"))) {
        request_object(r, "text", responses_text_member);
    } else if (str_eq(key, S("response_format")) && scan_peek(&r->scan) == '{') {
        request_object(r, "response_format", responses_format_member);
    } else if (str_eq(key, S("stream"))) {
        q->stream = request_bool(r, "stream");
    } else if (str_eq(key, S("temperature")) || str_eq(key, S("top_p"))) {
        request_sampling(r, 1);
    } else {
        responses_other(r, key);
    }
}

static bool responses_read(struct sbuf *body, struct sim_request *ret, struct sim_error *reterr) {
    struct request_reader r;
    if (!request_read(&r, body, responses_member, ret, reterr)) {
        return false;
    }
    if (ret->model.n == 0) {
        REQUEST_REFUSE(&r, "model", "missing_required_parameter",
                       "Missing required parameter: 'model'.");
    }
    if (!r.messages_seen) {
        REQUEST_REFUSE(&r, "input", "missing_required_parameter",
                       "Missing required parameter: 'input'.");
    }
    if (ret->form == SIM_FORM_JSON_SCHEMA && !r.schema_seen) {
        REQUEST_REFUSE(&r, "text.format.schema", "missing_required_parameter",
                       "Missing required parameter: 'text.format.schema'.");
    }
    return !r.refused;
}

static void responses_usage(const struct brain_reply *reply, struct jwrite *w) {
    jwrite_object(w);
    format_int(w, "input_tokens", reply->input_tokens);
    jwrite_key(w, "input_tokens_details");
    jwrite_object(w);
    format_int(w, "cached_tokens", reply->cached_tokens);
    format_int(w, "cache_write_tokens", 0);
    jwrite_end(w);
    format_int(w, "output_tokens", reply->output_tokens);
    jwrite_key(w, "output_tokens_details");
    jwrite_object(w);
    format_int(w, "reasoning_tokens", reply->reasoning_tokens);
    jwrite_end(w);
    format_int(w, "total_tokens", reply->input_tokens + reply->output_tokens);
    jwrite_end(w);
}

/* The one part of a message's content, with @text. */
static void responses_part(const struct said *s, struct str text, struct jwrite *w) {
    jwrite_object(w);
    if (s->reply.refused) {
        format_str(w, "type", "refusal");
        jwrite_key(w, "refusal");
    } else {
        format_str(w, "type", "output_text");
        jwrite_key(w, "annotations");
        jwrite_raw(w, S("[]"));
        jwrite_key(w, "logprobs");
        jwrite_raw(w, S("[]"));
        jwrite_key(w, "text");
    }
    jwrite_str(w, text);
    jwrite_end(w);
}

static void responses_message(const struct said *s, bool done, struct jwrite *w) {
    jwrite_object(w);
    format_id(w, "id", "msg_", s);
    format_str(w, "type", "message");
    format_str(w, "status", !done ? "in_progress" : s->reply.cut ? "incomplete" : "completed");
    format_str(w, "role", "assistant");
    jwrite_key(w, "content");
    jwrite_array(w);
    if (done) {
        responses_part(s, s->text, w);
    }
    jwrite_end(w);
    jwrite_end(w);
}

static void responses_reasoning(const struct said *s, struct jwrite *w) {
    jwrite_object(w);
    format_id(w, "id", "rs_", s);
    format_str(w, "type", "reasoning");
    jwrite_key(w, "summary");
    jwrite_raw(w, S("[]"));
    jwrite_end(w);
}

static void responses_output(const struct said *s, bool done, struct jwrite *w) {
    jwrite_key(w, "output");
    jwrite_array(w);
    if (done && s->reply.reasoning_tokens > 0) {
        responses_reasoning(s, w);
    }
    if (done) {
        responses_message(s, true, w);
    }
    jwrite_end(w);
}

static void responses_error(const struct sim_error *e, struct jwrite *w) {
    jwrite_key(w, "error");
    if (e == NULL) {
        jwrite_null(w);
        return;
    }
    jwrite_object(w);
    format_str(w, "code", e->what == TROUBLE_REQUESTS ? "rate_limit_exceeded" : "server_error");
    format_str(w, "message", e->message);
    jwrite_end(w);
}

/* A response object: under way, done, or failed with @e. */
static void responses_object(const struct said *s, bool done, const struct sim_error *e,
                             struct jwrite *w) {
    bool cut = done && s->reply.cut;
    jwrite_object(w);
    format_id(w, "id", "resp_", s);
    format_str(w, "object", "response");
    format_int(w, "created_at", s->created_s);
    format_str(w, "status",
               e != NULL ? "failed"
               : !done   ? "in_progress"
               : cut     ? "incomplete"
                         : "completed");
    responses_error(e, w);
    jwrite_key(w, "incomplete_details");
    if (cut) {
        jwrite_raw(w, S("{\"reason\":\"max_output_tokens\"}"));
    } else {
        jwrite_null(w);
    }
    format_str(w, "instructions", NULL);
    jwrite_key(w, "model");
    jwrite_str(w, s->model);
    responses_output(s, done, w);
    jwrite_key(w, "parallel_tool_calls");
    jwrite_bool(w, true);
    format_str(w, "previous_response_id", NULL);
    jwrite_key(w, "tools");
    jwrite_raw(w, S("[]"));
    format_str(w, "tool_choice", "auto");
    format_int(w, "temperature", 1);
    format_int(w, "top_p", 1);
    format_str(w, "truncation", "disabled");
    jwrite_key(w, "metadata");
    jwrite_raw(w, S("{}"));
    jwrite_key(w, "usage");
    if (done) {
        responses_usage(&s->reply, w);
    } else {
        jwrite_null(w);
    }
    jwrite_end(w);
}

static void responses_whole(const struct said *s, struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    responses_object(s, true, NULL, &w);
}

static void responses_event(struct said *s, const char *type, struct jwrite *w, struct sbuf *out) {
    event_begin(type, w, out);
    format_str(w, "type", type);
    format_int(w, "sequence_number", s->sequence++);
}

static void responses_event_object(struct said *s, const char *type, bool done,
                                   const struct sim_error *e, struct sbuf *out) {
    struct jwrite w;
    responses_event(s, type, &w, out);
    jwrite_key(&w, "response");
    responses_object(s, done, e, &w);
    event_end(&w);
}

static int responses_index(const struct said *s) {
    return s->reply.reasoning_tokens > 0 ? 1 : 0;
}

/* An event of the message's item or, with a part or piece, of its content. */
static void responses_place(const struct said *s, bool content, struct jwrite *w) {
    format_int(w, "output_index", responses_index(s));
    if (content) {
        format_id(w, "item_id", "msg_", s);
        format_int(w, "content_index", 0);
    }
}

static void responses_item_event(struct said *s, const char *type, bool reasoning, bool done,
                                 struct sbuf *out) {
    struct jwrite w;
    responses_event(s, type, &w, out);
    format_int(&w, "output_index", reasoning ? 0 : responses_index(s));
    jwrite_key(&w, "item");
    if (reasoning) {
        responses_reasoning(s, &w);
    } else {
        responses_message(s, done, &w);
    }
    event_end(&w);
}

static void responses_part_event(struct said *s, const char *type, struct str text,
                                 struct sbuf *out) {
    struct jwrite w;
    responses_event(s, type, &w, out);
    responses_place(s, true, &w);
    jwrite_key(&w, "part");
    responses_part(s, text, &w);
    event_end(&w);
}

static void responses_text_event(struct said *s, bool done, struct str text, struct sbuf *out) {
    struct jwrite w;
    bool refused = s->reply.refused;
    responses_event(s,
                    refused ? done ? "response.refusal.done" : "response.refusal.delta"
                    : done  ? "response.output_text.done"
                            : "response.output_text.delta",
                    &w, out);
    responses_place(s, true, &w);
    jwrite_key(&w, !done ? "delta" : refused ? "refusal" : "text");
    jwrite_str(&w, text);
    if (!refused) {
        jwrite_key(&w, "logprobs");
        jwrite_raw(&w, S("[]"));
    }
    event_end(&w);
}

static void responses_events(struct said *s, enum said_part part, struct str piece,
                             struct sbuf *out) {
    if (part == SAID_PIECE) {
        responses_text_event(s, false, piece, out);
    } else if (part == SAID_BEGIN) {
        responses_event_object(s, "response.created", false, NULL, out);
        responses_event_object(s, "response.in_progress", false, NULL, out);
        if (s->reply.reasoning_tokens > 0) {
            responses_item_event(s, "response.output_item.added", true, false, out);
            responses_item_event(s, "response.output_item.done", true, true, out);
        }
        responses_item_event(s, "response.output_item.added", false, false, out);
        responses_part_event(s, "response.content_part.added", S(""), out);
    } else {
        responses_text_event(s, true, s->text, out);
        responses_part_event(s, "response.content_part.done", s->text, out);
        responses_item_event(s, "response.output_item.done", false, true, out);
        responses_event_object(s, s->reply.cut ? "response.incomplete" : "response.completed", true,
                               NULL, out);
    }
}

static void responses_failed(struct said *s, const struct sim_error *e, bool stream,
                             struct sbuf *out) {
    struct jwrite w;
    if (stream) {
        responses_event_object(s, "response.failed", false, e, out);
    } else {
        jwrite_init(&w, out);
        responses_object(s, false, e, &w);
    }
}

const struct format format_responses = {
    .dialect = DIALECT_OPENAI,
    .rule = QUOTA_RULE_ADMISSION,
    .read = responses_read,
    .whole = responses_whole,
    .events = responses_events,
    .failed = responses_failed,
};
