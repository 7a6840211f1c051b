/* llm.h - the one way to ask a model something, whatever provider it is behind.
 *
 *     resolve "openai/gpt-5.4-mini" once, and what stands in for it
 *     llm_call(request) ─► queue ─► wire (builds the body) ─► io/http ─┐
 *     done(answer) ◄─ classify, retry ◄─ wire (reads the reply) ◄──────┘
 *
 * Wire formats are one file each behind wire.h. Retries of what cost nothing (network, 429, 5xx,
 * timeouts) happen here, with full jitter or as the provider asks; an answer that was paid for
 * always goes up, useless or not. So does one that arrived and cannot be read: without text, with
 * the usage that its stream told, else at a cost that is not known (a cap counts all that was set
 * aside for it). What breaks off on the way, or is cut off by a deadline, counts as not paid for;
 * a provider may see that differently.
 *
 * Deadlines  those of the configuration, and a shorter one that a model teaches: once it has given
 *            some answers, a request that takes ten times as long as 95 % of them (and at least
 *            30 s) is cut off and tried again.
 * Secrets    keys are read once, registered with the logger for redaction, and only ever put into
 *            a header; no text that comes out of here holds one.
 * Threading  loop thread only; `done` never runs inside llm_call().
 */
#ifndef STUMPER_LLM_LLM_H
#define STUMPER_LLM_LLM_H

#include "core/call.h"
#include "core/job.h"
#include "core/limit.h"
#include "core/price.h"
#include "io/http.h"

struct llm;       /* the client: endpoints, connections, statistics */
struct llm_model; /* a resolved model; lives as long as the client */
struct llm_call;  /* one call under way */

/* One key of a provider: several are used in turn, each with limits of its own. */
struct llm_key {
    const char *env; /* the variable that holds it */
    const char *value;
    bool bearer;             /* goes out as "Authorization: Bearer", whatever the format does */
    struct limit_set limits; /* the provider's where it has none of its own */
};

#define LLM_KEYS_MAX 16

/* Whether answers come as a stream: bytes that flow keep the connection alive where something
 * between here and there forgets quiet ones. */
enum llm_stream {
    LLM_STREAM_AUTO, /* long answers from other machines (docs/adr/0010) */
    LLM_STREAM_ALWAYS,
    LLM_STREAM_NEVER
};

struct llm_number {
    bool told;
    double value;
};

/* How a model is to be asked, where it is not as the provider does by default. What a model is
 * known or found to refuse is left out. */
struct llm_manner {
    const char *effort; /* "none", "minimal", "low", "medium", "high", "xhigh", "max"; or NULL */
    int64_t thinking_tokens; /* of the answer, for formats that take a number; 0: not told */
    struct llm_number temperature, top_p;
    const struct jnode *extra_body; /* an object that goes over the request, member by member; or
                                       NULL */
};

/* Another name for a model of a provider, perhaps with a manner of its own. */
struct llm_alias {
    const char *name, *model;
    struct llm_manner manner;
};

#define LLM_ALIASES_MAX 64

/* What some servers that speak OpenAI Chat Completions call things. */
enum llm_dialect {
    LLM_DIALECT_PLAIN,
    LLM_DIALECT_OPENROUTER, /* reasoning: {effort, max_tokens} */
    LLM_DIALECT_DEEPSEEK,   /* thinking: {type} beside the effort; json_object only */
    LLM_DIALECT_VLLM        /* thinking_token_budget */
};

