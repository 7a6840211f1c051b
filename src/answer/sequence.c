/* Lists, sets and tuples.
 *
 * Rational numbers are sorted and compared; everything else is matched pair by pair, up to
 * MATCH_MAX items. Two collections differ for certain when an element of one is different from
 * every element of the other. The order of a bare list is a convention, so its equality is no
 * proof. */
#include "answer/shape.h"

#include <stdlib.h>

#define MATCH_MAX 64 /* items matched pair by pair */

struct outcome compare_items(struct judge *j, struct node **x, struct node **y, size_t n) {
    bool proved = true, undecided = false;
    for (size_t i = 0; i < n; i++) {
        struct outcome o = shape_compare(j, x[i], y[i]);
        if (o.verdict == ANSWER_DIFFERENT) {
            return OUTCOME_DIFFERENT(o.proved, "an element differs");
        }
        undecided = undecided || o.verdict == ANSWER_UNDECIDED;
        proved = proved && o.proved;
    }
    return undecided ? OUTCOME_UNDECIDED("an element cannot be decided")
                     : OUTCOME_EQUAL(proved, "the same elements");
}

static int exact_order(const void *x, const void *y) {
    return fmpq_cmp((const fmpq *)x, (const fmpq *)y);
}

/* Long lists of rational numbers are sorted; false if an item is not rational. */
static bool sorted_values(struct judge *j, struct node **items, size_t n, fmpq *ret) {
    struct eval e = judge_eval(j, NULL, NULL, 64);
    for (size_t i = 0; i < n; i++) {
        if (!scalar_is(items[i]) || !eval_exact(&e, items[i], &ret[i])) {
            return false;
        }
    }
    qsort(ret, n, sizeof *ret, exact_order);
    return true;
}

static size_t drop_repeats(fmpq *v, size_t n) {
    size_t w = 0;
    for (size_t i = 0; i < n; i++) {
        if (w == 0 || !fmpq_equal(&v[w - 1], &v[i])) {
            fmpq_swap(&v[w++], &v[i]);
        }
    }
    return w;
}

static bool compare_sorted(struct judge *j, struct node **x, size_t n, struct node **y, size_t m,
                           bool set, struct outcome *ret) {
    fmpq *u = _fmpq_vec_init((slong)n), *v = _fmpq_vec_init((slong)m);
    bool ok = sorted_values(j, x, n, u) && sorted_values(j, y, m, v);
    size_t un = n, vn = m;
    if (ok) {
        un = set ? drop_repeats(u, n) : n;
        vn = set ? drop_repeats(v, m) : m;
        bool same = un == vn;
        for (size_t i = 0; same && i < un; i++) {
            same = fmpq_equal(&u[i], &v[i]);
        }
        *ret = same ? OUTCOME_EQUAL(set, "the same numbers")
                    : OUTCOME_DIFFERENT(true, "a number is in one only");
    }
    _fmpq_vec_clear(u, (slong)n);
    _fmpq_vec_clear(v, (slong)m);
    return ok;
}

/* The outcomes of all pairs. */
struct table {
    struct outcome *cells;
    size_t n, m;
};

static void fill(struct judge *j, struct node **x, struct node **y, struct table *t) {
    t->cells = ARENA_ARRAY(j->a, struct outcome, t->n * t->m);
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < t->m; k++) {
            t->cells[i * t->m + k] = shape_compare(j, x[i], y[k]);
        }
    }
}

/* True if row (or column) @i is different from everything on the other side: a proof that the two
 * collections differ. */
static bool alone(const struct table *t, size_t i, bool row) {
    for (size_t k = 0; k < (row ? t->m : t->n); k++) {
        const struct outcome *o = row ? &t->cells[i * t->m + k] : &t->cells[k * t->m + i];
        if (o->verdict != ANSWER_DIFFERENT) {
            return false;
        }
    }
    return true;
}

static bool any_alone(const struct table *t) {
    for (size_t i = 0; i < t->n; i++) {
        if (alone(t, i, true)) {
            return true;
        }
    }
    for (size_t k = 0; k < t->m; k++) {
        if (alone(t, k, false)) {
            return true;
        }
    }
    return false;
}

/* Every item of each side equals one of the other; each is used once unless it is a set. */
static bool matched(const struct table *t, bool set, bool *proved) {
    bool used[MATCH_MAX] = {false};
    for (size_t i = 0; i < t->n; i++) {
        bool found = false;
        for (size_t k = 0; k < t->m && !(found && !set); k++) {
            const struct outcome *o = &t->cells[i * t->m + k];
            if (o->verdict == ANSWER_EQUAL && (set || !used[k])) {
                used[k] = found = true;
                *proved = *proved && o->proved;
            }
        }
        if (!found) {
            return false;
        }
    }
    for (size_t k = 0; k < t->m; k++) {
        if (!used[k]) {
            return false;
        }
    }
    return true;
}

