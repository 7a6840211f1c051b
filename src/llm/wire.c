#include "llm/wire.h"

#include <string.h>
#include <time.h>

static const struct wire *const wires[] = {&wire_openai_chat};

const struct wire *wire_find(const char *type) {
    for (size_t i = 0; i < ARRAY_LEN(wires); i++) {
        if (strcmp(wires[i]->type, type) == 0) {
            return wires[i];
        }
    }
    return NULL;
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
    if (text.n >= sizeof buf) {
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
    int64_t at_ms = wire_date_ms(text);
    return at_ms < 0 ? -1 : MAX(at_ms - wall_ms, 0);
}