/* A provider as it is configured. */
struct llm_provider {
    const char *name;     /* "openai" */
    const char *type;     /* wire format: "openai-chat" */
    const char *base_url; /* without the path of the operation, without a slash at the end */
    const char *key_env;  /* the variables that may hold a key, as text for a person ("A or B");
                             NULL: no key is sent */
    struct llm_key keys[LLM_KEYS_MAX]; /* those that are set */
    size_t keys_n;
    bool key_choice;            /* the variables are names for one key: the first that is set */
    bool key_optional;          /* a server of one's own: without a key none is sent */
    struct limit_set limits;    /* of each key, or of the provider when no key is sent */
    const char *const *headers; /* extra "Name: value", NULL-terminated; may be NULL */
    bool legacy_max_tokens;     /* openai-chat: begin with max_tokens, the older name of the cap */
    enum llm_dialect dialect;   /* openai-chat */
    enum llm_stream stream;
    bool http2;   /* over TLS (docs/adr/0010) */
    bool batches; /* it has them, as its format does them (docs/adr/0021) */
    struct llm_manner manner;
    const struct llm_alias *aliases;
    size_t aliases_n;
};

/** True if it needs a key and none of its variables is set. */
bool llm_provider_lacks_key(const struct llm_provider *p);

/** The alias of that name, or NULL. */
const struct llm_alias *llm_alias_find(const struct llm_provider *p, struct str name);

#define LLM_PROVIDERS_MAX 64

/* Where answers are kept that were paid for (store/cache.h); the client knows no more of it. Any
 * client's thread. */
struct llm_cache {
    void *ctx;
    /** True if it has an answer to @request that is none of @job's own; its texts are put into
     * @ret_text. */
    bool (*get)(void *ctx, struct str request, struct str job, struct sbuf *ret_text,
                struct call_answer *ret);
    /** @job has paid for an answer; nothing may be borrowed. */
    void (*put)(void *ctx, struct str request, struct str job, const struct call_answer *answer);
    bool roles[ROLE_COUNT]; /* whose calls it is asked for */
};

struct llm_config {
    struct llm_provider providers[LLM_PROVIDERS_MAX];
    size_t providers_n;
    const struct price_table *prices;
    const struct llm_cache *cache; /* NULL: none */
    /** A model cannot be asked for the time being, and @why; or can be again: NULL. On the thread
     * of the client's loop. NULL: nobody is told. */
    void (*on_trouble)(struct str model, const char *why);
    struct limit_set limits; /* for every key and model of every provider (--rpm, --tpm); if they
                                are shared, those of providers and keys are, too */
    int64_t in_flight_max;
    int64_t connect_ms, first_byte_ms, total_ms; /* deadlines of one try */
    int64_t idle_ms;                             /* between two pieces of a stream */
    int64_t tries_max;                           /* HTTP requests per call, at least 1 */
    int64_t retry_wait_ms_max; /* a provider that asks for a longer wait makes the call fail */
};

/** The defaults: deadlines 10 s, 10 min, 15 min, 3 min; 6 tries; 10 min. No providers. */
void llm_config_init(struct llm_config *c);

/**
 * Add the built-in providers (presets.c: openai, anthropic, gemini, perplexity, openrouter and
 * other services, ollama, vllm and other servers of one's own), then those of @yaml ("providers:"
 * of stumper.yaml, may be NULL), which replace built-in ones of the same name member by member.
 * Keys, base URLs and headers in the variables of the providers' own SDKs come through @getenv_fn
 * (an empty variable counts as unset). Errors go to @check.
 */
void llm_config_providers(struct llm_config *c, const struct jnode *yaml, struct jcheck *check,
                          const char *(*getenv_fn)(const char *name), struct arena *a);

/** The provider of that name, or NULL. */
const struct llm_provider *llm_config_find(const struct llm_config *c, struct str name);

/** Could this model be asked? Any thread. ERR_NOT_FOUND (no such provider: names the nearest and
 * how to configure it), ERR_AUTH (its key variable is unset: names it), ERR_UNSUPPORTED (its type).
 */
NODISCARD enum err llm_config_check_model(const struct llm_config *c, const struct model_name *name,
                                          struct errinfo *reterr);

/** Could this model be asked in batches? Any thread. ERR_UNSUPPORTED: says who could. */
NODISCARD enum err llm_config_check_batches(const struct llm_config *c,
                                            const struct model_name *name, struct errinfo *reterr);

