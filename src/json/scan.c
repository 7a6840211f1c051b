/* Pure looking: offsets in, offsets out. An offset past the end reads as NUL. */
#include "json/scan.h"

#include "json/latex.h"
#include "json/repair.h"

#include <string.h>

#define JSCAN_KEY_BYTES_MAX ((size_t)200) /* looking ahead for a key goes no further */

char jscan_char(struct str text, size_t at) {
    return at < text.n ? text.p[at] : '\0';
}

bool jscan_has(struct str text, size_t at, const char *s) {
    return str_starts(str_skip(text, at), str_of(s));
}

bool jscan_is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool jscan_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static void jscan_spend(size_t *effort, size_t bytes) {
    *effort -= MIN(*effort, bytes);
}

/* The text is over where it ends and where its code fence ends. */
bool jscan_is_over(struct str text, size_t at) {
    return at >= text.n || (text.p[at] == '`' && jscan_has(text, at, "```"));
}

enum jscan_quote jscan_quote_at(struct str text, size_t at) {
    char c = jscan_char(text, at);
    if (c == '"' || c == '\'') {
        return c == '"' ? JSCAN_DOUBLE : JSCAN_SINGLE;
    }
    if ((unsigned char)c != 0xE2 || !jscan_has(text, at, "\xE2\x80")) {
        return JSCAN_NOT_QUOTED;
    }
    unsigned char last = (unsigned char)jscan_char(text, at + 2); /* U+2018 … U+201F */
    return last >= 0x98 && last <= 0x9B   ? JSCAN_CURLY_SINGLE
           : last >= 0x9C && last <= 0x9F ? JSCAN_CURLY_DOUBLE
                                          : JSCAN_NOT_QUOTED;
}

size_t jscan_quote_len(struct str text, size_t at) {
    enum jscan_quote quote = jscan_quote_at(text, at);
    return quote == JSCAN_NOT_QUOTED ? 0 : quote <= JSCAN_SINGLE ? 1 : 3;
}

/* Can the quote at @at close a string that @opening opened? */
bool jscan_closes(enum jscan_quote opening, struct str text, size_t at) {
    enum jscan_quote quote = jscan_quote_at(text, at);
    return quote != JSCAN_NOT_QUOTED &&
           (quote == opening || (opening == JSCAN_CURLY_DOUBLE && quote == JSCAN_DOUBLE) ||
            (opening == JSCAN_CURLY_SINGLE && quote == JSCAN_SINGLE));
}

/* Behind the comment at @at, or @at if there is none. */
size_t jscan_past_comment(struct str text, size_t at) {
    char c = jscan_char(text, at);
    char next = jscan_char(text, at + 1);
    bool line = c == '#' || (c == '/' && next == '/');
    if (!line && (c != '/' || next != '*')) {
        return at;
    }
    size_t n = str_find(str_skip(text, at), line ? S("\n") : S("*/"));
    return n == STR_NPOS ? text.n : at + n + (line ? 0 : 2);
}

/* Behind white space, comments and the escapes of white space ("\n" as two characters, in JSON that
 * was escaped as a whole); adds what was met to *@notes. */
size_t jscan_past_space(struct str text, size_t at, unsigned *notes) {
    for (;;) {
        char c = jscan_char(text, at);
        char next = jscan_char(text, at + 1);
        size_t comment = jscan_past_comment(text, at);
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
            at++;
        } else if (comment > at) {
            at = comment;
            *notes |= JREPAIR_COMMENTS;
        } else if (c == '\\' && (next == 'n' || next == 't' || next == 'r') &&
                   !jscan_is_letter(jscan_char(text, at + 2))) {
            at += 2;
            *notes |= JREPAIR_DECODED;
        } else {
            return at;
        }
    }
}

size_t jscan_peek(struct str text, size_t at, size_t *effort, unsigned *notes) {
    size_t to = jscan_past_space(text, at, notes);
    jscan_spend(effort, to - at + 1);
    return to;
}

/* Behind the bare word (a name or digits) at @at. */
size_t jscan_past_word(struct str text, size_t at) {
    while (jscan_is_letter(jscan_char(text, at)) || jscan_is_digit(jscan_char(text, at))) {
        at++;
    }
    return at;
}

