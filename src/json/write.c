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

/* Bytes that pass into a JSON string as they are. */
static bool jwrite_plain(unsigned char c) {
    return c >= 0x20 && c != '"' && c != '\\';
}

/* True if the eight bytes at @p are all plain: each test leaves a top bit set where one is not. */
static bool jwrite_plain8(const char *p) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t x;
    memcpy(&x, p, sizeof x);
    uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
    uint64_t low = (x - ones * 0x20) & ~x;
    quote = (quote - ones) & ~quote;
    slash = (slash - ones) & ~slash;
    return ((low | quote | slash) & tops) == 0;
}

static void jwrite_escape(struct sbuf *out, unsigned char c) {
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* byte, letter, byte, letter, … */
    for (const char *s = shorts; *s != '\0'; s += 2) {
        if ((unsigned char)s[0] == c) {
            sbuf_add(out, (struct str){(const char[]){'\\', s[1]}, 2});
            return;
        }
    }
    sbuf_addf(out, "\\u%04x", (unsigned)c);
}

static void jwrite_chars(struct sbuf *out, struct str s) {
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        while (s.n - i > 8 && jwrite_plain8(s.p + i)) {
            i += 8;
        }
        if (!jwrite_plain((unsigned char)s.p[i])) {
            sbuf_add(out, (struct str){s.p + from, i - from});
            jwrite_escape(out, (unsigned char)s.p[i]);
            from = i + 1;
        }
    }
    sbuf_add(out, str_skip(s, from));
}

/* Well-formed stretches as they are, every other byte as U+FFFD. */
static void jwrite_mended(struct sbuf *out, struct str s) {
    while (s.n > 0) {
        size_t good = 0, step = 1;
        while (good < s.n) {
            for (step = 1; step <= 4 && !str_is_utf8(str_take(str_skip(s, good), step)); step++) {
            }
            if (step > 4 || good + step > s.n) {
                break;
            }
            good += step;
        }
        jwrite_chars(out, str_take(s, good));
        if (good < s.n) {
            sbuf_add_cstr(out, "\xEF\xBF\xBD");
            good++;
        }
        s = str_skip(s, good);
    }
}

static void jwrite_quoted(struct sbuf *out, struct str s) {
    sbuf_add_char(out, '"');
    if (str_is_utf8(s)) {
        jwrite_chars(out, s);
    } else {
        jwrite_mended(out, s);
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
