#include "llm/wire.h"

#include "base/clock.h"
#include "llm/wire_error.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WIRE_ANSWER_PART 4        /* of the cap is left to the answer, whatever may be thought */
#define WIRE_TOKENS_MAX 100000000 /* far above any context window; sums of it stay small */
#define WIRE_OVERRIDE_BYTES_MAX ((size_t)256 * 1024 * 1024)

static const struct wire *const wires[] = {&wire_openai_chat, &wire_openai_responses,
                                           &wire_anthropic, &wire_gemini, &wire_perplexity};

const struct wire *wire_find(const char *type) {
    for (size_t i = 0; i < ARRAY_LEN(wires); i++) {
        if (strcmp(wires[i]->type, type) == 0) {
            return wires[i];
        }
    }
    return NULL;
}

const char *wire_types(void) {
    return "openai-chat, openai-responses, anthropic, gemini, perplexity";
}

/* --- requests -------------------------------------------------------------------------------- */

/* The object @ours with the members of @over in place of its own; of objects on both sides, with
 * theirs in turn. @over is of the configuration, whose nesting is bounded. */
static void wire_merge(const struct jnode *ours, const struct jnode *over, struct arena *a,
                       struct jwrite *w) {
    const struct jnode *value;
    struct str key;
    jwrite_object(w);
    for (void *i = jnode_next(ours, NULL, &key, &value); i != NULL;
         i = jnode_next(ours, i, &key, &value)) {
        const struct jnode *other = jnode_get(over, str_cstr(a, key));
        bool both = jnode_type(value) == JNODE_OBJECT && jnode_type(other) == JNODE_OBJECT;
        if (both || other == NULL) {
            jwrite_key_str(w, key);
        }
        if (both) {
            wire_merge(value, other, a, w);
        } else if (other == NULL) {
            jwrite_raw(w, jnode_text(value, a));
        }
    }
    for (void *i = jnode_next(over, NULL, &key, &value); i != NULL;
         i = jnode_next(over, i, &key, &value)) {
        bool merged = jnode_type(value) == JNODE_OBJECT &&
                      jnode_type(jnode_get(ours, str_cstr(a, key))) == JNODE_OBJECT;
        if (!merged && jnode_type(value) != JNODE_NULL) {
            jwrite_key_str(w, key);
            jwrite_raw(w, jnode_text(value, a));
        }
    }
    jwrite_end(w);
}

/* @written, a whole object, with what @over says in it, appended to @ret. */
static void wire_override(struct str written, const struct jnode *over, struct sbuf *ret) {
    struct arena a;
    struct jwrite w;
    const struct jnode *doc;
    arena_init(&a, WIRE_OVERRIDE_BYTES_MAX);
    enum err e = jnode_parse(written, &a, &doc, NULL);
    ASSERT(e == ERR_OK); /* we wrote it */
    jwrite_init(&w, ret);
    wire_merge(doc, over, &a, &w);
    arena_release(&a);
}

void wire_body(const struct wire *wire, const struct wire_ask *ask, struct sbuf *ret) {
    const struct jnode *over = ask->manner->extra_body;
    struct sbuf plain;
    struct jwrite w;
    sbuf_init(&plain, ret->bytes_max);
    jwrite_init(&w, over == NULL ? ret : &plain);
    jwrite_object(&w);
    wire->body(ask, &w);
    jwrite_end(&w);
    if (over != NULL && !sbuf_overflowed(&plain)) {
        wire_override(sbuf_str(&plain), over, ret);
    }
    sbuf_release(&plain);
}

const char *wire_bearer(const struct llm_key *key, struct arena *a) {
    return str_fmt(a, "Authorization: Bearer %s", key->value).p;
}

