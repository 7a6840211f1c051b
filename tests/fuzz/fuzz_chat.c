/* Whatever a provider sends, llm/wire.h makes an answer or one classified error of it, learns from
 * a 400 or 422 alone, and asks the same thing again only finitely often. Input: a status as two
 * bytes, the headers up to the first NUL, the body. */
#include "fuzz.h"
#include "llm/wire.h"

#define LESSONS_MAX 4 /* the name of the cap, two formats, the system role */

static bool is_same(const struct wire_quirks *a, const struct wire_quirks *b) {
    return a->no_schema == b->no_schema && a->no_json_object == b->no_json_object &&
           a->legacy_max_tokens == b->legacy_max_tokens &&
           a->learned_max_tokens == b->learned_max_tokens && a->no_system == b->no_system;
}

static void check(const struct wire_result *r, const struct wire_quirks *asked,
                  const struct wire_quirks *known, int status) {
    ASSERT(r->retry_after_ms >= -1);
    if (r->err == ERR_OK) {
        ASSERT(status == 200 && !r->learned && r->detail.text[0] == '\0');
        ASSERT(r->answer.cost_nusd == MONEY_UNKNOWN);
    } else {
        ASSERT(r->detail.text[0] != '\0' && err_class(r->err) != ERR_CLASS_BUG);
    }
    ASSERT(r->learned || is_same(asked, known));
    ASSERT(!r->learned || (!is_same(asked, known) && r->err != ERR_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct wire_quirks known = {0};
    struct wire_result r = {.learned = true};
    if (size < 2) {
        return 0;
    }
    struct str body = {(const char *)data + 2, size - 2};
    struct http_reply reply = {.status = data[0] * 4 + data[1] % 4, .sent = true};
    reply.headers = str_split(&body, '\0');
    reply.body = body;
    arena_init(&a, (size_t)256 * 1024 * 1024);
    for (int lessons = 0; r.learned; lessons++) {
        struct wire_quirks asked = known;
        wire_openai_chat.read(&reply, &asked, &known, &a, &r);
        check(&r, &asked, &known, reply.status);
        ASSERT(lessons <= LESSONS_MAX);
    }
    arena_release(&a);
    return 0;
}
