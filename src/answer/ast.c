/* Trees, their free symbols, and a canonical spelling that settles equality of what cannot be
 * evaluated. */
#include "answer/ast.h"

#include "base/sbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node *node_n(struct arena *a, enum node_kind kind, int op, struct node *const *kids,
                    size_t n) {
    struct node *x = ARENA_NEW(a, struct node);
    x->kind = kind;
    x->op = op;
    x->n = n;
    if (n > 0) {
        x->kids = ARENA_ARRAY(a, struct node *, n);
        memcpy(x->kids, kids, n * sizeof *kids);
    }
    return x;
}

struct node *node_leaf(struct arena *a, enum node_kind kind, int op, struct str name) {
    struct node *x = node_n(a, kind, op, NULL, 0);
    x->name = name;
    return x;
}

struct node *node_1(struct arena *a, enum node_kind kind, int op, struct node *x) {
    return node_n(a, kind, op, &x, 1);
}

struct node *node_2(struct arena *a, enum node_kind kind, int op, struct node *x, struct node *y) {
    return node_n(a, kind, op, (struct node *[]){x, y}, 2);
}

struct node *node_int(struct arena *a, int value) {
    struct node *x = node_leaf(a, NODE_NUM, -1, str_fmt(a, "%d", abs(value)));
    return value < 0 ? node_1(a, NODE_NEG, 0, x) : x;
}

struct node *node_substitute(struct arena *a, struct node *x, struct str name, struct node *with) {
    if (x->kind == NODE_SYM) {
        return str_eq(x->name, name) ? with : x;
    }
    if (x->n == 0) {
        return x;
    }
    struct node *copy = node_n(a, x->kind, x->op, x->kids, x->n);
    copy->name = x->name;
    for (size_t i = 0; i < x->n; i++) {
        copy->kids[i] = node_substitute(a, x->kids[i], name, with);
    }
    return copy;
}

bool node_has(const struct node *x, enum node_kind kind, int op) {
    if (x->kind == kind && (kind != NODE_FUNC || op < 0 || x->op == op)) {
        return true;
    }
    for (size_t i = 0; i < x->n; i++) {
        if (node_has(x->kids[i], kind, op)) {
            return true;
        }
    }
    return false;
}

bool symbols_has(const struct symbols *s, struct str name) {
    for (size_t i = 0; i < s->n; i++) {
        if (str_eq(s->names[i], name)) {
            return true;
        }
    }
    return false;
}

static void symbols_add_name(struct symbols *s, struct str name) {
    if (symbols_has(s, name)) {
        return;
    }
    if (s->n == SYMBOLS_MAX) {
        s->too_many = true;
        return;
    }
    s->names[s->n++] = name;
}

void symbols_add(struct symbols *s, const struct node *x) {
    if (x->kind == NODE_SYM || x->kind == NODE_APPLY) {
        symbols_add_name(s, x->name);
    }
    if (x->kind == NODE_SUM) { /* its variable is bound */
        struct symbols body = {0};
        symbols_add(&body, x->kids[3]);
        for (size_t i = 0; i < body.n; i++) {
            if (!str_eq(body.names[i], x->kids[0]->name)) {
                symbols_add_name(s, body.names[i]);
            }
        }
        symbols_add(s, x->kids[1]);
        symbols_add(s, x->kids[2]);
        return;
    }
    for (size_t i = 0; i < x->n; i++) {
        symbols_add(s, x->kids[i]);
    }
}

/* --- canonical spelling --- */

struct parts {
    struct str *p;
    size_t n, max;
};

static int str_order(const void *x, const void *y) {
    const struct str *a = x, *b = y;
    int c = memcmp(a->p, b->p, MIN(a->n, b->n));
    return c != 0 ? c : (a->n > b->n) - (a->n < b->n);
}

static void parts_add(struct parts *parts, struct str s, struct arena *a) {
    if (parts->n == parts->max) {
        size_t max = parts->max > 0 ? parts->max * 2 : 8;
        struct str *grown = ARENA_ARRAY(a, struct str, max);
        if (parts->n > 0) {
            memcpy(grown, parts->p, parts->n * sizeof *grown);
        }
        parts->p = grown;
        parts->max = max;
    }
    parts->p[parts->n++] = s;
}

