/* A cursor. Strings shrink when unescaped, so they are rewritten where they stand. Plain stretches
 * are crossed eight bytes at a time. */
#include "sim/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_NUMBER_BYTES_MAX 64

void scan_init(struct scan *s, char *text, size_t n) {
    *s = (struct scan){.p = text, .end = text + n};
}

static void scan_fail(struct scan *s) {
    s->failed = true;
    s->p = s->end;
}

static void scan_space(struct scan *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) {
        s->p++;
    }
}

/* The next character after white space, or 0 at the end. */
static char scan_char(struct scan *s) {
    scan_space(s);
    return s->p < s->end ? *s->p : '\0';
}

static bool scan_take(struct scan *s, char c) {
    if (scan_char(s) != c) {
        return false;
    }
    s->p++;
    return true;
}

static void scan_expect(struct scan *s, char c) {
    if (!scan_take(s, c)) {
        scan_fail(s);
    }
}

char scan_peek(struct scan *s) {
    char c = scan_char(s);
    return c != '\0' && strchr("{[\"tfn", c) != NULL ? c : '\0';
}

static void scan_enter(struct scan *s, char open) {
    scan_expect(s, open);
    s->first = true;
    if (++s->depth > SCAN_DEPTH_MAX) {
        scan_fail(s);
    }
}

/* At an item or at the end of the object or array that @close closes. */
static bool scan_item(struct scan *s, char close) {
    if (s->failed) {
        return false;
    }
    if (scan_take(s, close)) {
        s->depth--;
        s->first = false;
        return false;
    }
    if (!s->first) {
        scan_expect(s, ',');
    }
    s->first = false;
    return !s->failed;
}

void scan_object(struct scan *s) {
    scan_enter(s, '{');
}
void scan_array(struct scan *s) {
    scan_enter(s, '[');
}

bool scan_key(struct scan *s, struct str *ret) {
    if (!scan_item(s, '}')) {
        return false;
    }
    *ret = scan_str(s);
    scan_expect(s, ':');
    return !s->failed;
}

bool scan_next(struct scan *s) {
    return scan_item(s, ']');
}

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_HIGHS UINT64_C(0x8080808080808080)

/* Bytes with their high bit set mark the zero bytes of @x (and perhaps bytes above the first one).
 */
static uint64_t scan_zeros(uint64_t x) {
    return (x - SCAN_ONES) & ~x & SCAN_HIGHS;
}

static char *scan_plain_slowly(char *p, char *end) {
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) {
        p++;
    }
    return p;
}

/* The first byte from @p on that is not plain: a quote, a backslash or a control character. */
static char *scan_plain(char *p, char *end) {
    while (end - p >= 8) {
        uint64_t x;
        memcpy(&x, p, sizeof x);
        uint64_t stop = scan_zeros(x ^ (SCAN_ONES * '"')) | scan_zeros(x ^ (SCAN_ONES * '\\')) |
                        scan_zeros(x & (SCAN_ONES * 0xe0));
        if (stop != 0) { /* its lowest mark is exact */
            return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? p + __builtin_ctzll(stop) / 8
                                                             : scan_plain_slowly(p, end);
        }
        p += 8;
    }
    return scan_plain_slowly(p, end);
}

/* Four hexadecimal digits, or -1. */
static int scan_hex4(struct scan *s) {
    int v = 0;
    if (s->end - s->p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char c = *s->p++;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        v = v * 16 + digit;
    }
    return v;
}

static char *scan_put_utf8(char *to, int c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | (c >> 6));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | (c >> 12));
        *to++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | (c >> 18));
        *to++ = (char)(0x80 | ((c >> 12) & 0x3f));
        *to++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* \uXXXX behind the "u"; surrogates only in pairs, no NUL. */
