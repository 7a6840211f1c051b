#include "sim/score.h"

#include "base/mem.h"
#include "sim/form.h"
#include "sim/item.h"
#include "sim/truth.h"

#include <stdlib.h>

struct score_truth {
    uint64_t hash; /* truth_hash() of the problem */
    struct str right[ITEM_FORMS_MAX], wrong[ITEM_FORMS_MAX];
    size_t right_n, wrong_n;
};

void score_init(struct score *s, struct arena *a) {
    *s = (struct score){.a = a};
}

void score_release(struct score *s) {
    free(s->entries);
    score_init(s, s->a);
}

static size_t score_forms(struct score *s, const struct jnode *list, struct str *ret) {
    size_t n = MIN(jnode_len(list), (size_t)ITEM_FORMS_MAX);
    for (size_t i = 0; i < n; i++) {
        ret[i] = str_dup(s->a, jnode_str(jnode_at(list, i)));
    }
    return n;
}

bool score_add_truth(struct score *s, const struct jnode *line) {
    struct str problem = jnode_get_str(line, "problem");
    const struct jnode *right = jnode_get(line, "right");
    if (problem.n == 0 || jnode_len(right) == 0) {
        return false;
    }
    if (s->entries_n == s->entries_max) {
        s->entries_max = MAX(s->entries_max * 2, (size_t)1024);
        s->entries = mem_resize(s->entries, s->entries_max, sizeof *s->entries);
    }
    struct score_truth *t = &s->entries[s->entries_n++];
    t->hash = truth_hash(problem);
    t->right_n = score_forms(s, right, t->right);
    t->wrong_n = score_forms(s, jnode_get(line, "wrong"), t->wrong);
    s->sorted = false;
    return true;
}

static int score_order(const void *a, const void *b) {
    const struct score_truth *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static const struct score_truth *score_find(struct score *s, struct str problem) {
    struct score_truth key = {.hash = truth_hash(problem)};
    if (s->entries_n == 0) {
        return NULL;
    }
    if (!s->sorted) {
        qsort(s->entries, s->entries_n, sizeof *s->entries, score_order);
        s->sorted = true;
    }
    return bsearch(&key, s->entries, s->entries_n, sizeof *s->entries, score_order);
}

void score_add_problem(struct score *s, const struct jnode *line) {
    if (!str_eq(jnode_get_str(line, "status"), S("accepted"))) {
        return;
    }
    const struct score_truth *t = score_find(s, jnode_get_str(line, "problem"));
    struct str target = jnode_get_str(line, "target_model_answer");
    s->kept++;
    if (t == NULL) {
        s->unknown++;
        return;
    }
    bool key = form_find(t->right, t->right_n, jnode_get_str(line, "answer")) >= 0;
    bool solved = form_find(t->right, t->right_n, target) >= 0;
    bool unsolved = !solved && form_find(t->wrong, t->wrong_n, target) >= 0;
    s->key_right += key;
    s->key_wrong += !key;
    s->solved += solved;
    s->unsolved += unsolved;
    s->unsure += !solved && !unsolved;
    s->good += key && unsolved;
}
