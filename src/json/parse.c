/* A recursive descent over one copy of the text in the arena: strings are unescaped in place (they
 * never grow) and closed by a NUL where their quote stood, so a document costs its own size and a
 * node a value.
 *
 * Invariants (1) `at` never passes `end`, and *end is a NUL: one byte of look-ahead needs no check
 * of its own; (2) the recursion is as deep as the document is nested, at most JNODE_DEPTH_MAX; (3)
 * every node is paid for by at least one byte of text, and the arena's cap is asked before it is
 * made.
 */
#include "json/tree.h"

#include "base/hashset.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JPARSE_KEYS_COMPARED 16 /* one with each other, for duplicates; beyond, by hashes */

#define JPARSE_TEXT_OF(x) #x
#define JPARSE_TEXT(x) JPARSE_TEXT_OF(x)

struct jparse {
    char *start, *at, *end;
    struct arena *a;
    int depth;
    enum err err; /* the first error; nothing is read after it */
    const char *why;
    char pointer[JNODE_POINTER_BYTES]; /* of what it is in, written from the end on the way out */
    size_t pointer_at;                 /* 0: it did not fit */
};

static struct jnode *jparse_value(struct jparse *p);

static struct jnode *jparse_fail(struct jparse *p, enum err e, const char *why) {
    if (p->err == ERR_OK) {
        p->err = e;
        p->why = why;
    }
    return NULL;
}

static void jparse_space(struct jparse *p) {
    while (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t') {
        p->at++;
    }
}

static struct jnode *jparse_node(struct jparse *p, enum jnode_type type) {
    if (arena_room(p->a) < 2 * ARENA_CHUNK_BYTES_MIN) {
        return jparse_fail(p, ERR_TOO_BIG, "the document is too large");
    }
    struct jnode *node = ARENA_NEW(p->a, struct jnode);
    node->type = type;
    return node;
}

/* --- strings ---------------------------------------------------------------------------------- */

static int jparse_hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four hex digits at @s as a number, or -1. */
static int jparse_hex4(const char *s) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = jparse_hex_digit(s[i]); /* a NUL ends it */
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static char *jparse_put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

/* "uXXXX" at p->at, with its second half if it is a high surrogate. */
static char *jparse_unicode(struct jparse *p, char *to) {
    int high = jparse_hex4(p->at + 1);
    if (high < 0) {
        jparse_fail(p, ERR_SYNTAX, "\\u needs four hexadecimal digits");
        return to;
    }
    if (high == 0) {
        jparse_fail(p, ERR_SYNTAX, "\\u0000 is not allowed");
        return to;
    }
    p->at += 5;
    if (high < 0xD800 || high > 0xDFFF) {
        return jparse_put_utf8(to, (uint32_t)high);
    }
    int low = high < 0xDC00 && p->at[0] == '\\' && p->at[1] == 'u' ? jparse_hex4(p->at + 2) : -1;
    if (low < 0xDC00 || low > 0xDFFF) {
        jparse_fail(p, ERR_SYNTAX, "half of a surrogate pair");
        return to;
    }
    p->at += 6;
    return jparse_put_utf8(to,
                           0x10000 + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00));
}

static char *jparse_escape(struct jparse *p, char *to) {
    static const char from[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    p->at++;
    if (*p->at == 'u') {
        return jparse_unicode(p, to);
    }
    const char *which = *p->at == '\0' ? NULL : strchr(from, *p->at);
    if (which == NULL) {
        jparse_fail(p, ERR_SYNTAX, "unknown escape in a string");
        return to;
    }
    p->at++;
    *to++ = meant[which - from];
    return to;
}

/* How many bytes from @s on need no look: found eight at a time. */
static size_t jparse_plain(const char *s, const char *end) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t n = 0;
    uint64_t x;
    while ((size_t)(end - s) - n >= sizeof x) {
        memcpy(&x, s + n, sizeof x);
        uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
        uint64_t low = (x - ones * 0x20) & ~x;
        quote = (quote - ones) & ~quote;
        slash = (slash - ones) & ~slash;
        if (((low | quote | slash) & tops) != 0) {
            break;
        }
        n += sizeof x;
    }
    while ((unsigned char)s[n] >= 0x20 && s[n] != '"' && s[n] != '\\') {
        n++;
    }
    return n;
}

