/* Scalar expressions by recursive descent.
 *
 *   sum     = [sign] term {sign term}
 *   term    = factor {("*" | "/" | nothing) factor}
 *   factor  = primary {"^" exponent | "!" | "%" | "°"}
 *   primary = number | name | function argument | bracket | \frac … | |x| …
 *
 * Every recursion passes parser_enter(), so depth is capped; every node counts against the cap of
 * nodes. */
#include "answer/parser.h"

#include <ctype.h>
#include <string.h>

#define POSTFIX_MAX 8    /* "x%!^2…" nests leftward, past parser_enter() */
#define DIVISIONS_MAX 64 /* so does a / b / c … */

static struct node *parse_factor(struct parser *p);
static struct node *parse_primary(struct parser *p);

/* --- numbers --- */

static int number_places(struct str digits) {
    size_t point = str_find_char(digits, '.');
    return point == STR_NPOS ? -1 : (int)(digits.n - point - 1);
}

static struct node *number(struct parser *p, struct str digits) {
    return parser_leaf(p, NODE_NUM, number_places(digits), digits);
}

/* 0.1\overline{6} and 0.(3): the part that repeats over nines, exactly. */
static struct node *repeating(struct parser *p, struct str head, struct str period) {
    int places = MAX(number_places(head), 0);
    struct str nines = str_dup(p->a, period), ones;
    memset((char *)(uintptr_t)nines.p, '9', nines.n);
    ones = str_fmt(p->a, "%.*s%0*d", STR_ARG(nines), places, 0);
    struct node *tail =
        parser_2(p, NODE_DIV, 0, number(p, period), number(p, places > 0 ? ones : nines));
    bool point = head.n > 0 && head.p[head.n - 1] == '.';
    struct node *fixed = number(p, point ? str_take(head, head.n - 1) : head);
    fixed->op = -1; /* exact, not rounded */
    return parser_n(p, NODE_ADD, 0, (struct node *[]){fixed, tail}, 2);
}

static bool is_integer(const struct token *t) {
    return t->kind == TOKEN_NUM && str_find_char(t->text, '.') == STR_NPOS;
}

static bool parse_repeating(struct parser *p, struct str head, struct node **ret) {
    struct token *t = parser_token(p);
    bool accent =
        (t->kind == TOKEN_OVERLINE || (t->kind == TOKEN_ACCENT && str_eq(t->text, S("dot")))) &&
        t[1].kind == TOKEN_LGROUP && is_integer(&t[2]) && t[3].kind == TOKEN_RGROUP;
    bool bracket = t->kind == TOKEN_LPAREN && !t->space && is_integer(&t[1]) &&
                   t[2].kind == TOKEN_RPAREN && number_places(head) >= 0;
    if (!accent && !bracket) {
        return false;
    }
    struct str period = accent ? t[2].text : t[1].text;
    p->at += accent ? 4 : 3;
    *ret = repeating(p, head, period);
    return true;
}

/* The fraction behind an integer: "1 1/2", "1\frac{1}{2}". */
static bool parse_mixed(struct parser *p, struct node *whole, struct node **ret) {
    struct token *t = parser_token(p);
    bool latex = t->kind == TOKEN_FRAC && t[1].kind == TOKEN_LGROUP && is_integer(&t[2]) &&
                 t[3].kind == TOKEN_RGROUP && t[4].kind == TOKEN_LGROUP && is_integer(&t[5]) &&
                 t[6].kind == TOKEN_RGROUP;
    bool digits = t->kind == TOKEN_FRAC && is_integer(&t[1]) && t[1].text.n == 2;
    bool plain = is_integer(t) && t->space && t[1].kind == TOKEN_DIV && is_integer(&t[2]);
    if (whole->op >= 0 || !(latex || plain || digits)) {
        return false;
    }
    struct node *over, *under;
    if (digits) {
        over = number(p, str_take(t[1].text, 1));
        under = number(p, str_skip(t[1].text, 1));
        p->at += 2;
    } else {
        over = number(p, latex ? t[2].text : t->text);
        under = number(p, latex ? t[5].text : t[2].text);
        p->at += latex ? 7 : 3;
    }
    struct node *part = parser_2(p, NODE_DIV, 0, over, under);
    *ret = parser_n(p, NODE_ADD, 0, (struct node *[]){whole, part}, 2);
    return true;
}

