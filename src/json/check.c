/* Pointers are built when a place is entered, details only when something is wrong. Text that comes
 * from outside is cut before it enters a message: fifty errors about megabytes of input stay a
 * page.
 */
#include "json/check.h"

#include "base/sbuf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define JCHECK_KEY_BYTES_MAX ((size_t)200)  /* in a pointer */
#define JCHECK_SHOWN_BYTES_MAX ((size_t)60) /* in a detail */
#define JCHECK_DETAIL_BYTES_MAX 512

void jcheck_init(struct jcheck *c, struct arena *a) {
    *c = (struct jcheck){.a = a};
    c->last = &c->first;
}

void jcheck_fail(struct jcheck *c, const char *pointer, const char *fmt, ...) {
    char detail[JCHECK_DETAIL_BYTES_MAX];
    c->n++;
    if (c->n > JCHECK_ERRORS_MAX) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, args); /* cut on purpose */
    va_end(args);
    struct jcheck_error *e = ARENA_NEW(c->a, struct jcheck_error);
    e->pointer = str_cstr(c->a, str_of(pointer));
    e->detail = str_cstr(c->a, str_take_utf8(str_of(detail), sizeof detail - 2));
    *c->last = e;
    c->last = &e->next;
}

struct jplace jcheck_root(const struct jnode *root) {
    return (struct jplace){.node = root, .pointer = ""};
}

/* "/key" below @parent, with "~" and "/" in the key written as "~0" and "~1" (RFC 6901). */
static const char *jcheck_pointer(struct arena *a, const char *parent, struct str key) {
    struct str shown = str_take_utf8(key, JCHECK_KEY_BYTES_MAX);
    struct str cut = shown.n < key.n ? S("…") : S("");
    char *pointer = arena_alloc(a, strlen(parent) + 1 + 2 * shown.n + cut.n + 1);
    char *to = stpcpy(pointer, parent);
    *to++ = '/';
    for (size_t i = 0; i < shown.n; i++) {
        bool escaped = shown.p[i] == '~' || shown.p[i] == '/';
        *to++ = escaped ? '~' : shown.p[i];
        if (escaped) {
            *to++ = shown.p[i] == '~' ? '0' : '1';
        }
    }
    memcpy(to, cut.p, cut.n); /* the NUL is there */
    return pointer;
}

struct jplace jcheck_member(struct jcheck *c, struct jplace object, const char *key) {
    return (struct jplace){.node = jnode_get(object.node, key),
                           .pointer = jcheck_pointer(c->a, object.pointer, str_of(key))};
}

struct jplace jcheck_element(struct jcheck *c, struct jplace array, size_t i) {
    return (struct jplace){.node = jnode_at(array.node, i),
                           .pointer = str_fmt(c->a, "%s/%zu", array.pointer, i).p};
}

static bool jcheck_absent(const struct jnode *j) {
    return jnode_type(j) == JNODE_NONE || jnode_type(j) == JNODE_NULL;
}

static bool jcheck_type_fits(enum jnode_type is, enum jnode_type wanted) {
    return is == wanted || (wanted == JNODE_REAL && is == JNODE_INT);
}

bool jcheck_is(struct jcheck *c, struct jplace place, enum jnode_type type, bool required) {
    enum jnode_type is = jnode_type(place.node);
    if (jcheck_type_fits(is, type)) {
        return true;
    }
    if (is == JNODE_NONE && required) {
        jcheck_fail(c, place.pointer, "is missing; must be %s", jnode_type_name(type));
    } else if (required || !jcheck_absent(place.node)) {
        jcheck_fail(c, place.pointer, "must be %s, not %s", jnode_type_name(type),
                    jnode_type_name(is));
    }
    return false;
}

/* The member @key, NULL where absent or null. */
static const struct jnode *jcheck_optional(struct jplace object, const char *key) {
    const struct jnode *j = jnode_get(object.node, key);
    return jcheck_absent(j) ? NULL : j;
}

/* The member @key if there is one to read. Where its type is wrong it says what @wanted would be.
 */
static const struct jnode *jcheck_read(struct jcheck *c, struct jplace object, const char *key,
                                       enum jnode_type type, const char *wanted) {
    const struct jnode *j = jcheck_optional(object, key);
    if (j == NULL || jcheck_type_fits(jnode_type(j), type)) {
        return j;
    }
    jcheck_fail(c, jcheck_pointer(c->a, object.pointer, str_of(key)), "must be %s, not %s", wanted,
                jnode_type_name(jnode_type(j)));
    return NULL;
}

