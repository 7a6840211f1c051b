/* OpenAI Chat Completions, and every server that speaks it. What differs between servers is mostly
 * not configured but learned (wire_learn.c). */
#include "llm/batch_wire.h"
#include "llm/stream.h"

#include <string.h>

static struct str chat_url(const struct llm_provider *p, struct str model, bool stream,
                           struct arena *a) {
    (void)model, (void)stream;
    return str_fmt(a, "%s/chat/completions", p->base_url);
}

static struct str chat_models_url(const struct llm_provider *p, struct arena *a) {
    return str_fmt(a, "%s/models", p->base_url);
}

/* --- requests -------------------------------------------------------------------------------- */

static void chat_messages(const struct wire_ask *ask, struct jwrite *w) {
    const char *system = (ask->quirks & WIRE_DEVELOPER) != 0 ? "developer" : "system";
    const char *const roles[] = {
        [CALL_SYSTEM] = system, [CALL_USER] = "user", [CALL_ASSISTANT] = "assistant"};
    jwrite_key(w, "messages");
    jwrite_array(w);
    for (size_t i = 0; i < ask->spec->messages_n; i++) {
        const struct call_message *m = &ask->spec->messages[i];
        jwrite_object(w);
        jwrite_key(w, "role");
        jwrite_cstr(w, roles[m->author]);
        jwrite_key(w, "content");
        jwrite_str(w, m->text);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void chat_response_format(const struct wire_ask *ask, struct jwrite *w) {
    const struct call_schema *schema = ask->spec->schema;
    bool any_object = (ask->quirks & WIRE_NO_SCHEMA) != 0;
    if (schema == NULL || (any_object && (ask->quirks & WIRE_NO_JSON_OBJECT) != 0)) {
        return;
    }
    jwrite_key(w, "response_format");
    jwrite_object(w);
    jwrite_key(w, "type");
    jwrite_cstr(w, any_object ? "json_object" : "json_schema");
    if (!any_object) {
        jwrite_key(w, "json_schema");
        jwrite_object(w);
        jwrite_key(w, "name");
        jwrite_cstr(w, schema->name);
        jwrite_key(w, "strict");
        jwrite_bool(w, true);
        jwrite_key(w, "schema");
        jwrite_raw(w, schema->json);
        jwrite_end(w);
    }
    jwrite_end(w);
}

/* OpenRouter: one object for both; a budget goes before an effort. */
static void chat_reasoning_object(const char *effort, int64_t budget, struct jwrite *w) {
    jwrite_key(w, "reasoning");
    jwrite_object(w);
    jwrite_key(w, budget > 0 ? "max_tokens" : "effort");
    if (budget > 0) {
        jwrite_int(w, budget);
    } else {
        jwrite_cstr(w, effort);
    }
    jwrite_end(w);
}

static void chat_reasoning(const struct wire_ask *ask, struct jwrite *w) {
    const char *effort = wire_effort(ask);
    int64_t budget = wire_budget(ask);
    enum llm_dialect dialect = ask->provider->dialect;
    if (dialect == LLM_DIALECT_OPENROUTER && (effort != NULL || budget > 0)) {
        chat_reasoning_object(effort, budget, w);
        return;
    }
    bool off = effort != NULL && strcmp(effort, "none") == 0;
    if (dialect == LLM_DIALECT_DEEPSEEK && effort != NULL) {
        jwrite_key(w, "thinking");
        jwrite_object(w);
        jwrite_key(w, "type");
        jwrite_cstr(w, off ? "disabled" : "enabled");
        jwrite_end(w);
    }
    if (effort != NULL && !(dialect == LLM_DIALECT_DEEPSEEK && off)) {
        jwrite_key(w, "reasoning_effort");
        jwrite_cstr(w, effort);
    }
    if (dialect == LLM_DIALECT_VLLM && budget > 0) {
        jwrite_key(w, "thinking_token_budget");
        jwrite_int(w, budget);
    }
}

static void chat_stream(const struct wire_ask *ask, struct jwrite *w) {
    if (!ask->stream) {
        return;
    }
    jwrite_key(w, "stream");
    jwrite_bool(w, true);
    if ((ask->quirks & WIRE_NO_STREAM_USAGE) == 0) {
        jwrite_key(w, "stream_options");
        jwrite_object(w);
        jwrite_key(w, "include_usage");
        jwrite_bool(w, true);
        jwrite_end(w);
    }
}

static void chat_body(const struct wire_ask *ask, struct jwrite *w) {
    jwrite_key(w, "model");
    jwrite_str(w, ask->model);
    chat_messages(ask, w);
    jwrite_key(w, (ask->quirks & WIRE_OLD_CAP) != 0 ? "max_tokens" : "max_completion_tokens");
    jwrite_int(w, ask->output_tokens_max);
    chat_response_format(ask, w);
    chat_reasoning(ask, w);
    wire_write_sampling(ask, "temperature", "top_p", w);
    chat_stream(ask, w);
}

/* --- answers --------------------------------------------------------------------------------- */

static const struct wire_finish chat_finishes[] = {{"", CALL_FINISH_STOP}, /* some omit it */
                                                   {"stop", CALL_FINISH_STOP},
                                                   {"length", CALL_FINISH_LENGTH},
                                                   {"content_filter", CALL_FINISH_REFUSAL},
                                                   {NULL, CALL_FINISH_OTHER}};

/* A string, or an array of {"type":"text","text":…} parts, which are joined. */
static struct str chat_text(const struct jnode *content, struct arena *a) {
    return jnode_type(content) == JNODE_ARRAY ? wire_join(content, "text", "thought", a)
                                              : jnode_str(content);
}

static struct call_usage chat_usage(const struct jnode *usage) {
    const struct jnode *in = jnode_get(usage, "prompt_tokens_details");
    const struct jnode *out = jnode_get(usage, "completion_tokens_details");
    return (struct call_usage){
        .input_tokens = wire_tokens(usage, "prompt_tokens", -1),
        .cached_tokens =
            wire_tokens(in, "cached_tokens", wire_tokens(usage, "prompt_cache_hit_tokens", 0)),
        .cache_write_tokens = wire_tokens(in, "cache_write_tokens", 0),
        .output_tokens = wire_tokens(usage, "completion_tokens", -1),
        .reasoning_tokens = wire_tokens(out, "reasoning_tokens", 0)};
}

static void chat_used(const struct jnode *usage, struct call_answer *ret) {
    ret->usage = chat_usage(usage);
}

/* Endings that are the server's trouble: OpenRouter's, DeepSeek's. */
static bool chat_is_server_trouble(struct str finish) {
    return str_eq(finish, S("error")) || str_eq(finish, S("insufficient_system_resource"));
}

static void chat_answer(const struct jnode *doc, struct arena *a, struct wire_result *ret) {
    const struct jnode *choice = jnode_at(jnode_get(doc, "choices"), 0);
    const struct jnode *message = jnode_get(choice, "message");
    struct str finish = jnode_get_str(choice, "finish_reason");
    struct str refusal = jnode_get_str(message, "refusal");
    if (jnode_type(message) != JNODE_OBJECT) {
        ret->err = errinfo_set(&ret->detail, ERR_PROTOCOL, "the answer has no choices[0].message");
        return;
    }
    if (chat_is_server_trouble(finish)) {
        ret->err = errinfo_set(&ret->detail, ERR_UNAVAILABLE,
                               "the answer ended with finish_reason %.*s", STR_ARG(finish));
        return;
    }
    ret->answer = (struct call_answer){
        .text = refusal.n > 0 ? refusal : chat_text(jnode_get(message, "content"), a),
        .finish = refusal.n > 0 ? CALL_FINISH_REFUSAL : wire_finish_of(chat_finishes, finish),
        .usage = chat_usage(jnode_get(doc, "usage")),
        .cost_nusd = MONEY_UNKNOWN,
        .model_id = jnode_get_str(doc, "model")};
}

static void chat_event(struct wire_stream *s, const struct jnode *data) {
    const struct jnode *choice = jnode_at(jnode_get(data, "choices"), 0);
    const struct jnode *delta = jnode_get(choice, "delta"), *usage = jnode_get(data, "usage");
    struct str finish = jnode_get_str(choice, "finish_reason");
    struct str refusal = jnode_get_str(delta, "refusal");
    wire_stream_name(s, jnode_get_str(data, "model"), jnode_get_str(data, "id"));
    wire_stream_thought(s, jnode_get_str(delta, "reasoning_content"));
    wire_stream_thought(s, jnode_get_str(delta, "reasoning"));
    wire_stream_add(s, chat_text(jnode_get(delta, "content"), &s->scratch));
    if (refusal.n > 0) {
        wire_stream_refuse(s, refusal);
    }
    if (jnode_type(usage) == JNODE_OBJECT) {
        s->usage = chat_usage(usage);
    }
    if (chat_is_server_trouble(finish)) {
        wire_stream_fail(s, ERR_UNAVAILABLE, "the answer ended with finish_reason %.*s",
                         STR_ARG(finish));
    } else if (finish.n > 0) {
        wire_stream_finish(s, wire_finish_of(chat_finishes, finish));
    }
}

static const char *const chat_headers[] = {"Content-Type: application/json", NULL};

const struct wire wire_openai_chat = {.type = "openai-chat",
                                      .limit_rule = LIMIT_AT_ADMISSION,
                                      .headers = chat_headers,
                                      .url = chat_url,
                                      .models_url = chat_models_url,
                                      .auth = wire_bearer,
                                      .body = chat_body,
                                      .answer = chat_answer,
                                      .usage_key = "usage",
                                      .usage = chat_used,
                                      .event = chat_event,
                                      .batches = &batch_openai_chat};