static int small_int(struct str digits) {
    int64_t v;
    return digits.n > 0 && digits.n <= 4 && str_to_i64(digits, &v) ? (int)v : 0;
}

/* "101_2", "2516_{8}", "11_{(3)}". */
static bool parse_based(struct parser *p, struct node *x, struct node **ret) {
    struct token *t = parser_token(p);
    size_t open = t->kind == TOKEN_UNDER && t[1].kind == TOKEN_LGROUP ? 1 : 0;
    size_t paren = t->kind == TOKEN_UNDER && t[1 + open].kind == TOKEN_LPAREN ? 1 : 0;
    const struct token *base = &t[1 + open + paren];
    if (t->kind != TOKEN_UNDER || !is_integer(base)) {
        p->failed = p->failed || t->kind == TOKEN_UNDER;
        return false;
    }
    int b = small_int(base->text);
    p->at += 2 + open + paren;
    if (paren > 0) {
        parser_want(p, TOKEN_RPAREN);
    }
    if (open > 0) {
        parser_want(p, TOKEN_RGROUP);
    }
    *ret = b >= 2 && b <= 36 ? parser_1(p, NODE_BASED, b, x) : parser_fail(p);
    return true;
}

/* "0.1666...": a period that is seen three times, or twice if it is longer, goes on for ever: what
 * the writer means, not what is written. */
static bool parse_continued(struct parser *p, struct str digits, struct node **ret) {
    int places = number_places(digits);
    if (!parser_is(p, TOKEN_ELLIPSIS) || places < 3) {
        return false;
    }
    for (size_t period = 1; period <= 6; period++) {
        size_t shown = period * (period == 1 ? 3 : 2), same = 0;
        while (same + period < shown && shown <= (size_t)places &&
               digits.p[digits.n - 1 - same] == digits.p[digits.n - 1 - same - period]) {
            same++;
        }
        if (same + period == shown) {
            parser_swallow(p, S("..."));
            p->at++;
            *ret = repeating(p, str_take(digits, digits.n - period),
                             str_skip(digits, digits.n - period));
            return true;
        }
    }
    return false;
}

static struct node *parse_number(struct parser *p) {
    struct str digits = parser_token(p)->text;
    p->at++;
    struct node *x;
    if (parse_repeating(p, digits, &x) || parse_continued(p, digits, &x)) {
        return x;
    }
    x = number(p, digits);
    if (!parse_mixed(p, x, &x)) {
        (void)parse_based(p, x, &x); /* leaves x alone if there is no base */
    }
    return x;
}

/* --- names --- */

/* The text of a subscript, as one name: "_{n+1}", "_1", "_\alpha". */
static struct str parse_index(struct parser *p) {
    struct str index = S("");
    if (!parser_is(p, TOKEN_LGROUP)) {
        index = parser_token(p)->text;
        p->failed = p->failed || parser_is(p, TOKEN_END);
        p->at += parser_is(p, TOKEN_END) ? 0 : 1;
        return index;
    }
    int depth = 0;
    do {
        struct token *t = parser_token(p);
        depth += t->kind == TOKEN_LGROUP ? 1 : t->kind == TOKEN_RGROUP ? -1 : 0;
        bool brace = t->kind == TOKEN_LGROUP || t->kind == TOKEN_RGROUP;
        if (t->kind == TOKEN_END || index.n > 64) {
            p->failed = true;
            return index;
        }
        index = brace ? index : str_fmt(p->a, "%.*s%.*s", STR_ARG(index), STR_ARG(t->text));
        p->at++;
    } while (depth > 0);
    return index;
}

