/* Which path means what: one table. Paths of OpenAI and Anthropic stand under /v1 (or, for clients
 * that are told so, directly at the root), those of Gemini under /v1beta (or /v1). */
#include "sim/exchange.h"

#include <stdio.h>
#include <string.h>

#define DIALECT_TOLD DIALECT_COUNT /* OpenAI's or Anthropic's, as the headers tell */

static double handler_health(struct exchange *x) {
    x->answer.content_type = "text/plain; charset=utf-8";
    sbuf_add_cstr(&x->answer.body->data, "ok\n");
    return 0;
}

static double handler_ledger(struct exchange *x) {
    ledger_summary(&x->server->ledger, &x->answer.body->data);
    return 0;
}

static double handler_chat(struct exchange *x) {
    return ask(x, &format_chat, false);
}

static double handler_responses(struct exchange *x) {
    return ask(x, &format_responses, false);
}

static double handler_messages(struct exchange *x) {
    return ask(x, &format_messages, false);
}

static double handler_gemini(struct exchange *x) {
    return ask(x, &format_gemini, false);
}

static double handler_gemini_stream(struct exchange *x) {
    if (str_eq(httpd_query(x->q, "alt"), S("sse"))) {
        return ask(x, &format_gemini, true);
    }
    EXCHANGE_REFUSE(x, TROUBLE_REQUEST, NULL, NULL,
                    "This simulator streams server-sent events only: ask with alt=sse.");
    return 0;
}

struct route {
    const char *method, *path; /* one "*" stands for a part without a slash */
    enum dialect dialect;
    bool open; /* needs no key */
    double (*answer)(struct exchange *x);
};

static const struct route routes[] = {
    {"GET", "/healthz", DIALECT_OPENAI, true, handler_health},
    {"GET", "/ledger/summary", DIALECT_OPENAI, true, handler_ledger},
    {"POST", "/v1/chat/completions", DIALECT_OPENAI, false, handler_chat},
    {"POST", "/v1/responses", DIALECT_OPENAI, false, handler_responses},
    {"POST", "/v1/embeddings", DIALECT_OPENAI, false, embed},
    {"POST", "/v1/messages", DIALECT_ANTHROPIC, false, handler_messages},
    {"POST", "/v1/models/*:generateContent", DIALECT_GEMINI, false, handler_gemini},
    {"POST", "/v1/models/*:streamGenerateContent", DIALECT_GEMINI, false, handler_gemini_stream},
    {"POST", "/v1beta/models/*:generateContent", DIALECT_GEMINI, false, handler_gemini},
    {"POST", "/v1beta/models/*:streamGenerateContent", DIALECT_GEMINI, false,
     handler_gemini_stream},
    {"POST", "/v1/files", DIALECT_OPENAI, false, files_create},
    {"GET", "/v1/files/*", DIALECT_OPENAI, false, files_get},
    {"DELETE", "/v1/files/*", DIALECT_OPENAI, false, files_delete},
    {"GET", "/v1/files/*/content", DIALECT_OPENAI, false, files_content},
    {"POST", "/v1/batches", DIALECT_OPENAI, false, batch_openai_create},
    {"GET", "/v1/batches", DIALECT_OPENAI, false, batch_openai_list},
    {"GET", "/v1/batches/*", DIALECT_OPENAI, false, batch_openai_get},
    {"POST", "/v1/batches/*/cancel", DIALECT_OPENAI, false, batch_openai_cancel},
    {"POST", "/v1/messages/batches", DIALECT_ANTHROPIC, false, batch_anthropic_create},
    {"GET", "/v1/messages/batches", DIALECT_ANTHROPIC, false, batch_anthropic_list},
    {"GET", "/v1/messages/batches/*", DIALECT_ANTHROPIC, false, batch_anthropic_get},
    {"POST", "/v1/messages/batches/*/cancel", DIALECT_ANTHROPIC, false, batch_anthropic_cancel},
    {"GET", "/v1/messages/batches/*/results", DIALECT_ANTHROPIC, false, batch_anthropic_results},
    {"GET", "/v1beta/models", DIALECT_GEMINI, false, models_list},
    {"GET", "/v1beta/models/*", DIALECT_GEMINI, false, models_one},
    {"GET", "/v1/models", DIALECT_TOLD, false, models_list},
    {"GET", "/v1/models/*", DIALECT_TOLD, false, models_one},
};

