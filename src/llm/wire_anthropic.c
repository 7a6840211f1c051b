/* Anthropic Messages. Thinking: an effort where one is told; a number of tokens for the models that
 * take one, and the model's own measure (adaptive) for those that do not. */
#include "llm/batch_wire.h"
#include "llm/stream.h"

#include <string.h>

#define ANTHROPIC_BUDGET_MIN 1024

static struct str anthropic_url(const struct llm_provider *p, struct str model, bool stream,
                                struct arena *a) {
    (void)model, (void)stream;
    return wire_versioned_url(p->base_url, "/v1", "/messages", a);
}

static struct str anthropic_models_url(const struct llm_provider *p, struct arena *a) {
    return wire_versioned_url(p->base_url, "/v1", "/models?limit=1000", a);
}

static const char *anthropic_auth(const struct llm_key *key, struct arena *a) {
    return key->bearer ? wire_bearer(key, a) : str_fmt(a, "x-api-key: %s", key->value).p;
}

/* --- requests -------------------------------------------------------------------------------- */

static void anthropic_system(const struct call_spec *spec, struct jwrite *w) {
    struct sbuf joined;
    sbuf_init(&joined, WIRE_TEXT_BYTES_MAX);
    struct str system = wire_system_text(spec, &joined);
    if (system.n > 0) {
        jwrite_key(w, "system");
        jwrite_str(w, system);
    }
    sbuf_release(&joined);
}