static bool applies(struct str name) {
    return name.n > 0 && strchr("fghFGH", name.p[0]) != NULL &&
           (name.n == 1 || name.p[1] == '_' || name.p[1] == '\'');
}

static struct node *parse_arguments(struct parser *p, enum node_kind kind, int op,
                                    struct str name) {
    struct node *inside = parse_bracket(p);
    bool several = inside->kind == NODE_TUPLE || inside->kind == NODE_INTERVAL;
    struct node *x =
        several ? parser_n(p, kind, op, inside->kids, inside->n) : parser_1(p, kind, op, inside);
    x->name = name;
    return x;
}

/* "^{-1}(" behind the name of a function. */
static bool is_inverse(const struct token *t) {
    return t->kind == TOKEN_CARET && t[1].kind == TOKEN_LGROUP && t[2].kind == TOKEN_MINUS &&
           t[3].kind == TOKEN_NUM && str_eq(t[3].text, S("1")) && t[4].kind == TOKEN_RGROUP &&
           t[5].kind == TOKEN_LPAREN;
}

static struct node *parse_exponent(struct parser *p);

/* An index as a value: "5", "n". */
static struct node *index_node(struct parser *p, struct str index) {
    return index.n > 0 && isdigit((unsigned char)index.p[0]) ? number(p, index)
                                                             : parser_leaf(p, NODE_SYM, 0, index);
}

/* "C_5^2", "C_n^k" are binomials; "C_1^2" could be a square. Offset of the index, or 0. */
static size_t binomial_index(struct str name) {
    bool c = name.n >= 3 && name.p[0] == 'C' && name.p[1] == '_';
    bool letter = c && name.n == 3 && (name.p[2] == 'n' || name.p[2] == 'm');
    bool big = c && isdigit((unsigned char)name.p[2]) && !(name.n == 3 && name.p[2] < '2');
    for (size_t i = 2; big && i < name.n; i++) {
        big = isdigit((unsigned char)name.p[i]);
    }
    return letter || big ? 2 : 0;
}

static struct node *parse_name(struct parser *p) {
    struct token *t = parser_token(p);
    struct str name = t->text;
    p->at++;
    for (;;) {
        if (parser_take(p, TOKEN_UNDER)) {
            struct str index = parse_index(p);
            name = str_fmt(p->a, "%.*s_%.*s", STR_ARG(name), STR_ARG(index));
        } else if (parser_take(p, TOKEN_PRIME) ||
                   (parser_is(p, TOKEN_CARET) && parser_token(p)[1].kind == TOKEN_PRIME)) {
            p->at += parser_is(p, TOKEN_CARET) ? 2 : 0;
            name = str_fmt(p->a, "%.*s'", STR_ARG(name));
        } else {
            break;
        }
    }
    bool digits = p->at >= 4 && str_ends(name, S("_16")) && t > p->tokens && !t->space &&
                  (t[-1].kind == TOKEN_NUM || t[-1].kind == TOKEN_SYM) && name.p[0] >= 'A' &&
                  name.p[0] <= 'F';
    size_t stem_index = binomial_index(name);
    bool choice = stem_index > 0 && t > p->tokens && !t->space && t[-1].kind == TOKEN_NUM;
    p->failed = p->failed || digits || choice; /* 2A_{16} and 5C2 are no products */
    if (applies(name) && is_inverse(parser_token(p))) {
        p->at += 5;
        name = str_fmt(p->a, "%.*s^-1", STR_ARG(name));
        return parse_arguments(p, NODE_APPLY, 0, name);
    }
    if (stem_index > 0 && parser_is(p, TOKEN_CARET)) { /* C_n^k: choose k of n */
        p->at++;
        struct node *k = parse_exponent(p);
        struct node *n = index_node(p, str_skip(name, stem_index));
        return k != NULL ? parser_2(p, NODE_FUNC, AST_BINOM, n, k) : parser_fail(p);
    }
    if (applies(name) && parser_is(p, TOKEN_LPAREN)) {
        return parse_arguments(p, NODE_APPLY, 0, name);
    }
    return parser_leaf(p, NODE_SYM, 0, name);
}

