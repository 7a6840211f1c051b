/* The shapes around scalar expressions, loosest first:
 *
 *   answer   = groups {(";" | row) groups}      lists of lists, systems
 *   groups   = items {"or" items}
 *   items    = item {("," | "and") item}        "and" between relations is a conjunction
 *   item     = [words ":"] relation [unit | words]
 *   relation = sets {("=" | "<" | "∈" …) sets}
 *   sets     = ratio {("∪" | "∩" | "∖") ratio}
 *   ratio    = sum {":" sum}
 *
 * Words are never silently dropped: they become a unit, or the parse is marked as having swallowed
 * them, and then nothing may be called different on its strength. */
#include "answer/parser.h"

#include "answer/units.h"

#include <ctype.h>
#include <string.h>

#define LIST_ITEMS_MAX ((size_t)5000)

/* --- building blocks --- */

struct node *parser_fail(struct parser *p) {
    p->failed = true;
    return node_leaf(p->a, NODE_ELLIPSIS, 0, S(""));
}

bool parser_enter(struct parser *p) {
    if (p->failed || p->depth >= AST_DEPTH_MAX) {
        p->failed = true;
        return false;
    }
    p->depth++;
    return true;
}

static void parser_count(struct parser *p, size_t n) {
    p->nodes += 1 + n;
    if (p->nodes > AST_NODES_MAX || arena_room(p->a) < (size_t)1 << 20) {
        p->failed = true;
    }
}

struct node *parser_n(struct parser *p, enum node_kind kind, int op, struct node *const *kids,
                      size_t n) {
    parser_count(p, 0);
    return node_n(p->a, kind, op, kids, n);
}

struct node *parser_1(struct parser *p, enum node_kind kind, int op, struct node *x) {
    return parser_n(p, kind, op, &x, 1);
}

struct node *parser_2(struct parser *p, enum node_kind kind, int op, struct node *x,
                      struct node *y) {
    return parser_n(p, kind, op, (struct node *[]){x, y}, 2);
}

struct node *parser_leaf(struct parser *p, enum node_kind kind, int op, struct str name) {
    parser_count(p, 0);
    return node_leaf(p->a, kind, op, name);
}

void node_list_add(struct parser *p, struct node_list *list, struct node *x) {
    if (list->n == list->max) {
        size_t max = list->max > 0 ? list->max * 2 : 4;
        struct node **grown = ARENA_ARRAY(p->a, struct node *, max);
        if (list->n > 0) {
            memcpy(grown, list->p, list->n * sizeof(struct node *));
        }
        list->p = grown;
        list->max = max;
    }
    list->p[list->n++] = x;
    p->failed = p->failed || list->n > LIST_ITEMS_MAX;
}

static struct node *list_node(struct parser *p, enum node_kind kind, struct node_list *list) {
    return list->n == 1 ? list->p[0] : parser_n(p, kind, 0, list->p, list->n);
}

/* --- words and units --- */

static bool word_in(struct str word, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(word, str_of(list[i]))) {
            return true;
        }
    }
    return false;
}

/* Words that turn what is said around, or into something that holds only sometimes. */
static bool changes_meaning(struct str word) {
    static const char *const words[] = {
        "not",     "no",        "none",       "never",      "if",        "when",   "unless",
        "except",  "otherwise", "neither",    "nor",        "without",   "either", "only",
        "least",   "most",      "more",       "less",       "than",      "cannot", "isn't",
        "doesn't", "false",     "infinitely", "impossible", "undefined", "minus",  "negative",
        "fewer",   "half",      "double",     "twice",      "every",     "both"};
    return word_in(word, words, ARRAY_LEN(words));
}

void parser_swallow(struct parser *p, struct str word) {
    p->swallowed = true;
    p->condition = p->condition || changes_meaning(word);
    if (p->words.n < 200) {
        p->words = str_fmt(p->a, "%.*s %.*s", STR_ARG(p->words), STR_ARG(word));
    }
}

bool parser_take_currency(struct parser *p) {
    struct str sign = parser_token(p)->text;
    if (!parser_take(p, TOKEN_CURRENCY)) {
        return false;
    }
    p->currency = p->currency.n == 0 || str_eq(p->currency, sign) ? sign : S("mixed");
    return true;
}

