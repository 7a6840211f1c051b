/* wire.h - what a wire format must know how to do: one static struct per format, pure: bytes in,
 * bytes out. What the formats have in common (errors, lessons, waits, streams) is done here, once.
 *
 *     wire_body() ─► request        reply  ─► wire_read() ───┬─► an answer, or a classified
 *                                   stream ─► wire_stream… ──┘   error
 *
 * Sources: OpenAI's specification, the providers' SDKs and documentation.
 */
#ifndef STUMPER_LLM_WIRE_H
#define STUMPER_LLM_WIRE_H

#include "core/limit.h"
#include "llm/llm.h"
#include "json/write.h"

/* What is known to be odd about a model: from a table (wire_model_quirks()), from the provider's
 * preset, and learned from a 400 that names a parameter, which is no error but a lesson. A set. */
enum wire_quirk {
    WIRE_NO_SCHEMA = 1u << 0,      /* takes no JSON schema: ask for any JSON object */
    WIRE_NO_JSON_OBJECT = 1u << 1, /* nor that: the prompt alone has to do */
    WIRE_OLD_CAP = 1u << 2,        /* wants max_tokens, not max_completion_tokens */
    WIRE_CAP_LEARNED = 1u << 3,    /* the name of the cap was changed once already */
    WIRE_DEVELOPER = 1u << 4,      /* wants the role developer, not system */
    WIRE_NO_SAMPLING = 1u << 5,    /* takes neither temperature nor top_p */
    WIRE_NO_BUDGET = 1u << 6,      /* takes no number of tokens for thinking */
    WIRE_NO_EFFORT = 1u << 7,      /* takes no reasoning effort */
    WIRE_NO_STREAM_USAGE = 1u << 8,
    WIRE_NO_STREAM = 1u << 9,
    WIRE_CAPPED = 1u << 10, /* allows fewer output tokens than were asked for: wire_result.cap */
};
#define WIRE_QUIRKS_N 11 /* so many lessons at most, one after the other */

#define WIRE_TEXT_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of a request */

/* One request as a format sees it. */
struct wire_ask {
    const struct llm_provider *provider;
    const struct llm_manner *manner;
    const struct call_spec *spec;
    struct str model;          /* as the provider spells it */
    int64_t output_tokens_max; /* the spec's, or less where the model allows less */
    unsigned quirks;           /* what it is written by */
    bool stream;
};

struct wire_result {
    enum err err;             /* OK: `answer` is filled */
    struct errinfo detail;    /* provider's message, for a person; holds no registered secret */
    int64_t retry_after_ms;   /* -1: not told */
    struct limit_words words; /* of a refusal */
    bool learned;             /* the quirks know better than the request did: ask again at once */
    int64_t cap; /* with WIRE_CAPPED learned: the output tokens to ask for from now on */
    struct call_answer answer; /* text and ids borrowed; without an error no clue, else only that */
};

struct wire_stream;
struct batch_wire;

struct wire {
    const char *type; /* "openai-chat" */
    enum limit_rule limit_rule;
    const char *const *headers; /* that every request has, NULL-terminated */
    /** URL of the operation. */
    struct str (*url)(const struct llm_provider *p, struct str model, bool stream, struct arena *a);
    /** Where the models are listed. */
    struct str (*models_url)(const struct llm_provider *p, struct arena *a);
    /** The header "Name: value" that carries a key. */
    const char *(*auth)(const struct llm_key *key, struct arena *a);
    /** The members of the request's body, inside an open object. */
    void (*body)(const struct wire_ask *ask, struct jwrite *w);
    /** Read the document of a 200 that holds no error; *@ret is zero but for retry_after_ms. */
    void (*answer)(const struct jnode *doc, struct arena *a, struct wire_result *ret);
    /** What an answer's member @usage_key says was used, and perhaps what that cost. */
    const char *usage_key;
    void (*usage)(const struct jnode *usage, struct call_answer *ret);
    /** Take one event of a stream that holds no error. */
    void (*event)(struct wire_stream *s, const struct jnode *data);
    const struct batch_wire *batches; /* how it is asked in batches; NULL: it is not */
};

