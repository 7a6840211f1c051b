#include "json/write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void jwrite_init(struct jwrite *w, struct sbuf *out) {
    *w = (struct jwrite){.out = out};
}

static uint64_t jwrite_bit(const struct jwrite *w) {
    return UINT64_C(1) << w->depth;
}

/* What must stand before a value: a comma, unless it is the first or follows its key. */
static void jwrite_begin(struct jwrite *w) {
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->comma & jwrite_bit(w)) {
        sbuf_add_char(w->out, ',');
    }
    w->comma |= jwrite_bit(w);
}

static void jwrite_open(struct jwrite *w, bool array) {
    jwrite_begin(w);
    sbuf_add_char(w->out, array ? '[' : '{');
    ASSERT(w->depth + 1 < JWRITE_DEPTH_MAX);
    w->depth++;
    w->comma &= ~jwrite_bit(w);
    w->array = array ? w->array | jwrite_bit(w) : w->array & ~jwrite_bit(w);
}

void jwrite_object(struct jwrite *w) {
    jwrite_open(w, false);
}
void jwrite_array(struct jwrite *w) {
    jwrite_open(w, true);
}

void jwrite_end(struct jwrite *w) {
    ASSERT(w->depth > 0 && !w->after_key);
    sbuf_add_char(w->out, w->array & jwrite_bit(w) ? ']' : '}');
    w->depth--;
}

/* True if none of the eight bytes needs a look: no control, no quote, no backslash, all ASCII. Each
 * term sets the top bit of the bytes it objects to. */
static bool jwrite_plain8(const char *p) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
    uint64_t w;
    memcpy(&w, p, sizeof w);
    uint64_t quote = w ^ (ones * '"'), backslash = w ^ (ones * '\\');
    return ((w | (w - ones * 0x20) | (quote - ones) | (backslash - ones)) & tops) == 0;
}

/* Length of the well-formed UTF-8 character at @at, or 0. */
static size_t jwrite_utf8_len(struct str s, size_t at) {
    unsigned char lead = (unsigned char)s.p[at];
    size_t n = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    return at + n <= s.n && str_is_utf8((struct str){s.p + at, n}) ? n : 0;
}

/* How many bytes from @at on pass into a JSON string as they are. */
static size_t jwrite_run(struct str s, size_t at) {
    size_t from = at;
    while (at < s.n) {
        unsigned char c = (unsigned char)s.p[at];
        size_t n = s.n - at >= 8 && jwrite_plain8(s.p + at) ? 8
                   : c >= 0x80                              ? jwrite_utf8_len(s, at)
                   : c >= 0x20 && c != '"' && c != '\\'     ? 1u
                                                            : 0u;
        if (n == 0) {
            break;
        }
        at += n;
    }
    return at - from;
}

/* What stands for a byte that does not pass; may use @buffer. */
static struct str jwrite_escape(unsigned char c, char buffer[8]) {
    static const char shorts[][3] = {"\"\"", "\\\\", "\nn", "\tt", "\rr", "\bb", "\ff"};
    if (c >= 0x80 || c == 0) { /* not UTF-8, or what node.h refuses */
        return S("\xEF\xBF\xBD");
    }
    for (size_t i = 0; i < ARRAY_LEN(shorts); i++) {
        if ((unsigned char)shorts[i][0] == c) {
            buffer[0] = '\\';
            buffer[1] = shorts[i][1];
            return (struct str){buffer, 2};
        }
    }
    return (struct str){buffer, (size_t)snprintf(buffer, 8, "\\u%04x", (unsigned)c)};
}

/* A stretch that passes and the escape behind it go out in one step. */
static void jwrite_quoted(struct sbuf *out, struct str s) {
    char buffer[8];
    sbuf_add_char(out, '"');
    for (size_t at = 0; at < s.n; at++) {
        struct str escape = S("");
        size_t run = jwrite_run(s, at);
        if (at + run < s.n) {
            escape = jwrite_escape((unsigned char)s.p[at + run], buffer);
        }
        char *to = sbuf_reserve(out, run + escape.n);
        if (to == NULL) {
            return;
        }
        memcpy(to, s.p + at, run);
        memcpy(to + run, escape.p, escape.n);
        sbuf_grew(out, run + escape.n);
        at += run;
    }
    sbuf_add_char(out, '"');
}

void jwrite_key_str(struct jwrite *w, struct str key) {
    ASSERT(!w->after_key);
    jwrite_begin(w);
    jwrite_quoted(w->out, key);
    sbuf_add_char(w->out, ':');
    w->after_key = true;
}

void jwrite_key(struct jwrite *w, const char *key) {
    jwrite_key_str(w, str_of(key));
}

void jwrite_str(struct jwrite *w, struct str s) {
    jwrite_begin(w);
    jwrite_quoted(w->out, s);
}

void jwrite_cstr(struct jwrite *w, const char *s) {
    if (s == NULL) {
        jwrite_null(w);
    } else {
        jwrite_str(w, str_of(s));
    }
}

void jwrite_raw(struct jwrite *w, struct str json) {
    jwrite_begin(w);
    sbuf_add(w->out, json);
}

void jwrite_int(struct jwrite *w, int64_t v) {
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, v);
    jwrite_raw(w, (struct str){text, (size_t)n});
}

void jwrite_real(struct jwrite *w, double v) {
    char text[32];
    int n = 0;
    if (!isfinite(v)) {
        jwrite_null(w);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) {
            break;
        }
    }
    jwrite_raw(w, (struct str){text, (size_t)n});
}

void jwrite_bool(struct jwrite *w, bool v) {
    jwrite_raw(w, v ? S("true") : S("false"));
}
void jwrite_null(struct jwrite *w) {
    jwrite_raw(w, S("null"));
}

void jwrite_usd(struct jwrite *w, int64_t nusd) {
    char text[40];
    if (nusd < 0) {
        jwrite_null(w);
        return;
    }
    int n =
        snprintf(text, sizeof text, "%" PRId64 ".%09" PRId64, nusd / 1000000000, nusd % 1000000000);
    while (text[n - 1] == '0' && text[n - 2] != '.') {
        n--;
    }
    jwrite_raw(w, (struct str){text, (size_t)n});
}