/* "^2", "^{-1}" behind a unit; 1 if there is none. */
static int unit_power(struct parser *p) {
    struct token *t = parser_token(p);
    bool group = t->kind == TOKEN_CARET && t[1].kind == TOKEN_LGROUP;
    size_t i = group ? 2 : 1;
    int sign = t->kind == TOKEN_CARET && t[i].kind == TOKEN_MINUS ? -1 : 1;
    i += sign < 0 ? 1 : 0;
    bool digit = t->kind == TOKEN_CARET && t[i].kind == TOKEN_NUM && t[i].text.n == 1;
    if (!digit || (group && t[i + 1].kind != TOKEN_RGROUP)) {
        return 1;
    }
    p->at += i + (group ? 2 : 1);
    return sign * (t[i].text.p[0] - '0');
}

static int power_word(struct str word) {
    static const char *const square[] = {"square", "sq", "squared"};
    static const char *const cubic[] = {"cubic", "cu", "cubed"};
    return word_in(word, square, ARRAY_LEN(square)) ? 2
           : word_in(word, cubic, ARRAY_LEN(cubic)) ? 3
                                                    : 1;
}

/* A sign or word between two units: 1 times, -1 per, 0 neither. */
static int unit_joint(struct parser *p) {
    struct token *t = parser_token(p);
    if (t->kind == TOKEN_DIV || (t->kind == TOKEN_TEXT && str_eq(t->text, S("per")))) {
        p->at++;
        return -1;
    }
    bool times = t->kind == TOKEN_TIMES && t[1].kind == TOKEN_TEXT;
    p->at += times ? 1 : 0;
    return times || t->kind == TOKEN_TEXT ? 1 : 0;
}

/* All of the words ahead as a unit, or nothing taken. */
static bool parse_unit(struct parser *p, struct unit *ret) {
    size_t start = p->at;
    *ret = (struct unit){.num = 1, .den = 1};
    int joint = 1;
    bool any = false;
    while (joint != 0 && parser_is(p, TOKEN_TEXT)) {
        int power = power_word(parser_token(p)->text);
        p->at += power > 1 ? 1 : 0;
        struct unit unit;
        if (!parser_is(p, TOKEN_TEXT) || !unit_find(parser_token(p)->text, &unit)) {
            break;
        }
        p->at++;
        power = power > 1 ? power : unit_power(p);
        if (parser_is(p, TOKEN_TEXT) && power_word(parser_token(p)->text) > 1) {
            power = power_word(parser_token(p)->text);
            p->at++;
        }
        any = true;
        if (!unit_multiply(ret, &unit, joint * power)) {
            break;
        }
        joint = unit_joint(p);
        if (joint == 0) {
            return true;
        }
    }
    p->at = start;
    (void)any;
    return false;
}

static int64_t multiplier(struct str word) {
    static const struct {
        const char *word;
        int64_t value;
    } words[] = {{"hundred", 100},     {"dozen", 12},           {"thousand", 1000},
                 {"million", 1000000}, {"billion", 1000000000}, {"trillion", 1000000000000}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(word, str_of(words[i].word))) {
            return words[i].value;
        }
    }
    return 0;
}

static bool ends_item(const struct parser *p) {
    switch ((int)parser_token(p)->kind) {
    case TOKEN_END:
    case TOKEN_COMMA:
    case TOKEN_SEMI:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_ROW:
    case TOKEN_AMP:
    case TOKEN_ENDENV:
    case TOKEN_RPAREN:
    case TOKEN_RBRACK:
    case TOKEN_RSET:
    case TOKEN_RGROUP:
    case TOKEN_MID:
    case TOKEN_CHOOSE:
    case TOKEN_OVER:
        return true;
    default:
        return parser_closes_outward(p);
    }
}

/* What the tokens from @from on say of where a value holds: words and the names of symbols aside,
 * and however it is written. */