int64_t jcheck_int(struct jcheck *c, struct jplace object, const char *key, int64_t min,
                   int64_t max, int64_t otherwise) {
    const struct jnode *j = jcheck_optional(object, key);
    int64_t v = jnode_int(j, otherwise);
    if (j == NULL || (jnode_type(j) == JNODE_INT && v >= min && v <= max)) {
        return v;
    }
    char wanted[96];
    (void)snprintf(wanted, sizeof wanted, "an integer from %" PRId64 " to %" PRId64, min, max);
    if (jcheck_read(c, object, key, JNODE_INT, wanted) != NULL) {
        jcheck_fail(c, jcheck_pointer(c->a, object.pointer, str_of(key)),
                    "must be %s, not %" PRId64, wanted, v);
    }
    return otherwise;
}

double jcheck_real(struct jcheck *c, struct jplace object, const char *key, double min, double max,
                   double otherwise) {
    const struct jnode *j = jcheck_optional(object, key);
    double v = jnode_real(j, otherwise);
    if (j == NULL || (jcheck_type_fits(jnode_type(j), JNODE_REAL) && v >= min && v <= max)) {
        return v;
    }
    char wanted[96];
    (void)snprintf(wanted, sizeof wanted, "a number from %g to %g", min, max);
    if (jcheck_read(c, object, key, JNODE_REAL, wanted) != NULL) {
        jcheck_fail(c, jcheck_pointer(c->a, object.pointer, str_of(key)), "must be %s, not %g",
                    wanted, v);
    }
    return otherwise;
}

bool jcheck_bool(struct jcheck *c, struct jplace object, const char *key, bool otherwise) {
    return jnode_bool(jcheck_read(c, object, key, JNODE_BOOL, "true or false"), otherwise);
}

struct str jcheck_str(struct jcheck *c, struct jplace object, const char *key, size_t bytes_max) {
    struct str s = jnode_str(jcheck_read(c, object, key, JNODE_STRING, "a string"));
    if (s.n <= bytes_max) {
        return s;
    }
    jcheck_fail(c, jcheck_pointer(c->a, object.pointer, str_of(key)),
                "must be at most %zu bytes long, not %zu", bytes_max, s.n);
    return (struct str){0};
}

/* The key in @keys that @key is most likely a slip of, or NULL. */
static const char *jcheck_nearest(const char *const *keys, struct str key) {
    const char *nearest = NULL;
    size_t best = MAX((size_t)1, MIN((size_t)3, key.n / 3)) + 1; /* farther is another word */
    for (; *keys != NULL; keys++) {
        size_t distance = str_distance(key, str_of(*keys));
        if (distance < best) {
            best = distance;
            nearest = *keys;
        }
    }
    return nearest;
}

static bool jcheck_knows(const char *const *keys, struct str key) {
    for (; *keys != NULL; keys++) {
        if (str_eq(key, str_of(*keys))) {
            return true;
        }
    }
    return false;
}

void jcheck_known(struct jcheck *c, struct jplace object, const char *const *keys) {
    struct str key;
    const struct jnode *value;
    void *iter = NULL;
    if (jnode_type(object.node) != JNODE_OBJECT) {
        return;
    }
    while ((iter = jnode_next(object.node, iter, &key, &value)) != NULL) {
        if (jcheck_knows(keys, key)) {
            continue;
        }
        if (c->n >= JCHECK_ERRORS_MAX) { /* only counted: no pointer needed */
            c->n++;
            continue;
        }
        const char *near = jcheck_nearest(keys, key);
        struct str shown = str_take_utf8(key, JCHECK_SHOWN_BYTES_MAX);
        jcheck_fail(c, jcheck_pointer(c->a, object.pointer, key), "unknown field \"%.*s%s\"%s%s%s",
                    STR_ARG(shown), shown.n < key.n ? "…" : "",
                    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                    near != NULL ? "\"?" : "");
    }
}

struct str jcheck_text(const struct jcheck *c, struct arena *a) {
    struct sbuf text;
    sbuf_init(&text, (size_t)64 * 1024);
    for (const struct jcheck_error *e = c->first; e != NULL; e = e->next) {
        sbuf_addf(&text, "%s%s%s%s", e == c->first ? "" : "; ", e->pointer,
                  e->pointer[0] != '\0' ? ": " : "", e->detail);
    }
    if (c->n > JCHECK_ERRORS_MAX) {
        sbuf_addf(&text, "; and %zu more", c->n - JCHECK_ERRORS_MAX);
    }
    for (size_t i = 0; i < text.n; i++) { /* a key must not steer the terminal */
        unsigned char byte = (unsigned char)text.p[i];
        text.p[i] = byte < 0x20 || byte == 0x7F ? '?' : text.p[i];
    }
    struct str copy = str_dup(a, sbuf_str(&text));
    sbuf_release(&text);
    return copy;
}