static struct node *parse_constant(struct parser *p) {
    struct token *t = parser_token(p);
    if (p->bound_i && t->op == AST_I) {
        return parse_name(p);
    }
    p->at++;
    return parser_leaf(p, NODE_CONST, t->op, t->text);
}

/* \vec{a}, \overline{AB}: a name, with an AST_ACCENT_MARK in it. */
static struct node *parse_accent(struct parser *p) {
    struct str accent = parser_token(p)->kind == TOKEN_OVERLINE ? S("bar") : parser_token(p)->text;
    p->at++;
    struct str inner = parse_index(p);
    return parser_leaf(
        p, NODE_SYM, 0,
        str_fmt(p->a, "%.*s%c%.*s", STR_ARG(inner), AST_ACCENT_MARK, STR_ARG(accent)));
}

/* --- functions --- */

static bool starts_factor(const struct parser *p) {
    switch ((int)parser_token(p)->kind) {
    case TOKEN_NUM:
    case TOKEN_SYM:
    case TOKEN_CONST:
    case TOKEN_FRAC:
    case TOKEN_SQRT:
    case TOKEN_BINOM:
    case TOKEN_LGROUP:
    case TOKEN_LFLOOR:
    case TOKEN_LCEIL:
    case TOKEN_BIG:
    case TOKEN_ACCENT:
    case TOKEN_OVERLINE:
    case TOKEN_BEGIN:
        return true;
    case TOKEN_LPAREN:
        return !parser_at_aside(p);
    case TOKEN_LBRACK:
        return !parser_token(p)->space && !parser_closes_outward(p);
    case TOKEN_FUNC:
        return parser_token(p)->op != AST_MOD;
    case TOKEN_BAR:
        return parser_token(p)->op == 1 || (parser_token(p)->op == 0 && p->bars == 0 && !p->set);
    default:
        return false;
    }
}

/* The argument of a function written without brackets: factors up to the next sign or function. */
static struct node *parse_bare_argument(struct parser *p) {
    struct node_list factors = {0};
    bool minus = parser_take(p, TOKEN_MINUS);
    if (!starts_factor(p)) {
        return parser_fail(p);
    }
    do {
        node_list_add(p, &factors, parse_factor(p));
    } while (!p->failed && starts_factor(p) && !parser_is(p, TOKEN_FUNC) &&
             !parser_is(p, TOKEN_LPAREN) && !parser_is(p, TOKEN_BIG));
    struct node *x = parser_n(p, NODE_MUL, 0, factors.p, factors.n);
    x = factors.n == 1 ? factors.p[0] : x;
    return minus ? parser_1(p, NODE_NEG, 0, x) : x;
}

static int inverse_function(int func) {
    static const int inverse[][2] = {
        {AST_SIN, AST_ASIN},   {AST_COS, AST_ACOS},   {AST_TAN, AST_ATAN},
        {AST_COT, AST_ACOT},   {AST_SEC, AST_ASEC},   {AST_CSC, AST_ACSC},
        {AST_SINH, AST_ASINH}, {AST_COSH, AST_ACOSH}, {AST_TANH, AST_ATANH}};
    for (size_t i = 0; i < ARRAY_LEN(inverse); i++) {
        if (inverse[i][0] == func) {
            return inverse[i][1];
        }
    }
    return -1;
}

static bool is_minus_one(const struct node *x) {
    return x->kind == NODE_NEG && x->kids[0]->kind == NODE_NUM && str_eq(x->kids[0]->name, S("1"));
}