extern const struct wire wire_openai_chat;
extern const struct wire wire_openai_responses;
extern const struct wire wire_perplexity;
extern const struct wire wire_anthropic;
extern const struct wire wire_gemini;

/** The wire of a provider's type, or NULL. */
const struct wire *wire_find(const char *type);

/** "openai-chat, openai-responses, …": what wire_find() knows. */
const char *wire_types(void);

/** What is known of a model before anything was asked: a set of enum wire_quirk. */
unsigned wire_model_quirks(const struct llm_provider *p, const struct llm_manner *manner,
                           struct str model);

/** Append the request's body to @ret: the format's members, over them those of extra_body: an object
 * adds its members to one that is there, null takes a member away. */
void wire_body(const struct wire *wire, const struct wire_ask *ask, struct sbuf *ret);

/**
 * Read a whole reply of any status. A 200 that begins like an answer and cannot be read was paid
 * for: an answer without text (CALL_FINISH_OTHER), with its usage if that can be read, or a cost
 * that nobody knows.
 *
 * @ask    of the request: of many requests that were under way together each is answered by the
 *         same lesson, which is learned once
 * @known  quirks of the model; may grow
 * @a      owns what @ret borrows, beside the reply
 */
void wire_read(const struct wire *wire, const struct wire_ask *ask, const struct http_reply *reply,
               unsigned *known, struct arena *a, struct wire_result *ret);

/** Read the reply to a request that asks no model: its document in *@ret_doc, or an error with its
 * clue in *@ret. */
void wire_read_document(const struct wire *wire, const struct http_reply *reply, struct arena *a,
                        struct wire_result *ret, const struct jnode **ret_doc);

/** Read the reply to a GET of models_url: the names in *@ret_names, or an error with its clue in
 * *@ret. */
void wire_read_models(const struct wire *wire, const struct http_reply *reply, struct arena *a,
                      struct wire_result *ret, const struct str **ret_names, size_t *ret_n);

/** The wait that a reply asks for: retry-after-ms, else retry-after (seconds or HTTP date, RFC 9110
 * §10.2.3); -1 if none or unreadable. @wall_ms: now, for a date in a reply that is not dated. */
int64_t wire_retry_after_ms(const struct http_reply *reply, int64_t wall_ms);

/* --- for the formats ------------------------------------------------------------------------- */

/* How a format calls the ends of an answer; the last row's name is NULL: whatever else. */
struct wire_finish {
    const char *name;
    enum call_finish finish;
};

/** The row of @name. */
enum call_finish wire_finish_of(const struct wire_finish *table, struct str name);

/** A count of tokens; one that cannot be is not told, so that no sum of counts or money overflows.
 */
int64_t wire_tokens(const struct jnode *usage, const char *key, int64_t otherwise);

/** @key (a string) of all elements of @array, joined; elements without it, or with a true member
 * @without, are left out. */
struct str wire_join(const struct jnode *array, const char *key, const char *without,
                     struct arena *a);

/** "Authorization: Bearer KEY". */
const char *wire_bearer(const struct llm_key *key, struct arena *a);

/** The system messages as one text; @joined is used if there are several. Empty without any. */
struct str wire_system_text(const struct call_spec *spec, struct sbuf *joined);

/** temperature and top_p under these names, if they are set and taken. */
void wire_write_sampling(const struct wire_ask *ask, const char *temperature, const char *top_p,
                         struct jwrite *w);

/** The effort that is set and taken, or NULL. */
const char *wire_effort(const struct wire_ask *ask);

/** Of @tokens to think with those that may be: the cap is on thoughts and answer together, and a
 * quarter of it is left to the answer. */
int64_t wire_thinkable(const struct wire_ask *ask, int64_t tokens);

/** The thinking tokens that are set, taken and may be, or 0. */
int64_t wire_budget(const struct wire_ask *ask);

/** @base with @version in front of @path unless it ends in that already ("…/v1" + "/messages"). */
struct str wire_versioned_url(const char *base, const char *version, const char *path,
                              struct arena *a);

#endif
