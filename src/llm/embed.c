#include "llm/embed.h"

#include "base/log.h"
#include "llm/once.h"
#include "llm/wire_error.h"

#include <string.h>

#define EMBED_BYTES_MAX ((size_t)64 * 1024 * 1024) /* 2,048 vectors of 4,096 in base64 */
#define EMBED_ARENA_BYTES_MAX ((size_t)512 * 1024 * 1024)
#define EMBED_DIMENSIONS_MAX 65536

void llm_embed_body(const struct llm_embed_request *request, struct sbuf *ret) {
    struct jwrite w;
    jwrite_init(&w, ret);
    jwrite_object(&w);
    jwrite_key(&w, "model");
    jwrite_str(&w, request->model);
    jwrite_key(&w, "input");
    jwrite_array(&w);
    for (size_t i = 0; i < request->texts_n; i++) {
        jwrite_str(&w, request->texts[i]);
    }
    jwrite_end(&w);
    jwrite_key(&w, "encoding_format");
    jwrite_cstr(&w, "base64");
    if (request->dimensions > 0) {
        jwrite_key(&w, "dimensions");
        jwrite_int(&w, request->dimensions);
    }
    jwrite_end(&w);
}

/* --- reading --- */

static int embed_digit(char c) {
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Bytes of base64 (RFC 4648 §4) into @to, which has room for a whole number of floats; false if it
 * is none, or of another length. */
static bool embed_decode(struct str text, unsigned char *to, size_t bytes) {
    uint32_t bits = 0;
    size_t n = 0, have = 0;
    while (text.n > 0 && text.p[text.n - 1] == '=') {
        text.n--;
    }
    if (text.n * 6 / 8 != bytes) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        int digit = embed_digit(text.p[i]);
        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[n++] = (unsigned char)(bits >> have);
        }
    }
    return true;
}

static float embed_float(const unsigned char *bytes) {
    uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                    (uint32_t)bytes[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* How many numbers a vector has; 0 if it is none. */
static size_t embed_length(const struct jnode *vector) {
    struct str text = jnode_str(vector);
    size_t n = jnode_type(vector) == JNODE_ARRAY ? jnode_len(vector) : 0;
    while (text.n > 0 && text.p[text.n - 1] == '=') {
        text.n--;
    }
    n = jnode_type(vector) == JNODE_STRING ? text.n * 6 / 8 / sizeof(float) : n;
    return n <= EMBED_DIMENSIONS_MAX ? n : 0;
}

static bool embed_vector(const struct jnode *vector, size_t dimensions, struct arena *a,
                         float *to) {
    if (embed_length(vector) != dimensions) {
        return false;
    }
    if (jnode_type(vector) == JNODE_ARRAY) {
        for (size_t i = 0; i < dimensions; i++) {
            to[i] = (float)jnode_real(jnode_at(vector, i), 0);
        }
        return true;
    }
    size_t bytes = dimensions * sizeof(float);
    unsigned char *raw = ARENA_ARRAY(a, unsigned char, bytes);
    if (!embed_decode(jnode_str(vector), raw, bytes)) {
        return false;
    }
    for (size_t i = 0; i < dimensions; i++) {
        to[i] = embed_float(raw + i * sizeof(float));
    }
    return true;
}

enum err llm_embed_read(const struct jnode *doc, size_t texts_n, struct arena *a,
                        struct llm_embedding *ret, struct errinfo *reterr) {
    const struct jnode *data = jnode_get(doc, "data");
    size_t dimensions = embed_length(jnode_get(jnode_at(data, 0), "embedding"));
    if (jnode_len(data) != texts_n || dimensions == 0) {
        return errinfo_set(reterr, ERR_PROTOCOL, "the answer has not %zu vectors", texts_n);
    }
    /* Each vector's bytes and numbers, and what the chunks of the arena leave unused. */
    if (texts_n * dimensions * sizeof(float) * 2 + texts_n > arena_room(a) / 2) {
        return errinfo_set(reterr, ERR_TOO_BIG, "%zu vectors of %zu numbers are too many at once",
                           texts_n, dimensions);
    }
    float *values = ARENA_ARRAY(a, float, texts_n *dimensions);
    bool *filled = ARENA_ARRAY(a, bool, texts_n);
    for (size_t i = 0; i < texts_n; i++) {
        const struct jnode *item = jnode_at(data, i);
        int64_t index = jnode_get_int(item, "index", (int64_t)i);
        if (index < 0 || (size_t)index >= texts_n || filled[index] ||
            !embed_vector(jnode_get(item, "embedding"), dimensions, a,
                          values + (size_t)index * dimensions)) {
            return errinfo_set(reterr, ERR_PROTOCOL, "vector %zu of the answer cannot be read", i);
        }
        filled[index] = true;
    }
    *ret = (struct llm_embedding){.values = values,
                                  .dimensions = dimensions,
                                  .input_tokens =
                                      wire_tokens(jnode_get(doc, "usage"), "prompt_tokens", -1)};
    return ERR_OK;
}

/* --- asking --- */

struct embed_wish {
    size_t texts_n;
    llm_embed_fn *done;
    void *ctx;
};

static void embed_read_reply(struct llm_once *once, const struct http_reply *reply) {
    static const struct call_spec no_spec;
    static const struct llm_manner no_manner;
    const struct wire_ask ask = {.spec = &no_spec, .manner = &no_manner};
    const struct embed_wish *wish = once->ctx;
    struct wire_result result = {.err = reply->err, .detail = reply->detail};
    struct llm_embedding embedding = {.input_tokens = -1};
    const struct jnode *doc = NULL;
    unsigned known = 0;
    if (reply->err == ERR_OK) {
        result.err = jnode_parse(str_trim(reply->body), &once->arena, &doc, &result.detail);
        if (reply->status != 200 || wire_holds_error(doc)) {
            wire_read_error(once->wire, &ask, reply, doc, &known, &once->arena, &result);
        } else if (result.err == ERR_OK) {
            result.err =
                llm_embed_read(doc, wish->texts_n, &once->arena, &embedding, &result.detail);
        } else {
            result.err = errinfo_wrap(&result.detail, ERR_PROTOCOL, "the answer is not JSON");
        }
    }
    log_redact(result.detail.text);
    embedding.err = result.err;
    embedding.detail = result.detail.text;
    wish->done(wish->ctx, &embedding);
}

enum err llm_embed(struct llm *m, const struct llm_embed_request *request, llm_embed_fn *done,
                   void *ctx) {
    ASSERT(request->texts_n >= 1 && request->texts_n <= LLM_EMBED_TEXTS_MAX);
    if (strncmp(request->provider->type, "openai-", strlen("openai-")) != 0) {
        return ERR_UNSUPPORTED;
    }
    struct llm_once *once = llm_once_new(request->provider, EMBED_ARENA_BYTES_MAX);
    struct embed_wish *wish = ARENA_NEW(&once->arena, struct embed_wish);
    *wish = (struct embed_wish){.texts_n = request->texts_n, .done = done, .ctx = ctx};
    once->read = embed_read_reply;
    once->ctx = wish;
    llm_embed_body(request, &once->body);
    struct str url = str_fmt(&once->arena, "%s/embeddings", request->provider->base_url);
    return llm_once_send(m, once, url.p, EMBED_BYTES_MAX);
}
