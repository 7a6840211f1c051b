/* embed.h - texts as vectors, over OpenAI's POST /embeddings, which most servers speak. A kind of
 * call of its own: no roles, no limits, no retries; whoever asks may ask again. */
#ifndef STUMPER_LLM_EMBED_H
#define STUMPER_LLM_EMBED_H

#include "llm/llm.h"

#define LLM_EMBED_TEXTS_MAX 2048 /* of one request, as OpenAI has it */

struct llm_embed_request {
    const struct llm_provider *provider; /* of the client's configuration; type openai-… */
    struct str model;                    /* as the provider spells it */
    const struct str *texts;
    size_t texts_n;     /* 1..LLM_EMBED_TEXTS_MAX */
    int64_t dimensions; /* 0: the model's own */
};

struct llm_embedding {
    enum err err;        /* as of a call, see call_answer */
    const char *detail;  /* for a person, when err != ERR_OK */
    const float *values; /* texts_n rows of `dimensions`, in the order of the texts */
    size_t dimensions;
    int64_t input_tokens; /* -1: not told */
};

/** Called once; the embedding is borrowed until it returns. */
typedef void llm_embed_fn(void *ctx, const struct llm_embedding *embedding);

/**
 * Ask; @request may go when it returns. `done` is called on a later tick.
 *
 * @return  ERR_BUSY if the HTTP client is full, ERR_UNSUPPORTED if the provider's format has no
 *          embeddings; `done` is then not called
 */
NODISCARD enum err llm_embed(struct llm *m, const struct llm_embed_request *request,
                             llm_embed_fn *done, void *ctx);

/* --- the format, pure --- */

/** Append the request's body to @ret. Vectors are asked for in base64: a quarter of the bytes, and
 * no numbers to read. */
void llm_embed_body(const struct llm_embed_request *request, struct sbuf *ret);

/** Read a 200's document: a vector for each of @texts_n texts, all of one length, by their index,
 * in base64 (little-endian float32) or as arrays of numbers. ERR_PROTOCOL says what is missing;
 * ERR_TOO_BIG: they do not fit into half of the arena.
 * @a owns the values. */
NODISCARD enum err llm_embed_read(const struct jnode *doc, size_t texts_n, struct arena *a,
                                  struct llm_embedding *ret, struct errinfo *reterr);

#endif
