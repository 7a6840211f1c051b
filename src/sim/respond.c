#include "sim/respond.h"

#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>

static void respond_message(const struct brain_reply *reply, struct str text, struct jwrite *w) {
    jwrite_object(w);
    jwrite_key(w, "role");
    jwrite_cstr(w, "assistant");
    jwrite_key(w, "content");
    if (reply->refused) {
        jwrite_null(w);
    } else {
        jwrite_str(w, text);
    }
    jwrite_key(w, "refusal");
    if (reply->refused) {
        jwrite_str(w, text);
    } else {
        jwrite_null(w);
    }
    jwrite_key(w, "annotations");
    jwrite_array(w);
    jwrite_end(w);
    jwrite_end(w);
}

static void respond_usage(const struct brain_reply *reply, struct jwrite *w) {
    jwrite_object(w);
    jwrite_key(w, "prompt_tokens");
    jwrite_int(w, reply->input_tokens);
    jwrite_key(w, "completion_tokens");
    jwrite_int(w, reply->output_tokens);
    jwrite_key(w, "total_tokens");
    jwrite_int(w, reply->input_tokens + reply->output_tokens);
    jwrite_key(w, "prompt_tokens_details");
    jwrite_raw(w, S("{\"cached_tokens\":0,\"audio_tokens\":0}"));
    jwrite_key(w, "completion_tokens_details");
    jwrite_raw(w, S("{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
                    "\"rejected_prediction_tokens\":0}"));
    jwrite_end(w);
}

void respond_completion(const struct brain_reply *reply, struct str model, struct str text,
                        int64_t created_s, struct sbuf *out) {
    char id[40];
    struct jwrite w;
    int n = snprintf(id, sizeof id, "chatcmpl-%016" PRIx64, reply->luck);
    jwrite_init(&w, out);
    jwrite_object(&w);
    jwrite_key(&w, "id");
    jwrite_str(&w, (struct str){id, (size_t)n});
    jwrite_key(&w, "object");
    jwrite_cstr(&w, "chat.completion");
    jwrite_key(&w, "created");
    jwrite_int(&w, created_s);
    jwrite_key(&w, "model");
    jwrite_str(&w, model);
    jwrite_key(&w, "choices");
    jwrite_array(&w);
    jwrite_object(&w);
    jwrite_key(&w, "index");
    jwrite_int(&w, 0);
    jwrite_key(&w, "message");
    respond_message(reply, text, &w);
    jwrite_key(&w, "logprobs");
    jwrite_null(&w);
    jwrite_key(&w, "finish_reason");
    jwrite_cstr(&w, reply->finish);
    jwrite_end(&w);
    jwrite_end(&w);
    jwrite_key(&w, "usage");
    respond_usage(reply, &w);
    jwrite_key(&w, "service_tier");
    jwrite_cstr(&w, "default");
    jwrite_key(&w, "system_fingerprint");
    jwrite_cstr(&w, "fp_sim");
    jwrite_end(&w);
}

static void respond_model_object(struct str name, int64_t created_s, struct jwrite *w) {
    jwrite_object(w);
    jwrite_key(w, "id");
    jwrite_str(w, name);
    jwrite_key(w, "object");
    jwrite_cstr(w, "model");
    jwrite_key(w, "created");
    jwrite_int(w, created_s);
    jwrite_key(w, "owned_by");
    jwrite_cstr(w, "stumper");
    jwrite_end(w);
}

void respond_models(int64_t created_s, struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    jwrite_key(&w, "object");
    jwrite_cstr(&w, "list");
    jwrite_key(&w, "data");
    jwrite_array(&w);
    for (int role = 0; role < ROLE_COUNT; role++) {
        respond_model_object(str_of(role_name((enum role)role)), created_s, &w);
    }
    jwrite_end(&w);
    jwrite_end(&w);
}

bool respond_model(struct str name, int64_t created_s, struct sbuf *out) {
    struct jwrite w;
    if (brain_role(name) == ROLE_COUNT) {
        return false;
    }
    jwrite_init(&w, out);
    respond_model_object(name, created_s, &w);
    return true;
}

struct sim_error respond_fault(enum fault fault, struct str model, int64_t wait_ms) {
    struct sim_error e;
    if (fault == FAULT_429) {
        (void)sim_error_set(&e, 429, "requests", NULL, "rate_limit_exceeded",
                            "Rate limit reached for %.*s in organization org-sim on requests per "
                            "min (RPM): Limit 10000, Used 10000, Requested 1. Please try again in "
                            "%" PRId64 "ms.",
                            STR_ARG(str_take(model, 60)), wait_ms);
    } else if (fault == FAULT_QUOTA) {
        (void)sim_error_set(&e, 429, "insufficient_quota", NULL, "insufficient_quota",
                            "You exceeded your current quota, please check your plan and billing "
                            "details.");
    } else if (fault == FAULT_503) {
        (void)sim_error_set(&e, 503, "service_unavailable_error", NULL, "server_is_overloaded",
                            "The server is currently overloaded. Please try again later.");
    } else {
        (void)sim_error_set(&e, 500, "server_error", NULL, NULL,
                            "The server had an error while processing your request. Sorry about "
                            "that!");
    }
    return e;
}

struct sim_error respond_over_limit(const struct limit_verdict *v, struct str model) {
    static const char *const of[] = {[LIMIT_REQUESTS] = "requests per min (RPM)",
                                     [LIMIT_TOKENS] = "tokens per min (TPM)",
                                     [LIMIT_OUTPUT] = "output tokens per min",
                                     [LIMIT_CONCURRENCY] = "concurrent requests",
                                     [LIMIT_DAY] = "requests per day (RPD)"};
    struct sim_error e;
    struct str name = str_take(model, 60);
    if (v->refused == LIMIT_SPEND) {
        return respond_fault(FAULT_QUOTA, model, 0);
    }
    (void)sim_error_set(&e, 429, v->refused == LIMIT_TOKENS ? "tokens" : "requests", NULL,
                        "rate_limit_exceeded",
                        "%s %.*s in organization org-sim on %s: Limit %" PRId64 ", Used %" PRId64
                        ", Requested %" PRId64 ".%s",
                        v->never ? "Request too large for" : "Rate limit reached for",
                        STR_ARG(name), of[v->refused], v->limit, v->used, v->requested,
                        v->never ? "" : " Please try again later.");
    return e;
}