static struct node *parse_function(struct parser *p) {
    int func = parser_token(p)->op;
    struct str root_index = func == AST_ROOT ? parser_token(p)->text : S("");
    p->at++;
    struct node *base = NULL, *power = NULL, *x;
    for (int i = 0; i < 2; i++) {
        if (base == NULL && parser_take(p, TOKEN_UNDER)) {
            bool group = parser_is(p, TOKEN_LGROUP);
            p->at += group ? 1 : 0;
            base = group ? parse_sum(p) : parse_primary(p);
            if (group) {
                parser_want(p, TOKEN_RGROUP);
            }
        } else if (power == NULL && parser_take(p, TOKEN_CARET)) {
            power = parse_exponent(p);
            p->failed = p->failed || power == NULL;
        }
    }
    if (base != NULL && func != AST_LOG) {
        return parser_fail(p);
    }
    if (power != NULL && is_minus_one(power) && inverse_function(func) >= 0) {
        func = inverse_function(func);
        power = NULL;
    }
    if (parser_is(p, TOKEN_LPAREN) || parser_is(p, TOKEN_LBRACK)) {
        x = parse_arguments(p, NODE_FUNC, func, S(""));
    } else if (parser_take(p, TOKEN_LGROUP)) {
        x = parser_1(p, NODE_FUNC, func, parse_sum(p));
        parser_want(p, TOKEN_RGROUP);
    } else if (parser_is(p, TOKEN_LSET)) { /* \max\{3, 7\} */
        bool of_many = func == AST_MIN || func == AST_MAX || func == AST_GCD || func == AST_LCM;
        x = parse_set(p);
        x = x->kind == NODE_SET && (of_many || x->n == 1)
                ? parser_n(p, NODE_FUNC, func, x->kids, x->n)
                : parser_fail(p);
    } else {
        x = parser_1(p, NODE_FUNC, func, parse_bare_argument(p));
    }
    if (root_index.n > 0) {
        x = parser_2(p, NODE_FUNC, func, x->kids[0], number(p, root_index));
    }
    if (base != NULL) {
        x = parser_2(p, NODE_FUNC, func, x->kids[0], base);
    }
    return power != NULL ? parser_2(p, NODE_POW, 0, x, power) : x;
}

/* --- LaTeX constructions --- */

/* The argument of \frac, \binom: a group, or one digit, letter or command. */
static struct node *parse_latex_argument(struct parser *p) {
    struct token *t = parser_token(p);
    if (parser_take(p, TOKEN_LGROUP)) {
        struct node *x = parse_sum(p);
        parser_want(p, TOKEN_RGROUP);
        return x;
    }
    if (t->kind == TOKEN_NUM && t->text.n > 1) {
        struct str digit = str_take(t->text, 1);
        t->text = str_skip(t->text, 1);
        t->space = false;
        return number(p, digit);
    }
    if (t->kind == TOKEN_NUM) {
        p->at++;
        return number(p, t->text);
    }
    return parse_primary(p);
}

static bool is_d(const struct node *x) {
    x = x->kind == NODE_POW ? x->kids[0] : x;
    return x->kind == NODE_SYM && (str_eq(x->name, S("d")) || str_eq(x->name, S("partial")));
}

/* d/dx, which is no number. */
static bool is_derivative(const struct node *x, const struct node *y) {
    return is_d(x) && y->kind == NODE_MUL && is_d(y->kids[0]);
}

static struct node *parse_fraction(struct parser *p, enum node_kind kind, int op) {
    p->at++;
    struct node *x = parse_latex_argument(p);
    struct node *y = parse_latex_argument(p);
    return is_derivative(x, y) ? parser_fail(p) : parser_2(p, kind, op, x, y);
}

static struct node *parse_root(struct parser *p) {
    p->at++;
    struct node *index = NULL, *x;
    if (parser_is(p, TOKEN_LBRACK) && parser_token(p)->text.n == 1) {
        p->at++;
        index = parse_sum(p);
        parser_want(p, TOKEN_RBRACK);
    }
    if (parser_take(p, TOKEN_LGROUP)) {
        x = parse_sum(p);
        parser_want(p, TOKEN_RGROUP);
    } else if (parser_is(p, TOKEN_NUM)) {
        x = number(p, parser_token(p)->text);
        p->at++;
    } else {
        x = parse_primary(p);
    }
    return index != NULL ? parser_2(p, NODE_FUNC, AST_ROOT, x, index)
                         : parser_1(p, NODE_FUNC, AST_SQRT, x);
}