/** What a model costs under the name that people use: an alias may have a price of its own, else it
 * costs what its model costs. NULL if that is not known. */
const struct price *llm_config_price(const struct llm_config *c, const struct model_name *name);

/** @config must outlive the client. */
struct llm *llm_new(struct loop *l, const struct llm_config *config);

/** Calls under way end with ERR_CANCELED first; their `done` must not ask again. */
void llm_free(struct llm *m);

/** The model to ask. Errors as of llm_config_check_model(). */
NODISCARD enum err llm_resolve(struct llm *m, const struct model_name *name,
                               const struct llm_model **ret, struct errinfo *reterr);

/** "provider/model". Valid as long as the client. */
struct str llm_model_name(const struct llm_model *model);

/** The limit per minute of all its keys together, as set or told so far; -1: not known. */
int64_t llm_model_per_minute(const struct llm_model *model, enum limit_kind kind);

/* Models for one purpose: the first that can answer does. When one gives up on a call (an error
 * that no retry mends, or no try left), the next takes it over. */
struct llm_chain {
    const struct llm_model *models[JOB_MODELS_MAX];
    size_t n; /* at least 1 */
};

/** llm_resolve() each of @names. */
NODISCARD enum err llm_chain_resolve(struct llm *m, const struct job_models *names,
                                     struct llm_chain *ret, struct errinfo *reterr);

/** True if nobody of @chain will answer for a while: its keys are wrong or out of quota, or no
 * probe got through. */
bool llm_chain_is_dead(const struct llm_chain *chain);

/** The most that a call can cost at @tariff, whoever of @chain answers it; a model without a price
 * counts as free (core/price.h). */
int64_t llm_chain_bound(const struct llm_chain *chain, const struct call_spec *spec,
                        enum price_tariff tariff);

/** Called once; the answer is borrowed until it returns. */
typedef void llm_done_fn(void *ctx, const struct call_answer *answer);

struct llm_request {
    const struct llm_chain *chain;
    const struct call_spec *spec;
    const char *tag; /* sent as X-Client-Request-Id, so that a provider's log and our ledger can be
                        put side by side: "<job>/<attempt>/<call>" */
    int64_t nth;    /* tells the same questions of one attempt apart: each has its own answer in the
                       cache */
    struct str job; /* what the cache holds is not for the job that paid for it */
    int64_t owner;  /* nor for jobs of other API keys than that one's */
    const struct llm_book *book; /* it goes in a batch, which is written down there; NULL: alone */
    int priority; /* 0..LLM_PRIORITY_MAX: of those that wait for one model the highest goes first,
                     among equals the oldest. How much was paid for already: an attempt's stage */
    llm_done_fn *done;
    void *ctx;
};

#define LLM_PRIORITY_MAX 7

/**
 * Ask. Chain, spec and job must live until `done`, the rest of @request is copied.
 *
 * @ret  valid until `done`
 */
void llm_call(struct llm *m, const struct llm_request *request, struct llm_call **ret);

/** `done` is called with ERR_CANCELED on a later tick; a request that has left is cut off, a batch
 * goes on. */
void llm_cancel(struct llm_call *call);

/* --- batches (docs/adr/0021): calls that go together, at half the price, and come back within a
 * day. They are gathered in waves, a wave a batch; everything else about them is as ever. A call
 * says that it may wait so long by naming a book; calls of different books never share a batch.
 *
 * Each batch is written down in its book before it is made and when its provider's name for it is
 * known. llm_adopt() gives back what was written: a call with a tag that is in there waits for that
 * batch, and is paid for once, however often the process dies. */

/* A batch as it is written down. */
struct llm_note {
    const char *mark;        /* our own name for it */
    struct str model;        /* "provider/model" */
    struct str id;           /* the provider's; empty: it may never have been made */
    int64_t created_ms;      /* when it was to be made, by the wall clock */
    const char *const *tags; /* of its calls */
    size_t n;
};

/** Called on a later tick, once it is on disk. */
typedef void llm_noted_fn(void *ctx, enum err err, const struct errinfo *why);