static struct str parts_join(struct parts *parts, const char *head, bool sorted, struct arena *a) {
    if (sorted && parts->n > 1) {
        qsort(parts->p, parts->n, sizeof *parts->p, str_order);
    }
    size_t n = strlen(head) + 2;
    for (size_t i = 0; i < parts->n; i++) {
        n += parts->p[i].n + 1;
    }
    char *out = arena_alloc(a, n + 1), *w = out;
    w = stpcpy(w, head);
    *w++ = '(';
    for (size_t i = 0; i < parts->n; i++) {
        w = mempcpy(w, parts->p[i].p, parts->p[i].n);
        *w++ = ' ';
    }
    *w++ = ')';
    return (struct str){out, (size_t)(w - out)};
}

static void canonical_terms(const struct node *x, struct parts *terms, struct arena *a) {
    if (x->kind == NODE_ADD) {
        for (size_t i = 0; i < x->n; i++) {
            canonical_terms(x->kids[i], terms, a);
        }
    } else {
        parts_add(terms, node_canonical(x, a), a);
    }
}

static void canonical_factors(const struct node *x, bool inverse, struct parts *factors,
                              struct arena *a) {
    if (x->kind == NODE_MUL) {
        for (size_t i = 0; i < x->n; i++) {
            canonical_factors(x->kids[i], inverse, factors, a);
        }
    } else if (x->kind == NODE_DIV) {
        canonical_factors(x->kids[0], inverse, factors, a);
        canonical_factors(x->kids[1], !inverse, factors, a);
    } else if (x->kind == NODE_NEG) {
        parts_add(factors, S("-"), a);
        canonical_factors(x->kids[0], inverse, factors, a);
    } else {
        struct str s = node_canonical(x, a);
        parts_add(factors, inverse ? str_fmt(a, "inv(%.*s)", STR_ARG(s)) : s, a);
    }
}

static struct str canonical_relation(const struct node *x, struct arena *a) {
    struct parts parts = {0};
    bool flip = x->n == 2 && (x->name.p[0] == AST_GT || x->name.p[0] == AST_GE);
    bool sorted = x->n == 2 && (x->name.p[0] == AST_EQ || x->name.p[0] == AST_NE);
    for (size_t i = 0; i < x->n; i++) {
        parts_add(&parts, node_canonical(x->kids[flip ? x->n - 1 - i : i], a), a);
    }
    char head[64] = "rel";
    size_t n = MIN(x->name.n, sizeof head - 8);
    memcpy(head + 3, x->name.p, n);
    head[3 + n] = '\0';
    if (flip) {
        head[3] = x->name.p[0] == AST_GT ? AST_LT : AST_LE;
    }
    return parts_join(&parts, head, sorted, a);
}

struct str node_canonical(const struct node *x, struct arena *a) {
    struct parts parts = {0};
    if (arena_room(a) < (size_t)256 * 1024) { /* nested spellings would outgrow the arena */
        return str_fmt(a, "%p", (const void *)x);
    }
    if (x->kind == NODE_ADD) {
        canonical_terms(x, &parts, a);
        return parts_join(&parts, "+", true, a);
    }
    if (x->kind == NODE_MUL || x->kind == NODE_DIV || x->kind == NODE_NEG) {
        canonical_factors(x, false, &parts, a);
        return parts_join(&parts, "*", true, a);
    }
    if (x->kind == NODE_REL) {
        return canonical_relation(x, a);
    }
    if (x->n == 0) {
        return str_fmt(a, "%d:%d:%.*s", (int)x->kind, x->op, STR_ARG(x->name));
    }
    for (size_t i = 0; i < x->n; i++) {
        parts_add(&parts, node_canonical(x->kids[i], a), a);
    }
    char head[96];
    (void)snprintf(head, sizeof head, "%d:%d:%.*s", (int)x->kind, x->op, (int)MIN(x->name.n, 64u),
                   x->name.n > 0 ? x->name.p : "");
    return parts_join(&parts, head, x->kind == NODE_SET || x->kind == NODE_OR, a);
}