static void note_limits(struct parser *p, size_t from) {
    for (; from < p->at && p->limits.n < 400; from++) {
        const struct token *t = &p->tokens[from];
        bool named = t->kind == TOKEN_NUM || t->kind == TOKEN_SETNAME;
        if (t->kind != TOKEN_TEXT) {
            p->limits = str_fmt(p->a, "%.*s %d:%d:%.*s", STR_ARG(p->limits), (int)t->kind, t->op,
                                STR_ARG(named ? t->text : S("")));
        }
    }
}

/* A condition of validity, "for all n in Z", "where k ∈ ℤ": skipped up to the next item. @all: what
 * is not a word says something, too. */
static void skip_clause(struct parser *p, bool all) {
    size_t from = p->at;
    int depth = 0;
    while (!parser_is(p, TOKEN_END) && (depth > 0 || !ends_item(p))) {
        struct token *t = parser_token(p);
        depth += t->kind == TOKEN_LPAREN || t->kind == TOKEN_LGROUP || t->kind == TOKEN_LSET;
        depth -= t->kind == TOKEN_RPAREN || t->kind == TOKEN_RGROUP || t->kind == TOKEN_RSET;
        if (all || t->kind == TOKEN_TEXT) {
            parser_swallow(p, t->text);
        }
        p->failed = p->failed || t->kind == TOKEN_BAD;
        p->at++;
    }
    note_limits(p, all ? p->at : from); /* an aside is none */
    p->swallowed = true;
}

/* What follows a value: a unit, a multiplier, other words. */
static struct node *parse_behind(struct parser *p, struct node *x) {
    static const char *const clauses[] = {"for", "forall", "where", "with", "such", "given"};
    struct unit unit;
    if (parser_take_currency(p)) {
        return x;
    }
    if (parser_is(p, TOKEN_FUNC) &&
        parser_token(p)->op == AST_MOD) { /* compared as it is written */
        p->at++;
        return parser_2(p, NODE_TUPLE, 'm', x, parse_sum(p));
    }
    if (parser_is(p, TOKEN_TEXT) && multiplier(parser_token(p)->text) > 0) {
        struct str digits = str_fmt(p->a, "%lld", (long long)multiplier(parser_token(p)->text));
        p->at++;
        x = parser_2(p, NODE_MUL, 0, x, parser_leaf(p, NODE_NUM, -1, digits));
    }
    if (parser_is(p, TOKEN_TEXT) && parse_unit(p, &unit)) {
        struct node *u = parser_1(p, NODE_UNIT, 0, x);
        u->unit = ARENA_NEW(p->a, struct unit);
        memcpy((void *)(uintptr_t)u->unit, &unit, sizeof unit);
        return u;
    }
    while (parser_is(p, TOKEN_TEXT) && !p->failed) {
        bool clause = word_in(parser_token(p)->text, clauses, ARRAY_LEN(clauses));
        parser_swallow(p, parser_token(p)->text);
        p->at++;
        if (clause) {
            skip_clause(p, false);
        }
    }
    if (parser_at_aside(p)) {
        p->at++;
        skip_clause(p, true);
        parser_want(p, TOKEN_RPAREN);
    }
    if (p->at > 0 && p->tokens[p->at - 1].kind == TOKEN_TEXT) { /* "10 boxes^3" */
        (void)unit_power(p);
    }
    return x;
}

/* --- relations --- */

/* ":", or "to" between two numbers, which may also be a range. */
static bool take_colon(struct parser *p, bool *range) {
    const struct token *t = parser_token(p);
    bool to = t->kind == TOKEN_TEXT && str_eq(t->text, S("to")) && t[-1].kind == TOKEN_NUM &&
              t[1].kind == TOKEN_NUM;
    p->at += to ? 1 : 0;
    *range = *range || to;
    return to || parser_take(p, TOKEN_COLON);
}

static struct node *parse_ratio(struct parser *p) {
    struct node_list parts = {0};
    bool range = false;
    do {
        node_list_add(p, &parts, parse_sum(p));
    } while (!p->failed && !p->set && take_colon(p, &range));
    return parts.n == 1 ? parts.p[0] : parser_n(p, NODE_RATIO, range ? 1 : 0, parts.p, parts.n);
}