/* The string at p->at, unescaped in place; *@ret_n is its length. NULL on an error. */
static const char *jparse_string(struct jparse *p, uint32_t *ret_n) {
    char *text = ++p->at, *to = text;
    while (p->err == ERR_OK) {
        size_t n = jparse_plain(p->at, p->end);
        if (to != p->at) {
            memmove(to, p->at, n);
        }
        to += n;
        p->at += n;
        if (*p->at == '"') {
            p->at++;
            *to = '\0';
            *ret_n = (uint32_t)(to - text);
            return text;
        }
        if (*p->at == '\\') {
            to = jparse_escape(p, to);
        } else {
            jparse_fail(p, ERR_SYNTAX,
                        p->at == p->end ? "the text ends inside a string"
                                        : "control character in a string");
        }
    }
    return NULL;
}

static struct jnode *jparse_string_node(struct jparse *p) {
    uint32_t n;
    const char *text = jparse_string(p, &n);
    struct jnode *node = text == NULL ? NULL : jparse_node(p, JNODE_STRING);
    if (node != NULL) {
        node->v.text = text;
        node->n = n;
    }
    return node;
}

/* --- numbers and literals --------------------------------------------------------------------- */

static bool jparse_digits(struct jparse *p) {
    const char *from = p->at;
    while (*p->at >= '0' && *p->at <= '9') {
        p->at++;
    }
    return p->at > from;
}

/* Moves over a number by RFC 8259's grammar; *@ret_whole: it has neither fraction nor exponent. */
static bool jparse_number_end(struct jparse *p, bool *ret_whole) {
    p->at += *p->at == '-';
    bool zero = *p->at == '0';
    if (zero) {
        p->at++;
    } else if (!jparse_digits(p)) {
        return false;
    }
    *ret_whole = true;
    if (*p->at == '.') {
        *ret_whole = false;
        p->at++;
        if (!jparse_digits(p)) {
            return false;
        }
    }
    if (*p->at == 'e' || *p->at == 'E') {
        *ret_whole = false;
        p->at++;
        p->at += *p->at == '+' || *p->at == '-';
        return jparse_digits(p);
    }
    return true;
}

static struct jnode *jparse_number(struct jparse *p) {
    const char *from = p->at;
    bool whole = false;
    if (!jparse_number_end(p, &whole)) {
        return jparse_fail(p, ERR_SYNTAX, "not a number");
    }
    struct jnode *node = jparse_node(p, whole ? JNODE_INT : JNODE_REAL);
    if (node == NULL) {
        return NULL;
    }
    errno = 0; /* both readers stop where the grammar did: what follows cannot go on a number */
    if (whole) {
        node->v.integer = strtoll(from, NULL, 10);
        return errno == ERANGE ? jparse_fail(p, ERR_SYNTAX, "too big integer: more than 64 bits")
                               : node;
    }
    node->v.real = strtod(from, NULL);
    return isfinite(node->v.real) ? node : jparse_fail(p, ERR_SYNTAX, "real number overflow");
}

static struct jnode *jparse_literal(struct jparse *p) {
    const struct {
        struct str text;
        enum jnode_type type;
        bool value;
    } literals[] = {{S("true"), JNODE_BOOL, true},
                    {S("false"), JNODE_BOOL, false},
                    {S("null"), JNODE_NULL, false}};
    struct str rest = {p->at, (size_t)(p->end - p->at)};
    for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
        if (str_starts(rest, literals[i].text)) {
            struct jnode *node = jparse_node(p, literals[i].type);
            if (node != NULL) {
                p->at += literals[i].text.n;
                node->v.boolean = literals[i].value;
            }
            return node;
        }
    }
    return jparse_fail(p, ERR_SYNTAX,
                       p->at == p->end ? "the text ends where a value is due"
                                       : "a value is due here");
}

/* The error is inside of @step of what is around: "/key", "/3". */
static void jparse_within(struct jparse *p, struct str step) {
    for (size_t i = step.n; i > 0 && p->pointer_at > 2; i--) {
        char c = step.p[i - 1];
        bool escaped = c == '~' || c == '/';
        p->pointer[--p->pointer_at] = c == '~' ? '0' : c == '/' ? '1' : c;
        if (escaped) {
            p->pointer[--p->pointer_at] = '~';
        }
    }
    p->pointer_at = p->pointer_at > 2 ? p->pointer_at - 1 : 0;
    p->pointer[p->pointer_at] = p->pointer_at > 0 ? '/' : '\0';
}

