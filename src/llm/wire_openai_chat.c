/* OpenAI Chat Completions, and every server that speaks it. Facts: OpenAI's specification
 * (openai-openapi), its SDKs, and the documentation of compatible servers.
 *
 * What differs between servers is not configured but learned: a 400 that names a parameter sets a
 * quirk of that model and the request is built again (wire_result.learned).
 */
#include "base/clock.h"
#include "base/log.h"
#include "llm/wire.h"
#include "json/write.h"

#include <string.h>

#define CHAT_MESSAGE_BYTES_READ ((size_t)4096)
#define CHAT_MESSAGE_BYTES_SHOWN ((size_t)200)
#define CHAT_TOKENS_MAX 100000000 /* far above any context window; sums of it stay small */

static struct str chat_url(const struct llm_provider *p, struct str model, struct arena *a) {
    (void)model;
    return str_fmt(a, "%s/chat/completions", p->base_url);
}

static const char *chat_auth(const struct llm_key *key, struct arena *a) {
    return str_fmt(a, "Authorization: Bearer %s", key->value).p;
}

static void chat_response_format(const struct call_spec *spec, const struct wire_quirks *q,
                                 struct jwrite *w) {
    if (spec->schema == NULL || (q->no_schema && q->no_json_object)) {
        return;
    }
    jwrite_key(w, "response_format");
    jwrite_object(w);
    jwrite_key(w, "type");
    jwrite_cstr(w, q->no_schema ? "json_object" : "json_schema");
    if (!q->no_schema) {
        jwrite_key(w, "json_schema");
        jwrite_object(w);
        jwrite_key(w, "name");
        jwrite_cstr(w, spec->schema->name);
        jwrite_key(w, "strict");
        jwrite_bool(w, true);
        jwrite_key(w, "schema");
        jwrite_raw(w, spec->schema->json);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void chat_body(const struct call_spec *spec, struct str model, const struct wire_quirks *q,
                      struct sbuf *ret) {
    static const char *const roles[] = {
        [CALL_SYSTEM] = "system", [CALL_USER] = "user", [CALL_ASSISTANT] = "assistant"};
    struct jwrite w;
    jwrite_init(&w, ret);
    jwrite_object(&w);
    jwrite_key(&w, "model");
    jwrite_str(&w, model);
    jwrite_key(&w, "messages");
    jwrite_array(&w);
    for (size_t i = 0; i < spec->messages_n; i++) {
        const struct call_message *m = &spec->messages[i];
        jwrite_object(&w);
        jwrite_key(&w, "role");
        jwrite_cstr(&w, m->author == CALL_SYSTEM && q->no_system ? "developer" : roles[m->author]);
        jwrite_key(&w, "content");
        jwrite_str(&w, m->text);
        jwrite_end(&w);
    }
    jwrite_end(&w);
    jwrite_key(&w, q->legacy_max_tokens ? "max_tokens" : "max_completion_tokens");
    jwrite_int(&w, spec->output_tokens_max);
    chat_response_format(spec, q, &w);
    jwrite_end(&w);
}

/* --- errors ---------------------------------------------------------------------------------- */

struct chat_error {
    struct str message, code, type, param;
};

/* OpenAI's {"error":{…}}, also with a number as code (OpenRouter), a string as error (Ollama) or in
 * an array (Gemini). */
static struct chat_error chat_error_of(const struct jnode *doc, struct str text, struct arena *a) {
    const struct jnode *body = jnode_type(doc) == JNODE_ARRAY ? jnode_at(doc, 0) : doc;
    const struct jnode *e = jnode_get(body, "error");
    if (jnode_type(e) == JNODE_STRING) {
        return (struct chat_error){.message = jnode_str(e)};
    }
    struct chat_error error = {.message = jnode_get_str(e, "message"),
                               .code = jnode_get_str(e, "code"),
                               .type = jnode_get_str(e, "type"),
                               .param = jnode_get_str(e, "param")};
    if (jnode_type(jnode_get(e, "code")) == JNODE_INT) {
        error.code = str_fmt(a, "%lld", (long long)jnode_get_int(e, "code", 0));
    }
    if (error.message.n == 0) {
        error.message = jnode_get_str(body, "message"); /* some gateways */
    }
    if (error.message.n == 0) {
        error.message = str_trim(text); /* no JSON, or of a shape of its own (FastAPI, Mistral) */
    }
    return error;
}

/* A 429 that waiting does not mend. */
static bool chat_is_out_of_quota(const struct chat_error *e) {
    static const char *const codes[] = {"insufficient_quota",
                                        "credit_balance_exhausted",
                                        "organization_usage_limit_exceeded",
                                        "organization_spend_limit_exceeded",
                                        "project_spend_limit_exceeded",
                                        "billing_hard_limit_reached",
                                        "enforced_spend_limit_reached"};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (str_eq(e->code, str_of(codes[i])) || str_eq(e->type, str_of(codes[i]))) {
            return true;
        }
    }
    return false;
}

static enum err chat_classify_status(int status, const struct chat_error *e) {
    switch (status) {
    case 401:
    case 403:
        return ERR_AUTH;
    case 402:
        return ERR_QUOTA;
    case 404:
        return ERR_NOT_FOUND;
    case 408:
    case 409:
        return ERR_UNAVAILABLE;
    case 429:
        return chat_is_out_of_quota(e) ? ERR_QUOTA : ERR_RATE_LIMIT;
    default:
        return status >= 500 ? ERR_UNAVAILABLE : ERR_REJECTED;
    }
}

/* An error inside a 200: the code may be an HTTP status (OpenRouter); otherwise it is the server's
 * own trouble. */
static int chat_status_of(int status, const struct chat_error *e) {
    int64_t code;
    if (status != 200) {
        return status;
    }
    return str_to_i64(e->code, &code) && code >= 400 && code < 600 ? (int)code : 500;
}

static bool chat_names(const struct chat_error *e, const char *parameter) {
    return str_find(e->param, str_of(parameter)) != STR_NPOS ||
           str_find(e->message, str_of(parameter)) != STR_NPOS;
}

/* Is the parameter refused as such, and not its value ("max_tokens is too large")? */
static bool chat_says_unknown(const struct chat_error *e) {
    static const char *const words[] = {"nsupported",    "not support", "nrecognized",
                                        "nknown",        "nexpected",   "xtra ",
                                        "not permitted", "not allowed", "extra_forbidden"};
    bool found = str_eq(e->code, S("unsupported_parameter"));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        found = found || str_find(e->message, str_of(words[i])) != STR_NPOS;
    }
    return found;
}

