/* Reading and writing of trees; they are made in parse.c. */
#include "json/tree.h"

#include "base/mem.h"
#include "json/write.h"

#include <stdlib.h>
#include <string.h>

enum jnode_type jnode_type(const struct jnode *j) {
    return j == NULL ? JNODE_NONE : j->type;
}

const char *jnode_type_name(enum jnode_type type) {
    static const char *const names[] = {
        [JNODE_NONE] = "nothing",   [JNODE_NULL] = "null",        [JNODE_BOOL] = "a boolean",
        [JNODE_INT] = "an integer", [JNODE_REAL] = "a number",    [JNODE_STRING] = "a string",
        [JNODE_ARRAY] = "an array", [JNODE_OBJECT] = "an object",
    };
    return names[type];
}

static const struct jnode *jnode_first(const struct jnode *j) {
    return jnode_type(j) == JNODE_OBJECT ? j->v.first : NULL;
}

const struct jnode *jnode_get(const struct jnode *object, const char *key) {
    const struct jnode *m = jnode_first(object);
    size_t n = strlen(key);
    while (m != NULL && (m->key_n != n || memcmp(m->key, key, n) != 0)) {
        m = m->next;
    }
    return m;
}

size_t jnode_len(const struct jnode *j) {
    enum jnode_type type = jnode_type(j);
    return type == JNODE_ARRAY || type == JNODE_OBJECT ? j->n : 0;
}

const struct jnode *jnode_at(const struct jnode *array, size_t i) {
    return jnode_type(array) == JNODE_ARRAY && i < array->n ? array->v.elements[i] : NULL;
}

void *jnode_next(const struct jnode *object, void *iter, struct str *key,
                 const struct jnode **value) {
    const struct jnode *m = iter == NULL ? jnode_first(object) : ((const struct jnode *)iter)->next;
    if (m != NULL) {
        *key = (struct str){m->key, m->key_n};
        *value = m;
    }
    return (void *)(uintptr_t)m; /* opaque to the caller */
}

struct str jnode_str(const struct jnode *j) {
    return jnode_type(j) == JNODE_STRING ? (struct str){j->v.text, j->n} : (struct str){0};
}

bool jnode_bool(const struct jnode *j, bool otherwise) {
    return jnode_type(j) == JNODE_BOOL ? j->v.boolean : otherwise;
}

int64_t jnode_int(const struct jnode *j, int64_t otherwise) {
    return jnode_type(j) == JNODE_INT ? j->v.integer : otherwise;
}

double jnode_real(const struct jnode *j, double otherwise) {
    enum jnode_type type = jnode_type(j);
    return type == JNODE_REAL ? j->v.real : type == JNODE_INT ? (double)j->v.integer : otherwise;
}

/* The next step of a pointer, "~1" and "~0" made "/" and "~" again, into @key. */
static struct str jnode_step(struct str *pointer, char *key, size_t room) {
    struct str step = str_split(pointer, '/');
    size_t n = 0;
    for (size_t i = 0; i < step.n && n + 1 < room; i++) {
        bool escaped = step.p[i] == '~' && i + 1 < step.n;
        key[n++] = !escaped ? step.p[i] : step.p[i + 1] == '1' ? '/' : '~';
        i += escaped;
    }
    key[n] = '\0';
    return (struct str){key, n};
}

size_t jnode_line(const struct jnode *root, const char *pointer, struct str text) {
    const struct jnode *at = root;
    struct str left = str_skip(str_of(pointer), 1);
    while (left.n > 0) {
        char key[JNODE_POINTER_BYTES];
        int64_t i;
        struct str step = jnode_step(&left, key, sizeof key);
        const struct jnode *next = jnode_type(at) == JNODE_OBJECT   ? jnode_get(at, key)
                                   : str_to_i64(step, &i) && i >= 0 ? jnode_at(at, (size_t)i)
                                                                    : NULL;
        if (next == NULL) {
            break;
        }
        at = next;
    }
    size_t line = 1, end;
    struct str before = str_take(text, at != NULL ? at->at : 0);
    while ((end = str_find_char(before, '\n')) != STR_NPOS) {
        before = str_skip(before, end + 1);
        line++;
    }
    return line;
}

static void jnode_write(struct sbuf *out, const struct jnode *j, bool sorted);

static int jnode_compare_keys(const void *a, const void *b) {
    const struct jnode *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static void jnode_write_object(struct sbuf *out, const struct jnode *j, bool sorted) {
    const struct jnode **members = mem_new_array(j->n, sizeof(const struct jnode *));
    size_t n = 0;
    for (const struct jnode *m = j->v.first; m != NULL; m = m->next) {
        members[n++] = m;
    }
    if (sorted) {
        qsort(members, n, sizeof *members, jnode_compare_keys);
    }
    sbuf_add_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        struct jwrite w;
        jwrite_init(&w, out);
        sbuf_add(out, i > 0 ? S(",") : S(""));
        jwrite_str(&w, (struct str){members[i]->key, members[i]->key_n});
        sbuf_add_char(out, ':');
        jnode_write(out, members[i], sorted);
    }
    sbuf_add_char(out, '}');
    free(members);
}

static void jnode_write_array(struct sbuf *out, const struct jnode *j, bool sorted) {
    sbuf_add_char(out, '[');
    for (uint32_t i = 0; i < j->n; i++) {
        sbuf_add(out, i > 0 ? S(",") : S(""));
        jnode_write(out, j->v.elements[i], sorted);
    }
    sbuf_add_char(out, ']');
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

static void jnode_write(struct sbuf *out, const struct jnode *j, bool sorted) {
    struct jwrite w;
    jwrite_init(&w, out);
    switch (jnode_type(j)) {
    case JNODE_OBJECT:
        jnode_write_object(out, j, sorted);
        return;
    case JNODE_ARRAY:
        jnode_write_array(out, j, sorted);
        return;
    case JNODE_STRING:
        jwrite_str(&w, jnode_str(j));
        return;
    case JNODE_INT:
        jwrite_int(&w, j->v.integer);
        return;
    case JNODE_REAL:
        jnode_write_real(out, j->v.real);
        return;
    case JNODE_BOOL:
        jwrite_bool(&w, j->v.boolean);
        return;
    case JNODE_NULL:
    case JNODE_NONE:
        jwrite_null(&w);
        return;
    }
}

static struct str jnode_dump(const struct jnode *j, struct arena *a, bool sorted) {
    struct sbuf out;
    sbuf_init(&out, arena_room(a));
    jnode_write(&out, j, sorted);
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