static struct node *parse_bars(struct parser *p) {
    p->at++;
    p->bars++;
    struct node *x = parse_sum(p);
    p->bars--;
    parser_want(p, TOKEN_BAR);
    return parser_1(p, NODE_FUNC, AST_ABS, x);
}

static struct node *parse_rounding(struct parser *p, enum token_kind close, int func) {
    p->at++;
    struct node *x = parse_sum(p);
    parser_want(p, close);
    return parser_1(p, NODE_FUNC, func, x);
}

/* \sum_{k=1}^{n} body. An integral or limit is kept whole, to be compared as it is written. */
static struct node *parse_big(struct parser *p) {
    int op = parser_token(p)->op;
    p->at++;
    struct node *variable = number(p, S("0")), *from = variable, *to = variable;
    bool bound_i = p->bound_i;
    for (int i = 0; i < 2; i++) {
        if (parser_take(p, TOKEN_UNDER)) {
            bool group = parser_take(p, TOKEN_LGROUP);
            p->bound_i = p->bound_i || (op != AST_BIG_OTHER && parser_token(p)->op == AST_I &&
                                        parser_is(p, TOKEN_CONST));
            from = group ? parse_sum(p) : parse_primary(p);
            if (group && parser_take(p, TOKEN_REL)) {
                variable = from;
                from = parse_sum(p);
            }
            if (group) {
                parser_want(p, TOKEN_RGROUP);
            }
        } else if (parser_take(p, TOKEN_CARET)) {
            to = parse_exponent(p);
            p->failed = p->failed || to == NULL; /* degrees are no limit */
        }
    }
    if (op != AST_BIG_OTHER && variable->kind != NODE_SYM) {
        op = AST_BIG_OTHER;
    }
    struct node_list factors = {0};
    while (!p->failed && (starts_factor(p) || parser_is(p, TOKEN_TIMES))) {
        p->at += parser_is(p, TOKEN_TIMES) ? 1 : 0;
        node_list_add(p, &factors, parse_factor(p));
    }
    struct node *body =
        factors.n == 1 ? factors.p[0] : parser_n(p, NODE_MUL, 0, factors.p, factors.n);
    p->failed = p->failed || factors.n == 0;
    p->bound_i = bound_i;
    return parser_n(p, NODE_SUM, op, (struct node *[]){variable, from, to, body}, 4);
}

struct node *parse_infix(struct parser *p) {
    struct node *x = parse_answer(p);
    if (parser_take(p, TOKEN_CHOOSE)) {
        return parser_2(p, NODE_FUNC, AST_BINOM, x, parse_sum(p));
    }
    return parser_take(p, TOKEN_OVER) ? parser_2(p, NODE_DIV, 0, x, parse_sum(p)) : x;
}

static struct node *parse_group(struct parser *p) {
    p->at++;
    struct node *x = parse_infix(p);
    parser_want(p, TOKEN_RGROUP);
    return x->kind == NODE_LIST ? parser_n(p, NODE_SET, 0, x->kids, x->n) : x;
}

/* --- the grammar's levels --- */