struct str wire_system_text(const struct call_spec *spec, struct sbuf *joined) {
    struct str text = {NULL, 0};
    for (size_t i = 0; i < spec->messages_n; i++) {
        const struct call_message *m = &spec->messages[i];
        if (m->author != CALL_SYSTEM) {
            continue;
        }
        if (text.n > 0) {
            if (joined->n == 0) {
                sbuf_add(joined, text);
            }
            sbuf_add_cstr(joined, "\n\n");
            sbuf_add(joined, m->text);
            text = sbuf_str(joined);
        } else {
            text = m->text;
        }
    }
    return text;
}

void wire_write_sampling(const struct wire_ask *ask, const char *temperature, const char *top_p,
                         struct jwrite *w) {
    if ((ask->quirks & WIRE_NO_SAMPLING) != 0) {
        return;
    }
    if (ask->manner->temperature.told) {
        jwrite_key(w, temperature);
        jwrite_real(w, ask->manner->temperature.value);
    }
    if (ask->manner->top_p.told) {
        jwrite_key(w, top_p);
        jwrite_real(w, ask->manner->top_p.value);
    }
}

const char *wire_effort(const struct wire_ask *ask) {
    return (ask->quirks & WIRE_NO_EFFORT) != 0 ? NULL : ask->manner->effort;
}

int64_t wire_thinkable(const struct wire_ask *ask, int64_t tokens) {
    return MIN(tokens, ask->output_tokens_max - ask->output_tokens_max / WIRE_ANSWER_PART);
}

int64_t wire_budget(const struct wire_ask *ask) {
    bool refused = (ask->quirks & (WIRE_NO_BUDGET | WIRE_NO_EFFORT)) != 0;
    return refused ? 0 : wire_thinkable(ask, ask->manner->thinking_tokens);
}

struct str wire_versioned_url(const char *base, const char *version, const char *path,
                              struct arena *a) {
    bool there = str_ends(str_of(base), str_of(version));
    return str_fmt(a, "%s%s%s", base, there ? "" : version, path);
}

/* --- replies --------------------------------------------------------------------------------- */

enum call_finish wire_finish_of(const struct wire_finish *table, struct str name) {
    while (table->name != NULL && !str_eq(name, str_of(table->name))) {
        table++;
    }
    return table->finish;
}

int64_t wire_tokens(const struct jnode *usage, const char *key, int64_t otherwise) {
    int64_t n = jnode_get_int(usage, key, otherwise);
    return n >= 0 && n <= WIRE_TOKENS_MAX ? n : otherwise;
}

struct str wire_join(const struct jnode *array, const char *key, const char *without,
                     struct arena *a) {
    size_t n = 0, at = 0;
    for (size_t i = 0; i < jnode_len(array); i++) {
        n += jnode_get_str(jnode_at(array, i), key).n;
    }
    char *text = ARENA_ARRAY(a, char, n + 1);
    for (size_t i = 0; i < jnode_len(array); i++) {
        const struct jnode *part = jnode_at(array, i);
        struct str piece = jnode_get_str(part, key);
        if (piece.n > 0 && !jnode_bool(jnode_get(part, without), false)) {
            memcpy(text + at, piece.p, piece.n);
            at += piece.n;
        }
    }
    return (struct str){text, at};
}

/* The provider's name for the request: a header of most, else what the answer is called. */
static struct str wire_request_id(const struct http_reply *reply, const struct jnode *doc) {
    static const char *const headers[] = {"x-request-id", "request-id", "x-generation-id"};
    struct str id = {NULL, 0};
    for (size_t i = 0; i < ARRAY_LEN(headers) && id.n == 0; i++) {
        id = http_reply_header(reply, str_of(headers[i]));
    }
    id = id.n > 0 ? id : jnode_get_str(doc, "responseId");
    return id.n > 0 ? id : jnode_get_str(doc, "id");
}

/* A 200 that is no JSON. */
static void wire_no_json(struct str text, const struct errinfo *why, struct wire_result *ret) {
    bool page = str_starts(text, S("<"));
    ret->answer.clue = page ? CALL_CLUE_WEB_PAGE : CALL_CLUE_NONE;
    ret->err = errinfo_set(&ret->detail, ERR_PROTOCOL, "the answer is %s: %s",
                           page ? "a web page" : "not JSON", why->text);
}

