#include "sim/truth.h"

#include "base/log.h"
#include "base/mem.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

#define TRUTH_LINE_BYTES_MAX ((size_t)64 * 1024)
#define TRUTH_DRAW_BITS 48

uint64_t truth_hash(struct str problem) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < problem.n; i++) {
        unsigned char c = (unsigned char)problem.p[i];
        if (c > ' ') {
            h = (h ^ c) * UINT64_C(0x100000001b3);
        }
    }
    return rng_mix(h);
}

static size_t truth_family_index(const struct family *f) {
    size_t i = 0;
    while (family_at(i) != f) {
        i++;
    }
    return i;
}

/* False if the problem is known already. */
static bool truth_remember(struct truth *t, const struct family *f, uint64_t draw,
                           struct str text) {
    uint64_t *value = table_put(&t->known, truth_hash(text));
    if (*value != 0) {
        return false;
    }
    *value = (uint64_t)truth_family_index(f) << TRUTH_DRAW_BITS | draw;
    return true;
}

static bool truth_load_line(struct truth *t, struct str line, struct arena *a, struct item *it) {
    const struct jnode *j;
    if (jnode_parse(line, a, &j, NULL) != ERR_OK) {
        return false;
    }
    const struct family *f = family_find(jnode_get_str(j, "family"));
    int64_t draw = jnode_get_int(j, "draw", 0);
    if (f == NULL || draw <= 0 || draw >> TRUTH_DRAW_BITS != 0) {
        return false;
    }
    family_write(f, (uint64_t)draw, it);
    if (!str_eq(it->problem, jnode_get_str(j, "problem"))) {
        return false; /* of another version of this program */
    }
    (void)truth_remember(t, f, (uint64_t)draw, it->problem);
    return true;
}

static void truth_load(struct truth *t, FILE *file, const char *path) {
    struct arena a;
    struct item *it = mem_new(sizeof *it);
    char *line = NULL;
    size_t capacity = 0, passed_over = 0;
    ssize_t n;
    arena_init(&a, TRUTH_LINE_BYTES_MAX * 16);
    while ((n = getline(&line, &capacity, file)) > 0) {
        struct str s = str_trim((struct str){line, (size_t)n});
        bool ours = s.n <= TRUTH_LINE_BYTES_MAX && truth_load_line(t, s, &a, it);
        passed_over += s.n > 0 && !ours;
        arena_reset(&a);
    }
    if (passed_over > 0) {
        log_warn("%s: %zu lines are not problems of this simulator; they are left alone", path,
                 passed_over);
    }
    free(line);
    free(it);
    arena_release(&a);
}

enum err truth_open(struct truth *t, const char *path, struct errinfo *reterr) {
    enum err e = journal_open(&t->file, path, reterr);
    if (e != ERR_OK) {
        return e;
    }
    table_init(&t->known, TRUTH_ENTRIES_MAX);
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    if (file != NULL) {
        truth_load(t, file, path);
        (void)fclose(file); /* only read */
    }
    return ERR_OK;
}

void truth_close(struct truth *t) {
    journal_close(&t->file);
    table_release(&t->known);
}

static void truth_forms(struct jwrite *w, const char *key, const struct str *forms, size_t n) {
    jwrite_key(w, key);
    jwrite_array(w);
    for (size_t i = 0; i < n; i++) {
        jwrite_str(w, forms[i]);
    }
    jwrite_end(w);
}

static void truth_write(struct truth *t, const struct family *f, uint64_t draw,
                        const struct item *it, struct str stated, bool planted) {
    struct jwrite w;
    jwrite_init(&w, &t->file.pending);
    jwrite_object(&w);
    jwrite_key(&w, "family");
    jwrite_cstr(&w, f->name);
    jwrite_key(&w, "draw");
    jwrite_int(&w, (int64_t)draw);
    jwrite_key(&w, "problem");
    jwrite_str(&w, it->problem);
    jwrite_key(&w, "answer");
    jwrite_str(&w, it->right[0]);
    jwrite_key(&w, "stated");
    jwrite_str(&w, stated);
    jwrite_key(&w, "planted");
    jwrite_bool(&w, planted);
    truth_forms(&w, "right", it->right, it->right_n);
    truth_forms(&w, "wrong", it->wrong, it->wrong_n);
    jwrite_end(&w);
    sbuf_add_char(&t->file.pending, '\n');
}

void truth_add(struct truth *t, const struct family *f, uint64_t draw, const struct item *it,
               struct str stated, bool planted) {
    if (truth_remember(t, f, draw, it->problem) && t->file.fd >= 0) {
        truth_write(t, f, draw, it, stated, planted);
    }
}

const struct family *truth_find(struct truth *t, struct str problem, struct item *ret) {
    const uint64_t *value = table_get(&t->known, truth_hash(problem));
    if (value == NULL) {
        return NULL;
    }
    const struct family *f = family_at(*value >> TRUTH_DRAW_BITS);
    ASSERT(f != NULL);
    family_write(f, *value & ((UINT64_C(1) << TRUTH_DRAW_BITS) - 1), ret);
    return f;
}