/* Behind the short quoted text at @at, or @at when it does not end soon. */
static size_t jscan_past_quoted(struct str text, size_t at) {
    enum jscan_quote quote = jscan_quote_at(text, at);
    size_t to = at + jscan_quote_len(text, at);
    while (to < text.n && to < at + JSCAN_KEY_BYTES_MAX) {
        if (jscan_closes(quote, text, to)) {
            return to + jscan_quote_len(text, to);
        }
        to += text.p[to] == '\\' ? 2 : 1;
    }
    return at;
}

bool jscan_is_key(struct str text, size_t at, size_t *effort) {
    unsigned notes = 0;
    size_t to =
        jscan_quote_len(text, at) > 0 ? jscan_past_quoted(text, at) : jscan_past_word(text, at);
    jscan_spend(effort, to == at ? JSCAN_KEY_BYTES_MAX : to - at);
    return to > at && jscan_char(text, jscan_peek(text, to, effort, &notes)) == ':';
}

/* The word or number at @at as a person sees it: up to white space, a comma, a bracket or a quote.
 */
size_t jscan_token_len(struct str text, size_t at) {
    struct str rest = str_skip(text, at);
    size_t n = 0;
    while (n < rest.n && (rest.p[n] == '\0' || strchr(" \n\t\r,]}{[:\"", rest.p[n]) == NULL)) {
        n++;
    }
    return n;
}

/* Length of the JSON number at @at, 0 if there is none. */
size_t jscan_number_len(struct str text, size_t at) {
    size_t i = at + (jscan_char(text, at) == '-' ? 1 : 0);
    size_t digits = i;
    while (jscan_is_digit(jscan_char(text, i))) {
        i++;
    }
    if (i == digits || (text.p[digits] == '0' && i > digits + 1)) {
        return 0;
    }
    if (jscan_char(text, i) == '.' && jscan_is_digit(jscan_char(text, i + 1))) {
        for (i++; jscan_is_digit(jscan_char(text, i)); i++) {
        }
    }
    if ((jscan_char(text, i) | 0x20) == 'e') {
        size_t e = i + 1;
        e += jscan_char(text, e) == '-' || jscan_char(text, e) == '+' ? 1 : 0;
        if (jscan_is_digit(jscan_char(text, e))) {
            for (i = e; jscan_is_digit(jscan_char(text, i)); i++) {
            }
        }
    }
    return i - at;
}

/* "..." or "…" between items; its length, or 0. */
size_t jscan_dots_len(struct str text, size_t at) {
    size_t n = 0;
    while (jscan_char(text, at + n) == '.') {
        n++;
    }
    return n >= 3 ? n : jscan_has(text, at, "\xE2\x80\xA6") ? 3 : 0;
}

/* Behind the string that opens at @at; STR_NPOS if it does not end. Copies to @out up to the last
 * doubled backslash; *@copied is how far that is. */
static size_t jscan_past_string(struct str text, size_t at, struct jlatex *l, struct sbuf *out,
                                size_t *copied) {
    size_t missing;
    jlatex_string(l);
    for (at++; at < text.n && text.p[at] != '"';) {
        if (text.p[at] == '$') {
            at += jlatex_dollar(l, text, at);
        } else if (text.p[at] == '\\') {
            size_t n = jlatex_escape(l, text, at, &missing);
            if (missing > 0) {
                sbuf_add(out, (struct str){text.p + *copied, at - *copied});
                sbuf_add(out, str_take(S("\\\\"), missing));
                *copied = at;
            }
            at += n;
        } else {
            at++;
        }
    }
    return at < text.n ? at + 1 : STR_NPOS;
}

bool jscan_balance(struct str text, size_t at, struct sbuf *out, size_t *ret_end) {
    struct jlatex latex = {0};
    size_t copied = at;
    int depth = 0;
    do {
        char c = text.p[at];
        if (c == '"') {
            at = jscan_past_string(text, at, &latex, out, &copied);
            continue;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        at++;
    } while (at < text.n && depth > 0 && depth <= JNODE_DEPTH_MAX);
    if (at > text.n || depth != 0) {
        return false;
    }
    if (out->n > 0) {
        sbuf_add(out, (struct str){text.p + copied, at - copied});
    }
    *ret_end = at;
    return true;
}