/* The object behind the last "key": in a text that is no JSON as a whole; empty if there is none.
 * Within a string the quotes would be escaped. */
static struct str wire_last_object(struct str text, const char *key) {
    char quoted[32];
    int n = snprintf(quoted, sizeof quoted, "\"%s\"", key);
    size_t at = str_rfind(text, (struct str){quoted, (size_t)n}), depth = 0;
    struct str rest = at == STR_NPOS ? S("") : str_trim(str_skip(text, at + (size_t)n));
    rest = str_starts(rest, S(":")) ? str_trim(str_skip(rest, 1)) : S("");
    for (size_t i = 0; i < rest.n && str_starts(rest, S("{")); i++) {
        depth += rest.p[i] == '{';
        depth -= rest.p[i] == '}';
        if (depth == 0) {
            return str_take(rest, i + 1);
        }
    }
    return S("");
}

/* What begins like an answer was one, and was paid for: it goes up with nothing in it, at the cost
 * of what it says was used, or at one that nobody knows. @doc: NULL if it is no JSON. */
static void wire_lose(const struct wire *wire, struct str text, const struct jnode *doc,
                      struct arena *a, struct call_answer *ret) {
    const struct jnode *usage = jnode_get(doc, wire->usage_key);
    *ret = (struct call_answer){.finish = CALL_FINISH_OTHER,
                                .usage = {.input_tokens = -1, .output_tokens = -1},
                                .cost_nusd = MONEY_UNKNOWN,
                                .model_id = jnode_get_str(doc, "model")};
    if (doc == NULL &&
        jnode_parse(wire_last_object(text, wire->usage_key), a, &usage, NULL) != ERR_OK) {
        usage = NULL;
    }
    if (jnode_type(usage) == JNODE_OBJECT) {
        wire->usage(usage, ret);
    }
}

/* The document of a 200. One without an answer was paid for if it says that any was written. */
static void wire_read_answer(const struct wire *wire, const struct jnode *doc, struct arena *a,
                             struct wire_result *ret) {
    struct call_answer lost;
    wire->answer(doc, a, ret);
    if (ret->err == ERR_PROTOCOL) {
        wire_lose(wire, S(""), doc, a, &lost);
        if (lost.usage.output_tokens > 0) {
            *ret = (struct wire_result){.retry_after_ms = -1, .answer = lost};
        }
    }
}

void wire_read(const struct wire *wire, const struct wire_ask *ask, const struct http_reply *reply,
               unsigned *known, struct arena *a, struct wire_result *ret) {
    const struct jnode *doc = NULL;
    struct errinfo why = {0};
    *ret = (struct wire_result){.retry_after_ms = -1};
    /* Some servers send blank lines while the model works, to keep the connection alive. */
    struct str text = str_trim(reply->body);
    enum err e = jnode_parse(text, a, &doc, &why);
    if (reply->status != 200 || wire_holds_error(doc)) {
        wire_read_error(wire, ask, reply, doc, known, a, ret);
    } else if (e != ERR_OK && str_starts(text, S("{"))) {
        wire_lose(wire, text, NULL, a, &ret->answer);
    } else if (e != ERR_OK) {
        wire_no_json(text, &why, ret);
    } else {
        wire_read_answer(wire, doc, a, ret);
    }
    ret->answer.request_id = ret->err == ERR_OK ? wire_request_id(reply, doc) : S("");
}

/* OpenAI's and Anthropic's {"data":[{"id"}]}, Gemini's {"models":[{"name":"models/…"}]}, Together's
 * bare list; NULL if it is none. */
