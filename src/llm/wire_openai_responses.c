/* OpenAI Responses, and Perplexity's Agent API, which has the same shape but for how a schema is
 * asked for, and tells what a call cost. */
#include "llm/batch_wire.h"
#include "llm/stream.h"

#include <math.h>
#include <string.h>

#define RESPONSES_OUTPUT_MIN 16 /* a smaller max_output_tokens is refused */

static struct str responses_url(const struct llm_provider *p, struct str model, bool stream,
                                struct arena *a) {
    (void)model, (void)stream;
    return wire_versioned_url(p->base_url, "/v1", "/responses", a);
}

static struct str responses_models_url(const struct llm_provider *p, struct arena *a) {
    return wire_versioned_url(p->base_url, "/v1", "/models", a);
}

/* --- requests -------------------------------------------------------------------------------- */

static void responses_input(const struct call_spec *spec, struct jwrite *w) {
    jwrite_key(w, "input");
    jwrite_array(w);
    for (size_t i = 0; i < spec->messages_n; i++) {
        const struct call_message *m = &spec->messages[i];
        if (m->author == CALL_SYSTEM) {
            continue;
        }
        jwrite_object(w);
        jwrite_key(w, "type");
        jwrite_cstr(w, "message");
        jwrite_key(w, "role");
        jwrite_cstr(w, m->author == CALL_USER ? "user" : "assistant");
        jwrite_key(w, "content");
        jwrite_str(w, m->text);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void responses_instructions(const struct call_spec *spec, struct jwrite *w) {
    struct sbuf joined;
    sbuf_init(&joined, WIRE_TEXT_BYTES_MAX);
    struct str system = wire_system_text(spec, &joined);
    if (system.n > 0) {
        jwrite_key(w, "instructions");
        jwrite_str(w, system);
    }
    sbuf_release(&joined);
}

/* What both begin with. */
static void responses_begin(const struct wire_ask *ask, struct str model, struct jwrite *w) {
    const char *effort = wire_effort(ask);
    jwrite_key(w, "model");
    jwrite_str(w, model);
    responses_instructions(ask->spec, w);
    responses_input(ask->spec, w);
    jwrite_key(w, "max_output_tokens");
    jwrite_int(w, MAX(ask->output_tokens_max, RESPONSES_OUTPUT_MIN));
    if (effort != NULL) {
        jwrite_key(w, "reasoning");
        jwrite_object(w);
        jwrite_key(w, "effort");
        jwrite_cstr(w, effort);
        jwrite_end(w);
    }
    wire_write_sampling(ask, "temperature", "top_p", w);
    if (ask->stream) {
        jwrite_key(w, "stream");
        jwrite_bool(w, true);
    }
}

/* The members of a format: {"type":"json_schema","name","strict","schema"}, or any JSON object. */
static void responses_text_format(const struct wire_ask *ask, struct jwrite *w) {
    bool any_object = (ask->quirks & WIRE_NO_SCHEMA) != 0;
    jwrite_key(w, "type");
    jwrite_cstr(w, any_object ? "json_object" : "json_schema");
    if (!any_object) {
        jwrite_key(w, "name");
        jwrite_cstr(w, ask->spec->schema->name);
        jwrite_key(w, "strict");
        jwrite_bool(w, true);
        jwrite_key(w, "schema");
        jwrite_raw(w, ask->spec->schema->json);
    }
}

static void responses_body(const struct wire_ask *ask, struct jwrite *w) {
    responses_begin(ask, ask->model, w);
    jwrite_key(w, "store"); /* it is kept for thirty days otherwise */
    jwrite_bool(w, false);
    if (ask->spec->schema != NULL && (ask->quirks & WIRE_NO_JSON_OBJECT) == 0) {
        jwrite_key(w, "text");
        jwrite_object(w);
        jwrite_key(w, "format");
        jwrite_object(w);
        responses_text_format(ask, w);
        jwrite_end(w);
        jwrite_end(w);
    }
}

/* The Agent API calls models by their maker, too: "perplexity/sonar" where people say sonar. */
static void perplexity_begin(const struct wire_ask *ask, struct jwrite *w) {
    struct sbuf model;
    sbuf_init(&model, WIRE_TEXT_BYTES_MAX);
    bool has_maker = str_find_char(ask->model, '/') != STR_NPOS;
    sbuf_addf(&model, "%s%.*s", has_maker ? "" : "perplexity/", STR_ARG(ask->model));
    responses_begin(ask, sbuf_str(&model), w);
    sbuf_release(&model);
}

static void perplexity_body(const struct wire_ask *ask, struct jwrite *w) {
    perplexity_begin(ask, w);
    if (ask->spec->schema == NULL || (ask->quirks & WIRE_NO_SCHEMA) != 0) {
        return; /* it knows no json_object */
    }
    jwrite_key(w, "response_format");
    jwrite_object(w);
    jwrite_key(w, "type");
    jwrite_cstr(w, "json_schema");
    jwrite_key(w, "json_schema");
    jwrite_object(w);
    jwrite_key(w, "name");
    jwrite_cstr(w, ask->spec->schema->name);
    jwrite_key(w, "schema");
    jwrite_raw(w, ask->spec->schema->json);
    jwrite_end(w);
    jwrite_end(w);
}

/* --- answers --------------------------------------------------------------------------------- */

static const struct wire_finish responses_reasons[] = {{"max_output_tokens", CALL_FINISH_LENGTH},
                                                       {"content_filter", CALL_FINISH_REFUSAL},
                                                       {NULL, CALL_FINISH_OTHER}};

/* The text of all messages, or with @key "refusal" what they refuse with: @to gets it unless it is
 * NULL; returns its length. */
static size_t responses_copy_text(const struct jnode *output, const char *key, char *to) {
    size_t n = 0;
    for (size_t i = 0; i < jnode_len(output); i++) {
        const struct jnode *item = jnode_at(output, i), *content = jnode_get(item, "content");
        if (!str_eq(jnode_get_str(item, "type"), S("message"))) {
            continue; /* reasoning, search results */
        }
        for (size_t j = 0; j < jnode_len(content); j++) {
            struct str part = jnode_get_str(jnode_at(content, j), key);
            if (to != NULL && part.n > 0) {
                memcpy(to + n, part.p, part.n);
            }
            n += part.n;
        }
    }
    return n;
}

static struct str responses_text(const struct jnode *output, const char *key, struct arena *a) {
    size_t n = responses_copy_text(output, key, NULL);
    char *text = ARENA_ARRAY(a, char, n + 1);
    (void)responses_copy_text(output, key, text);
    return (struct str){text, n};
}

static struct call_usage responses_usage(const struct jnode *usage) {
    const struct jnode *in = jnode_get(usage, "input_tokens_details");
    const struct jnode *out = jnode_get(usage, "output_tokens_details");
    return (struct call_usage){
        .input_tokens = wire_tokens(usage, "input_tokens", -1),
        .cached_tokens =
            wire_tokens(in, "cached_tokens", wire_tokens(in, "cache_read_input_tokens", 0)),
        .cache_write_tokens = wire_tokens(in, "cache_write_tokens",
                                          wire_tokens(in, "cache_creation_input_tokens", 0)),
        .output_tokens = wire_tokens(usage, "output_tokens", -1),
        .reasoning_tokens = wire_tokens(out, "reasoning_tokens", 0)};
}

/* Perplexity: {"cost":{"currency":"USD","total_cost":0.0123}}. */
static int64_t responses_cost(const struct jnode *usage) {
    const struct jnode *cost = jnode_get(usage, "cost");
    double usd = jnode_real(jnode_get(cost, "total_cost"), -1);
    bool told = usd >= 0 && usd < 1e6 && str_eq(jnode_get_str(cost, "currency"), S("USD"));
    return told ? llround(usd * (double)NUSD_PER_USD) : MONEY_UNKNOWN;
}

static void responses_used(const struct jnode *usage, struct call_answer *ret) {
    ret->usage = responses_usage(usage);
    ret->cost_nusd = responses_cost(usage);
}

static void responses_answer(const struct jnode *doc, struct arena *a, struct wire_result *ret) {
    const struct jnode *output = jnode_get(doc, "output"), *usage = jnode_get(doc, "usage");
    struct str status = jnode_get_str(doc, "status");
    bool whole = str_eq(status, S("completed")), cut = str_eq(status, S("incomplete"));
    if (jnode_type(output) != JNODE_ARRAY || (!whole && !cut)) {
        ret->err = errinfo_set(&ret->detail, whole || cut ? ERR_PROTOCOL : ERR_UNAVAILABLE,
                               "the answer has no output; its status is '%.*s'",
                               STR_ARG(str_take_utf8(status, 40)));
        return;
    }
    struct str reason = jnode_get_str(jnode_get(doc, "incomplete_details"), "reason");
    struct str refusal = responses_text(output, "refusal", a);
    ret->answer =
        (struct call_answer){.text = refusal.n > 0 ? refusal : responses_text(output, "text", a),
                             .finish = refusal.n > 0 ? CALL_FINISH_REFUSAL
                                       : whole       ? CALL_FINISH_STOP
                                                     : wire_finish_of(responses_reasons, reason),
                             .usage = responses_usage(usage),
                             .cost_nusd = responses_cost(usage),
                             .model_id = jnode_get_str(doc, "model")};
}

static void responses_event(struct wire_stream *s, const struct jnode *data) {
    struct str type = jnode_get_str(data, "type"), delta = jnode_get_str(data, "delta");
    const struct jnode *response = jnode_get(data, "response");
    if (str_eq(type, S("response.output_text.delta"))) {
        wire_stream_add(s, delta);
    } else if (str_eq(type, S("response.refusal.delta"))) {
        wire_stream_refuse(s, delta);
    } else if (str_starts(type, S("response.reasoning"))) {
        wire_stream_thought(s, delta);
    } else if (str_eq(type, S("response.completed")) || str_eq(type, S("response.incomplete"))) {
        wire_stream_answer(s, response);
    } else if (str_eq(type, S("response.failed"))) {
        wire_stream_error(s, response);
    }
}

static const char *const responses_headers[] = {"Content-Type: application/json", NULL};

const struct wire wire_openai_responses = {.type = "openai-responses",
                                           .limit_rule = LIMIT_AT_ADMISSION,
                                           .headers = responses_headers,
                                           .url = responses_url,
                                           .models_url = responses_models_url,
                                           .auth = wire_bearer,
                                           .body = responses_body,
                                           .answer = responses_answer,
                                           .usage_key = "usage",
                                           .usage = responses_used,
                                           .event = responses_event,
                                           .batches = &batch_openai_responses};

const struct wire wire_perplexity = {.type = "perplexity",
                                     .limit_rule = LIMIT_AS_PRODUCED,
                                     .headers = responses_headers,
                                     .url = responses_url,
                                     .models_url = responses_models_url,
                                     .auth = wire_bearer,
                                     .body = perplexity_body,
                                     .answer = responses_answer,
                                     .usage_key = "usage",
                                     .usage = responses_used,
                                     .event = responses_event};
