#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str str_of(const char *cstr) {
    return (struct str){cstr, cstr == NULL ? 0 : strlen(cstr)};
}

bool str_eq(struct str a, struct str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_starts(struct str s, struct str prefix) {
    return s.n >= prefix.n && str_eq(str_take(s, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix) {
    return s.n >= suffix.n && str_eq(str_skip(s, s.n - suffix.n), suffix);
}

static char str_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, struct str b) {
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (str_lower(a.p[i]) != str_lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

static bool str_is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s) {
    while (s.n > 0 && str_is_space(s.p[0])) {
        s = str_skip(s, 1);
    }
    while (s.n > 0 && str_is_space(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

struct str str_skip(struct str s, size_t from) {
    from = MIN(from, s.n);
    return (struct str){s.p == NULL ? NULL : s.p + from, s.n - from};
}

struct str str_take(struct str s, size_t n) {
    return (struct str){s.p, MIN(n, s.n)};
}

size_t str_find(struct str s, struct str needle) {
    if (needle.n == 0) {
        return 0;
    }
    const char *hit = s.n >= needle.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return hit == NULL ? STR_NPOS : (size_t)(hit - s.p);
}

size_t str_rfind(struct str s, struct str needle) {
    for (size_t at = s.n + 1; at-- > 0;) {
        if (str_starts(str_skip(s, at), needle)) {
            return at;
        }
    }
    return STR_NPOS;
}

size_t str_find_char(struct str s, char c) {
    const char *hit = s.n > 0 ? memchr(s.p, c, s.n) : NULL;
    return hit == NULL ? STR_NPOS : (size_t)(hit - s.p);
}

struct str str_split(struct str *rest, char sep) {
    size_t at = str_find_char(*rest, sep);
    struct str part = str_take(*rest, at);
    *rest = str_skip(*rest, at == STR_NPOS ? rest->n : at + 1);
    return part;
}

struct str str_dup(struct arena *a, struct str s) {
    char *copy = arena_alloc(a, s.n + 1);
    if (s.n > 0) {
        memcpy(copy, s.p, s.n);
    }
    return (struct str){copy, s.n};
}

const char *str_cstr(struct arena *a, struct str s) {
    return str_dup(a, s).p;
}

struct str str_fmt(struct arena *a, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    va_start(args, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, args); /* fits: just measured */
    va_end(args);
    return (struct str){p, (size_t)n};
}

#define STR_NUMBER_BYTES_MAX 64

/* Copies a plausible number to @buf for the libc; false if it cannot be one. */
static bool str_number(struct str s, const char *allowed, char buf[STR_NUMBER_BYTES_MAX]) {
    if (s.n == 0 || s.n >= STR_NUMBER_BYTES_MAX) {
        return false;
    }
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    return strspn(buf, allowed) == s.n;
}

bool str_to_i64(struct str s, int64_t *ret) {
    char buf[STR_NUMBER_BYTES_MAX];
    char *end;
    if (!str_number(s, "-0123456789", buf)) {
        return false;
    }
    errno = 0;
    long long v = strtoll(buf, &end, 10);
    if (errno != 0 || *end != '\0') {
        return false;
    }
    *ret = v;
    return true;
}

bool str_to_double(struct str s, double *ret) {
    char buf[STR_NUMBER_BYTES_MAX];
    char *end;
    if (!str_number(s, "-+.eE0123456789", buf) || buf[0] == '+') {
        return false;
    }
    double v = strtod(buf, &end);
    if (*end != '\0' || !isfinite(v)) {
        return false;
    }
    *ret = v;
    return true;
}

uint64_t str_hash(struct str s) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < s.n; i++) {
        h = (h ^ (uint8_t)s.p[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

/* Length of the well-formed character at the start of @s, or 0. RFC 3629, table of section 4. */
static size_t str_utf8_len(struct str s) {
    const uint8_t *b = (const uint8_t *)s.p;
    if (b[0] < 0x80) {
        return 1;
    }
    size_t len = b[0] >= 0xC2 && b[0] <= 0xDF   ? 2
                 : (b[0] & 0xF0) == 0xE0        ? 3
                 : b[0] >= 0xF0 && b[0] <= 0xF4 ? 4
                                                : 0;
    if (len == 0 || s.n < len) {
        return 0;
    }
    uint8_t low = b[0] == 0xE0 ? 0xA0 : b[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = b[0] == 0xED ? 0x9F : b[0] == 0xF4 ? 0x8F : 0xBF;
    if (b[1] < low || b[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((b[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return len;
}

/* True if the eight bytes at @p are ASCII, as most text is. */
static bool str_ascii8(const char *p) {
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return (x & UINT64_C(0x8080808080808080)) == 0;
}

bool str_is_utf8(struct str s) {
    while (s.n > 0) {
        while (s.n > 8 && str_ascii8(s.p)) {
            s = str_skip(s, 8);
        }
        size_t len = str_utf8_len(s);
        if (len == 0) {
            return false;
        }
        s = str_skip(s, len);
    }
    return true;
}

struct str str_take_utf8(struct str s, size_t n) {
    if (n >= s.n) {
        return s;
    }
    while (n > 0 && ((uint8_t)s.p[n] & 0xC0) == 0x80) {
        n--;
    }
    return str_take(s, n);
}

#define STR_DISTANCE_BYTES_MAX 64

/* Optimal string alignment, three rows of the classic table. */
size_t str_distance(struct str a, struct str b) {
    size_t row[3][STR_DISTANCE_BYTES_MAX + 1];
    if (a.n >= STR_DISTANCE_BYTES_MAX || b.n >= STR_DISTANCE_BYTES_MAX) {
        return STR_DISTANCE_BYTES_MAX;
    }
    for (size_t j = 0; j <= b.n; j++) {
        row[0][j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        size_t *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        cur[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t swap_cost = a.p[i - 1] == b.p[j - 1] ? 0 : 1;
            size_t best = MIN(MIN(up[j] + 1, cur[j - 1] + 1), up[j - 1] + swap_cost);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1]) {
                best = MIN(best, up2[j - 2] + 1);
            }
            cur[j] = best;
        }
    }
    return row[a.n % 3][b.n];
}