static const struct jnode *wire_model_list(const struct jnode *doc) {
    const struct jnode *list = jnode_get(doc, "data");
    list = list != NULL ? list : jnode_get(doc, "models");
    list = jnode_type(doc) == JNODE_ARRAY ? doc : list;
    return jnode_type(list) == JNODE_ARRAY ? list : NULL;
}

static struct str wire_model_name(const struct jnode *item) {
    struct str id = jnode_get_str(item, "id");
    struct str name = id.n > 0 ? id : jnode_get_str(item, "name");
    return str_starts(name, S("models/")) ? str_skip(name, strlen("models/")) : name;
}

void wire_read_document(const struct wire *wire, const struct http_reply *reply, struct arena *a,
                        struct wire_result *ret, const struct jnode **ret_doc) {
    static const struct call_spec no_spec;
    static const struct llm_manner no_manner;
    const struct wire_ask ask = {.spec = &no_spec, .manner = &no_manner};
    struct errinfo why = {0};
    unsigned known = 0;
    *ret = (struct wire_result){.retry_after_ms = -1};
    *ret_doc = NULL;
    struct str text = str_trim(reply->body);
    enum err e = jnode_parse(text, a, ret_doc, &why);
    if (reply->status != 200 || wire_holds_error(*ret_doc)) {
        wire_read_error(wire, &ask, reply, *ret_doc, &known, a, ret);
    } else if (e != ERR_OK) {
        wire_no_json(text, &why, ret);
    }
}

void wire_read_models(const struct wire *wire, const struct http_reply *reply, struct arena *a,
                      struct wire_result *ret, const struct str **ret_names, size_t *ret_n) {
    const struct jnode *doc;
    wire_read_document(wire, reply, a, ret, &doc);
    const struct jnode *list = wire_model_list(doc);
    if (ret->err != ERR_OK) {
        return;
    }
    if (list == NULL) {
        ret->err = errinfo_set(&ret->detail, ERR_PROTOCOL, "the answer holds no list of models");
        return;
    }
    struct str *names = ARENA_ARRAY(a, struct str, jnode_len(list) + 1);
    *ret_n = 0;
    for (size_t i = 0; i < jnode_len(list); i++) {
        names[*ret_n] = wire_model_name(jnode_at(list, i));
        *ret_n += names[*ret_n].n > 0;
    }
    *ret_names = names;
}

/* Milliseconds of a number of @unit_ms each; -1 if it is none, or negative. */
static int64_t wire_number_ms(struct str text, double unit_ms) {
    double value;
    if (!str_to_double(text, &value) || value < 0 || value * unit_ms > 1e15) {
        return -1;
    }
    return (int64_t)(value * unit_ms);
}

/* RFC 9110 §5.6.7, the form that senders must generate: "Sun, 06 Nov 1994 08:49:37 GMT". */
static int64_t wire_date_ms(struct str text) {
    char buf[64];
    struct tm tm = {0};
    if (text.n == 0 || text.n >= sizeof buf) {
        return -1;
    }
    memcpy(buf, text.p, text.n);
    buf[text.n] = '\0';
    const char *end = strptime(buf, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end == NULL || *end != '\0' ? -1 : (int64_t)timegm(&tm) * 1000;
}

int64_t wire_retry_after_ms(const struct http_reply *reply, int64_t wall_ms) {
    int64_t ms = wire_number_ms(http_reply_header(reply, S("retry-after-ms")), 1);
    if (ms >= 0) {
        return ms;
    }
    struct str text = http_reply_header(reply, S("retry-after"));
    if (text.n == 0) {
        return -1;
    }
    ms = wire_number_ms(text, 1000);
    if (ms >= 0) {
        return ms;
    }
    /* A date is the sender's: by its own clock where it tells it, since ours may be hours away. */
    int64_t at_ms = wire_date_ms(text);
    int64_t now_ms = wire_date_ms(http_reply_header(reply, S("date")));
    return at_ms < 0 ? -1 : MAX(at_ms - (now_ms < 0 ? wall_ms : now_ms), 0);
}
