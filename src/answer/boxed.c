/* One pass forward collects the boxes at the outermost level, with their braces balanced; one step
 * backward from the last joins those that are told apart only by a connecting word. Boxes that are
 * never closed cost a scan each, so after BOX_UNCLOSED_MAX of them no more are looked for; no more
 * than BOX_MAX are remembered. */
#include "answer/boxed.h"

#include "base/sbuf.h"

#include <ctype.h>
#include <string.h>

#define BOX_UNCLOSED_MAX 16
#define BOX_MAX 32           /* boxes remembered: the last ones */
#define BOX_GAP_BYTES_MAX 48 /* text between two boxes of one answer */
#define BOX_GAP_WORDS_MAX 2  /* words in it besides the connecting ones */

struct box {
    size_t begin, end; /* of the whole \boxed{…} */
    struct str body;
};

size_t brace_close(struct str s, size_t open) {
    size_t depth = 0;
    for (size_t i = open; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n) {
            i++;
        } else if (s.p[i] == '{') {
            depth++;
        } else if (s.p[i] == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return STR_NPOS;
}

static struct str box_trim(struct str s) {
    s = str_trim(s);
    while (s.n >= 2 && s.p[0] == '$' && s.p[s.n - 1] == '$') {
        s = str_trim((struct str){s.p + 1, s.n - 2});
    }
    return s;
}

/* "\boxed 4": up to the end of the formula or line. */
static bool box_unbraced(struct str text, size_t at, struct box *ret) {
    size_t end = at;
    while (end < text.n && strchr("$\n\\,.;}", text.p[end]) == NULL) {
        end++;
    }
    struct str body = str_trim((struct str){text.p + at, end - at});
    if (text.p[at] != ' ' || body.n == 0 || body.n > 64) {
        return false;
    }
    *ret = (struct box){.end = end, .body = body};
    return true;
}

static size_t box_command(struct str text, size_t at) {
    static const char *const commands[] = {"\\boxed", "\\fbox", "\\framebox"};
    struct str rest = str_skip(text, at);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_starts(rest, str_of(commands[i]))) {
            return strlen(commands[i]);
        }
    }
    return 0;
}

static bool box_at(struct str text, size_t at, size_t command, int *unclosed, struct box *ret) {
    size_t open = at + command;
    while (open < text.n && isspace((unsigned char)text.p[open])) {
        open++;
    }
    if (open >= text.n) {
        return false;
    }
    if (text.p[open] != '{') {
        bool found = at + command < text.n && box_unbraced(text, at + command, ret);
        ret->begin = at;
        return found;
    }
    if (*unclosed > BOX_UNCLOSED_MAX) {
        return false;
    }
    size_t end = brace_close(text, open);
    if (end == STR_NPOS) {
        (*unclosed)++;
        return false;
    }
    *ret = (struct box){
        .begin = at, .end = end, .body = box_trim((struct str){text.p + open + 1, end - open - 2})};
    return ret->body.n > 0;
}

static bool word_is_any(struct str word, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(word, str_of(list[i]))) {
            return true;
        }
    }
    return false;
}

/* True if what stands between two boxes only connects them. */
static bool gap_connects(struct str gap) {
    static const char *const joiners[] = {"and", "or", "text", "quad", "qquad", "mbox", "textbf"};
    static const char *const breakers[] = {
        "no",     "not",   "wait", "actually", "instead", "but",  "oops",      "sorry",
        "rather", "maybe", "hmm",  "then",     "so",      "thus", "therefore", "hence"};
    if (gap.n > BOX_GAP_BYTES_MAX) {
        return false;
    }
    size_t words = 0;
    bool joined = false;
    for (size_t i = 0; i < gap.n; i++) {
        if (isalpha((unsigned char)gap.p[i])) {
            size_t begin = i;
            while (i < gap.n && isalpha((unsigned char)gap.p[i])) {
                i++;
            }
            struct str word = {gap.p + begin, i - begin};
            i--;
            if (word_is_any(word, breakers, ARRAY_LEN(breakers))) {
                return false;
            }
            bool joins = word_is_any(word, joiners, ARRAY_LEN(joiners));
            joined = joined || joins;
            words += joins || word.n == 1 ? 0 : 1;
        } else if (gap.p[i] == ',' || gap.p[i] == ';') {
            joined = true;
        } else if (gap.p[i] == '.' || gap.p[i] == '?') {
            return false;
        }
    }
    return joined && words <= BOX_GAP_WORDS_MAX;
}

static struct str boxes_join(const struct box *boxes, size_t first, size_t n, struct arena *a) {
    if (n - first == 1) {
        return boxes[first].body;
    }
    struct sbuf b;
    sbuf_init(&b, (size_t)1 << 20);
    for (size_t i = first; i < n; i++) {
        bool repeated = false;
        for (size_t k = first; k < i; k++) {
            repeated = repeated || str_eq(boxes[k].body, boxes[i].body);
        }
        if (!repeated) {
            sbuf_add_cstr(&b, b.n > 0 ? ", " : "");
            sbuf_add(&b, boxes[i].body);
        }
    }
    struct str joined =
        arena_room(a) > sbuf_str(&b).n + 64 ? str_dup(a, sbuf_str(&b)) : boxes[n - 1].body;
    sbuf_release(&b);
    return joined;
}

struct boxed boxed_last(struct str text, struct arena *a) {
    struct box boxes[BOX_MAX];
    size_t n = 0;
    int unclosed = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *slash = memchr(text.p + i, '\\', text.n - i);
        if (slash == NULL) {
            break;
        }
        i = (size_t)(slash - text.p);
        struct box box = {0};
        size_t command = box_command(text, i);
        if (command > 0 && box_at(text, i, command, &unclosed, &box)) {
            if (n == BOX_MAX) {
                memmove(boxes, boxes + 1, (BOX_MAX - 1) * sizeof *boxes);
                n--;
            }
            boxes[n++] = box;
            i = box.end - 1;
        }
    }
    if (n == 0) {
        return (struct boxed){.found = false};
    }
    size_t first = n - 1;
    while (first > 0 && gap_connects((struct str){text.p + boxes[first - 1].end,
                                                  boxes[first].begin - boxes[first - 1].end})) {
        first--;
    }
    return (struct boxed){
        .text = boxes_join(boxes, first, n, a), .end = boxes[n - 1].end, .found = true};
}
