#include "sim/trouble.h"

#include "json/write.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct wording {
    int status;
    const char *type, *code; /* code: OpenAI's alone */
};

static const struct wording wordings[TROUBLE_COUNT][DIALECT_COUNT] = {
#define X(name, os, ot, oc, as, at, gs, gt)                                                        \
    [TROUBLE_##name] = {{os, ot, oc}, {as, at, NULL}, {gs, gt, NULL}},
    TROUBLE_TABLE(X)
#undef X
};

bool sim_error_set(struct sim_error *e, enum trouble what, const char *param, const char *code,
                   const char *fmt, ...) {
    va_list args;
    *e = (struct sim_error){.what = what, .param = param, .code = code};
    va_start(args, fmt);
    (void)vsnprintf(e->message, sizeof e->message, fmt, args);
    va_end(args);
    return false;
}

int sim_error_status(const struct sim_error *e, enum dialect d) {
    return e->status != 0 ? e->status : wordings[e->what][d].status;
}

static void trouble_openai(const struct sim_error *e, struct jwrite *w) {
    const struct wording *as = &wordings[e->what][DIALECT_OPENAI];
    jwrite_key(w, "error");
    jwrite_object(w);
    jwrite_key(w, "message");
    jwrite_cstr(w, e->message);
    jwrite_key(w, "type");
    jwrite_cstr(w, as->type);
    jwrite_key(w, "param");
    jwrite_cstr(w, e->param);
    jwrite_key(w, "code");
    jwrite_cstr(w, e->code != NULL ? e->code : as->code);
    jwrite_end(w);
}

static void trouble_anthropic(const struct sim_error *e, const char *request_id, struct jwrite *w) {
    jwrite_key(w, "type");
    jwrite_cstr(w, "error");
    jwrite_key(w, "error");
    jwrite_object(w);
    jwrite_key(w, "type");
    jwrite_cstr(w, wordings[e->what][DIALECT_ANTHROPIC].type);
    jwrite_key(w, "message");
    jwrite_cstr(w, e->message);
    jwrite_end(w);
    jwrite_key(w, "request_id");
    jwrite_cstr(w, request_id);
}

/* What Gemini calls its quotas. */
static const struct quota_words {
    const char *id, *metric;
} quota_words[TROUBLE_COUNT] = {
    [TROUBLE_REQUESTS] = {"GenerateRequestsPerMinutePerProjectPerModel",
                          "generativelanguage.googleapis.com/generate_requests_per_model"},
    [TROUBLE_TOKENS] = {"GenerateContentInputTokensPerModelPerMinute",
                        "generativelanguage.googleapis.com/"
                        "generate_content_paid_tier_input_token_count"},
    [TROUBLE_DAY] = {"GenerateRequestsPerDayPerProjectPerModel",
                     "generativelanguage.googleapis.com/generate_requests_per_model_per_day"},
};

/* "violations":[{"quotaMetric":…,"quotaId":…,"quotaDimensions":{…},"quotaValue":"500"}]; what was
 * refused for no limit has no value. */
static void trouble_gemini_violation(const struct sim_error *e, struct jwrite *w) {
    char value[24];
    jwrite_object(w);
    jwrite_key(w, "quotaMetric");
    jwrite_cstr(w, quota_words[e->what].metric);
    jwrite_key(w, "quotaId");
    jwrite_cstr(w, quota_words[e->what].id);
    if (e->limit > 0) {
        (void)snprintf(value, sizeof value, "%" PRId64, e->limit);
        jwrite_key(w, "quotaDimensions");
        jwrite_object(w);
        jwrite_key(w, "location");
        jwrite_cstr(w, "global");
        jwrite_key(w, "model");
        jwrite_cstr(w, e->model);
        jwrite_end(w);
        jwrite_key(w, "quotaValue");
        jwrite_cstr(w, value);
    }
    jwrite_end(w);
}

static void trouble_gemini_details(const struct sim_error *e, struct jwrite *w) {
    char delay[40];
    jwrite_array(w);
    if (quota_words[e->what].id != NULL) {
        jwrite_object(w);
        jwrite_key(w, "@type");
        jwrite_cstr(w, "type.googleapis.com/google.rpc.QuotaFailure");
        jwrite_key(w, "violations");
        jwrite_array(w);
        trouble_gemini_violation(e, w);
        jwrite_end(w);
        jwrite_end(w);
    }
    if (e->what == TROUBLE_BAD_KEY) {
        jwrite_raw(w, S("{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":"
                        "\"API_KEY_INVALID\",\"domain\":\"googleapis.com\"}"));
    }
    if (e->wait_ms > 0) {
        (void)snprintf(delay, sizeof delay, "%.3fs", (double)e->wait_ms / 1000);
        jwrite_object(w);
        jwrite_key(w, "@type");
        jwrite_cstr(w, "type.googleapis.com/google.rpc.RetryInfo");
        jwrite_key(w, "retryDelay");
        jwrite_cstr(w, delay);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void trouble_gemini(const struct sim_error *e, struct jwrite *w) {
    jwrite_key(w, "error");
    jwrite_object(w);
    jwrite_key(w, "code");
    jwrite_int(w, sim_error_status(e, DIALECT_GEMINI));
    jwrite_key(w, "message");
    jwrite_cstr(w, e->message);
    jwrite_key(w, "status");
    jwrite_cstr(w, wordings[e->what][DIALECT_GEMINI].type);
    if (quota_words[e->what].id != NULL || e->what == TROUBLE_BAD_KEY || e->wait_ms > 0) {
        jwrite_key(w, "details");
        trouble_gemini_details(e, w);
    }
    jwrite_end(w);
}

void sim_error_write(const struct sim_error *e, enum dialect d, const char *request_id,
                     struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    if (d == DIALECT_OPENAI) {
        trouble_openai(e, &w);
    } else if (d == DIALECT_ANTHROPIC) {
        trouble_anthropic(e, request_id, &w);
    } else {
        trouble_gemini(e, &w);
    }
    jwrite_end(&w);
}
