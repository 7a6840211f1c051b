/* Whatever a client sends, the simulator reads a question or refuses it with a 400 in words, in
 * each format; what it read can be answered, whole and as a stream. Input: a byte for the format,
 * the body. */
#include "fuzz.h"
#include "sim/format.h"

#include <string.h>

static const struct format *const formats[] = {&format_chat, &format_responses, &format_messages,
                                               &format_gemini};

static void check(const struct format *f, struct sbuf *body, struct sbuf *out) {
    static struct sim_request q;
    struct sim_error e = {0};
    if (!f->read(body, &q, &e)) {
        ASSERT(sim_error_status(&e, f->dialect) == 400 && e.message[0] != '\0');
        sim_error_write(&e, f->dialect, "req_1", out);
        return;
    }
    ASSERT(q.messages_n > 0 && q.messages_n <= SIM_MESSAGES_MAX && q.output_tokens_max > 0);
    struct said said = {.model = q.model, .text = q.messages[q.messages_n - 1].content};
    f->whole(&said, out);
    f->events(&said, SAID_BEGIN, S(""), out);
    f->events(&said, SAID_PIECE, said.text, out);
    f->events(&said, SAID_END, S(""), out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sbuf body, out;
    if (size == 0) {
        return 0;
    }
    sbuf_init(&body, size);
    sbuf_init(&out, (size_t)64 * 1024 * 1024);
    sbuf_add(&body, (struct str){(const char *)data + 1, size - 1});
    check(formats[data[0] % ARRAY_LEN(formats)], &body, &out);
    ASSERT(!sbuf_overflowed(&out));
    sbuf_release(&body);
    sbuf_release(&out);
    return 0;
}
