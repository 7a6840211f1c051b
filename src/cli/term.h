/* term.h - what is at the other end of a descriptor, and numbers as people read them. */
#ifndef STUMPER_CLI_TERM_H
#define STUMPER_CLI_TERM_H

#include "base/sbuf.h"

#include <stdint.h>

struct term {
    bool tty;
    bool utf8;   /* the locale's names (LC_ALL, LC_CTYPE, LANG) say UTF-8 */
    bool colour; /* a tty without NO_COLOR, and TERM is not "dumb" */
    bool redraw; /* a tty that understands cursor movements (TERM is set and not "dumb") */
    int width;   /* columns; TERM_WIDTH_DEFAULT when it cannot be told */
};

#define TERM_WIDTH_DEFAULT 80

/** The facts about @fd. @getenv_fn: getenv, or a fake in tests. */
struct term term_look(int fd, const char *(*getenv_fn)(const char *name));

/** Columns of the terminal at @fd now; COLUMNS or TERM_WIDTH_DEFAULT if it is none. */
int term_width(int fd, const char *(*getenv_fn)(const char *name));

/* A short text that is passed by value: printf("%s", term_count(n).s). */
struct term_text {
    char s[32];
};

/** "0", "999", "12,345", "1.23M", "4.56G": whole up to a million, then three digits. */
struct term_text term_count(int64_t n);

/** "0s", "850ms", "12s", "1m 12s", "2h 05m", "3d 04h"; negative: "unknown". */
struct term_text term_duration(int64_t ms);

/** Latencies: "85 ms", "1.24 s", "72 s". */
struct term_text term_latency(int64_t ms);

/** "$0", "$0.0123", "$4.20", "$1,234.50"; negative (MONEY_UNKNOWN): "unknown". Amounts under a
 * dollar show two leading digits at least, and never round a cost to zero. */
struct term_text term_money(int64_t nusd);

/** "512 B", "12.3 KB", "4.0 MB". */
struct term_text term_bytes(int64_t bytes);

/** "12.3%"; of nothing: "-". */
struct term_text term_share(int64_t part, int64_t whole);

/** Columns that @s takes on a terminal: wide characters two, combining ones none. @s is UTF-8. */
int term_columns(struct str s);

/** The longest beginning of @s that takes at most @columns. */
struct str term_take(struct str s, int columns);

/** Add @text, broken between words at @width columns, every line but the first indented by @indent;
 * the first is taken to start at column @at. Line breaks in the text stay. Words are never broken.
 */
void term_wrap(struct sbuf *out, struct str text, int at, int indent, int width);

/**
 * Add @text for a terminal: control characters but line breaks and tabs are shown as U+FFFD (or "?"
 * without UTF-8), so that nothing that a model wrote can drive the terminal. Bytes that are not
 * UTF-8 likewise.
 */
void term_clean(struct sbuf *out, struct str text, bool utf8);

#endif
