/* Two answers of any shape. Each is brought to one of a few shapes first:
 *
 *   scalar      a value; "x = 5", "|AB| = 5", "y = 2x - 5" are values with a label
 *   list        5 and 7; x = 1 or x = 2; 1 ± √2; with labels where each item has one
 *   set, tuple, matrix, ratio, text
 *   equation    x² + y² = 1
 *   condition   x > 1, (1, 2) ∪ {3}
 *   opaque      what can only be compared as it is written
 *
 * Only like shapes are ever called different. */
#include "answer/shape.h"

#include <stdlib.h>
#include <string.h>

#define SHAPE_DEPTH_MAX 40

/* --- labels --- */

static bool is_name(const struct node *x);

static bool all_names(const struct node *x) {
    for (size_t i = 0; i < x->n; i++) {
        if (!is_name(x->kids[i])) {
            return false;
        }
    }
    return true;
}

/* True for what can be a name: x, f(x), AB, |AB|, s/r, (x, y). */
static bool is_name(const struct node *x) {
    switch ((int)x->kind) {
    case NODE_SYM:
    case NODE_APPLY:
        return true;
    case NODE_CONST:
        return x->op == AST_I || x->op == AST_E;
    case NODE_MUL: /* T(10), P(A), AB */
        if (!is_name(x->kids[0])) {
            return false;
        }
        for (size_t i = 1; i < x->n; i++) {
            if (!is_name(x->kids[i]) && !(x->kids[i]->kind == NODE_NUM && x->n == 2)) {
                return false;
            }
        }
        return true;
    case NODE_FUNC: /* |AB|, sin A */
        return x->op == AST_DET || x->op == AST_OTHER ||
               ((x->op == AST_ABS || x->op == AST_MIN || x->op == AST_MAX || x->op == AST_GCD ||
                 x->op == AST_LCM || x->op <= AST_CSC) &&
                all_names(x));
    case NODE_SUM: /* an integral, a limit */
        return x->op == AST_BIG_OTHER;
    case NODE_INTERSECT: /* P(A ∩ B) */
    case NODE_UNION:
    case NODE_DIV:
    case NODE_TUPLE:
    case NODE_RATIO:
        return all_names(x);
    case NODE_TEXT:
        return true;
    default:
        return false;
    }
}

/* a + b, a - b: a name if a value is asked for, an equation if not. */
static bool is_sum_of_names(const struct node *x) {
    for (size_t i = 0; x->kind == NODE_ADD && i < x->n; i++) {
        const struct node *k = x->kids[i]->kind == NODE_NEG ? x->kids[i]->kids[0] : x->kids[i];
        if (!is_name(k)) {
            return false;
        }
    }
    return x->kind == NODE_ADD;
}

static bool is_constant(const struct node *x) {
    struct symbols s = {0};
    symbols_add(&s, x);
    return s.n == 0;
}

static bool mentions(const struct node *x, const struct node *name) {
    if (name->kind != NODE_SYM) {
        return false;
    }
    struct symbols s = {0};
    symbols_add(&s, x);
    return symbols_has(&s, name->name);
}

/* The argument of f(x), if it is one plain symbol. */
static const struct node *argument_of(const struct node *label) {
    return label != NULL && label->kind == NODE_APPLY && label->n == 1 &&
                   label->kids[0]->kind == NODE_SYM
               ? label->kids[0]
               : NULL;
}

/* --- from trees to shapes --- */

static struct shape opaque(struct node *x) {
    return (struct shape){.kind = SHAPE_OPAQUE, .node = x};
}

static struct shape labelled(struct judge *j, struct node *relation, struct node *label,
                             struct node *value) {
    struct shape s = shape_of(j, value);
    s.relation = relation;
    s.label = label;
    return s;
}

/* 3 · 4 = 12: nothing but numbers, and true. */
static bool is_worked_out(struct judge *j, struct node *x, size_t n) {
    struct symbols s = {0};
    symbols_add(&s, x);
    bool holds = s.n == 0;
    for (size_t i = 0; i < n && holds; i++) {
        holds = scalar_is(x->kids[i]) && !node_has(x->kids[i], NODE_PM, 0) &&
                scalar_compare(j, x->kids[i], x->kids[n - 1]).verdict == ANSWER_EQUAL;
    }
    return holds;
}