static char *scan_unicode(struct scan *s, char *to) {
    int c = scan_hex4(s);
    if (c >= 0xd800 && c < 0xdc00 && s->end - s->p >= 2 && s->p[0] == '\\' && s->p[1] == 'u') {
        s->p += 2;
        int low = scan_hex4(s);
        c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    if (c <= 0 || (c >= 0xd800 && c < 0xe000)) {
        scan_fail(s);
        return to;
    }
    return scan_put_utf8(to, c);
}

/* One escape sequence behind its backslash. */
static char *scan_escape(struct scan *s, char *to) {
    static const char shorts[] = "\"\"\\\\//b\bf\fn\nr\rt\t"; /* letter, byte, letter, byte, … */
    char c = s->p < s->end ? *s->p++ : '\0';
    if (c == 'u') {
        return scan_unicode(s, to);
    }
    for (const char *e = shorts; *e != '\0'; e += 2) {
        if (e[0] == c) {
            *to++ = e[1];
            return to;
        }
    }
    scan_fail(s);
    return to;
}

struct str scan_str(struct scan *s) {
    scan_expect(s, '"');
    char *from = s->p, *to = s->p;
    while (!s->failed) {
        char *stop = scan_plain(s->p, s->end);
        size_t n = (size_t)(stop - s->p);
        if (to != s->p) {
            memmove(to, s->p, n);
        }
        to += n;
        s->p = stop + 1;
        if (stop == s->end || (*stop != '"' && *stop != '\\')) {
            scan_fail(s);
        } else if (*stop == '"') {
            return (struct str){from, (size_t)(to - from)};
        } else {
            to = scan_escape(s, to);
        }
    }
    return S("");
}

static size_t scan_digits(const struct scan *s, size_t from) {
    size_t n = 0;
    while (s->p + from + n < s->end && s->p[from + n] >= '0' && s->p[from + n] <= '9') {
        n++;
    }
    return n;
}

/* Length of the number that begins here by RFC 8259, or 0. */
static size_t scan_number_len(const struct scan *s) {
    size_t n = s->p < s->end && *s->p == '-' ? 1 : 0;
    size_t digits = scan_digits(s, n);
    if (digits == 0 || (digits > 1 && s->p[n] == '0')) {
        return 0;
    }
    n += digits;
    if (s->p + n < s->end && s->p[n] == '.') {
        digits = scan_digits(s, n + 1);
        if (digits == 0) {
            return 0;
        }
        n += 1 + digits;
    }
    if (s->p + n < s->end && (s->p[n] == 'e' || s->p[n] == 'E')) {
        n++;
        n += s->p + n < s->end && (s->p[n] == '+' || s->p[n] == '-') ? 1 : 0;
        digits = scan_digits(s, n);
        return digits == 0 ? 0 : n + digits;
    }
    return n;
}

double scan_number(struct scan *s) {
    char text[SCAN_NUMBER_BYTES_MAX];
    scan_space(s);
    size_t n = scan_number_len(s);
    if (n == 0 || n >= sizeof text) {
        scan_fail(s);
        return 0;
    }
    memcpy(text, s->p, n);
    text[n] = '\0';
    s->p += n;
    return strtod(text, NULL);
}

static void scan_word(struct scan *s, const char *word) {
    size_t n = strlen(word);
    scan_space(s);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) {
        scan_fail(s);
        return;
    }
    s->p += n;
}

bool scan_bool(struct scan *s) {
    bool yes = scan_peek(s) == 't';
    scan_word(s, yes ? "true" : "false");
    return yes && !s->failed;
}

void scan_skip(struct scan *s) {
    struct str key;
    switch (scan_peek(s)) {
    case '{':
        for (scan_object(s); scan_key(s, &key);) {
            scan_skip(s);
        }
        break;
    case '[':
        for (scan_array(s); scan_next(s);) {
            scan_skip(s);
        }
        break;
    case '"':
        (void)scan_str(s);
        break;
    case 't':
    case 'f':
        (void)scan_bool(s);
        break;
    case 'n':
        scan_word(s, "null");
        break;
    default:
        (void)scan_number(s);
        break;
    }
}

struct str scan_raw(struct scan *s) {
    int depth = 0;
    bool quoted = false;
    scan_space(s);
    char *from = s->p;
    while (s->p < s->end && (depth > 0 || s->p == from)) {
        char c = *s->p++;
        if (quoted) {
            s->p += c == '\\' && s->p < s->end ? 1 : 0;
            quoted = c != '"';
        } else {
            quoted = c == '"';
            depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        }
    }
    if (depth != 0 || s->p == from) {
        scan_fail(s);
        return S("");
    }
    return (struct str){from, (size_t)(s->p - from)};
}

bool scan_done(struct scan *s) {
    scan_space(s);
    return !s->failed && s->p == s->end;
}
