/* Two scalars that answer the same question, where names are free: f(z) = z and f(x) = x; kπ and
 * nπ; F + C and G + C. */
#include "answer/shape.h"

#include <ctype.h>
#include <string.h>

static bool parameter_name(struct str s) {
    return s.n == 1 && strchr("nkmltsjC", s.p[0]) != NULL;
}

/* The one symbol that only @x has, if each side has exactly one of its own. */
static bool own_symbols(const struct node *x, const struct node *y, struct str *mine,
                        struct str *theirs) {
    struct symbols a = {0}, b = {0};
    symbols_add(&a, x);
    symbols_add(&b, y);
    size_t only_a = 0, only_b = 0;
    for (size_t i = 0; i < a.n; i++) {
        if (!symbols_has(&b, a.names[i])) {
            only_a++;
            *mine = a.names[i];
        }
    }
    for (size_t i = 0; i < b.n; i++) {
        if (!symbols_has(&a, b.names[i])) {
            only_b++;
            *theirs = b.names[i];
        }
    }
    return only_a == 1 && only_b == 1;
}

/* The symbols that only @x has. */
static struct symbols own_names(const struct node *x, const struct node *y) {
    struct symbols a = {0}, b = {0}, own = {0};
    symbols_add(&a, x);
    symbols_add(&b, y);
    for (size_t i = 0; i < a.n; i++) {
        if (!symbols_has(&b, a.names[i])) {
            own.names[own.n++] = a.names[i];
        }
    }
    return own;
}

/* A e^x + B and c_1 e^x + c_2: may two names of @x be two others of @y? */
static bool two_may_be_renamed(struct judge *j, struct node *x, struct node *y) {
    struct symbols a = own_names(x, y), b = own_names(y, x);
    for (size_t i = 0; i < 2 && a.n == 2 && b.n == 2; i++) {
        struct node *first = node_leaf(j->a, NODE_SYM, 0, a.names[0]);
        struct node *second = node_leaf(j->a, NODE_SYM, 0, a.names[1]);
        struct node *z = node_substitute(j->a, y, b.names[i], first);
        z = node_substitute(j->a, z, b.names[1 - i], second);
        if (scalar_compare(j, x, z).verdict != ANSWER_DIFFERENT) {
            return true;
        }
    }
    return false;
}

static bool is_constant_name(struct str s) {
    return s.n == 1 && (s.p[0] == 'C' || s.p[0] == 'c' || s.p[0] == 'K' || s.p[0] == 'k');
}

/* The constant of integration: a term that is C alone. */
static bool has_constant_term(const struct node *x, struct str *ret) {
    for (size_t i = 0; x->kind == NODE_ADD && i < x->n; i++) {
        const struct node *k = x->kids[i];
        k = k->kind == NODE_NEG ? k->kids[0] : k;
        if (k->kind == NODE_SYM && is_constant_name(k->name)) {
            *ret = k->name;
            return true;
        }
    }
    return false;
}

/* F + C against G + C: equal if F - G does not depend on anything. */
static struct outcome compare_constants_of_integration(struct judge *j, struct node *x,
                                                       struct node *y, struct str cx,
                                                       struct str cy) {
    struct node *zero = node_int(j->a, 0);
    struct node *d =
        difference(j, node_substitute(j->a, x, cx, zero), node_substitute(j->a, y, cy, zero));
    struct symbols s = {0};
    symbols_add(&s, d);
    if (s.n != 1) {
        return OUTCOME_UNDECIDED("constants of integration");
    }
    struct node *shifted = d;
    struct node *at_one = node_substitute(
        j->a, d, s.names[0], node_2(j->a, NODE_DIV, 0, node_int(j->a, 7), node_int(j->a, 11)));
    struct outcome o = scalar_compare(j, shifted, at_one);
    return o.verdict == ANSWER_EQUAL ? OUTCOME_EQUAL(false, "equal up to the constant")
                                     : outcome_weaken(o);
}

/* π/2 + kπ and -π/2 + nπ are one family: pointwise difference proves nothing. */
static bool is_family(const struct node *x) {
    struct symbols s = {0};
    symbols_add(&s, x);
    bool parameter = false;
    for (size_t i = 0; i < s.n; i++) {
        parameter = parameter || (s.names[i].n == 1 && strchr("nkml", s.names[i].p[0]) != NULL);
    }
    return parameter && (node_has(x, NODE_DEGREE, 0) || node_has(x, NODE_CONST, 0));
}

