/* What models do to JSON without changing its meaning. */
#include "sim/brain.h"

#include <string.h>

enum { DRAW_KIND = 500 };

static void mess_wrap(struct sbuf *text, const char *before, const char *after) {
    size_t n = strlen(before), old = text->n;
    sbuf_add_cstr(text, before); /* makes the room; moved to the front below */
    if (!sbuf_overflowed(text)) {
        memmove(text->p + n, text->p, old);
        memcpy(text->p, before, n);
    }
    sbuf_add_cstr(text, after);
}

/* LaTeX with single backslashes: "\frac" is then a form feed and "rac" for a strict parser. An
 * escaped pair, the end of a matrix row, stays: nobody could tell it from one backslash. */
static void mess_backslashes(struct sbuf *text) {
    char *to = text->p;
    for (const char *p = text->p, *end = text->p + text->n; p < end;) {
        bool pair = end - p >= 4 && memcmp(p, "\\\\\\\\", 4) == 0;
        size_t n = pair ? 4 : p[0] == '\\' ? 2 : 1;
        size_t kept = !pair && n == 2 && p[1] == '\\' ? 1 : n;
        memmove(to, p, kept);
        to += kept;
        p += n;
    }
    text->n = (size_t)(to - text->p);
    *to = '\0';
}

static void mess_trailing_comma(struct sbuf *text) {
    if (text->n > 0 && text->p[text->n - 1] == '}') {
        text->n--;
        sbuf_add_cstr(text, ",\n}");
    }
}

void brain_mess_up(struct sbuf *text, uint64_t h) {
    switch (brain_pick(h, DRAW_KIND, 6)) {
    case 0:
        mess_wrap(text, "```json\n", "\n```");
        break;
    case 1:
        mess_wrap(text, "Here is the JSON object you asked for:\n\n",
                  "\n\nLet me know if it helps.");
        break;
    case 2:
        mess_wrap(text, "<think>\nI should answer with {\"valid\" and so on} only.\n</think>\n",
                  "");
        break;
    case 3:
        mess_trailing_comma(text);
        break;
    case 4:
        mess_wrap(text, "```\n", "\n```\n");
        break;
    default:
        mess_backslashes(text);
        break;
    }
}