static struct node *parse_sets(struct parser *p) {
    struct node *x = parse_ratio(p);
    for (int n = 0; !p->failed && n < 500; n++) {
        enum token_kind kind = parser_token(p)->kind;
        if (kind != TOKEN_CUP && kind != TOKEN_CAP && kind != TOKEN_SETMINUS) {
            return x;
        }
        p->at++;
        x = parser_2(p,
                     kind == TOKEN_CUP   ? NODE_UNION
                     : kind == TOKEN_CAP ? NODE_INTERSECT
                                         : NODE_MINUS,
                     0, x, parse_ratio(p));
    }
    return parser_fail(p);
}

static struct node *parse_relation(struct parser *p) {
    struct node_list sides = {0};
    char ops[64];
    size_t n = 0;
    node_list_add(p, &sides, parse_sets(p));
    while (!p->failed && n < sizeof ops) {
        bool negated = parser_is(p, TOKEN_NOT) && parser_token(p)[1].kind == TOKEN_REL;
        p->at += negated ? 1 : 0;
        if (!parser_is(p, TOKEN_REL)) {
            break;
        }
        int op = parser_token(p)->op;
        p->at++;
        while (parser_is(p, TOKEN_AMP)) { /* alignment */
            p->at++;
        }
        if (parser_is(p, TOKEN_REL) && n == 0) {
            return parser_fail(p);
        }
        ops[n++] = (char)(!negated ? op : op == AST_EQ ? AST_NE : AST_RELATED);
        node_list_add(p, &sides, parse_sets(p));
    }
    if (n == 0) {
        return sides.p[0];
    }
    struct node *x = parser_n(p, NODE_REL, 0, sides.p, sides.n);
    x->name = str_dup(p->a, (struct str){ops, n});
    return x;
}

/* --- items and lists --- */

/* Words in front: "Minimum: 1", "Sequence 2: …", "the answer is 5". True if only words are there.
 */
static bool parse_lead(struct parser *p) {
    size_t start = p->at;
    struct str first = parser_token(p)->text;
    while (parser_is(p, TOKEN_TEXT)) {
        parser_swallow(p, parser_token(p)->text);
        p->at++;
    }
    if (p->at > start && parser_is(p, TOKEN_LPAREN) && !parser_token(p)->space) {
        p->failed = true; /* eval(…): a function that nobody knows */
    }
    if (p->at == start) {
        while (parser_is(p, TOKEN_REL) &&
               (parser_token(p)->op == AST_EQ || parser_token(p)->op == AST_APPROX ||
                parser_token(p)->op == AST_RELATED)) {
            p->at++; /* "= 5", "⇒ x = 5" */
        }
        return false;
    }
    bool numbered = parser_is(p, TOKEN_NUM) && parser_token(p)[1].kind == TOKEN_COLON;
    p->at += numbered ? 2 : 0;
    bool label = !numbered && parser_take(p, TOKEN_COLON);
    if (!numbered && !label) {
        (void)parser_take(p, TOKEN_REL);
    }
    (void)first;
    return ends_item(p);
}

/* Words that name a number or a set of numbers: NULL if @words are others. */
static struct node *named_value(struct parser *p, struct str words) {
    static const struct {
        const char *words, *set;
    } names[] = {{"all real numbers", "R"},
                 {"all reals", "R"},
                 {"all real", "R"},
                 {"the set of all real numbers", "R"},
                 {"any real number", "R"},
                 {"no solution", "empty"},
                 {"no solutions", "empty"},
                 {"no real solutions", "empty"},
                 {"no real solution", "empty"},
                 {"there is no solution", "empty"},
                 {"there are no solutions", "empty"},
                 {"the empty set", "empty"},
                 {"empty set", "empty"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_nocase(words, str_of(names[i].words))) {
            p->swallowed = p->condition = false;
            p->words = S("");
            return parser_leaf(p, NODE_SETNAME, 0, str_of(names[i].set));
        }
    }
    static const char *const numbers[] = {"zero", "one",    "two",   "three", "four",
                                          "five", "six",    "seven", "eight", "nine",
                                          "ten",  "eleven", "twelve"};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (str_eq_nocase(words, str_of(numbers[i]))) {
            p->swallowed = false;
            p->words = S("");
            return parser_leaf(p, NODE_NUM, -1, str_fmt(p->a, "%zu", i));
        }
    }
    return NULL;
}