/* F_{n+1}: its values hang together with those of F_n. */
static bool names_sequence(const struct node *x) {
    struct symbols s = {0};
    symbols_add(&s, x);
    for (size_t i = 0; i < s.n; i++) {
        size_t index = str_find_char(s.names[i], '_');
        struct str rest = index == STR_NPOS ? S("") : str_skip(s.names[i], index + 1);
        if (rest.n > 0 && strchr("nkmij", rest.p[0]) != NULL &&
            (rest.n == 1 || !islower((unsigned char)rest.p[1]))) {
            return true;
        }
    }
    return false;
}

/* Does @x have an accented name that @y has not? \overline{AB} may be a segment, a conjugate, a
 * mean or digits, so it may well be what the other side calls something else. */
static bool has_own_accent(const struct node *x, const struct node *y) {
    struct symbols mine = {0}, theirs = {0};
    symbols_add(&mine, x);
    symbols_add(&theirs, y);
    bool has = false;
    for (size_t i = 0; i < mine.n; i++) {
        has = has || (str_find_char(mine.names[i], AST_ACCENT_MARK) != STR_NPOS &&
                      !symbols_has(&theirs, mine.names[i]));
    }
    return has;
}

static bool same_but_for_case(struct str x, struct str y) {
    return str_eq_nocase(x, y) && !str_eq(x, y);
}

struct outcome compare_values(struct judge *j, struct node *x, struct node *y,
                              const struct node *arg_x, const struct node *arg_y) {
    struct str mine, theirs;
    bool renamed = own_symbols(x, y, &mine, &theirs);
    if (renamed && arg_x != NULL && arg_y != NULL && str_eq(arg_x->name, mine) &&
        str_eq(arg_y->name, theirs)) { /* f(z) = z and f(x) = x */
        y = node_substitute(j->a, y, theirs, node_leaf(j->a, NODE_SYM, 0, mine));
        return scalar_compare(j, x, y);
    }
    struct outcome o = scalar_compare(j, x, y);
    struct str cx, cy;
    if (o.verdict != ANSWER_EQUAL && has_constant_term(x, &cx) && has_constant_term(y, &cy)) {
        return compare_constants_of_integration(j, x, y, cx, cy);
    }
    if (o.verdict == ANSWER_DIFFERENT && has_constant_term(x, &cx) != has_constant_term(y, &cy)) {
        bool mine_has = has_constant_term(x, &cx);
        struct node *zero = node_int(j->a, 0);
        struct node *u = mine_has ? node_substitute(j->a, x, cx, zero) : x;
        struct node *v = mine_has ? y : node_substitute(j->a, y, cy, zero);
        if (scalar_compare(j, u, v).verdict != ANSWER_DIFFERENT) {
            return OUTCOME_UNDECIDED("one side leaves the constant out");
        }
    }
    if (o.verdict == ANSWER_DIFFERENT && two_may_be_renamed(j, x, y)) {
        return OUTCOME_UNDECIDED("equal with symbols renamed");
    }
    if (o.verdict == ANSWER_DIFFERENT && renamed) {
        struct node *z = node_substitute(j->a, y, theirs, node_leaf(j->a, NODE_SYM, 0, mine));
        struct outcome other = scalar_compare(j, x, z);
        bool parameters = parameter_name(mine) && parameter_name(theirs);
        bool constants = is_constant_name(mine) && is_constant_name(theirs);
        if (other.verdict != ANSWER_DIFFERENT) {
            return other.verdict == ANSWER_EQUAL && (parameters || constants)
                       ? OUTCOME_EQUAL(false, "equal with its parameter renamed")
                       : OUTCOME_UNDECIDED(same_but_for_case(mine, theirs)
                                               ? "names that differ in case"
                                               : "equal with a symbol renamed");
        }
    }
    if (o.verdict == ANSWER_DIFFERENT && (has_own_accent(x, y) || has_own_accent(y, x))) {
        return OUTCOME_UNDECIDED("an accent may mean many things");
    }
    if (o.verdict == ANSWER_DIFFERENT && (names_sequence(x) || names_sequence(y))) {
        return OUTCOME_UNDECIDED("terms of a sequence may be related");
    }
    if (o.verdict == ANSWER_DIFFERENT && is_family(x) && is_family(y)) {
        return OUTCOME_UNDECIDED("families may coincide");
    }
    return o;
}
