/* ast.h - what an answer says, as a tree. Inside the room only.
 *
 * Nodes live in the arena of one comparison and are never changed once built. */
#ifndef STUMPER_ANSWER_AST_H
#define STUMPER_ANSWER_AST_H

#include "base/str.h"

#define AST_DEPTH_MAX 400 /* calls of the parser that may nest */
#define AST_NODES_MAX 20000

enum node_kind {
    /* scalars */
    NODE_NUM,   /* name: decimal digits with at most one point; op: places behind it, -1 if none */
    NODE_SYM,   /* name */
    NODE_CONST, /* op: enum ast_const */
    NODE_ADD,   /* n terms */
    NODE_MUL,   /* n factors */
    NODE_NEG,   /* 1 */
    NODE_DIV,   /* 2 */
    NODE_POW,   /* 2 */
    NODE_FUNC,  /* op: enum ast_func; n arguments */
    NODE_APPLY, /* name: an unknown function; n arguments */
    NODE_PM,    /* ± of one term; op: 1 for ±, -1 for ∓ */
    NODE_FACT,  /* 1; op: how many signs: n! is 1, n!! is 2 */
    NODE_BASED, /* 1 literal; op: its base */
    NODE_PERCENT, /* 1 */
    NODE_DEGREE,  /* 1 */
    NODE_UNIT,    /* 1; unit */
    NODE_SUM,     /* op: enum ast_big; variable, from, to, body */
    /* shapes */
    NODE_LIST,      /* n, separated by commas */
    NODE_AND,       /* n */
    NODE_OR,        /* n */
    NODE_TUPLE,     /* n; op: the opening bracket */
    NODE_SET,       /* n */
    NODE_INTERVAL,  /* 2; op: AST_CLOSED_* */
    NODE_UNION,     /* 2 */
    NODE_INTERSECT, /* 2 */
    NODE_MINUS,     /* 2: set difference */
    NODE_MATRIX,    /* n entries, row by row; op: columns */
    NODE_REL,       /* n sides; name: n - 1 bytes, each an enum ast_rel */
    NODE_BUILDER,   /* 2: {left | condition} */
    NODE_RATIO,     /* n; op: 1 if it may be a range ("5 to 10") */
    NODE_SETNAME,   /* name: R, Z, N, Q, C, empty */
    NODE_TEXT,      /* name: words */
    NODE_ELLIPSIS,
};

/* In the name of an accented symbol, before the accent; in no other name. */
#define AST_ACCENT_MARK '^'

enum ast_const { AST_PI, AST_E, AST_I, AST_INF };

enum ast_rel {
    AST_EQ = '=',
    AST_NE = '!',
    AST_LT = '<',
    AST_GT = '>',
    AST_LE = 'l',
    AST_GE = 'g',
    AST_APPROX = '~',
    AST_IN = 'e',
    AST_RELATED = '?', /* congruent, similar, parallel, implies, maps to … */
};

enum ast_big { AST_BIG_SUM, AST_BIG_PROD, AST_BIG_OTHER };

enum {
    AST_CLOSED_LO = 1,
    AST_CLOSED_HI = 2,
};

#define AST_FUNC_TABLE(X)                                                                          \
    X(SIN)                                                                                         \
    X(COS)                                                                                         \
    X(TAN)                                                                                         \
    X(COT)                                                                                         \
    X(SEC)                                                                                         \
    X(CSC)                                                                                         \
    X(ASIN)                                                                                        \
    X(ACOS)                                                                                        \
    X(ATAN)                                                                                        \
    X(ACOT)                                                                                        \
    X(ASEC)                                                                                        \
    X(ACSC)                                                                                        \
    X(SINH)                                                                                        \
    X(COSH) X(TANH) X(COTH) X(SECH) X(CSCH) X(ASINH) X(ACOSH) X(ATANH) X(EXP) X(LN) X(LOG) X(LG)   \
        X(SQRT) X(ROOT) X(ABS) X(FLOOR) X(CEIL) X(SGN) X(MIN) X(MAX) X(GCD) X(LCM) X(BINOM)        \
            X(FACTORIAL) X(RE) X(IM) X(ARG) X(CONJ) X(DET) X(GAMMA) X(MOD) X(OTHER)

enum ast_func {
#define X(name) AST_##name,
    AST_FUNC_TABLE(X)
#undef X
        AST_FUNC_COUNT
};

struct unit;

struct node {
    enum node_kind kind;
    int op;
    struct str name;
    struct node **kids;
    size_t n;
    const struct unit *unit;
};

/** Nodes; @name is borrowed. */
struct node *node_leaf(struct arena *a, enum node_kind kind, int op, struct str name);
struct node *node_1(struct arena *a, enum node_kind kind, int op, struct node *x);
struct node *node_2(struct arena *a, enum node_kind kind, int op, struct node *x, struct node *y);
struct node *node_n(struct arena *a, enum node_kind kind, int op, struct node *const *kids,
                    size_t n);
struct node *node_int(struct arena *a, int value);

/** A copy of @x that has @with for every symbol @name. */
struct node *node_substitute(struct arena *a, struct node *x, struct str name, struct node *with);

/** True if @x or a node in it is of @kind (for NODE_FUNC: with function @op, or any if -1). */
bool node_has(const struct node *x, enum node_kind kind, int op);

/**
 * One spelling for trees that differ only in the order of sums, products and sets, in a - b against
 * a + (-b) and a / b against a · b^-1.
 */
struct str node_canonical(const struct node *x, struct arena *a);

/* A set of symbol names, in order of appearance. */
#define SYMBOLS_MAX 24
struct symbols {
    struct str names[SYMBOLS_MAX];
    size_t n;
    bool too_many;
};

/** Add the free symbols of @x; "f(" is the name of an unknown function f. */
void symbols_add(struct symbols *s, const struct node *x);
bool symbols_has(const struct symbols *s, struct str name);

#endif