static struct node *words_node(struct parser *p, size_t from) {
    struct str words = S("");
    for (size_t i = from; i < p->at && !p->failed; i++) {
        words = str_fmt(p->a, "%.*s%s%.*s", STR_ARG(words), words.n > 0 ? " " : "",
                        STR_ARG(p->tokens[i].text));
        p->failed = p->failed || words.n > 1000;
    }
    struct node *value = from == 0 && parser_is(p, TOKEN_END) ? named_value(p, words) : NULL;
    return value != NULL ? value : parser_leaf(p, NODE_TEXT, 0, words);
}

static struct node *parse_item(struct parser *p) {
    size_t start = p->at;
    if (parse_lead(p)) {
        return words_node(p, start);
    }
    struct node *x = parse_relation(p);
    x = parse_behind(p, x);
    bool such_that = p->set && parser_is(p, TOKEN_COLON);
    if (!p->failed && !ends_item(p) && !parser_is(p, TOKEN_BAR) && !such_that) {
        return parser_fail(p);
    }
    return x;
}

/* "n ∈ ℤ" behind something else tells what a parameter may be. */
static bool is_domain(const struct node *x) {
    return x->kind == NODE_REL && x->n == 2 && x->name.p[0] == AST_IN &&
           x->kids[0]->kind == NODE_SYM && x->kids[1]->kind == NODE_SETNAME;
}

/* "x ≠ 1" behind a formula with x in it tells where the formula is defined. */
static bool is_side_condition(const struct node *x, const struct node *of) {
    struct symbols s = {0};
    symbols_add(&s, of);
    bool formula = of->kind == NODE_REL ? of->name.p[0] == AST_EQ : of->kind < NODE_LIST;
    return formula && x->kind == NODE_REL && x->n == 2 && x->name.p[0] == AST_NE &&
           x->kids[0]->kind == NODE_SYM && symbols_has(&s, x->kids[0]->name);
}

/* "5 and 7" is a list, "x > 1 and x < 5" a conjunction; they are told apart by what they join. */
static struct node *parse_items(struct parser *p) {
    struct node_list items = {0}, joined = {0};
    for (;;) {
        size_t from = p->at;
        struct node *item = parse_item(p);
        const struct node *first = items.n > 0 ? items.p[0] : joined.n > 0 ? joined.p[0] : NULL;
        if (first != NULL && is_side_condition(item, first)) {
            parser_swallow(p, S("where"));
            note_limits(p, from);
        } else if (first != NULL && is_domain(item)) {
            note_limits(p, from);
        } else {
            node_list_add(p, &joined, item);
        }
        bool comma = parser_take(p, TOKEN_COMMA), and = parser_take(p, TOKEN_AND);
        if ((comma || !and || p->failed) && joined.n > 0) {
            node_list_add(p, &items, list_node(p, NODE_AND, &joined));
            joined = (struct node_list){0};
        }
        if (p->failed || (!comma && !and) || parser_is(p, TOKEN_END) || parser_is(p, TOKEN_OR)) {
            break;
        }
    }
    if (joined.n > 0) {
        node_list_add(p, &items, list_node(p, NODE_AND, &joined));
    }
    return list_node(p, NODE_LIST, &items);
}

static struct node *parse_groups(struct parser *p) {
    struct node_list groups = {0};
    do {
        node_list_add(p, &groups, parse_items(p));
    } while (!p->failed && parser_take(p, TOKEN_OR));
    return list_node(p, NODE_OR, &groups);
}

