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

/* What the target truly did, if the truth knows. */
struct score_facts {
    bool key;              /* the stated answer is a right one */
    bool solved, unsolved; /* so is the target's / that is a planted wrong one */
};

static struct score_facts score_facts(const struct score_truth *t, const struct jnode *line) {
    struct str target = jnode_get_str(line, "target_model_answer");
    bool solved = form_find(t->right, t->right_n, target) >= 0;
    return (struct score_facts){
        .key = form_find(t->right, t->right_n, jnode_get_str(line, "answer")) >= 0,
        .solved = solved,
        .unsolved = !solved && form_find(t->wrong, t->wrong_n, target) >= 0};
}

/* With a wrong key no verdict about sameness is right or wrong: these are left out. */
static void score_add_verdict(struct score *s, const struct score_facts *f,
                              const struct jnode *line) {
    const struct jnode *verdict = jnode_get(line, "verdict");
    if (jnode_type(verdict) != JNODE_OBJECT || !f->key || (!f->solved && !f->unsolved)) {
        return;
    }
    bool same = jnode_bool(jnode_get(verdict, "equivalent"), false);
    s->judged++;
    s->by_proof += str_eq(jnode_get_str(verdict, "method"), S("proof"));
    s->accepts += !same;
    s->solves += same;
    s->false_accepts += !same && f->solved;
    s->false_solves += same && f->unsolved;
}

void score_add_problem(struct score *s, const struct jnode *line) {
    bool kept = str_eq(jnode_get_str(line, "status"), S("accepted"));
    const struct score_truth *t = score_find(s, jnode_get_str(line, "problem"));
    s->kept += kept;
    if (t == NULL) {
        s->unknown += kept;
        return;
    }
    struct score_facts f = score_facts(t, line);
    score_add_verdict(s, &f, line);
    if (kept) {
        s->key_right += f.key;
        s->key_wrong += !f.key;
        s->solved += f.solved;
        s->unsolved += f.unsolved;
        s->unsure += !f.solved && !f.unsolved;
        s->good += f.key && f.unsolved;
    }
}
