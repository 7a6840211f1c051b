#include "cli/term.h"

#include "core/money.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TERM_WIDTH_MAX 1000

static const char *term_env(const char *(*getenv_fn)(const char *name), const char *name) {
    const char *value = getenv_fn(name);
    return value != NULL ? value : "";
}

/* The first of the variables that is set decides, as in setlocale(3); the locale itself need not be
 * installed. */
static bool term_is_utf8(const char *(*getenv_fn)(const char *name)) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = term_env(getenv_fn, names[i]);
        if (*value != '\0') {
            return strcasestr(value, "UTF-8") != NULL || strcasestr(value, "UTF8") != NULL;
        }
    }
    return false;
}

int term_width(int fd, const char *(*getenv_fn)(const char *name)) {
    struct winsize size;
    int64_t columns;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    if (str_to_i64(str_of(getenv_fn("COLUMNS")), &columns) && columns > 0) {
        return (int)MIN(columns, TERM_WIDTH_MAX);
    }
    return TERM_WIDTH_DEFAULT;
}

struct term term_look(int fd, const char *(*getenv_fn)(const char *name)) {
    const char *kind = term_env(getenv_fn, "TERM");
    bool tty = isatty(fd) == 1;
    bool smart = tty && *kind != '\0' && strcmp(kind, "dumb") != 0;
    return (struct term){
        .tty = tty,
        .utf8 = term_is_utf8(getenv_fn),
        .colour = smart && *term_env(getenv_fn, "NO_COLOR") == '\0',
        .redraw = smart,
        .width = term_width(fd, getenv_fn),
    };
}

/* Digits with a comma at every third place. */
static struct term_text term_commas(int64_t n) {
    char digits[24];
    struct term_text t;
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, n), put = 0;
    for (size_t i = 0; i < len; i++) {
        bool after_digit = i > 0 && digits[i - 1] != '-';
        if (after_digit && (len - i) % 3 == 0) {
            t.s[put++] = ',';
        }
        t.s[put++] = digits[i];
    }
    t.s[put] = '\0';
    return t;
}

/* @v with three digits that matter, and its unit. */
static struct term_text term_scaled(double v, const char *unit) {
    struct term_text t;
    (void)snprintf(t.s, sizeof t.s, "%.*f%s", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, unit);
    return t;
}

struct term_text term_count(int64_t n) {
    if (n < 1000000) {
        return term_commas(n);
    }
    return n < INT64_C(999500000) ? term_scaled((double)n / 1e6, "M")
                                  : term_scaled((double)n / 1e9, "G");
}

struct term_text term_duration(int64_t ms) {
    struct term_text t;
    int64_t s = (ms + 500) / 1000;
    if (ms < 0) {
        (void)snprintf(t.s, sizeof t.s, "unknown");
    } else if (ms > 0 && ms < 1000) {
        (void)snprintf(t.s, sizeof t.s, "%" PRId64 "ms", ms);
    } else if (s < 60) {
        (void)snprintf(t.s, sizeof t.s, "%" PRId64 "s", s);
    } else if (s < 3600) {
        (void)snprintf(t.s, sizeof t.s, "%" PRId64 "m %02" PRId64 "s", s / 60, s % 60);
    } else if (s < 86400) {
        (void)snprintf(t.s, sizeof t.s, "%" PRId64 "h %02" PRId64 "m", s / 3600, s % 3600 / 60);
    } else {
        (void)snprintf(t.s, sizeof t.s, "%" PRId64 "d %02" PRId64 "h", s / 86400, s % 86400 / 3600);
    }
    return t;
}

struct term_text term_latency(int64_t ms) {
    struct term_text t;
    if (ms >= 1000) {
        return term_scaled((double)ms / 1000, " s");
    }
    (void)snprintf(t.s, sizeof t.s, "%" PRId64 " ms", ms);
    return t;
}

struct term_text term_money(int64_t nusd) {
    struct term_text t;
    if (nusd < 0) {
        (void)snprintf(t.s, sizeof t.s, "unknown");
    } else if (nusd == 0) {
        (void)snprintf(t.s, sizeof t.s, "$0");
    } else if (nusd < NUSD_PER_USD) {
        /* as many decimals as show three digits, between two and nine */
        int decimals = 3;
        for (int64_t v = nusd; v < NUSD_PER_USD / 10 && decimals < 9; v *= 10) {
            decimals++;
        }
        size_t n = (size_t)snprintf(t.s, sizeof t.s, "$%.*f", decimals, (double)nusd / 1e9);
        while (t.s[n - 1] == '0' && n > sizeof "$0.00" - 1) {
            t.s[--n] = '\0';
        }
    } else {
        int64_t cents = (nusd + NUSD_PER_USD / 200) / (NUSD_PER_USD / 100);
        (void)snprintf(t.s, sizeof t.s, "$%.20s.%02" PRId64, term_commas(cents / 100).s,
                       cents % 100);
    }
    return t;
}