static void jparse_within_element(struct jparse *p, uint32_t i) {
    char number[16];
    (void)snprintf(number, sizeof number, "%" PRIu32, i);
    jparse_within(p, str_of(number));
}

/* --- containers ------------------------------------------------------------------------------- */

/* After an element or member: true if another one follows. */
static bool jparse_more(struct jparse *p, char closer, const char *why) {
    if (p->err != ERR_OK) {
        return false;
    }
    jparse_space(p);
    if (*p->at == ',') {
        p->at++;
        return true;
    }
    if (*p->at == closer) {
        p->at++;
    } else {
        jparse_fail(p, ERR_SYNTAX,
                    p->at == p->end ? "the text ends inside an array or object" : why);
    }
    return false;
}

/* True if nothing stands between the brackets. */
static bool jparse_opens_empty(struct jparse *p, char closer) {
    p->at++;
    jparse_space(p);
    bool empty = *p->at == closer;
    p->at += empty;
    return empty;
}

static struct jnode *jparse_array(struct jparse *p) {
    struct jnode *array = jparse_node(p, JNODE_ARRAY), *first = NULL, **last = &first;
    bool more = array != NULL && !jparse_opens_empty(p, ']');
    while (more) {
        *last = jparse_value(p);
        if (*last != NULL) {
            last = &(*last)->next;
            array->n++;
        }
        more = jparse_more(p, ']', "a comma or ] is due here");
    }
    if (p->err != ERR_OK) {
        jparse_within_element(p, array != NULL ? array->n : 0);
        return NULL;
    }
    if (array->n * sizeof(struct jnode *) + 2 * ARENA_CHUNK_BYTES_MIN > arena_room(p->a)) {
        return jparse_fail(p, ERR_TOO_BIG, "the document is too large");
    }
    const struct jnode **elements = ARENA_ARRAY(p->a, const struct jnode *, array->n);
    for (uint32_t i = 0; i < array->n; i++, first = first->next) {
        elements[i] = first;
    }
    array->v.elements = elements;
    return array;
}

static bool jparse_has_key(const struct jnode *object, struct str key) {
    for (const struct jnode *m = object->v.first; m != NULL; m = m->next) {
        if (str_eq((struct str){m->key, m->key_n}, key)) {
            return true;
        }
    }
    return false;
}

/* Is @key new among the members read so far? @seen fills once there are many. */
static bool jparse_is_new(const struct jnode *object, struct str key, struct hashset *seen) {
    if (object->n < JPARSE_KEYS_COMPARED) {
        return !jparse_has_key(object, key);
    }
    for (const struct jnode *m = seen->n == 0 ? object->v.first : NULL; m != NULL; m = m->next) {
        (void)hashset_add(seen, str_hash((struct str){m->key, m->key_n}));
    }
    return hashset_add(seen, str_hash(key)) || !jparse_has_key(object, key);
}

static struct jnode *jparse_member(struct jparse *p, const struct jnode *object,
                                   struct hashset *seen) {
    jparse_space(p);
    if (*p->at != '"') {
        return jparse_fail(p, ERR_SYNTAX, "a key in double quotes is due here");
    }
    struct str key = {0};
    uint32_t n;
    key.p = jparse_string(p, &n);
    if (key.p == NULL) {
        return NULL;
    }
    key.n = n;
    struct jnode *value = NULL;
    bool fresh = jparse_is_new(object, key, seen);
    jparse_space(p);
    if (!fresh || *p->at != ':') {
        (void)jparse_fail(p, ERR_SYNTAX, fresh ? "a colon is due here" : "duplicate object key");
    } else {
        p->at++;
        value = jparse_value(p);
    }
    if (value == NULL) {
        jparse_within(p, key);
        return NULL;
    }
    value->key = key.p;
    value->key_n = n;
    return value;
}

static struct jnode *jparse_object(struct jparse *p) {
    struct jnode *object = jparse_node(p, JNODE_OBJECT);
    bool more = object != NULL && !jparse_opens_empty(p, '}');
    struct jnode **last = object == NULL ? NULL : &object->v.first;
    struct hashset seen;
    hashset_init(&seen);
    while (more) {
        *last = jparse_member(p, object, &seen);
        if (*last != NULL) {
            last = &(*last)->next;
            object->n++;
        }
        more = jparse_more(p, '}', "a comma or } is due here");
    }
    hashset_release(&seen);
    return p->err == ERR_OK ? object : NULL;
}

