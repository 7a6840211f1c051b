/* Gemini generateContent. Its stream is a row of answers in the same form, each with a piece of the
 * text; there is no event at its end, the last piece tells the reason. */
#include "llm/stream.h"

#include <string.h>

static bool gemini_is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~/@:", c) != NULL;
}

/* A model's name as a part of a path. */
static struct str gemini_escaped(struct str model, struct arena *a) {
    char *text = ARENA_ARRAY(a, char, model.n * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < model.n; i++) {
        if (model.p[i] != '\0' && gemini_is_plain(model.p[i])) {
            text[n++] = model.p[i];
        } else {
            static const char hex[] = "0123456789ABCDEF";
            text[n++] = '%';
            text[n++] = hex[(unsigned char)model.p[i] >> 4];
            text[n++] = hex[(unsigned char)model.p[i] & 15];
        }
    }
    return (struct str){text, n};
}

static struct str gemini_url(const struct llm_provider *p, struct str model, bool stream,
                             struct arena *a) {
    bool whole = str_find_char(model, '/') != STR_NPOS; /* "tunedModels/…" */
    struct str path =
        str_fmt(a, "/%s%.*s:%s", whole ? "" : "models/", STR_ARG(gemini_escaped(model, a)),
                stream ? "streamGenerateContent?alt=sse" : "generateContent");
    return wire_versioned_url(p->base_url, "/v1beta", path.p, a);
}

static struct str gemini_models_url(const struct llm_provider *p, struct arena *a) {
    return wire_versioned_url(p->base_url, "/v1beta", "/models?pageSize=1000", a);
}

static const char *gemini_auth(const struct llm_key *key, struct arena *a) {
    return key->bearer ? wire_bearer(key, a) : str_fmt(a, "x-goog-api-key: %s", key->value).p;
}

/* --- requests -------------------------------------------------------------------------------- */

static void gemini_parts(struct str text, struct jwrite *w) {
    jwrite_key(w, "parts");
    jwrite_array(w);
    jwrite_object(w);
    jwrite_key(w, "text");
    jwrite_str(w, text);
    jwrite_end(w);
    jwrite_end(w);
}