struct term_text term_bytes(int64_t bytes) {
    static const char *const units[] = {" KB", " MB", " GB", " TB"};
    double v = (double)bytes / 1000;
    size_t unit = 0;
    if (bytes < 1000) {
        struct term_text t;
        (void)snprintf(t.s, sizeof t.s, "%" PRId64 " B", bytes);
        return t;
    }
    while (v >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
        v /= 1000;
        unit++;
    }
    return term_scaled(v, units[unit]);
}

struct term_text term_share(int64_t part, int64_t whole) {
    struct term_text t = {.s = "-"};
    if (whole > 0) {
        (void)snprintf(t.s, sizeof t.s, "%.1f%%", 100.0 * (double)part / (double)whole);
    }
    return t;
}

/* The first character of @s (not empty) and how many bytes it takes; a bad byte is U+FFFD. */
static uint32_t term_char(struct str s, size_t *ret_bytes) {
    unsigned char b = (unsigned char)s.p[0];
    size_t n = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    *ret_bytes = 1;
    if (n > s.n || !str_is_utf8(str_take(s, n))) {
        return 0xFFFD;
    }
    uint32_t c = n == 1 ? b : b & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        c = c << 6 | ((unsigned char)s.p[i] & 0x3Fu);
    }
    *ret_bytes = n;
    return c;
}

/* Unicode's combining blocks and East Asian Wide blocks (UAX #11), coarsely. */
static int term_char_columns(uint32_t c) {
    static const struct {
        uint32_t first, last;
        int columns;
    } blocks[] = {
        {0x0300, 0x036F, 0},   {0x200B, 0x200F, 0},   {0x20D0, 0x20FF, 0},   {0xFE00, 0xFE0F, 0},
        {0xFE20, 0xFE2F, 0},   {0x1100, 0x115F, 2},   {0x2E80, 0x303E, 2},   {0x3041, 0xA4CF, 2},
        {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},   {0xFE30, 0xFE6F, 2},   {0xFF00, 0xFF60, 2},
        {0xFFE0, 0xFFE6, 2},   {0x1F300, 0x1F64F, 2}, {0x1F680, 0x1F6FF, 2}, {0x1F900, 0x1F9FF, 2},
        {0x20000, 0x3FFFD, 2},
    };
    for (size_t i = 0; c >= 0x300 && i < ARRAY_LEN(blocks); i++) {
        if (c >= blocks[i].first && c <= blocks[i].last) {
            return blocks[i].columns;
        }
    }
    return 1;
}

int term_columns(struct str s) {
    int columns = 0;
    while (s.n > 0) {
        size_t n;
        columns += term_char_columns(term_char(s, &n));
        s = str_skip(s, n);
    }
    return columns;
}

struct str term_take(struct str s, int columns) {
    size_t at = 0;
    while (at < s.n) {
        size_t n;
        columns -= term_char_columns(term_char(str_skip(s, at), &n));
        if (columns < 0) {
            break;
        }
        at += n;
    }
    return str_take(s, at);
}

static void term_wrap_line(struct sbuf *out, struct str line, int at, int indent, int width) {
    bool first = true;
    while (line.n > 0) {
        struct str word = str_split(&line, ' ');
        int n = term_columns(word);
        if (!first && at + 1 + n > width) {
            sbuf_addf(out, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            sbuf_add_char(out, ' ');
            at++;
        }
        sbuf_add(out, word);
        at += n;
        first = false;
    }
}

void term_wrap(struct sbuf *out, struct str text, int at, int indent, int width) {
    for (bool first = true; first || text.n > 0; first = false) {
        struct str line = str_split(&text, '\n');
        if (!first) {
            sbuf_addf(out, "\n%*s", line.n > 0 ? indent : 0, "");
            at = indent;
        }
        term_wrap_line(out, line, at, indent, width);
    }
}

/* C0 and C1 controls, DEL, and the bidirectional overrides that make text look like other text. */
static bool term_is_control(uint32_t c) {
    return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

void term_clean(struct sbuf *out, struct str text, bool utf8) {
    while (text.n > 0) {
        size_t n;
        uint32_t c = term_char(text, &n);
        if (term_is_control(c) || c == 0xFFFD || (!utf8 && c >= 0x80)) {
            sbuf_add_cstr(out, utf8 ? "\xEF\xBF\xBD" : "?");
        } else {
            sbuf_add(out, str_take(text, n));
        }
        text = str_skip(text, n);
    }
}