/* Does @path fit @pattern? *@ret_name is what stands for the star. */
static bool handler_fits(const char *pattern, struct str path, struct str *ret_name) {
    struct str whole = str_of(pattern);
    size_t star = str_find_char(whole, '*');
    if (star == STR_NPOS) {
        return str_eq(path, whole);
    }
    struct str before = str_take(whole, star), after = str_skip(whole, star + 1);
    if (path.n <= before.n + after.n || !str_starts(path, before) || !str_ends(path, after)) {
        return false;
    }
    struct str name = str_take(str_skip(path, before.n), path.n - before.n - after.n);
    *ret_name = name;
    return str_find_char(name, '/') == STR_NPOS &&
           (after.n > 0 || str_find_char(name, ':') == STR_NPOS);
}

static bool handler_method_fits(const char *method, const char *asked) {
    return strcmp(method, asked) == 0 || (strcmp(method, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

/* The route of a request; NULL if there is none. *@ret_allow: methods of its path. */
static const struct route *handler_route(struct exchange *x, const char **ret_allow) {
    char rooted[512];
    struct str path = str_of(x->q->path);
    if (!str_starts(path, S("/v1"))) { /* also without the prefix */
        int n = snprintf(rooted, sizeof rooted, "/v1%s", x->q->path);
        path = (struct str){rooted, MIN((size_t)n, sizeof rooted - 1)};
    }
    *ret_allow = NULL;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const struct route *r = &routes[i];
        struct str name = S("");
        bool fits = handler_fits(r->path, r->open ? str_of(x->q->path) : path, &name);
        if (fits && handler_method_fits(r->method, x->q->method)) {
            /* the path itself outlives this call, its rooted copy does not */
            x->name = str_skip(str_of(x->q->path), str_rfind(str_of(x->q->path), name));
            x->name = str_take(x->name, name.n);
            return r;
        }
        if (fits) {
            *ret_allow = strcmp(r->method, "GET") == 0 ? "GET, HEAD" : r->method;
        }
    }
    return NULL;
}

/* Whose manners to answer with, also where there is no route. */
static enum dialect handler_dialect(const struct exchange *x, const struct route *r) {
    if (r != NULL && r->dialect != DIALECT_TOLD) {
        return r->dialect;
    }
    return httpd_header(x->q, "anthropic-version").n > 0  ? DIALECT_ANTHROPIC
           : str_starts(str_of(x->q->path), S("/v1beta")) ? DIALECT_GEMINI
                                                          : DIALECT_OPENAI;
}

static bool handler_key(struct exchange *x) {
    const char *key = x->server->options->key;
    struct str sent = exchange_key(x);
    if (key == NULL || str_eq(sent, str_of(key))) {
        return true;
    }
    if (sent.n == 0) {
        EXCHANGE_REFUSE(x, TROUBLE_NO_KEY, NULL, NULL,
                        "You didn't provide an API key. You need to provide your API key in an "
                        "Authorization header using Bearer auth (i.e. Authorization: Bearer "
                        "YOUR_KEY).");
    } else {
        EXCHANGE_REFUSE(x, TROUBLE_BAD_KEY, NULL, NULL, "%s",
                        x->dialect == DIALECT_GEMINI
                            ? "API key not valid. Please pass a valid API key."
                        : x->dialect == DIALECT_ANTHROPIC ? "invalid x-api-key"
                                                          : "Incorrect API key provided.");
    }
    return false;
}

static bool handler_version(struct exchange *x, const struct route *r) {
    if (r->dialect != DIALECT_ANTHROPIC || httpd_header(x->q, "anthropic-version").n > 0) {
        return true;
    }
    EXCHANGE_REFUSE(x, TROUBLE_REQUEST, NULL, NULL, "anthropic-version: header is required");
    return false;
}

void handler_identify(struct exchange *x) {
    x->dialect = handler_dialect(x, handler_route(x, &x->answer.allow));
}

double handler_answer(struct exchange *x) {
    const struct route *r = handler_route(x, &x->answer.allow);
    x->dialect = handler_dialect(x, r);
    if (r != NULL) {
        return r->open || (handler_key(x) && handler_version(x, r)) ? r->answer(x) : 0;
    }
    if (x->answer.allow != NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_METHOD, NULL, NULL,
                        "Not allowed to %.10s on %.100s. (HINT: use %s)", x->q->method, x->q->path,
                        x->answer.allow);
    } else {
        EXCHANGE_REFUSE(x, TROUBLE_PATH, NULL, NULL, "Invalid URL (%.10s %.100s)", x->q->method,
                        x->q->path);
    }
    return 0;
}