/* a = b = … ≈ c: names in front are labels, a decimal behind "≈" is an aside. */
static struct shape equality_chain(struct judge *j, struct node *x) {
    size_t n = x->n;
    while (n > 2 && x->name.p[n - 2] == AST_APPROX) {
        n--;
    }
    if (n == 2 && x->name.p[0] == AST_APPROX && !is_name(x->kids[0])) {
        struct shape s = shape_of(j, x->kids[0]);
        s.liberty = true;
        return s;
    }
    size_t names = 0;
    while (names < n && is_name(x->kids[names])) {
        names++;
    }
    if (names == n && n == 2 && x->kids[1]->kind != NODE_TEXT) {
        names = 1; /* y = x */
    }
    if (names > 0 && names < n) {
        struct node *value = x->kids[n - 1];
        bool circular = mentions(value, x->kids[0]);
        struct shape s = labelled(j, x, x->kids[0], value);
        s.liberty = s.liberty || n > 2;
        return circular ? (struct shape){.kind = SHAPE_EQUATION, .node = x, .relation = x} : s;
    }
    if (n == 2 && is_sum_of_names(x->kids[0])) {
        struct shape s = labelled(j, x, x->kids[0], x->kids[1]);
        s.soft = true;
        return s;
    }
    bool backwards = n == 2 && is_name(x->kids[1]) && !mentions(x->kids[0], x->kids[1]);
    if (backwards) {
        return labelled(j, x, x->kids[1], x->kids[0]);
    }
    if (is_worked_out(j, x, n)) {
        struct shape s = shape_of(j, x->kids[n - 1]);
        s.liberty = true;
        return s;
    }
    return n == 2 ? (struct shape){.kind = SHAPE_EQUATION, .node = x, .relation = x} : opaque(x);
}