struct node *parse_answer(struct parser *p) {
    if (!parser_enter(p)) {
        return parser_fail(p);
    }
    struct node_list parts = {0};
    do {
        while (parser_take(p, TOKEN_SEMI) || parser_take(p, TOKEN_ROW)) {
        }
        if (parser_is(p, TOKEN_END) && parts.n > 0) {
            break;
        }
        node_list_add(p, &parts, parse_groups(p));
    } while (!p->failed && (parser_is(p, TOKEN_SEMI) || parser_is(p, TOKEN_ROW)));
    p->depth--;
    return list_node(p, NODE_LIST, &parts);
}

/* --- brackets --- */

static bool infinite(const struct node *x) {
    x = x->kind == NODE_NEG ? x->kids[0] : x;
    x = x->kind == NODE_ADD && x->n == 1 ? x->kids[0] : x;
    return x->kind == NODE_CONST && x->op == AST_INF;
}

/* How brackets begin and end tells a tuple from an interval; "(a, b)" stays a tuple unless an end
 * is infinite. */
static struct node *bracketed(struct parser *p, enum token_kind open, enum token_kind close,
                              struct node *x) {
    bool round = open == TOKEN_LPAREN && close == TOKEN_RPAREN;
    bool list = x->kind == NODE_LIST;
    bool pair = list && x->n == 2 && x->kids[0]->kind != NODE_LIST;
    bool nested = pair && (x->kids[0]->kind == NODE_TUPLE || x->kids[0]->kind == NODE_INTERVAL);
    if (pair && !nested && (!round || infinite(x->kids[0]) || infinite(x->kids[1]))) {
        int closed = (open == TOKEN_LBRACK ? AST_CLOSED_LO : 0) |
                     (close == TOKEN_RBRACK ? AST_CLOSED_HI : 0);
        return parser_n(p, NODE_INTERVAL, closed, x->kids, 2);
    }
    if (open == TOKEN_RBRACK || (!round && close != TOKEN_RBRACK) ||
        (open == TOKEN_LPAREN && close != TOKEN_RPAREN)) {
        return parser_fail(p);
    }
    if (list) {
        return parser_n(p, NODE_TUPLE, round ? '(' : '[', x->kids, x->n);
    }
    bool row = open == TOKEN_LBRACK && (x->kind == NODE_INTERVAL || x->kind == NODE_TUPLE);
    return row ? parser_n(p, NODE_TUPLE, '[', &x, 1) : x; /* [[1, 2]] */
}

struct node *parse_bracket(struct parser *p) {
    enum token_kind open = parser_token(p)->kind;
    int bars = p->bars;
    bool set = p->set;
    p->at++;
    p->bars = 0;
    p->set = false;
    struct node *x = parse_answer(p);
    p->bars = bars;
    p->set = set;
    enum token_kind close = parser_token(p)->kind;
    bool closes = close == TOKEN_RPAREN || close == TOKEN_RBRACK ||
                  (close == TOKEN_LBRACK && open != TOKEN_LPAREN);
    if (!closes) {
        return parser_fail(p);
    }
    p->at++;
    return bracketed(p, open, close, x);
}

/* \{1, 2\}, \{x | x > 0\}. */
struct node *parse_set(struct parser *p) {
    bool set = p->set;
    p->at++;
    if (parser_take(p, TOKEN_RSET)) {
        return parser_leaf(p, NODE_SETNAME, 0, S("empty"));
    }
    p->set = true;
    struct node *x = parse_answer(p);
    if (parser_take(p, TOKEN_BAR) || parser_take(p, TOKEN_MID) || parser_take(p, TOKEN_COLON)) {
        x = parser_2(p, NODE_BUILDER, 0, x, parse_answer(p));
    }
    p->set = set;
    parser_want(p, TOKEN_RSET);
    if (x->kind == NODE_BUILDER) {
        return x;
    }
    return x->kind == NODE_LIST ? parser_n(p, NODE_SET, 0, x->kids, x->n)
                                : parser_n(p, NODE_SET, 0, &x, 1);
}

/* --- environments --- */

static struct node *matrix(struct parser *p, struct node_list *cells, size_t columns,
                           struct str name) {
    if (columns == 0 || cells->n % columns != 0) {
        return parser_fail(p);
    }
    struct node *m = parser_n(p, NODE_MATRIX, (int)columns, cells->p, cells->n);
    return str_eq(name, S("vmatrix")) ? parser_1(p, NODE_FUNC, AST_DET, m) : m;
}