/* Without regard to order; for bare lists that is a convention, so equality is no proof. */
static struct outcome compare_unordered(struct judge *j, struct node **x, size_t n, struct node **y,
                                        size_t m, bool set) {
    struct outcome o;
    if (compare_sorted(j, x, n, y, m, set, &o) && o.verdict == ANSWER_EQUAL) {
        return o;
    }
    if (n > MATCH_MAX || m > MATCH_MAX) {
        return n != m && !set ? OUTCOME_DIFFERENT(false, "lists of different length")
                              : OUTCOME_UNDECIDED("too many elements");
    }
    struct table t = {.n = n, .m = m};
    fill(j, x, y, &t);
    bool proved = true;
    if (matched(&t, set, &proved)) {
        return OUTCOME_EQUAL(proved && set, "the same elements");
    }
    if (!set && matched(&t, true, &proved)) { /* a solution given twice is still one solution */
        return x[0]->kind == NODE_TUPLE ? OUTCOME_EQUAL(false, "the same elements, one repeated")
                                        : OUTCOME_UNDECIDED("an element is repeated");
    }
    if (any_alone(&t)) {
        return OUTCOME_DIFFERENT(true, "an element is in one only");
    }
    bool undecided = false;
    for (size_t i = 0; i < n * m; i++) {
        undecided = undecided || t.cells[i].verdict == ANSWER_UNDECIDED;
    }
    return n != m && !undecided && !set ? OUTCOME_DIFFERENT(false, "lists of different length")
                                        : OUTCOME_UNDECIDED("elements that cannot be matched");
}

/* --- lists with labels --- */

/* Split items into labels and values; true if every item has a label. */
static bool split_labels(struct judge *j, const struct shape *s, struct node **values,
                         struct str *labels) {
    bool all = s->n > 0;
    for (size_t i = 0; i < s->n; i++) {
        struct shape item = shape_of(j, s->items[i]);
        bool labelled_item = item.label != NULL;
        values[i] = labelled_item && item.kind != SHAPE_EQUATION && item.items == NULL
                        ? item.node
                        : s->items[i];
        labels[i] = labelled_item ? node_canonical(item.label, j->a) : S("");
        all = all && labelled_item;
    }
    return all;
}

static bool all_same(const struct str *labels, size_t n) {
    for (size_t i = 1; i < n; i++) {
        bool indexed = labels[i].n > 2 && labels[0].n > 2 &&
                       str_find(labels[i], S("_")) != STR_NPOS &&
                       str_find(labels[0], S("_")) == str_find(labels[i], S("_"));
        size_t stem = indexed ? str_find(labels[0], S("_")) : 0;
        if (!str_eq(labels[i], labels[0]) &&
            !(indexed && str_eq(str_take(labels[i], stem), str_take(labels[0], stem)))) {
            return false;
        }
    }
    return true;
}

/* The values of y in the order of x's labels; false if the labels are not the same. */
static bool align(const struct str *x, const struct str *y, size_t n, struct node **values,
                  struct node **ret) {
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < n && !str_eq(x[i], y[k])) {
            k++;
        }
        if (k == n) {
            return false;
        }
        ret[i] = values[k];
    }
    return true;
}

struct outcome compare_lists(struct judge *j, const struct shape *x, const struct shape *y) {
    bool set = x->kind == SHAPE_SET || y->kind == SHAPE_SET;
    bool ordered = j->options.order_matters && !set;
    struct node **u = ARENA_ARRAY(j->a, struct node *, x->n + 1);
    struct node **v = ARENA_ARRAY(j->a, struct node *, y->n + 1);
    struct node **w = ARENA_ARRAY(j->a, struct node *, y->n + 1);
    struct str *p = ARENA_ARRAY(j->a, struct str, x->n + 1);
    struct str *q = ARENA_ARRAY(j->a, struct str, y->n + 1);
    bool a = split_labels(j, x, u, p), b = split_labels(j, y, v, q);
    bool named_a = a && !all_same(p, x->n), named_b = b && !all_same(q, y->n);
    if (!named_a && !named_b) {
        struct outcome o = ordered && x->n == y->n ? compare_items(j, u, v, x->n)
                                                   : compare_unordered(j, u, x->n, v, y->n, set);
        return a == b || o.verdict == ANSWER_UNDECIDED ? o : outcome_weaken(o);
    }
    if (named_a && named_b && x->n == y->n && align(p, q, x->n, v, w)) {
        return compare_items(j, u, w, x->n);
    }
    if (x->n == y->n) {
        struct outcome o = compare_items(j, u, v, x->n);
        if (o.verdict == ANSWER_EQUAL && !(named_a && named_b)) {
            return outcome_weaken(o);
        }
    }
    struct outcome o = compare_unordered(j, u, x->n, v, y->n, false);
    return o.verdict == ANSWER_DIFFERENT ? outcome_weaken(o)
                                         : OUTCOME_UNDECIDED("labels that cannot be matched");
}

/* A list against a tuple: the tuple's order is the list's. */
struct outcome compare_list_tuple(struct judge *j, const struct shape *x, const struct shape *y) {
    const struct shape *list = x->kind == SHAPE_TUPLE ? y : x;
    struct node **values = ARENA_ARRAY(j->a, struct node *, list->n + 1);
    struct str *labels = ARENA_ARRAY(j->a, struct str, list->n + 1);
    (void)split_labels(j, list, values, labels);
    struct node **u = list == x ? values : x->items, **v = list == y ? values : y->items;
    if (x->n == y->n) {
        struct outcome o = compare_items(j, u, v, x->n);
        if (o.verdict == ANSWER_EQUAL) {
            return outcome_weaken(o);
        }
    }
    struct outcome o = compare_unordered(j, u, x->n, v, y->n, false);
    return o.verdict == ANSWER_DIFFERENT ? outcome_weaken(o)
                                         : OUTCOME_UNDECIDED("a list and a tuple in another order");
}
