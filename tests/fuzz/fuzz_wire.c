/* Whatever a provider sends, whole or as a stream, llm/wire.h makes an answer or one classified
 * error of it, learns from a 400 or 422 alone, and asks the same thing again only finitely often.
 * Input: the format and how it is asked as a byte, a status as two bytes, the headers up to the
 * first NUL, the body; a status of 200 is read as a stream, too, in pieces. The body may also be a
 * list of models, or vectors. */
#include "fuzz.h"
#include "llm/embed.h"
#include "llm/stream.h"

#define TEXT_BYTES_MAX ((size_t)64 * 1024)

static const struct wire *const wires[] = {&wire_openai_chat, &wire_openai_responses,
                                           &wire_anthropic, &wire_gemini, &wire_perplexity};
static const struct call_schema schema = {.name = "s", .json = {"{}", 2}};
static const struct call_spec spec = {.schema = &schema};
static const struct llm_provider provider = {.name = "p"};
static const struct llm_manner manner = {
    .effort = "low", .thinking_tokens = 2000, .temperature = {true, 0.5}};

static void check(const struct wire_result *r, unsigned asked, unsigned known, int status) {
    ASSERT(r->retry_after_ms >= -1);
    if (r->err == ERR_OK) {
        ASSERT(status == 200 && !r->learned && r->detail.text[0] == '\0');
        ASSERT(r->answer.usage.input_tokens >= -1 && r->answer.usage.output_tokens >= -1);
        ASSERT(r->answer.usage.cached_tokens >= 0 && r->answer.usage.reasoning_tokens >= 0);
    } else {
        ASSERT(r->detail.text[0] != '\0' && err_class(r->err) != ERR_CLASS_BUG);
    }
    ASSERT((r->cap > 0) == (r->learned && (known & ~asked & WIRE_CAPPED) != 0));
    ASSERT(r->learned ? asked != known && r->err != ERR_OK : asked == known);
}

static void check_stream(const struct wire *wire, const struct wire_ask *ask, struct str body,
                         size_t step, struct arena *a) {
    const struct http_reply reply = {.status = 200};
    struct wire_stream s;
    struct wire_result r;
    unsigned known = ask->quirks;
    wire_stream_init(&s, TEXT_BYTES_MAX);
    wire_stream_start(&s, wire, ask, &known);
    enum http_take take = HTTP_TAKE_QUIET;
    while (body.n > 0 && take != HTTP_TAKE_NO) {
        take = wire_stream_feed(&s, str_take(body, step));
        body = str_skip(body, step);
    }
    wire_stream_end(&s, &reply, a, &r);
    ASSERT((take == HTTP_TAKE_NO) == (s.failure.err != ERR_OK));
    ASSERT(r.answer.text.n <= TEXT_BYTES_MAX);
    check(&r, ask->quirks, known, 200);
    wire_stream_release(&s);
}

/* The other documents that an endpoint may send: lists of models, vectors. */
static void check_lists(const struct wire *wire, const struct http_reply *reply, struct arena *a) {
    const struct str *names = NULL;
    const struct jnode *doc = NULL;
    struct llm_embedding e;
    struct wire_result r;
    size_t n = 0;
    wire_read_models(wire, reply, a, &r, &names, &n);
    ASSERT((r.err == ERR_OK) == (names != NULL));
    for (size_t i = 0; i < n; i++) {
        ASSERT(names[i].n > 0);
    }
    if (jnode_parse(reply->body, a, &doc, NULL) == ERR_OK &&
        llm_embed_read(doc, 2, a, &e, NULL) == ERR_OK) {
        ASSERT(e.dimensions > 0 && e.values != NULL && e.input_tokens >= -1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    unsigned known = 0;
    struct wire_result r = {.learned = true};
    if (size < 3) {
        return 0;
    }
    const struct wire *wire = wires[data[0] % ARRAY_LEN(wires)];
    struct str body = {(const char *)data + 3, size - 3};
    struct http_reply reply = {.status = data[1] * 4 + data[2] % 4, .sent = true};
    reply.headers = str_split(&body, '\0');
    reply.body = body;
    arena_init(&a, (size_t)256 * 1024 * 1024);
    struct wire_ask ask = {.provider = &provider,
                           .manner = &manner,
                           .spec = &spec,
                           .output_tokens_max = 100000,
                           .stream = true};
    for (int lessons = 0; r.learned; lessons++) {
        ask.quirks = known;
        wire_read(wire, &ask, &reply, &known, &a, &r);
        check(&r, ask.quirks, known, reply.status);
        ASSERT(lessons <= WIRE_QUIRKS_N);
    }
    check_lists(wire, &reply, &a);
    if (reply.status == 200) {
        check_stream(wire, &ask, body, data[0] / ARRAY_LEN(wires) + 1u, &a);
    }
    arena_release(&a);
    return 0;
}