static struct node *parse_primary_inner(struct parser *p) {
    switch ((int)parser_token(p)->kind) {
    case TOKEN_NUM:
        return parse_number(p);
    case TOKEN_SYM:
        return parse_name(p);
    case TOKEN_CONST:
        return parse_constant(p);
    case TOKEN_FUNC:
        return parse_function(p);
    case TOKEN_FRAC:
        return parse_fraction(p, NODE_DIV, 0);
    case TOKEN_BINOM:
        return parse_fraction(p, NODE_FUNC, AST_BINOM);
    case TOKEN_SQRT:
        return parse_root(p);
    case TOKEN_BIG:
        return parse_big(p);
    case TOKEN_LFLOOR:
        return parse_rounding(p, TOKEN_RFLOOR, AST_FLOOR);
    case TOKEN_LCEIL:
        return parse_rounding(p, TOKEN_RCEIL, AST_CEIL);
    case TOKEN_BAR:
        return parse_bars(p);
    case TOKEN_ACCENT:
    case TOKEN_OVERLINE:
        return parse_accent(p);
    case TOKEN_LGROUP:
        return parse_group(p);
    case TOKEN_LSET:
        return parse_set(p);
    case TOKEN_BEGIN:
        return parse_environment(p);
    case TOKEN_LPAREN:
    case TOKEN_LBRACK:
    case TOKEN_RBRACK:
        return parse_bracket(p);
    case TOKEN_SETNAME:
        p->at++;
        return parser_leaf(p, NODE_SETNAME, 0, p->tokens[p->at - 1].text);
    case TOKEN_ELLIPSIS:
        p->at++;
        return parser_leaf(p, NODE_ELLIPSIS, 0, S(""));
    case TOKEN_CURRENCY:
        (void)parser_take_currency(p);
        return parse_primary(p);
    default:
        return parser_fail(p);
    }
}

static struct node *parse_primary(struct parser *p) {
    if (!parser_enter(p)) {
        return parser_fail(p);
    }
    struct node *x = parse_primary_inner(p);
    p->depth--;
    return x;
}

/* "36^o", "36^{\text{o}}": the letter drawn for the degree sign. */
static bool take_small_o(struct parser *p) {
    const struct token *t = parser_token(p);
    bool group = t->kind == TOKEN_LGROUP && t[2].kind == TOKEN_RGROUP;
    bool o = t[group ? 1 : 0].kind == TOKEN_SYM && str_eq(t[group ? 1 : 0].text, S("o"));
    p->at += !o ? 0 : group ? 3 : 1;
    return o;
}

/* Behind "^". NULL for ^\circ, which is no power. */
static struct node *parse_exponent(struct parser *p) {
    struct token *t = parser_token(p);
    if (t->kind == TOKEN_LGROUP && t[1].kind == TOKEN_DEGREE && t[2].kind == TOKEN_RGROUP) {
        p->at += 3;
        return NULL;
    }
    if (parser_take(p, TOKEN_DEGREE) || take_small_o(p)) {
        return NULL;
    }
    if (!parser_enter(p)) {
        return parser_fail(p);
    }
    bool minus = parser_take(p, TOKEN_MINUS);
    (void)parser_take(p, TOKEN_PLUS);
    struct node *x = parse_primary(p);
    if (parser_take(p, TOKEN_CARET)) {
        struct node *y = parse_exponent(p);
        x = y != NULL ? parser_2(p, NODE_POW, 0, x, y) : parser_fail(p);
    }
    p->depth--;
    return minus ? parser_1(p, NODE_NEG, 0, x) : x;
}

/* "C" or "F" behind a degree sign, and nothing more. */
static bool is_temperature(const struct parser *p) {
    const struct token *t = parser_token(p);
    return t->kind == TOKEN_SYM && t[1].kind == TOKEN_END &&
           (str_eq(t->text, S("C")) || str_eq(t->text, S("F")));
}

static struct node *parse_factor(struct parser *p) {
    struct node *x = parse_primary(p);
    for (int steps = 0;; steps++) {
        if (steps > POSTFIX_MAX) {
            return parser_fail(p);
        }
        if (parser_take(p, TOKEN_CARET)) {
            struct node *power = parse_exponent(p);
            x = power == NULL ? parser_1(p, NODE_DEGREE, 0, x) : parser_2(p, NODE_POW, 0, x, power);
        } else if (parser_is(p, TOKEN_BANG)) {
            int times = 0;
            while (parser_take(p, TOKEN_BANG)) {
                times++;
            }
            x = parser_1(p, NODE_FACT, times, x);
        } else if (parser_take(p, TOKEN_PERCENT)) {
            x = parser_1(p, NODE_PERCENT, 0, x);
        } else if (parser_take(p, TOKEN_DEGREE)) {
            x = parser_1(p, NODE_DEGREE, 0, x);
        } else if (x->kind == NODE_DEGREE && is_temperature(p)) {
            parser_swallow(p, parser_token(p)->text); /* 100 °C are not 100 °F */
            p->at++;
            x = x->kids[0];
        } else {
            return x;
        }
    }
}

