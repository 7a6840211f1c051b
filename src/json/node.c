/* jansson behind our own names: a struct jnode is a json_t that nobody outside this room can see.
 * The arena that a text is parsed into holds the one owning reference. */
#include "json/node.h"

#include "base/mem.h"
#include "json/write.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const json_t *jnode_in(const struct jnode *j) {
    return (const json_t *)(const void *)j;
}
static const struct jnode *jnode_out(const json_t *j) {
    return (const struct jnode *)(const void *)j;
}

static void jnode_drop(void *tree) {
    json_decref(tree);
}

static bool jnode_too_deep(json_t *j, int depth) {
    bool too_deep = depth > JNODE_DEPTH_MAX;
    size_t i;
    const char *key;
    json_t *value;
    json_array_foreach(j, i, value) {
        too_deep = too_deep || jnode_too_deep(value, depth + 1);
    }
    json_object_foreach(j, key, value) {
        too_deep = too_deep || jnode_too_deep(value, depth + 1);
    }
    return too_deep;
}

enum err jnode_parse(struct str text, struct arena *a, const struct jnode **ret,
                     struct errinfo *reterr) {
    json_error_t error;
    json_t *tree = json_loadb(text.p != NULL ? text.p : "", text.n,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (tree == NULL) {
        return errinfo_set(reterr, ERR_SYNTAX, "line %d, column %d: %s", error.line, error.column,
                           error.text);
    }
    if (jnode_too_deep(tree, 0)) {
        json_decref(tree);
        return errinfo_set(reterr, ERR_TOO_BIG, "nested deeper than %d levels", JNODE_DEPTH_MAX);
    }
    arena_on_release(a, jnode_drop, tree);
    *ret = jnode_out(tree);
    return ERR_OK;
}

enum jnode_type jnode_type(const struct jnode *j) {
    static const enum jnode_type types[] = {
        [JSON_OBJECT] = JNODE_OBJECT, [JSON_ARRAY] = JNODE_ARRAY, [JSON_STRING] = JNODE_STRING,
        [JSON_INTEGER] = JNODE_INT,   [JSON_REAL] = JNODE_REAL,   [JSON_TRUE] = JNODE_BOOL,
        [JSON_FALSE] = JNODE_BOOL,    [JSON_NULL] = JNODE_NULL,
    };
    return j == NULL ? JNODE_NONE : types[json_typeof(jnode_in(j))];
}

const char *jnode_type_name(enum jnode_type type) {
    static const char *const names[] = {
        [JNODE_NONE] = "nothing",   [JNODE_NULL] = "null",        [JNODE_BOOL] = "a boolean",
        [JNODE_INT] = "an integer", [JNODE_REAL] = "a number",    [JNODE_STRING] = "a string",
        [JNODE_ARRAY] = "an array", [JNODE_OBJECT] = "an object",
    };
    return names[type];
}

const struct jnode *jnode_get(const struct jnode *object, const char *key) {
    return jnode_out(json_object_get(jnode_in(object), key));
}

size_t jnode_len(const struct jnode *j) {
    return jnode_type(j) == JNODE_ARRAY ? json_array_size(jnode_in(j))
                                        : json_object_size(jnode_in(j));
}

const struct jnode *jnode_at(const struct jnode *array, size_t i) {
    return jnode_out(json_array_get(jnode_in(array), i));
}

void *jnode_next(const struct jnode *object, void *iter, struct str *key,
                 const struct jnode **value) {
    json_t *j = (json_t *)(uintptr_t)jnode_in(object); /* jansson iterates non-const only */
    iter = iter == NULL ? json_object_iter(j) : json_object_iter_next(j, iter);
    if (iter != NULL) {
        *key = str_of(json_object_iter_key(iter));
        *value = jnode_out(json_object_iter_value(iter));
    }
    return iter;
}

struct str jnode_str(const struct jnode *j) {
    return jnode_type(j) != JNODE_STRING
               ? (struct str){0}
               : (struct str){json_string_value(jnode_in(j)), json_string_length(jnode_in(j))};
}

bool jnode_bool(const struct jnode *j, bool otherwise) {
    return jnode_type(j) == JNODE_BOOL ? json_is_true(jnode_in(j)) : otherwise;
}

int64_t jnode_int(const struct jnode *j, int64_t otherwise) {
    return jnode_type(j) == JNODE_INT ? json_integer_value(jnode_in(j)) : otherwise;
}

double jnode_real(const struct jnode *j, double otherwise) {
    enum jnode_type type = jnode_type(j);
    return type == JNODE_INT || type == JNODE_REAL ? json_number_value(jnode_in(j)) : otherwise;
}

static void jnode_write(struct sbuf *out, const json_t *j, bool sorted);

static int jnode_compare_keys(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The keys in insertion order or sorted; to be freed. */
static const char **jnode_keys(const json_t *object, bool sorted) {
    const char **keys = mem_new_array(json_object_size(object) + 1, sizeof *keys);
    json_t *j = (json_t *)(uintptr_t)object; /* jansson iterates non-const only */
    size_t n = 0;
    for (void *i = json_object_iter(j); i != NULL; i = json_object_iter_next(j, i)) {
        keys[n++] = json_object_iter_key(i);
    }
    if (sorted) {
        qsort(keys, n, sizeof *keys, jnode_compare_keys);
    }
    return keys;
}

static void jnode_write_object(struct sbuf *out, const json_t *j, bool sorted) {
    const char **keys = jnode_keys(j, sorted);
    sbuf_add_char(out, '{');
    for (size_t i = 0; i < json_object_size(j); i++) {
        struct jwrite w;
        jwrite_init(&w, out);
        sbuf_add(out, i > 0 ? S(",") : S(""));
        jwrite_cstr(&w, keys[i]);
        sbuf_add_char(out, ':');
        jnode_write(out, json_object_get(j, keys[i]), sorted);
    }
    sbuf_add_char(out, '}');
    free(keys);
}

/* A real stays a real: "3.0", not "3". */
static void jnode_write_real(struct sbuf *out, double v) {
    struct jwrite w;
    size_t before = out->n;
    jwrite_init(&w, out);
    jwrite_real(&w, v);
    struct str text = str_skip(sbuf_str(out), before);
    if (str_find_char(text, '.') == STR_NPOS && str_find_char(text, 'e') == STR_NPOS) {
        sbuf_add(out, S(".0"));
    }
}

static void jnode_write(struct sbuf *out, const json_t *j, bool sorted) {
    struct jwrite w;
    jwrite_init(&w, out);
    if (json_is_object(j)) {
        jnode_write_object(out, j, sorted);
    } else if (json_is_array(j)) {
        sbuf_add_char(out, '[');
        for (size_t i = 0; i < json_array_size(j); i++) {
            sbuf_add(out, i > 0 ? S(",") : S(""));
            jnode_write(out, json_array_get(j, i), sorted);
        }
        sbuf_add_char(out, ']');
    } else if (json_is_string(j)) {
        jwrite_str(&w, jnode_str(jnode_out(j)));
    } else if (json_is_integer(j)) {
        jwrite_int(&w, json_integer_value(j));
    } else if (json_is_real(j)) {
        jnode_write_real(out, json_real_value(j));
    } else if (json_is_boolean(j)) {
        jwrite_bool(&w, json_is_true(j));
    } else {
        jwrite_null(&w);
    }
}

static struct str jnode_dump(const struct jnode *j, struct arena *a, bool sorted) {
    struct sbuf out;
    sbuf_init(&out, arena_room(a));
    jnode_write(&out, jnode_in(j), sorted);
    ASSERT(!sbuf_overflowed(&out)); /* what was parsed under a limit is written in about as much */
    struct str copy = str_dup(a, sbuf_str(&out));
    sbuf_release(&out);
    return copy;
}

struct str jnode_text(const struct jnode *j, struct arena *a) {
    return jnode_dump(j, a, false);
}

struct str jnode_text_sorted(const struct jnode *j, struct arena *a) {
    return jnode_dump(j, a, true);
}
