/* Gemini generateContent. The model and whether to stream stand in the path. Members it does not
 * know are refused, as there. */
#include "sim/format.h"

/* {"parts":[{"text":…}],"role":…} */
static void gemini_content_member(struct request_reader *r, struct str key) {
    if (str_eq(key, S("role"))) {
        r->message.role = request_str(r, "role");
    } else if (str_eq(key, S("parts"))) {
        r->message.content = request_text(r, "parts");
    } else {
        scan_skip(&r->scan);
    }
}

static void gemini_content(struct request_reader *r) {
    r->message = (struct sim_message){.role = S("user")};
    request_object(r, "contents", gemini_content_member);
    if (str_eq(r->message.role, S("model"))) {
        r->message.role = S("assistant");
    } else if (!str_eq(r->message.role, S("user"))) {
        REQUEST_REFUSE(r, NULL, NULL, "Please use a valid role: user, model.");
    }
    request_add(r, r->message);
}

static void gemini_system(struct request_reader *r) {
    r->message = (struct sim_message){0};
    request_object(r, "systemInstruction", gemini_content_member);
    r->system = r->message.content;
}

static void gemini_unknown(struct request_reader *r, struct str key, const char *const *known,
                           const char *where) {
    scan_skip(&r->scan);
    if (!request_is_one_of(key, known)) {
        REQUEST_REFUSE(r, NULL, NULL,
                       "Invalid JSON payload received. Unknown name \"%.*s\"%s: Cannot find field.",
                       STR_ARG(str_take(key, 60)), where);
    }
}

static void gemini_setting(struct request_reader *r, struct str key) {
    static const char *const known[] = {"audioTimestamp",
                                        "candidateCount",
                                        "enableEnhancedCivicAnswers",
                                        "frequencyPenalty",
                                        "logprobs",
                                        "mediaResolution",
                                        "presencePenalty",
                                        "responseLogprobs",
                                        "responseModalities",
                                        "responseJsonSchema",
                                        "responseSchema",
                                        "speechConfig",
                                        "stopSequences",
                                        "thinkingConfig",
                                        "topK",
                                        "response_schema",
                                        "response_json_schema",
                                        NULL};
    struct sim_request *q = r->request;
    if (str_eq(key, S("maxOutputTokens")) || str_eq(key, S("max_output_tokens"))) {
        q->output_tokens_max =
            request_int(r, "generation_config.max_output_tokens", 1, SIM_TOKENS_MAX);
    } else if (str_eq(key, S("seed"))) {
        q->seed = request_int(r, "generation_config.seed", -SIM_TOKENS_MAX, 0);
    } else if (str_eq(key, S("temperature")) || str_eq(key, S("topP"))) {
        request_sampling(r, 1);
    } else if (str_eq(key, S("responseMimeType")) || str_eq(key, S("response_mime_type"))) {
        if (str_eq(request_str(r, "generation_config.response_mime_type"), S("application/json"))) {
            q->form = SIM_FORM_JSON_OBJECT;
        }
    } else {
        r->schema_seen = r->schema_seen || str_eq(key, S("responseSchema")) ||
                         str_eq(key, S("responseJsonSchema"));
        gemini_unknown(r, key, known, " at 'generation_config'");
    }
}

static void gemini_member(struct request_reader *r, struct str key) {
    static const char *const known[] = {"cachedContent",  "labels",      "model",
                                        "safetySettings", "serviceTier", "store",
                                        "toolConfig",     "tools",       NULL};
    if (str_eq(key, S("contents"))) {
        request_array(r, "contents", gemini_content);
    } else if (str_eq(key, S("systemInstruction")) || str_eq(key, S("system_instruction"))) {
        gemini_system(r);
    } else if (str_eq(key, S("generationConfig")) || str_eq(key, S("generation_config"))) {
        request_object(r, "generation_config", gemini_setting);
    } else {
        gemini_unknown(r, key, known, "");
    }
}

static bool gemini_read(struct sbuf *body, struct sim_request *ret, struct sim_error *reterr) {
    struct request_reader r;
    if (!request_read(&r, body, gemini_member, ret, reterr)) {
        return false;
    }
    if (!r.messages_seen) {
        REQUEST_REFUSE(&r, NULL, NULL,
                       "* GenerateContentRequest.contents: contents is not specified");
    }
    if (r.schema_seen && ret->form == SIM_FORM_TEXT) {
        REQUEST_REFUSE(&r, NULL, NULL,
                       "Function calling or response schema with a response mime type: "
                       "'text/plain' is unsupported");
    }
    ret->form = r.schema_seen ? SIM_FORM_JSON_SCHEMA : ret->form;
    return !r.refused;
}

static void gemini_usage(const struct brain_reply *reply, struct jwrite *w) {
    jwrite_key(w, "usageMetadata");
    jwrite_object(w);
    format_int(w, "promptTokenCount", reply->input_tokens);
    if (reply->cached_tokens > 0) {
        format_int(w, "cachedContentTokenCount", reply->cached_tokens);
    }
    format_int(w, "candidatesTokenCount", reply->output_tokens - reply->reasoning_tokens);
    if (reply->reasoning_tokens > 0) {
        format_int(w, "thoughtsTokenCount", reply->reasoning_tokens);
    }
    format_int(w, "totalTokenCount", reply->input_tokens + reply->output_tokens);
    jwrite_end(w);
}

static const char *gemini_finish(const struct said *s) {
    return s->reply.refused ? "SAFETY" : s->reply.cut ? "MAX_TOKENS" : "STOP";
}

/* A GenerateContentResponse with @text; @done: the only or last one. */
static void gemini_object(const struct said *s, struct str text, bool done, struct jwrite *w) {
    jwrite_key(w, "candidates");
    jwrite_array(w);
    jwrite_object(w);
    jwrite_key(w, "content");
    jwrite_object(w);
    if (text.n > 0 && !s->reply.refused) { /* what is blocked is not shown */
        jwrite_key(w, "parts");
        jwrite_array(w);
        jwrite_object(w);
        jwrite_key(w, "text");
        jwrite_str(w, text);
        jwrite_end(w);
        jwrite_end(w);
    }
    format_str(w, "role", "model");
    jwrite_end(w);
    if (done) {
        format_str(w, "finishReason", gemini_finish(s));
    }
    format_int(w, "index", 0);
    jwrite_end(w);
    jwrite_end(w);
    if (done) {
        gemini_usage(&s->reply, w);
    }
    jwrite_key(w, "modelVersion");
    jwrite_str(w, s->model);
    format_id(w, "responseId", "", s);
}

static void gemini_whole(const struct said *s, struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    gemini_object(s, s->text, true, &w);
    jwrite_end(&w);
}

static void gemini_events(struct said *s, enum said_part part, struct str piece, struct sbuf *out) {
    struct jwrite w;
    if (part != SAID_BEGIN) { /* its streams begin with the first text */
        event_begin(NULL, &w, out);
        gemini_object(s, piece, part == SAID_END, &w);
        event_end(&w);
    }
}

static void gemini_failed(struct said *s, const struct sim_error *e, bool stream,
                          struct sbuf *out) {
    (void)s;
    event_error(e, DIALECT_GEMINI, NULL, stream, out);
}

const struct format format_gemini = {
    .dialect = DIALECT_GEMINI,
    .rule = QUOTA_RULE_INPUT,
    .read = gemini_read,
    .whole = gemini_whole,
    .events = gemini_events,
    .failed = gemini_failed,
};