/* A factor that may carry a sign: behind "*" and "/". */
static struct node *parse_signed_factor(struct parser *p) {
    if (parser_take(p, TOKEN_MINUS)) {
        return parser_1(p, NODE_NEG, 0, parse_factor(p));
    }
    if (parser_is(p, TOKEN_PM)) {
        int op = parser_token(p)->op;
        p->at++;
        return parser_1(p, NODE_PM, op, parse_factor(p));
    }
    (void)parser_take(p, TOKEN_PLUS);
    return parse_factor(p);
}

/* The divisor; under LEX_TIGHT_PRODUCT with the factors written close behind it. */
static struct node *parse_divisor(struct parser *p) {
    struct node *y = parse_signed_factor(p);
    bool close = starts_factor(p) && !parser_is(p, TOKEN_FUNC);
    p->ambiguous |= close ? LEX_TIGHT_PRODUCT : 0;
    while (!p->failed && (p->reading & LEX_TIGHT_PRODUCT) != 0 && starts_factor(p)) {
        y = parser_n(p, NODE_MUL, 0, (struct node *[]){y, parse_factor(p)}, 2);
    }
    return y;
}

static struct node *term_of(struct parser *p, struct node_list *factors) {
    struct node *x =
        factors->n == 1 ? factors->p[0] : parser_n(p, NODE_MUL, 0, factors->p, factors->n);
    factors->n = 0;
    return x;
}

static struct node *parse_term(struct parser *p) {
    struct node_list factors = {0};
    int divisions = 0;
    node_list_add(p, &factors, parse_factor(p));
    while (!p->failed) {
        const struct token *before = &p->tokens[p->at > 0 ? p->at - 1 : 0];
        if (parser_take(p, TOKEN_TIMES)) {
            node_list_add(p, &factors, parse_signed_factor(p));
        } else if (parser_take(p, TOKEN_DIV)) {
            p->failed = ++divisions > DIVISIONS_MAX;
            struct node *over = term_of(p, &factors);
            node_list_add(p, &factors, parser_2(p, NODE_DIV, 0, over, parse_divisor(p)));
        } else if (starts_factor(p)) {
            if (parser_is(p, TOKEN_NUM) && before->kind == TOKEN_NUM) {
                return parser_fail(p); /* two numbers side by side are no product */
            }
            node_list_add(p, &factors, parse_factor(p));
        } else {
            break;
        }
    }
    return term_of(p, &factors);
}

static struct node *parse_sum_inner(struct parser *p) {
    struct node_list terms = {0};
    bool first = true;
    while (!p->failed) {
        struct token *t = parser_token(p);
        bool sign = t->kind == TOKEN_PLUS || t->kind == TOKEN_MINUS || t->kind == TOKEN_PM;
        if (!sign && !first) {
            break;
        }
        bool minus = false;
        int pm = 0;
        for (; parser_is(p, TOKEN_PLUS) || parser_is(p, TOKEN_MINUS) || parser_is(p, TOKEN_PM);
             p->at++) {
            minus ^= parser_is(p, TOKEN_MINUS);
            pm = parser_is(p, TOKEN_PM) ? parser_token(p)->op : pm;
        }
        struct node *x = parse_term(p);
        x = pm != 0 ? parser_1(p, NODE_PM, pm, x) : x;
        node_list_add(p, &terms, minus ? parser_1(p, NODE_NEG, 0, x) : x);
        first = false;
    }
    return terms.n == 1 ? terms.p[0] : parser_n(p, NODE_ADD, 0, terms.p, terms.n);
}

struct node *parse_sum(struct parser *p) {
    if (!parser_enter(p)) {
        return parser_fail(p);
    }
    struct node *x = parse_sum_inner(p);
    p->depth--;
    return x;
}