/* Cells in rows; a system of equations has one column, a definition by cases two. */
struct node *parse_environment(struct parser *p) {
    struct str name = parser_token(p)->text;
    struct node_list cells = {0};
    size_t columns = 0, in_row = 0;
    bool is_matrix = str_ends(name, S("matrix")) || str_eq(name, S("array"));
    bool aligned = !is_matrix && !str_eq(name, S("cases"));
    p->at++;
    while (!p->failed && !parser_is(p, TOKEN_ENDENV)) {
        if (aligned && parser_take(p, TOKEN_AMP)) {
            continue;
        }
        node_list_add(p, &cells, parse_groups(p));
        in_row++;
        bool row = parser_is(p, TOKEN_ROW), end = parser_is(p, TOKEN_ENDENV);
        if (row || end) {
            p->failed = p->failed || (columns != 0 && in_row != columns && !aligned);
            columns = in_row;
            in_row = 0;
        }
        while (parser_take(p, TOKEN_ROW)) {
        }
        if (!row && !end && !parser_take(p, TOKEN_AMP)) {
            return parser_fail(p);
        }
    }
    parser_want(p, TOKEN_ENDENV);
    if (p->failed || cells.n == 0) {
        return parser_fail(p);
    }
    if (is_matrix) {
        return matrix(p, &cells, columns, name);
    }
    return columns > 1 ? parser_n(p, NODE_TUPLE, 'c', cells.p, cells.n)
                       : list_node(p, NODE_LIST, &cells);
}

/* --- the whole --- */

/* Text that was escaped once too often has only even runs of backslashes: halve them. */
static struct str unescape(struct str text, struct arena *a) {
    bool command = false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\') {
            size_t run = 1;
            while (i + run < text.n && text.p[i + run] == '\\') {
                run++;
            }
            if (run % 2 != 0) {
                return text;
            }
            i += run - 1;
            command = command || (i + 1 < text.n && isalpha((unsigned char)text.p[i + 1]));
        }
    }
    if (!command || text.n > LEX_BYTES_MAX) {
        return text;
    }
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        out[n++] = text.p[i];
        i += text.p[i] == '\\' ? 1 : 0;
    }
    return (struct str){out, n};
}

/* "((((x))))" with one pair left. Beyond a few pairs only, where the parser would run out of depth.
 */
static struct str without_redundant_brackets(struct str s) {
    size_t open = 0, close = 0, depth = 0, lowest;
    while (open < s.n && s.p[open] == '(') {
        open++;
    }
    while (close < s.n && s.p[s.n - 1 - close] == ')') {
        close++;
    }
    if (open < 20 || close < 20 || open + close >= s.n) {
        return s;
    }
    lowest = depth = open;
    for (size_t i = open; i < s.n - close; i++) {
        depth += s.p[i] == '(';
        depth -= s.p[i] == ')' && depth > 0;
        lowest = MIN(lowest, depth);
    }
    size_t pairs = MIN(lowest, close);
    return depth != close || pairs < 2 ? s : (struct str){s.p + pairs - 1, s.n - 2 * (pairs - 1)};
}

struct parsed parse(struct str text, unsigned reading, struct arena *a) {
    struct lexed lexed;
    struct parsed none = {.root = NULL};
    text = without_redundant_brackets(unescape(str_trim(text), a));
    if (arena_room(a) < (size_t)4 << 20 || !lex(text, reading, a, &lexed)) {
        return none;
    }
    struct parser p = {
        .tokens = lexed.tokens, .a = a, .reading = reading, .ambiguous = lexed.ambiguous};
    struct node *root = parse_infix(&p);
    (void)parser_take_currency(&p);
    bool whole = !p.failed && parser_is(&p, TOKEN_END);
    return (struct parsed){.root = whole ? root : NULL,
                           .ambiguous = p.ambiguous,
                           .swallowed = p.swallowed,
                           .condition = p.condition,
                           .words = str_trim(p.words),
                           .limits = p.limits,
                           .currency = p.currency};
}