static bool only(const struct node *x, const char *ops) {
    for (size_t i = 0; i < x->name.n; i++) {
        if (strchr(ops, x->name.p[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static struct shape relation_shape(struct judge *j, struct node *x) {
    if (only(x, "=~")) {
        return equality_chain(j, x);
    }
    bool member = x->n == 2 && x->name.p[0] == AST_IN;
    if (member && is_name(x->kids[0])) {
        struct shape s = labelled(j, x, x->kids[0], x->kids[1]);
        if (s.kind == SHAPE_TUPLE && x->kids[1]->kind == NODE_TUPLE && s.n == 2) {
            s.kind = SHAPE_CONDITION; /* x ∈ (1, 2) */
        }
        return s;
    }
    return only(x, "=!<>lge") ? (struct shape){.kind = SHAPE_CONDITION, .node = x} : opaque(x);
}

static bool is_condition(const struct node *x) {
    if (x->kind == NODE_REL) {
        return !only(x, "=~") && only(x, "=!<>lge");
    }
    if (x->kind == NODE_AND || x->kind == NODE_OR) {
        for (size_t i = 0; i < x->n; i++) {
            if (is_condition(x->kids[i])) {
                return true;
            }
        }
    }
    return x->kind == NODE_INTERVAL || x->kind == NODE_UNION || x->kind == NODE_INTERSECT ||
           x->kind == NODE_BUILDER;
}

static void flatten(struct judge *j, struct node *x, struct node **items, size_t *n, size_t max) {
    if ((x->kind == NODE_LIST || x->kind == NODE_AND || x->kind == NODE_OR)) {
        for (size_t i = 0; i < x->n; i++) {
            flatten(j, x->kids[i], items, n, max);
        }
    } else if (*n < max) {
        if (x->kind != NODE_REL && scalar_is(x) && node_has(x, NODE_PM, 0) && *n + 1 < max) {
            items[(*n)++] = resolve_pm(j->a, x, 1);
            items[(*n)++] = resolve_pm(j->a, x, -1);
        } else {
            items[(*n)++] = x;
        }
    }
}

static size_t leaves(const struct node *x) {
    size_t n = 0;
    if (x->kind != NODE_LIST && x->kind != NODE_AND && x->kind != NODE_OR) {
        return 2; /* ± makes two of one */
    }
    for (size_t i = 0; i < x->n; i++) {
        n += leaves(x->kids[i]);
    }
    return n;
}

/* "-1 ≤ x ≤ 1, x ≠ 0": with a number left out, a comma means "and". */
static bool is_conjunction(const struct node *x) {
    bool all = x->kind == NODE_LIST, excludes = false;
    for (size_t i = 0; i < x->n; i++) {
        all = all && is_condition(x->kids[i]) && x->kids[i]->kind == NODE_REL;
        excludes = excludes || (all && x->kids[i]->name.p[0] == AST_NE);
    }
    return all && excludes;
}

static struct shape list_shape(struct judge *j, struct node *x) {
    bool groups = false;
    if (is_conjunction(x)) {
        return (struct shape){.kind = SHAPE_CONDITION,
                              .node = node_n(j->a, NODE_AND, 0, x->kids, x->n)};
    }
    for (size_t i = 0; i < x->n; i++) { /* 1,2; 3,4 stays a list of lists */
        groups = groups || (x->kids[i]->kind == NODE_LIST && x->n > 1 && x->kind != NODE_AND);
        if (x->kind != NODE_LIST && is_condition(x->kids[i]) && x->kids[i]->kind != NODE_INTERVAL) {
            return (struct shape){.kind = SHAPE_CONDITION, .node = x};
        }
    }
    bool same_size = groups;
    for (size_t i = 0; i < x->n; i++) {
        same_size = same_size && x->kids[i]->kind == NODE_LIST && x->kids[i]->n == x->kids[0]->n;
    }
    if (same_size) {
        return (struct shape){.kind = SHAPE_LIST, .node = x, .items = x->kids, .n = x->n};
    }
    size_t max = leaves(x) + 1, n = 0;
    struct node **items = ARENA_ARRAY(j->a, struct node *, max);
    flatten(j, x, items, &n, max);
    return (struct shape){.kind = SHAPE_LIST, .node = x, .items = items, .n = n};
}

static struct shape with_items(enum shape_kind kind, struct node *x) {
    return (struct shape){.kind = kind, .node = x, .items = x->kids, .n = x->n};
}

/* [[1, 2], [3, 4]] is a matrix; a set with ± has both values. */
static struct shape bracket_shape(struct judge *j, struct node *x) {
    bool rows = x->kind == NODE_TUPLE && x->op == '[';
    size_t columns = x->kids[0]->n;
    for (size_t i = 0; rows && i < x->n; i++) {
        const struct node *row = x->kids[i];
        rows = row->n == columns && ((row->kind == NODE_TUPLE && row->op == '[') ||
                                     (row->kind == NODE_INTERVAL && row->op == 3));
    }
    if (!rows) {
        return with_items(SHAPE_TUPLE, x);
    }
    struct node **cells = ARENA_ARRAY(j->a, struct node *, x->n * columns);
    for (size_t i = 0; i < x->n * columns; i++) {
        cells[i] = x->kids[i / columns]->kids[i % columns];
    }
    return with_items(SHAPE_MATRIX, node_n(j->a, NODE_MATRIX, (int)columns, cells, x->n * columns));
}

static struct shape set_shape(struct judge *j, struct node *x) {
    struct node *list = node_n(j->a, NODE_LIST, 0, x->kids, x->n);
    struct shape s = list_shape(j, list);
    s.kind = SHAPE_SET;
    s.node = x;
    return s;
}

static struct shape scalar_shape(struct judge *j, struct node *x) {
    if (node_has(x, NODE_PM, 0)) {
        struct node *both[] = {resolve_pm(j->a, x, 1), resolve_pm(j->a, x, -1)};
        struct node *list = node_n(j->a, NODE_LIST, 0, both, 2);
        return with_items(SHAPE_LIST, list);
    }
    return (struct shape){.kind = SHAPE_SCALAR, .node = x};
}

/* 2 · M, M / 3, -M with the factor in every cell; NULL if @x is none of them. */
static struct node *scaled_matrix(struct judge *j, struct node *x) {
    size_t at = 0;
    bool over = x->kind == NODE_DIV, product = x->kind == NODE_MUL || x->kind == NODE_NEG;
    while ((product || over) && at < (over ? 1 : x->n) && x->kids[at]->kind != NODE_MATRIX) {
        at++;
    }
    if (!(product || over) || at >= (over ? 1 : x->n)) {
        return NULL;
    }
    struct node *m = x->kids[at];
    for (size_t i = 0; i < x->n; i++) {
        if (i != at && !scalar_is(x->kids[i])) {
            return NULL;
        }
    }
    struct node **cells = ARENA_ARRAY(j->a, struct node *, m->n);
    for (size_t i = 0; i < m->n; i++) {
        cells[i] = node_n(j->a, x->kind, x->op, x->kids, x->n);
        cells[i]->kids[at] = m->kids[i];
    }
    return node_n(j->a, NODE_MATRIX, m->op, cells, m->n);
}

struct shape shape_of(struct judge *j, struct node *x) {
    struct node *scaled;
    if (++j->depth > SHAPE_DEPTH_MAX) {
        j->depth--;
        return opaque(x);
    }
    struct shape s = opaque(x);
    switch ((int)x->kind) {
    case NODE_REL:
        s = relation_shape(j, x);
        break;
    case NODE_LIST:
    case NODE_AND:
    case NODE_OR:
        s = list_shape(j, x);
        break;
    case NODE_TUPLE:
        s = x->op == '(' || x->op == '[' ? bracket_shape(j, x) : opaque(x);
        break;
    case NODE_SET:
        s = set_shape(j, x);
        break;
    case NODE_MATRIX:
        s = with_items(SHAPE_MATRIX, x);
        break;
    case NODE_RATIO: /* "x: 5" is a label */
        s = x->n == 2 && is_name(x->kids[0]) && is_constant(x->kids[1])
                ? labelled(j, NULL, x->kids[0], x->kids[1])
                : with_items(SHAPE_RATIO, x);
        break;
    case NODE_INTERVAL:
    case NODE_UNION:
    case NODE_INTERSECT:
    case NODE_MINUS:
    case NODE_BUILDER:
    case NODE_SETNAME:
        s = (struct shape){.kind = SHAPE_CONDITION, .node = x};
        break;
    case NODE_TEXT:
        s = (struct shape){.kind = SHAPE_TEXT, .node = x};
        break;
    default:
        scaled = scaled_matrix(j, x);
        s = scaled != NULL ? with_items(SHAPE_MATRIX, scaled)
            : scalar_is(x) ? scalar_shape(j, x)
                           : opaque(x);
        break;
    }
    j->depth--;
    return s;
}

struct node *resolve_pm(struct arena *a, struct node *x, int sign) {
    if (x->kind == NODE_PM) {
        struct node *inner = resolve_pm(a, x->kids[0], sign);
        return x->op * sign > 0 ? inner : node_1(a, NODE_NEG, 0, inner);
    }
    if (x->n == 0 || !node_has(x, NODE_PM, 0)) {
        return x;
    }
    struct node *copy = node_n(a, x->kind, x->op, x->kids, x->n);
    copy->name = x->name;
    copy->unit = x->unit;
    for (size_t i = 0; i < x->n; i++) {
        copy->kids[i] = resolve_pm(a, x->kids[i], sign);
    }
    return copy;
}

/* --- ratios --- */

/* 5:8 as 5/8; NULL if there are more than two parts. */
static struct node *quotient(struct judge *j, const struct shape *s) {
    return s->n == 2 ? node_2(j->a, NODE_DIV, 0, s->items[0], s->items[1]) : NULL;
}

static bool zero_part(const struct shape *s) {
    for (size_t i = 0; i < s->n; i++) {
        const struct node *x = s->items[i];
        bool zeros = x->kind == NODE_NUM;
        for (size_t k = 0; zeros && k < x->name.n; k++) {
            zeros = x->name.p[k] == '0' || x->name.p[k] == '.';
        }
        if (zeros) {
            return true;
        }
    }
    return false;
}

/* 12:00 and 20:34:00 are times; elsewhere a:b:c and k·a:k·b:k·c are the same, but for ranges. */
static struct outcome compare_ratios(struct judge *j, struct shape x, struct shape y) {
    bool times = zero_part(&x) || zero_part(&y);
    while (times && x.n == 3 && y.n == 2 &&
           zero_part(&(struct shape){.items = x.items + 2, .n = 1})) {
        x.n--;
    }
    while (times && y.n == 3 && x.n == 2 &&
           zero_part(&(struct shape){.items = y.items + 2, .n = 1})) {
        y.n--;
    }
    if (x.n != y.n) {
        return OUTCOME_UNDECIDED("ratios of different length");
    }
    struct outcome same = compare_items(j, x.items, y.items, x.n);
    if (times || same.verdict == ANSWER_EQUAL) {
        return same;
    }
    bool proved = true, range = x.node->op != 0 || y.node->op != 0;
    for (size_t i = 1; i < x.n; i++) {
        struct node *u = node_2(j->a, NODE_MUL, 0, x.items[0], y.items[i]);
        struct node *v = node_2(j->a, NODE_MUL, 0, x.items[i], y.items[0]);
        struct outcome o = scalar_is(u) && scalar_is(v) ? scalar_compare(j, u, v)
                                                        : OUTCOME_UNDECIDED("not numbers");
        if (o.verdict != ANSWER_EQUAL) {
            return o;
        }
        proved = proved && o.proved;
    }
    return range ? OUTCOME_UNDECIDED("a range or a ratio")
                 : OUTCOME_EQUAL(proved, "the same ratio");
}

/* --- text --- */

static bool same_words(struct str x, struct str y) {
    return str_eq_nocase(x, y);
}

static int truth_word(struct str s) {
    static const char *const yes[] = {"yes", "true"};
    static const char *const no[] = {"no", "false"};
    for (size_t i = 0; i < 2; i++) {
        if (str_eq_nocase(s, str_of(yes[i]))) {
            return 1 + (int)i;
        }
        if (str_eq_nocase(s, str_of(no[i]))) {
            return -1 - (int)i;
        }
    }
    return 0;
}

static struct outcome compare_text(struct str x, struct str y) {
    int a = truth_word(x), b = truth_word(y);
    if (a != 0 && a == -b) {
        return OUTCOME_DIFFERENT(false, "yes and no");
    }
    return same_words(x, y) ? OUTCOME_EQUAL(false, "the same words") : OUTCOME_UNDECIDED("prose");
}

/* --- equations --- */

/* left - right; for "a or b" the product. NULL if it is no equation. */
static struct node *zero_of(struct judge *j, struct node *x) {
    if (x->kind == NODE_REL && x->n == 2 && x->name.p[0] == AST_EQ && scalar_is(x->kids[0]) &&
        scalar_is(x->kids[1])) {
        struct node *d = difference(j, x->kids[0], x->kids[1]);
        return node_has(d, NODE_PM, 0)
                   ? node_2(j->a, NODE_MUL, 0, resolve_pm(j->a, d, 1), resolve_pm(j->a, d, -1))
                   : d;
    }
    if (x->kind == NODE_OR || x->kind == NODE_LIST) {
        struct node *product = NULL;
        for (size_t i = 0; i < x->n; i++) {
            struct node *z = zero_of(j, x->kids[i]);
            if (z == NULL) {
                return NULL;
            }
            product = product == NULL ? z : node_2(j->a, NODE_MUL, 0, product, z);
        }
        return product;
    }
    return NULL;
}

static struct node *equation_node(const struct shape *s) {
    return s->relation != NULL ? s->relation : s->node;
}

/* In one variable: the sets of its real solutions. */
static struct outcome compare_equations(struct judge *j, struct node *x, struct node *y) {
    if (x->kind == NODE_REL && y->kind == NODE_REL && x->n == 2 && y->n == 2 &&
        x->name.p[0] == AST_EQ && y->name.p[0] == AST_EQ) {
        for (size_t k = 0; k < 2; k++) {
            struct outcome l = shape_compare(j, x->kids[0], y->kids[k]);
            struct outcome r =
                l.verdict == ANSWER_EQUAL ? shape_compare(j, x->kids[1], y->kids[1 - k]) : l;
            if (r.verdict == ANSWER_EQUAL) {
                return OUTCOME_EQUAL(l.proved && r.proved, "the same side by side");
            }
        }
    }
    struct node *f = zero_of(j, x), *g = zero_of(j, y);
    if (f == NULL || g == NULL) {
        return OUTCOME_UNDECIDED("not two equations");
    }
    struct symbols s = {0};
    symbols_add(&s, f);
    symbols_add(&s, g);
    if (s.n == 1 && !node_has(f, NODE_CONST, 0) && !node_has(g, NODE_CONST, 0)) {
        struct node *zero = node_int(j->a, 0);
        struct node *u = node_2(j->a, NODE_REL, 0, f, zero),
                    *v = node_2(j->a, NODE_REL, 0, g, zero);
        u->name = v->name = S("=");
        struct outcome o = region_compare(j, u, v);
        if (o.verdict != ANSWER_UNDECIDED) {
            return outcome_weaken(o);
        }
    }
    return equation_compare(j, f, g);
}

/* --- any two shapes --- */

static bool is_choice_letter(const struct node *x) {
    return x->kind == NODE_SYM && x->name.n == 1 && x->name.p[0] >= 'A' && x->name.p[0] <= 'E';
}

static struct outcome compare_labelled(struct judge *j, const struct shape *x,
                                       const struct shape *y) {
    const struct node *arg_x = argument_of(x->label), *arg_y = argument_of(y->label);
    struct outcome o = compare_values(j, x->node, y->node, arg_x, arg_y);
    if (x->label == NULL && y->label == NULL) {
        return o;
    }
    if (x->label == NULL || y->label == NULL) {
        return outcome_weaken(o);
    }
    bool same = str_eq(node_canonical(x->label, j->a), node_canonical(y->label, j->a)) ||
                (arg_x != NULL && arg_y != NULL && str_eq(x->label->name, y->label->name));
    bool functions = (arg_x != NULL && arg_y != NULL) ||
                     (arg_x != NULL && y->label->kind == NODE_SYM) ||
                     (arg_y != NULL && x->label->kind == NODE_SYM);
    bool two_functions = arg_x != NULL && arg_y != NULL;
    if (!same && two_functions && o.verdict == ANSWER_EQUAL) {
        return OUTCOME_UNDECIDED("equal values of two functions");
    }
    if (same || (functions && o.verdict != ANSWER_DIFFERENT)) {
        return same ? o : outcome_weaken(o);
    }
    struct symbols free = {0};
    symbols_add(&free, x->node);
    symbols_add(&free, y->node);
    if (free.n == 0 && x->label->kind == NODE_SYM && y->label->kind == NODE_SYM) {
        return o.verdict == ANSWER_DIFFERENT ? outcome_weaken(o)
                                             : OUTCOME_UNDECIDED("equal values of two names");
    }
    struct outcome e = compare_equations(j, equation_node(x), equation_node(y));
    if (e.verdict != ANSWER_UNDECIDED) {
        return e;
    }
    return o.verdict == ANSWER_DIFFERENT && free.n == 0
               ? outcome_weaken(o)
               : OUTCOME_UNDECIDED("two names, and equations that cannot be solved");
}

static bool column(const struct shape *s) {
    return s->kind == SHAPE_MATRIX && (s->node->op == 1 || (size_t)s->node->op == s->n);
}

static struct outcome compare_matrices(struct judge *j, const struct shape *x,
                                       const struct shape *y) {
    bool same_size = x->n == y->n && x->node->op == y->node->op;
    if (!same_size && !(x->n == y->n && column(x) && column(y))) {
        return OUTCOME_DIFFERENT(false, "matrices of different size");
    }
    struct outcome o = compare_items(j, x->items, y->items, x->n);
    return same_size ? o : outcome_weaken(o);
}

/* "(1, 2)" is whatever the other side says it is. */
static struct node *as_condition(const struct shape *s) {
    bool pair = s->kind == SHAPE_TUPLE && s->n == 2 && s->node->op == '(';
    return s->kind == SHAPE_CONDITION || pair || s->kind == SHAPE_SET ? s->node : NULL;
}

/* "x < -2, x > 3" as one condition, either of them; NULL if @s is no list of conditions. */
static struct node *any_of(struct judge *j, const struct shape *s) {
    bool all = s->kind == SHAPE_LIST && s->n > 1;
    for (size_t i = 0; all && i < s->n; i++) {
        all = s->items[i]->kind == NODE_REL && is_condition(s->items[i]);
    }
    return all ? node_n(j->a, NODE_OR, 0, s->items, s->n) : NULL;
}

static struct outcome compare_conditions(struct judge *j, const struct shape *x,
                                         const struct shape *y) {
    struct node *u = as_condition(x), *v = as_condition(y);
    struct node *any_u = any_of(j, x), *any_v = any_of(j, y);
    if ((any_u != NULL && v != NULL) || (any_v != NULL && u != NULL)) {
        struct outcome o = region_compare(j, any_u != NULL ? any_u : u, any_v != NULL ? any_v : v);
        return o.verdict == ANSWER_EQUAL ? outcome_weaken(o)
                                         : OUTCOME_UNDECIDED("a comma may mean \"and\" or \"or\"");
    }
    if (u == NULL || v == NULL) {
        return OUTCOME_UNDECIDED("different shapes");
    }
    bool list_a = u->kind == NODE_INTERVAL && u->op == 3 && v->kind == NODE_TUPLE;
    bool list_b = v->kind == NODE_INTERVAL && v->op == 3 && u->kind == NODE_TUPLE;
    struct outcome o = region_compare(j, u, v);
    if (o.verdict == ANSWER_DIFFERENT && (list_a || list_b)) {
        return compare_items(j, u->kids, v->kids, 2).verdict == ANSWER_EQUAL
                   ? OUTCOME_UNDECIDED("[a, b] may be an interval or a pair")
                   : outcome_weaken(o);
    }
    return x->kind == y->kind ? o : outcome_weaken(o);
}

/* "A, C" and "AC": several letters of choices. */
static bool names_choices(const struct shape *list, const struct node *product) {
    bool letters = product->kind == NODE_MUL;
    for (size_t i = 0; letters && i < list->n; i++) {
        letters = is_choice_letter(list->items[i]);
    }
    for (size_t i = 0; letters && i < product->n; i++) {
        letters = is_choice_letter(product->kids[i]);
    }
    return letters;
}

/* "1/2 or 0.5" */
static bool all_equal(struct judge *j, const struct shape *list, struct node *value) {
    for (size_t i = 0; i < list->n; i++) {
        if (shape_compare(j, list->items[i], value).verdict != ANSWER_EQUAL) {
            return false;
        }
    }
    return true;
}

static struct outcome compare_unlike(struct judge *j, const struct shape *x,
                                     const struct shape *y) {
    bool lx = x->kind == SHAPE_LIST || x->kind == SHAPE_SET;
    bool ly = y->kind == SHAPE_LIST || y->kind == SHAPE_SET;
    if (lx && ly) {
        return compare_lists(j, x, y);
    }
    if ((x->kind == SHAPE_LIST && y->kind == SHAPE_TUPLE) ||
        (y->kind == SHAPE_LIST && x->kind == SHAPE_TUPLE)) {
        return compare_list_tuple(j, x, y);
    }
    if ((column(x) && y->kind == SHAPE_TUPLE) || (column(y) && x->kind == SHAPE_TUPLE)) {
        return x->n == y->n ? outcome_weaken(compare_items(j, x->items, y->items, x->n))
                            : OUTCOME_DIFFERENT(false, "vectors of different length");
    }
    bool equation = x->kind == SHAPE_EQUATION || y->kind == SHAPE_EQUATION;
    if (equation && zero_of(j, equation_node(x)) != NULL && zero_of(j, equation_node(y)) != NULL) {
        return compare_equations(j, equation_node(x), equation_node(y));
    }
    const struct shape *ratio = x->kind == SHAPE_RATIO ? x : y->kind == SHAPE_RATIO ? y : NULL;
    const struct shape *other = ratio == x ? y : x;
    if (ratio != NULL && other->kind == SHAPE_SCALAR && quotient(j, ratio) != NULL) {
        struct node *q = quotient(j, ratio);
        return outcome_weaken(ratio == x ? scalar_compare(j, q, other->node)
                                         : scalar_compare(j, other->node, q));
    }
    bool many = (lx && x->n > 1) || (ly && y->n > 1);
    const struct shape *one = lx ? y : x;
    if (many && names_choices(lx ? x : y, one->node)) {
        return compare_lists(
            j, lx ? x : y,
            &(struct shape){.kind = SHAPE_LIST, .items = one->node->kids, .n = one->node->n});
    }
    if (many && one->relation != NULL) { /* a = 0 or b = 0, and ab = 0 */
        struct outcome o =
            compare_equations(j, lx ? x->node : x->relation, ly ? y->node : y->relation);
        if (o.verdict == ANSWER_EQUAL) {
            return o;
        }
    }
    if (many && one->kind == SHAPE_SCALAR) {
        const struct shape *list = lx ? x : y;
        if (list->node != NULL && list->node->kind == NODE_OR && all_equal(j, list, one->node)) {
            return OUTCOME_EQUAL(false, "one value in several forms");
        }
        struct outcome o = compare_lists(
            j, list,
            &(struct shape){.kind = SHAPE_LIST, .items = (struct node *[]){one->node}, .n = 1});
        return o.verdict == ANSWER_DIFFERENT ? outcome_weaken(o)
                                             : OUTCOME_UNDECIDED("one value and several");
    }
    if ((lx && x->n == 1) || (ly && y->n == 1)) { /* {5} and 5 */
        struct node *u = lx && x->n == 1 ? x->items[0] : x->node;
        struct node *v = ly && y->n == 1 ? y->items[0] : y->node;
        if ((lx && x->n == 1 && !ly) || (ly && y->n == 1 && !lx)) {
            return outcome_weaken(shape_compare(j, u, v));
        }
    }
    return compare_conditions(j, x, y);
}

static struct outcome compare_shapes(struct judge *j, struct shape x, struct shape y) {
    bool soft = (x.soft && y.relation != NULL) || (y.soft && x.relation != NULL);
    if (soft && zero_of(j, x.relation) != NULL && zero_of(j, y.relation) != NULL) {
        return compare_equations(j, x.relation, y.relation);
    }
    if (x.soft && y.label == NULL) { /* "a + b = 5" answers what asks for 5, not the other way */
        return OUTCOME_UNDECIDED("an equation and a value");
    }
    if (x.kind != y.kind) {
        return compare_unlike(j, &x, &y);
    }
    switch (x.kind) {
    case SHAPE_SCALAR:
        return compare_labelled(j, &x, &y);
    case SHAPE_LIST:
    case SHAPE_SET:
        return compare_lists(j, &x, &y);
    case SHAPE_TUPLE:
        if (x.n != y.n) {
            return OUTCOME_DIFFERENT(false, "tuples of different length");
        }
        return compare_items(j, x.items, y.items, x.n);
    case SHAPE_MATRIX:
        return compare_matrices(j, &x, &y);
    case SHAPE_RATIO:
        return compare_ratios(j, x, y);
    case SHAPE_TEXT:
        return compare_text(x.node->name, y.node->name);
    case SHAPE_EQUATION:
        return compare_equations(j, x.node, y.node);
    case SHAPE_CONDITION:
        return compare_conditions(j, &x, &y);
    case SHAPE_OPAQUE:
    default:
        return OUTCOME_UNDECIDED("cannot be evaluated");
    }
}

/* Undefined things are not equal to themselves. */
static bool may_be_undefined(const struct node *x) {
    return node_has(x, NODE_DIV, 0) || node_has(x, NODE_FUNC, -1) || node_has(x, NODE_POW, 0) ||
           node_has(x, NODE_FACT, 0);
}

struct outcome shape_compare(struct judge *j, struct node *gold, struct node *given) {
    if (++j->depth > SHAPE_DEPTH_MAX || j->work <= 0) {
        j->depth--;
        return OUTCOME_UNDECIDED("out of work");
    }
    struct outcome o;
    bool same = !may_be_undefined(gold) && arena_room(j->a) > (size_t)2 << 20 &&
                (gold->n == 0 || node_has(gold, NODE_ELLIPSIS, 0)) &&
                str_eq(node_canonical(gold, j->a), node_canonical(given, j->a));
    if (same) {
        o = OUTCOME_EQUAL(true, "written the same");
    } else if (is_choice_letter(gold) && is_choice_letter(given)) {
        o = OUTCOME_DIFFERENT(false, "different letters");
    } else {
        struct shape x = shape_of(j, gold), y = shape_of(j, given);
        o = compare_shapes(j, x, y);
        if (o.verdict == ANSWER_UNDECIDED && arena_room(j->a) > (size_t)2 << 20 &&
            x.kind != SHAPE_SCALAR &&
            str_eq(node_canonical(gold, j->a), node_canonical(given, j->a))) {
            o = OUTCOME_EQUAL(true, "written the same up to order");
        }
        o = x.liberty || y.liberty ? outcome_weaken(o) : o;
    }
    j->depth--;
    return o;
}