static void anthropic_messages(const struct call_spec *spec, struct jwrite *w) {
    jwrite_key(w, "messages");
    jwrite_array(w);
    for (size_t i = 0; i < spec->messages_n; i++) {
        const struct call_message *m = &spec->messages[i];
        if (m->author == CALL_SYSTEM) {
            continue;
        }
        jwrite_object(w);
        jwrite_key(w, "role");
        jwrite_cstr(w, m->author == CALL_USER ? "user" : "assistant");
        jwrite_key(w, "content");
        jwrite_str(w, m->text);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void anthropic_thinking(const struct wire_ask *ask, struct jwrite *w) {
    const char *effort = wire_effort(ask);
    int64_t budget = wire_budget(ask); /* less than max_tokens, as it must be */
    const char *type = budget >= ANTHROPIC_BUDGET_MIN                  ? "enabled"
                       : effort != NULL && strcmp(effort, "none") == 0 ? "disabled"
                       : ask->manner->thinking_tokens > 0 &&
                               (ask->quirks & (WIRE_NO_BUDGET | WIRE_NO_EFFORT)) == WIRE_NO_BUDGET
                           ? "adaptive"
                           : NULL;
    if (type == NULL) {
        return;
    }
    jwrite_key(w, "thinking");
    jwrite_object(w);
    jwrite_key(w, "type");
    jwrite_cstr(w, type);
    if (budget >= ANTHROPIC_BUDGET_MIN) {
        jwrite_key(w, "budget_tokens");
        jwrite_int(w, budget);
    }
    jwrite_end(w);
}

static const char *anthropic_effort(const struct wire_ask *ask) {
    const char *effort = wire_effort(ask);
    bool off = effort == NULL || strcmp(effort, "none") == 0;
    return off ? NULL : strcmp(effort, "minimal") == 0 ? "low" : effort;
}

static void anthropic_output_config(const struct wire_ask *ask, struct jwrite *w) {
    const char *effort = anthropic_effort(ask);
    bool schema = ask->spec->schema != NULL && (ask->quirks & WIRE_NO_SCHEMA) == 0;
    if (effort == NULL && !schema) {
        return;
    }
    jwrite_key(w, "output_config");
    jwrite_object(w);
    if (effort != NULL) {
        jwrite_key(w, "effort");
        jwrite_cstr(w, effort);
    }
    if (schema) {
        jwrite_key(w, "format");
        jwrite_object(w);
        jwrite_key(w, "type");
        jwrite_cstr(w, "json_schema");
        jwrite_key(w, "schema");
        jwrite_raw(w, ask->spec->schema->json);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void anthropic_body(const struct wire_ask *ask, struct jwrite *w) {
    jwrite_key(w, "model");
    jwrite_str(w, ask->model);
    jwrite_key(w, "max_tokens");
    jwrite_int(w, ask->output_tokens_max);
    anthropic_system(ask->spec, w);
    anthropic_messages(ask->spec, w);
    anthropic_thinking(ask, w);
    anthropic_output_config(ask, w);
    wire_write_sampling(ask, "temperature", "top_p", w);
    if (ask->stream) {
        jwrite_key(w, "stream");
        jwrite_bool(w, true);
    }
}

/* --- answers --------------------------------------------------------------------------------- */

static const struct wire_finish anthropic_finishes[] = {
    {"end_turn", CALL_FINISH_STOP},     {"stop_sequence", CALL_FINISH_STOP},
    {"max_tokens", CALL_FINISH_LENGTH}, {"model_context_window_exceeded", CALL_FINISH_LENGTH},
    {"refusal", CALL_FINISH_REFUSAL},   {NULL, CALL_FINISH_OTHER}}; /* tool_use, pause_turn */

/* The input is the sum of three. What @before knew stays where @usage tells nothing: a stream tells
 * the input at its start and the output at its end. */
static struct call_usage anthropic_usage(const struct jnode *usage,
                                         const struct call_usage *before) {
    const struct jnode *details = jnode_get(usage, "output_tokens_details");
    int64_t input = wire_tokens(usage, "input_tokens", -1);
    int64_t written = wire_tokens(usage, "cache_creation_input_tokens", 0);
    int64_t cached = wire_tokens(usage, "cache_read_input_tokens", 0);
    struct call_usage u = *before;
    if (input >= 0) {
        u.input_tokens = input + written + cached;
        u.cached_tokens = cached;
        u.cache_write_tokens = written;
    }
    u.output_tokens = wire_tokens(usage, "output_tokens", u.output_tokens);
    u.reasoning_tokens = wire_tokens(details, "thinking_tokens", u.reasoning_tokens);
    return u;
}

static const struct call_usage anthropic_nothing = {.input_tokens = -1, .output_tokens = -1};

static void anthropic_used(const struct jnode *usage, struct call_answer *ret) {
    ret->usage = anthropic_usage(usage, &anthropic_nothing);
}

static void anthropic_answer(const struct jnode *doc, struct arena *a, struct wire_result *ret) {
    const struct jnode *content = jnode_get(doc, "content");
    if (jnode_type(content) != JNODE_ARRAY) {
        ret->err = errinfo_set(&ret->detail, ERR_PROTOCOL, "the answer has no content");
        return;
    }
    struct str text = wire_join(content, "text", "thought", a); /* a thought has no "text" */
    enum call_finish finish = wire_finish_of(anthropic_finishes, jnode_get_str(doc, "stop_reason"));
    if (finish == CALL_FINISH_REFUSAL && text.n == 0) {
        text = jnode_get_str(jnode_get(doc, "stop_details"), "explanation");
    }
    ret->answer =
        (struct call_answer){.text = text,
                             .finish = finish,
                             .usage = anthropic_usage(jnode_get(doc, "usage"), &anthropic_nothing),
                             .cost_nusd = MONEY_UNKNOWN,
                             .model_id = jnode_get_str(doc, "model")};
}

static void anthropic_delta(struct wire_stream *s, const struct jnode *delta) {
    wire_stream_add(s, jnode_get_str(delta, "text"));
    wire_stream_thought(s, jnode_get_str(delta, "thinking"));
}

static void anthropic_ending(struct wire_stream *s, const struct jnode *data) {
    const struct jnode *delta = jnode_get(data, "delta");
    struct str reason = jnode_get_str(delta, "stop_reason");
    s->usage = anthropic_usage(jnode_get(data, "usage"), &s->usage);
    if (reason.n == 0) {
        return;
    }
    wire_stream_finish(s, wire_finish_of(anthropic_finishes, reason));
    if (s->finish == CALL_FINISH_REFUSAL && s->text.n == 0) {
        wire_stream_refuse(s, jnode_get_str(jnode_get(delta, "stop_details"), "explanation"));
    }
}

static void anthropic_event(struct wire_stream *s, const struct jnode *data) {
    struct str type = jnode_get_str(data, "type");
    if (str_eq(type, S("message_start"))) {
        const struct jnode *message = jnode_get(data, "message");
        wire_stream_name(s, jnode_get_str(message, "model"), jnode_get_str(message, "id"));
        s->usage = anthropic_usage(jnode_get(message, "usage"), &anthropic_nothing);
    } else if (str_eq(type, S("content_block_start"))) {
        anthropic_delta(s, jnode_get(data, "content_block"));
    } else if (str_eq(type, S("content_block_delta"))) {
        anthropic_delta(s, jnode_get(data, "delta"));
    } else if (str_eq(type, S("message_delta"))) {
        anthropic_ending(s, data);
    } else if (str_eq(type, S("message_stop"))) {
        s->whole = s->ending;
    }
}

static const char *const anthropic_headers[] = {"Content-Type: application/json",
                                                "anthropic-version: 2023-06-01", NULL};

const struct wire wire_anthropic = {.type = "anthropic",
                                    .limit_rule = LIMIT_AS_PRODUCED,
                                    .headers = anthropic_headers,
                                    .url = anthropic_url,
                                    .models_url = anthropic_models_url,
                                    .auth = anthropic_auth,
                                    .body = anthropic_body,
                                    .answer = anthropic_answer,
                                    .usage_key = "usage",
                                    .usage = anthropic_used,
                                    .event = anthropic_event,
                                    .batches = &batch_anthropic};