/* The cap is asked for under the other name, once: a server that takes neither must not make us
 * turn for ever. */
static bool chat_learn_max_tokens(const struct chat_error *e, const struct wire_quirks *asked,
                                  struct wire_quirks *known) {
    const char *sent = asked->legacy_max_tokens ? "max_tokens" : "max_completion_tokens";
    bool about_it = e->param.n > 0 ? str_ends(e->param, str_of(sent)) : chat_names(e, sent);
    if (!about_it || asked->learned_max_tokens || !chat_says_unknown(e)) {
        return false;
    }
    known->learned_max_tokens = true;
    known->legacy_max_tokens = !asked->legacy_max_tokens;
    return true;
}

static bool chat_learn_format(const struct chat_error *e, const struct wire_quirks *asked,
                              struct wire_quirks *known) {
    static const char *const names[] = {"response_format", "json_schema", "json_object",
                                        "additionalProperties"};
    bool about_it = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        about_it = about_it || chat_names(e, names[i]);
    }
    if (!about_it || asked->no_json_object) {
        return false;
    }
    known->no_json_object = known->no_json_object || asked->no_schema;
    known->no_schema = true;
    return true;
}

/* Does this 400 tell how to ask? Measured by what was asked, not by what was learned meanwhile. */
static bool chat_learn(const struct chat_error *e, const struct wire_quirks *asked,
                       struct wire_quirks *known) {
    if (chat_learn_max_tokens(e, asked, known) || chat_learn_format(e, asked, known)) {
        return true;
    }
    if (!asked->no_system && chat_names(e, "'system'")) {
        known->no_system = true;
        return true;
    }
    return false;
}

/* A provider's words, fit to be shown: a key that it repeats is taken out before the text is cut,
 * so that no half of it stays. */
static struct str chat_shown(struct str message, struct arena *a) {
    char *copy = ARENA_ARRAY(a, char, MIN(message.n, CHAT_MESSAGE_BYTES_READ) + 1);
    size_t n = 0;
    for (; n < message.n && n < CHAT_MESSAGE_BYTES_READ; n++) {
        copy[n] = (unsigned char)message.p[n] < ' ' ? ' ' : message.p[n];
    }
    log_redact(copy);
    return str_take_utf8((struct str){copy, n}, CHAT_MESSAGE_BYTES_SHOWN);
}