struct llm_book {
    void *ctx;
    /** A batch is about to be made; the note is borrowed for the call. */
    void (*intend)(void *ctx, const struct llm_note *note, llm_noted_fn *done, void *done_ctx);
    /** The batch @mark was made: @id. */
    void (*made)(void *ctx, const char *mark, struct str id, llm_noted_fn *done, void *done_ctx);
};

/** A batch that an earlier process, or an earlier holder of the book, wrote down. Errors as of
 * llm_config_check_batches(). */
NODISCARD enum err llm_adopt(struct llm *m, const struct llm_book *book,
                             const struct llm_note *note, struct errinfo *reterr);

/** True if a batch of @book, at a model of @chain, is to answer the call @tag, and nobody waits for
 * that yet. */
bool llm_awaits(const struct llm *m, const struct llm_book *book, const struct llm_chain *chain,
                const char *tag);

/** Know nothing of @book and its batches any more; they go on at their providers. No call of it is
 * under way. */
void llm_abandon(struct llm *m, const struct llm_book *book);

/** Nobody needs the answer any more. What is on its way is paid for, and awaited; but it is not
 * tried again. What waits for its turn, for a retry or for its wave to leave ends with ERR_CANCELED
 * on a later tick; a batch of which no call is needed is cancelled at its provider, and its calls
 * end with what was answered, or ERR_CANCELED. */
void llm_relinquish(struct llm_call *call);

/** Nobody needs what is in the batches of @book and was not asked for yet: a batch of which no call
 * is needed is cancelled at its provider. Who asks all the same gets what was answered. */
void llm_relinquish_batches(struct llm *m, const struct llm_book *book);

/* What an endpoint offers. */
struct llm_listing {
    enum err err;       /* as of a call, see call_answer */
    const char *detail; /* for a person, when err != ERR_OK */
    enum call_clue clue;
    const struct str *names; /* of models, in the endpoint's order */
    size_t n;
};

/** Called once; the listing is borrowed until it returns. */
typedef void llm_listing_fn(void *ctx, const struct llm_listing *listing);

/**
 * Ask @provider (of the client's configuration) for its models, with its first key; one try, within
 * first_byte_ms. `done` is called on a later tick.
 *
 * @return  ERR_BUSY if the HTTP client is full; `done` is then not called
 */
NODISCARD enum err llm_list_models(struct llm *m, const struct llm_provider *provider,
                                   llm_listing_fn *done, void *ctx);

/* --- limits that are shared by the clients of a fleet (core/part.h) */

#define LLM_PARTS_MAX 64 /* keys and models; what is beyond is not asked */

/* A key and a model of which somebody asks, or has asked. */
struct llm_part {
    const char
        *name;      /* "provider/model#1": the same for all clients; lives as long as the client */
    int64_t demand; /* calls that wait or are under way */
    double held;    /* the part that is used */
    int64_t units;  /* of a limit of calls in flight; 0: none is known */
};

/** What to claim parts of; none unless limits are shared. Gives how many. */
size_t llm_parts(const struct llm *m, struct llm_part *ret, size_t max);

/** Use these parts (`held`) from now on, and nothing from @to_ms on, by the loop's clock. */
void llm_grant(struct llm *m, const struct llm_part *parts, size_t n, int64_t to_ms);

/** Call @partless when somebody waits at a key that has no part yet. */
void llm_on_partless(struct llm *m, void (*partless)(void *ctx), void *ctx);

#define LLM_TROUBLE_BYTES 256

/** Since the start: HTTP requests sent, retried, answered 429; now: waiting for a retry, and a
 * model that cannot be asked for the time being, with the reason ("": none). For the display. */
struct llm_stats {
    int64_t requests, retries, rate_limited, waiting, in_flight;
    char trouble[LLM_TROUBLE_BYTES];
    int64_t batches, batched; /* under way; calls that wait for them */
};
struct llm_stats llm_stats(const struct llm *m);

#endif