static void gemini_contents(const struct call_spec *spec, struct jwrite *w) {
    jwrite_key(w, "contents");
    jwrite_array(w);
    for (size_t i = 0; i < spec->messages_n; i++) {
        const struct call_message *m = &spec->messages[i];
        if (m->author == CALL_SYSTEM) {
            continue;
        }
        jwrite_object(w);
        jwrite_key(w, "role");
        jwrite_cstr(w, m->author == CALL_USER ? "user" : "model");
        gemini_parts(m->text, w);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void gemini_system(const struct call_spec *spec, struct jwrite *w) {
    struct sbuf joined;
    sbuf_init(&joined, WIRE_TEXT_BYTES_MAX);
    struct str system = wire_system_text(spec, &joined);
    if (system.n > 0) {
        jwrite_key(w, "systemInstruction");
        jwrite_object(w);
        gemini_parts(system, w);
        jwrite_end(w);
    }
    sbuf_release(&joined);
}

/* What an effort is called, and how many tokens it is for models that know numbers only (as Google
 * has it for its OpenAI-compatible API). */
static const struct gemini_effort {
    const char *name, *level;
    int64_t tokens;
} gemini_efforts[] = {
    {"none", NULL, 0},          {"minimal", "MINIMAL", 1024}, {"low", "LOW", 1024},
    {"medium", "MEDIUM", 8192}, {"high", "HIGH", 24576},      {"xhigh", "HIGH", 24576},
    {"max", "HIGH", 24576},
};

static const struct gemini_effort *gemini_effort(const struct wire_ask *ask) {
    const char *name = wire_effort(ask);
    for (size_t i = 0; name != NULL && i < ARRAY_LEN(gemini_efforts); i++) {
        if (strcmp(name, gemini_efforts[i].name) == 0) {
            return &gemini_efforts[i];
        }
    }
    return NULL;
}

/* A budget goes before a level; 0 turns thinking off. */
static void gemini_thinking(const struct wire_ask *ask, struct jwrite *w) {
    const struct gemini_effort *effort = gemini_effort(ask);
    const char *level = effort != NULL ? effort->level : NULL;
    int64_t budget = wire_budget(ask);
    if (effort == NULL && budget <= 0) {
        return;
    }
    if (budget <= 0 && level != NULL && str_starts(ask->model, S("gemini-2."))) {
        budget = wire_thinkable(ask, effort->tokens);
    }
    jwrite_key(w, "thinkingConfig");
    jwrite_object(w);
    if (budget > 0 || level == NULL) {
        jwrite_key(w, "thinkingBudget");
        jwrite_int(w, budget);
    } else {
        jwrite_key(w, "thinkingLevel");
        jwrite_cstr(w, level);
    }
    jwrite_end(w);
}

static void gemini_body(const struct wire_ask *ask, struct jwrite *w) {
    gemini_system(ask->spec, w);
    gemini_contents(ask->spec, w);
    jwrite_key(w, "generationConfig");
    jwrite_object(w);
    jwrite_key(w, "maxOutputTokens");
    jwrite_int(w, ask->output_tokens_max);
    wire_write_sampling(ask, "temperature", "topP", w);
    if (ask->spec->schema != NULL && (ask->quirks & WIRE_NO_JSON_OBJECT) == 0) {
        jwrite_key(w, "responseMimeType");
        jwrite_cstr(w, "application/json");
        if ((ask->quirks & WIRE_NO_SCHEMA) == 0) {
            jwrite_key(w, "responseJsonSchema");
            jwrite_raw(w, ask->spec->schema->json);
        }
    }
    gemini_thinking(ask, w);
    jwrite_end(w);
}

/* --- answers --------------------------------------------------------------------------------- */

static const struct wire_finish gemini_finishes[] = {
    {"STOP", CALL_FINISH_STOP},         {"MAX_TOKENS", CALL_FINISH_LENGTH},
    {"SAFETY", CALL_FINISH_REFUSAL},    {"RECITATION", CALL_FINISH_REFUSAL},
    {"BLOCKLIST", CALL_FINISH_REFUSAL}, {"PROHIBITED_CONTENT", CALL_FINISH_REFUSAL},
    {"SPII", CALL_FINISH_REFUSAL},      {NULL, CALL_FINISH_OTHER}};

/* The output that is paid for includes the thoughts. */
static struct call_usage gemini_usage(const struct jnode *usage) {
    int64_t input = wire_tokens(usage, "promptTokenCount", -1);
    int64_t written = wire_tokens(usage, "candidatesTokenCount", -1);
    int64_t thought = wire_tokens(usage, "thoughtsTokenCount", 0);
    if (input >= 0 && written < 0) {
        written = 0; /* nothing but thoughts, or a prompt that was blocked */
    }
    return (struct call_usage){
        .input_tokens = input < 0 ? -1 : input + wire_tokens(usage, "toolUsePromptTokenCount", 0),
        .cached_tokens = wire_tokens(usage, "cachedContentTokenCount", 0),
        .output_tokens = written < 0 ? -1 : written + thought,
        .reasoning_tokens = thought};
}

static struct str gemini_text(const struct jnode *candidate, struct arena *a) {
    return wire_join(jnode_get(jnode_get(candidate, "content"), "parts"), "text", "thought", a);
}

/* Why the prompt was blocked; empty if it was not. */
static struct str gemini_block(const struct jnode *doc) {
    return jnode_get_str(jnode_get(doc, "promptFeedback"), "blockReason");
}

static void gemini_answer(const struct jnode *doc, struct arena *a, struct wire_result *ret) {
    const struct jnode *candidate = jnode_at(jnode_get(doc, "candidates"), 0);
    struct str block = gemini_block(doc), reason = jnode_get_str(candidate, "finishReason");
    if (candidate == NULL && block.n == 0) {
        ret->err = errinfo_set(&ret->detail, ERR_PROTOCOL, "the answer has no candidates");
        return;
    }
    ret->answer = (struct call_answer){
        .text = candidate != NULL ? gemini_text(candidate, a) : block,
        .finish = candidate != NULL ? wire_finish_of(gemini_finishes, reason) : CALL_FINISH_REFUSAL,
        .usage = gemini_usage(jnode_get(doc, "usageMetadata")),
        .cost_nusd = MONEY_UNKNOWN,
        .model_id = jnode_get_str(doc, "modelVersion")};
}

static void gemini_used(const struct jnode *usage, struct call_answer *ret) {
    ret->usage = gemini_usage(usage);
}

static void gemini_event(struct wire_stream *s, const struct jnode *data) {
    const struct jnode *candidate = jnode_at(jnode_get(data, "candidates"), 0);
    const struct jnode *usage = jnode_get(data, "usageMetadata");
    struct str block = gemini_block(data), reason = jnode_get_str(candidate, "finishReason");
    wire_stream_name(s, jnode_get_str(data, "modelVersion"), jnode_get_str(data, "responseId"));
    wire_stream_add(s, gemini_text(candidate, &s->scratch));
    if (candidate != NULL && jnode_get(jnode_get(candidate, "content"), "parts") != NULL) {
        s->begun = true; /* be it a thought */
    }
    if (jnode_type(usage) == JNODE_OBJECT) {
        s->usage = gemini_usage(usage);
    }
    if (block.n > 0 && candidate == NULL) {
        wire_stream_refuse(s, block);
        wire_stream_finish(s, CALL_FINISH_REFUSAL);
    } else if (reason.n > 0) {
        wire_stream_finish(s, wire_finish_of(gemini_finishes, reason));
    }
}

static const char *const gemini_headers[] = {"Content-Type: application/json", NULL};

const struct wire wire_gemini = {.type = "gemini",
                                 .limit_rule = LIMIT_AS_PRODUCED,
                                 .headers = gemini_headers,
                                 .url = gemini_url,
                                 .models_url = gemini_models_url,
                                 .auth = gemini_auth,
                                 .body = gemini_body,
                                 .answer = gemini_answer,
                                 .usage_key = "usageMetadata",
                                 .usage = gemini_used,
                                 .event = gemini_event};