static void chat_read_error(const struct http_reply *reply, const struct jnode *doc,
                            const struct wire_quirks *asked, struct wire_quirks *known,
                            struct arena *a, struct wire_result *ret) {
    struct chat_error error = chat_error_of(doc, reply->body, a);
    int status = chat_status_of(reply->status, &error);
    struct str should_retry = http_reply_header(reply, S("x-should-retry"));
    struct str shown = chat_shown(error.message, a);
    ret->err = chat_classify_status(status, &error);
    if (str_eq(should_retry, S("true")) && err_class(ret->err) == ERR_CLASS_PERMANENT) {
        ret->err = ERR_UNAVAILABLE;
    } else if (str_eq(should_retry, S("false")) && err_class(ret->err) != ERR_CLASS_PERMANENT) {
        ret->err = ERR_REJECTED;
    }
    ret->retry_after_ms = wire_retry_after_ms(reply, clock_wall_ms());
    ret->learned = (status == 400 || status == 422) && chat_learn(&error, asked, known);
    (void)errinfo_set(&ret->detail, ret->err, "HTTP %d%s%.*s", status, shown.n > 0 ? ": " : "",
                      STR_ARG(shown));
}

/* --- answers --------------------------------------------------------------------------------- */

/* A string, or an array of {"type":"text","text":…} parts, which are joined. */
static struct str chat_text(const struct jnode *content, struct arena *a) {
    if (jnode_type(content) != JNODE_ARRAY) {
        return jnode_str(content);
    }
    size_t n = 0, at = 0;
    for (size_t i = 0; i < jnode_len(content); i++) {
        n += jnode_get_str(jnode_at(content, i), "text").n;
    }
    char *text = ARENA_ARRAY(a, char, n + 1);
    for (size_t i = 0; i < jnode_len(content); i++) {
        struct str part = jnode_get_str(jnode_at(content, i), "text");
        if (part.n > 0) {
            memcpy(text + at, part.p, part.n);
            at += part.n;
        }
    }
    return (struct str){text, n};
}

static enum call_finish chat_finish(struct str reason) {
    return reason.n == 0 || str_eq(reason, S("stop")) ? CALL_FINISH_STOP /* some servers omit it */
           : str_eq(reason, S("length"))              ? CALL_FINISH_LENGTH
           : str_eq(reason, S("content_filter"))      ? CALL_FINISH_REFUSAL
                                                      : CALL_FINISH_OTHER;
}

/* A count that cannot be is not told, so that no sum of counts or money overflows. */
static int64_t chat_tokens(const struct jnode *usage, const char *key, int64_t otherwise) {
    int64_t n = jnode_get_int(usage, key, otherwise);
    return n >= 0 && n <= CHAT_TOKENS_MAX ? n : otherwise;
}

static struct call_usage chat_usage(const struct jnode *usage) {
    const struct jnode *in = jnode_get(usage, "prompt_tokens_details");
    const struct jnode *out = jnode_get(usage, "completion_tokens_details");
    return (struct call_usage){
        .input_tokens = chat_tokens(usage, "prompt_tokens", -1),
        .cached_tokens =
            chat_tokens(in, "cached_tokens", chat_tokens(usage, "prompt_cache_hit_tokens", 0)),
        .output_tokens = chat_tokens(usage, "completion_tokens", -1),
        .reasoning_tokens = chat_tokens(out, "reasoning_tokens", 0)};
}

static bool chat_is_server_trouble(struct str finish) {
    return str_eq(finish, S("error")) || str_eq(finish, S("insufficient_system_resource"));
}

static void chat_read_answer(const struct http_reply *reply, const struct jnode *doc,
                             struct arena *a, struct wire_result *ret) {
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
        .finish = refusal.n > 0 ? CALL_FINISH_REFUSAL : chat_finish(finish),
        .usage = chat_usage(jnode_get(doc, "usage")),
        .cost_nusd = MONEY_UNKNOWN,
        .model_id = jnode_get_str(doc, "model"),
        .request_id = http_reply_header(reply, S("x-request-id"))};
}

static void chat_read(const struct http_reply *reply, const struct wire_quirks *asked,
                      struct wire_quirks *known, struct arena *a, struct wire_result *ret) {
    const struct jnode *doc = NULL;
    struct errinfo why = {0};
    *ret = (struct wire_result){.retry_after_ms = -1};
    /* Some servers send blank lines while the model works, to keep the connection alive. */
    enum err e = jnode_parse(str_trim(reply->body), a, &doc, &why);
    if (reply->status != 200 || jnode_type(jnode_get(doc, "error")) == JNODE_OBJECT) {
        chat_read_error(reply, doc, asked, known, a, ret);
    } else if (e != ERR_OK) {
        ret->err = errinfo_set(&ret->detail, ERR_PROTOCOL, "the answer is not JSON: %s", why.text);
    } else {
        chat_read_answer(reply, doc, a, ret);
    }
}

static const char *const chat_headers[] = {"Content-Type: application/json", NULL};

const struct wire wire_openai_chat = {.type = "openai-chat",
                                      .url = chat_url,
                                      .auth = chat_auth,
                                      .headers = chat_headers,
                                      .body = chat_body,
                                      .read = chat_read};