static struct jnode *jparse_container(struct jparse *p) {
    if (p->depth > JNODE_DEPTH_MAX) {
        return jparse_fail(p, ERR_TOO_BIG,
                           "nested deeper than " JPARSE_TEXT(JNODE_DEPTH_MAX) " levels");
    }
    p->depth++;
    struct jnode *node = *p->at == '{' ? jparse_object(p) : jparse_array(p);
    p->depth--;
    return node;
}

static struct jnode *jparse_value(struct jparse *p) {
    jparse_space(p);
    char c = *p->at;
    uint32_t at = (uint32_t)(p->at - p->start); /* texts are shorter */
    struct jnode *node = c == '{' || c == '['                 ? jparse_container(p)
                         : c == '"'                           ? jparse_string_node(p)
                         : c == '-' || (c >= '0' && c <= '9') ? jparse_number(p)
                                                              : jparse_literal(p);
    if (node != NULL) {
        node->at = at;
    }
    return node;
}

/* Where it went wrong, counted over the caller's own text: the copy has been written to. */
static enum err jparse_explain(struct str text, size_t at, enum err e, const char *why,
                               struct jnode_where *where, struct errinfo *reterr) {
    size_t line_at = 0;
    where->line = 1;
    for (size_t i = 0; i < at; i++) {
        if (text.p[i] == '\n') {
            where->line++;
            line_at = i + 1;
        }
    }
    where->column = at - line_at + 1;
    return errinfo_set(reterr, e, "line %zu, column %zu: %s", where->line, where->column, why);
}

/* Offset of the first byte that is not part of a UTF-8 character. */
static size_t jparse_first_bad_byte(struct str text) {
    size_t at = 0, n = 1;
    while (n <= 4) {
        for (n = 1; n <= 4 && !str_is_utf8(str_take(str_skip(text, at), n)); n++) {
        }
        at += n <= 4 ? n : 0;
    }
    return at;
}

/* What no JSON text may hold, before it is looked at as JSON. */
static enum err jparse_check_text(struct str text, struct arena *a, struct jnode_where *where,
                                  struct errinfo *reterr) {
    if (text.n >= UINT32_MAX || text.n + 4 * ARENA_CHUNK_BYTES_MIN > arena_room(a)) {
        return errinfo_set(reterr, ERR_TOO_BIG, "the document is too large (%zu bytes)", text.n);
    }
    if (!str_is_utf8(text)) {
        return jparse_explain(text, jparse_first_bad_byte(text), ERR_SYNTAX,
                              "a byte that is not UTF-8", where, reterr);
    }
    size_t nul = str_find_char(text, '\0');
    return nul == STR_NPOS
               ? ERR_OK
               : jparse_explain(text, nul, ERR_SYNTAX, "a NUL character", where, reterr);
}

enum err jnode_parse_where(struct str text, struct arena *a, const struct jnode **ret,
                           struct jnode_where *ret_where, struct errinfo *reterr) {
    *ret_where = (struct jnode_where){.line = 1, .column = 1};
    enum err e = jparse_check_text(text, a, ret_where, reterr);
    if (e != ERR_OK) {
        return e;
    }
    char *copy = arena_alloc(a, text.n + 1);
    if (text.n > 0) {
        memcpy(copy, text.p, text.n);
    }
    struct jparse p = {.start = copy, .at = copy, .end = copy + text.n, .a = a};
    p.pointer_at = sizeof p.pointer - 1;
    struct jnode *root = jparse_value(&p);
    jparse_space(&p);
    if (p.err == ERR_OK && p.at != p.end) {
        (void)jparse_fail(&p, ERR_SYNTAX, "something follows the end of the document");
    }
    if (p.err != ERR_OK) {
        (void)stpcpy(ret_where->pointer, p.pointer + p.pointer_at);
        return jparse_explain(text, (size_t)(p.at - p.start), p.err, p.why, ret_where, reterr);
    }
    *ret = root;
    return ERR_OK;
}

enum err jnode_parse(struct str text, struct arena *a, const struct jnode **ret,
                     struct errinfo *reterr) {
    struct jnode_where where;
    return jnode_parse_where(text, a, ret, &where, reterr);
}
