/* wire.h - what a wire format must know how to do. One static struct per format; pure: bytes in,
 * bytes out. */
#ifndef STUMPER_LLM_WIRE_H
#define STUMPER_LLM_WIRE_H

#include "core/limit.h"
#include "llm/llm.h"

/* What an endpoint has taught us about a model, so that the next request is right at once (a 400
 * that names a parameter is not an error but a lesson). */
struct wire_quirks {
    bool no_schema;          /* response_format json_schema is refused: use json_object */
    bool no_json_object;     /* that too: the prompt alone has to do */
    bool legacy_max_tokens;  /* wants max_tokens, not max_completion_tokens */
    bool learned_max_tokens; /* the name of the cap was changed once already */
    bool no_system;          /* wants `developer` for `system` */
};

struct wire_result {
    enum err err;              /* OK: `answer` is filled */
    struct errinfo detail;     /* provider's message, for a person; holds no registered secret */
    int64_t retry_after_ms;    /* -1: not told */
    bool learned;              /* the quirks know better than the request did: ask again at once */
    struct call_answer answer; /* text and ids borrowed from the arena */
};

struct wire {
    const char *type; /* "openai-chat" */
    enum limit_rule limit_rule;
    /** URL of the operation. */
    struct str (*url)(const struct llm_provider *p, struct str model, struct arena *a);
    /** The header "Name: value" that carries a key. */
    const char *(*auth)(const struct llm_key *key, struct arena *a);
    const char *const *headers; /* that every request has, NULL-terminated */
    /** The request body. */
    void (*body)(const struct call_spec *spec, struct str model, const struct wire_quirks *q,
                 struct sbuf *ret);
    /**
     * Read a whole reply of any status.
     *
     * @asked  the quirks that the request was built with: of many requests that were under way
     *         together each is answered by the same lesson, which is learned once
     * @known  what is known of the model; may be changed
     */
    void (*read)(const struct http_reply *reply, const struct wire_quirks *asked,
                 struct wire_quirks *known, struct arena *a, struct wire_result *ret);
};

extern const struct wire wire_openai_chat;

/** The wire of a provider's type, or NULL. */
const struct wire *wire_find(const char *type);

/** The wait that a reply asks for: retry-after-ms, else retry-after (seconds or HTTP date, RFC 9110
 * §10.2.3); -1 if none or unreadable. @wall_ms: now. */
int64_t wire_retry_after_ms(const struct http_reply *reply, int64_t wall_ms);

#endif
