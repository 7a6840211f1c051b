/* parser.h - what the two halves of the parser share: scalar expressions (parse_expr.c) and the
 * shapes around them (parse.c). Inside those files only. */
#ifndef STUMPER_ANSWER_PARSER_H
#define STUMPER_ANSWER_PARSER_H

#include "answer/parse.h"

struct parser {
    struct token *tokens;
    size_t at;
    struct arena *a;
    unsigned reading;
    unsigned ambiguous;
    int depth;
    int bars;       /* open |…| */
    bool set;       /* inside {…}, where a bar or colon means "such that" */
    bool bound_i;   /* i is the variable of a sum */
    bool failed;    /* sticky: the answer has no reading */
    bool swallowed; /* see struct parsed */
    bool condition;
    struct str words, currency, limits;
    size_t nodes;
};

/* Building blocks; all return a node even after a failure, so callers need not check. */
struct node *parser_fail(struct parser *p);
struct node *parser_1(struct parser *p, enum node_kind kind, int op, struct node *x);
struct node *parser_2(struct parser *p, enum node_kind kind, int op, struct node *x,
                      struct node *y);
struct node *parser_n(struct parser *p, enum node_kind kind, int op, struct node *const *kids,
                      size_t n);
struct node *parser_leaf(struct parser *p, enum node_kind kind, int op, struct str name);

static inline struct token *parser_token(const struct parser *p) {
    return &p->tokens[p->at];
}

static inline bool parser_is(const struct parser *p, enum token_kind kind) {
    return p->tokens[p->at].kind == kind;
}

/** Skip the next token if it is of @kind. */
static inline bool parser_take(struct parser *p, enum token_kind kind) {
    if (!parser_is(p, kind)) {
        return false;
    }
    p->at++;
    return true;
}

/** True before the closing "[" of "]0, 1[". */
static inline bool parser_closes_outward(const struct parser *p) {
    enum token_kind next = parser_is(p, TOKEN_LBRACK) ? p->tokens[p->at + 1].kind : TOKEN_NUM;
    return next == TOKEN_END || next == TOKEN_CUP || next == TOKEN_CAP || next == TOKEN_COMMA ||
           next == TOKEN_SEMI || next == TOKEN_OR || next == TOKEN_AND || next == TOKEN_RGROUP ||
           next == TOKEN_RSET || next == TOKEN_SETMINUS;
}

/** True before "(approximately)", "(or 0.5)", "(≈ 0.5)", "(since …)". */
static inline bool parser_at_aside(const struct parser *p) {
    const struct token *t = parser_token(p);
    return t->kind == TOKEN_LPAREN &&
           (t[1].kind == TOKEN_TEXT || t[1].kind == TOKEN_OR ||
            (t[1].kind == TOKEN_REL && (t[1].op == AST_APPROX || t[1].op == AST_EQ)));
}

static inline void parser_want(struct parser *p, enum token_kind kind) {
    if (!parser_take(p, kind)) {
        p->failed = true;
    }
}

/** Skip a sign of currency, and note it. */
bool parser_take_currency(struct parser *p);

/** Note @word as not understood: nothing may be called different on the strength of this parse. */
void parser_swallow(struct parser *p, struct str word);

/** One more level of nesting; false (and failed) when it is too deep. Undo with p->depth--. */
bool parser_enter(struct parser *p);

/* A growing list of nodes on the arena. */
struct node_list {
    struct node **p;
    size_t n, max;
};
void node_list_add(struct parser *p, struct node_list *list, struct node *x);

struct node *parse_sum(struct parser *p);    /* parse_expr.c: terms */
struct node *parse_answer(struct parser *p); /* parse.c: anything, up to a closing token */
struct node *parse_infix(struct parser *p);  /* parse_expr.c: the same, or "a \over b" */

/** "(", "[", "]" … to the closing bracket: a group, tuple or interval. */
struct node *parse_bracket(struct parser *p);
struct node *parse_set(struct parser *p);
struct node *parse_environment(struct parser *p);

#endif
