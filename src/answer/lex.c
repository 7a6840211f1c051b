/* One pass over the bytes. Two stretches are read differently: prose (the argument of \text), where
 * letters are words, and everything else, where letters are names and products. Numbers swallow the
 * separators that belong to them. Nothing is dropped silently but spacing and delimiters: what has
 * no reading becomes TOKEN_BAD, and the parser gives up on the whole. */
#include "answer/lex.h"

#include "answer/units.h"
#include "answer/words.h"

#include <ctype.h>
#include <string.h>

#define LEX_UNCLOSED_MAX 16            /* groups without an end that are looked through */
#define LEX_ROOM_MIN ((size_t)1 << 20) /* of the arena, kept for what comes after */

struct lexer {
    struct str s;
    size_t at;
    size_t prose_end; /* end of the argument of \text */
    unsigned reading;
    int depth;     /* of brackets, in which a comma separates */
    int env_depth; /* of \begin … \end */
    int unclosed;  /* groups found without an end */
    int bar_side;  /* from \left and \right, for the next bar */
    bool space;
    bool overflow;
    size_t tokens_max;
    struct arena *a;
    struct lexed *out;
};

static unsigned char peek(const struct lexer *lx, size_t ahead) {
    return lx->at + ahead < lx->s.n ? (unsigned char)lx->s.p[lx->at + ahead] : 0;
}

static struct str here(const struct lexer *lx) {
    return str_skip(lx->s, lx->at);
}

static void emit_text(struct lexer *lx, enum token_kind kind, int op, struct str text) {
    bool full = lx->out->n + 1 >= lx->tokens_max || arena_room(lx->a) < LEX_ROOM_MIN;
    if (full && kind != TOKEN_END) {
        lx->overflow = true;
        return;
    }
    lx->out->tokens[lx->out->n++] =
        (struct token){.kind = kind, .op = op, .text = text, .space = lx->space};
    lx->space = false;
}

static void emit(struct lexer *lx, enum token_kind kind, int op, size_t bytes) {
    struct str text = str_take(here(lx), bytes);
    lx->at += bytes;
    emit_text(lx, kind, op, text);
}

static const struct token *last(const struct lexer *lx) {
    return lx->out->n > 0 ? &lx->out->tokens[lx->out->n - 1] : NULL;
}

static size_t digits_at(struct str s, size_t from) {
    size_t n = 0;
    while (from + n < s.n && isdigit((unsigned char)s.p[from + n])) {
        n++;
    }
    return n;
}

/* --- numbers --- */

/* Length of the separator at @s if it can only group digits: "{,}", ",\!", "\,", a thin space. */
static size_t grouping(struct str s) {
    static const char *const seps[] = {
        "{,}", "{, }", " {,}", " {, }", "{ ,}",         ",\\!",         ",\\! ",
        "\\,", ",\\,", ",\\:", "\\!",   "\xE2\x80\x89", "\xE2\x80\xAF", " "};
    size_t longest = 0;
    for (size_t i = 0; i < ARRAY_LEN(seps); i++) {
        struct str sep = str_of(seps[i]);
        if (sep.n > longest && str_starts(s, sep)) {
            longest = sep.n;
        }
    }
    return longest > 0 && digits_at(s, longest) == 3 ? longest : 0;
}

/* True if @s, behind @head digits, goes on with groups of ",ddd" and nothing like ",dd". */
static bool comma_groups(struct str s, size_t head) {
    size_t at = head;
    if (head > 3 || s.p[0] == '0') {
        return false;
    }
    while (at < s.n && s.p[at] == ',' && digits_at(s, at + 1) > 0) {
        if (digits_at(s, at + 1) != 3) {
            return false;
        }
        at += 4;
    }
    return at > head;
}

/* A number's digits without separators, read from s.p[0]; *@used bytes of input. */
static struct str number_digits(struct lexer *lx, struct str s, size_t *used) {
    size_t n = digits_at(s, 0);
    char *buf = NULL;
    size_t w = 0, at = n;
    bool groups = comma_groups(s, n);
    bool one_comma =
        !groups && at < s.n && s.p[at] == ',' && digits_at(s, at + 1) > 0 &&
        !(at + 1 + digits_at(s, at + 1) < s.n && s.p[at + 1 + digits_at(s, at + 1)] == ',');
    if (lx->depth == 0 && groups) {
        lx->out->ambiguous |= LEX_COMMA_LIST;
    }
    bool join = groups && lx->depth == 0 && (lx->reading & LEX_COMMA_LIST) == 0;
    const struct token *before = last(lx);
    if (one_comma && lx->depth == 0 && (before == NULL || before->kind != TOKEN_COMMA)) {
        lx->out->ambiguous |= LEX_COMMA_DECIMAL;
        if ((lx->reading & LEX_COMMA_DECIMAL) != 0) {
            size_t more = digits_at(s, at + 1);
            *used = at + 1 + more;
            char *p = arena_alloc(lx->a, *used + 1);
            memcpy(p, s.p, *used);
            p[at] = '.';
            return (struct str){p, *used};
        }
    }
    bool script = before != NULL && (before->kind == TOKEN_UNDER || before->kind == TOKEN_CARET);
    for (;;) { /* "\log_5 125" is no 5125 */
        size_t sep = join && at < s.n && s.p[at] == ',' ? 1
                     : n <= 3 && !script                ? grouping(str_skip(s, at))
                                                        : 0;
        if (sep == 0 || digits_at(s, at + sep) != 3 || w > LEX_DIGITS_MAX) {
            break;
        }
        if (buf == NULL) {
            buf = arena_alloc(lx->a, MIN(s.n, LEX_DIGITS_MAX) + 16);
            memcpy(buf, s.p, n);
            w = n;
        }
        memcpy(buf + w, s.p + at + sep, 3);
        w += 3;
        at += sep + 3;
    }
    size_t point = at < s.n && s.p[at] == '.' ? digits_at(s, at + 1) : 0;
    struct str behind = str_skip(s, at + 1);
    bool repeats = at < s.n && s.p[at] == '.' &&
                   (str_starts(behind, S("\\overline")) || str_starts(behind, S("\\dot{")) ||
                    (str_starts(behind, S("(")) && digits_at(behind, 1) > 0));
    *used = at + (point > 0 || repeats ? 1 + point : 0);
    if (buf == NULL) {
        return str_take(s, *used);
    }
    if (w + *used - at > LEX_DIGITS_MAX) {
        lx->overflow = true;
        return S("0");
    }
    memcpy(buf + w, s.p + at, *used - at);
    return (struct str){buf, w + *used - at};
}

/* "e-5" behind a number: × 10^-5, in brackets so that it stays one factor. */
static bool lex_exponent(struct lexer *lx, struct str digits) {
    size_t sign = peek(lx, 1) == '-' || peek(lx, 1) == '+' ? 1 : 0;
    size_t n = digits_at(lx->s, lx->at + 1 + sign);
    if ((peek(lx, 0) != 'e' && peek(lx, 0) != 'E') || n == 0 || n > 9 ||
        isalpha(peek(lx, 1 + sign + n))) {
        return false;
    }
    struct str exponent = {lx->s.p + lx->at + 1 + sign, n};
    emit_text(lx, TOKEN_LPAREN, 0, S("("));
    emit_text(lx, TOKEN_NUM, 0, digits);
    emit_text(lx, TOKEN_TIMES, 0, S("*"));
    emit_text(lx, TOKEN_NUM, 0, S("10"));
    emit_text(lx, TOKEN_CARET, 0, S("^"));
    emit_text(lx, TOKEN_LGROUP, 0, S("{"));
    if (peek(lx, 1) == '-') {
        emit_text(lx, TOKEN_MINUS, 0, S("-"));
    }
    emit_text(lx, TOKEN_NUM, 0, exponent);
    emit_text(lx, TOKEN_RGROUP, 0, S("}"));
    emit_text(lx, TOKEN_RPAREN, 0, S(")"));
    lx->at += 1 + sign + n;
    return true;
}

static void lex_number(struct lexer *lx) {
    size_t used = 0;
    struct str digits;
    if (peek(lx, 0) == '.') {
        used = 1 + digits_at(lx->s, lx->at + 1);
        digits = str_take(here(lx), used);
    } else {
        digits = number_digits(lx, here(lx), &used);
    }
    lx->at += used;
    if (digits.n > LEX_DIGITS_MAX) {
        lx->overflow = true;
        return;
    }
    if (!lex_exponent(lx, digits)) {
        emit_text(lx, TOKEN_NUM, 0, digits);
    }
}

/* --- letters --- */

static void emit_word(struct lexer *lx, const struct word *word, struct str written) {
    if (word->role == WORD_SPACE) {
        lx->space = true;
        return;
    }
    int op = word->kind == TOKEN_BAR ? lx->bar_side : word->op;
    emit_text(lx, word->kind, op, word->text != NULL ? str_of(word->text) : written);
    lx->depth +=
        word->kind == TOKEN_LPAREN || word->kind == TOKEN_LBRACK || word->kind == TOKEN_LSET;
    lx->depth -=
        word->kind == TOKEN_RPAREN || word->kind == TOKEN_RBRACK || word->kind == TOKEN_RSET;
}

static void emit_letter(struct lexer *lx, struct str letter, bool indexed) {
    char c = letter.p[0];
    if (c == 'e' && !indexed) {
        emit_text(lx, TOKEN_CONST, AST_E, letter);
    } else if ((c == 'i' || c == 'I') && !indexed) {
        emit_text(lx, TOKEN_CONST, AST_I, letter);
    } else {
        emit_text(lx, TOKEN_SYM, 0, letter);
    }
}

static bool is_upper(struct str run) {
    for (size_t i = 0; i < run.n; i++) {
        if (!isupper((unsigned char)run.p[i])) {
            return false;
        }
    }
    return true;
}

static bool short_word(struct str run) {
    static const char *const words[] = {
        "is",  "are", "the", "all", "for", "no",  "yes", "if",  "of",   "at",  "on",
        "to",  "by",  "we",  "so",  "as",  "not", "any", "odd", "men",  "day", "its",
        "be",  "it",  "get", "has", "had", "was", "can", "one", "two",  "six", "ten",
        "his", "her", "he",  "who", "our", "per", "an",  "ans", "than", "dne", "old",
        "red", "win", "out", "sum", "way", "may", "hr",  "dog", "cat"};
    if (is_upper(run)) { /* AB, BE: segments and products */
        return str_eq(run, S("DNE"));
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(run, str_of(words[i]))) {
            return true;
        }
    }
    return false;
}

/* "sinx", "xsin", "pir": a known name with one letter before or behind it. */
static bool lex_glued(struct lexer *lx, struct str run) {
    const struct word *head = run.n >= 3 ? word_plain(str_take(run, run.n - 1)) : NULL;
    const struct word *tail = run.n >= 4 ? word_plain(str_skip(run, 1)) : NULL;
    if (head != NULL && (head->kind == TOKEN_FUNC || head->op == AST_PI) &&
        head->kind != TOKEN_SYM) {
        emit_word(lx, head, str_take(run, run.n - 1));
        emit_letter(lx, str_skip(run, run.n - 1), false);
        return true;
    }
    if (tail != NULL && (tail->kind == TOKEN_FUNC || tail->kind == TOKEN_SQRT)) {
        emit_letter(lx, str_take(run, 1), false);
        emit_word(lx, tail, str_skip(run, 1));
        return true;
    }
    return false;
}

static void emit_letters(struct lexer *lx, struct str run) {
    for (size_t i = 0; i < run.n; i++) {
        emit_letter(lx, (struct str){run.p + i, 1}, i + 1 == run.n && peek(lx, 0) == '_');
    }
}

/* One letter with an index written behind it: x1 is x_1. */
static void lex_letter(struct lexer *lx, struct str letter) {
    size_t digits = digits_at(lx->s, lx->at);
    bool index = digits > 0 && digits <= 3 && letter.p[0] != 'e' && letter.p[0] != 'i';
    emit_letter(lx, letter, peek(lx, 0) == '_');
    if (index) {
        emit_text(lx, TOKEN_UNDER, 0, S("_"));
        emit(lx, TOKEN_NUM, 0, digits);
    }
}

static bool after_value(const struct lexer *lx) {
    const struct token *t = last(lx);
    return t != NULL &&
           (t->kind == TOKEN_NUM || t->kind == TOKEN_RGROUP || t->kind == TOKEN_RPAREN ||
            t->kind == TOKEN_CONST || t->kind == TOKEN_DIV || t->kind == TOKEN_TEXT);
}

/* True if nothing but the end of the item or a power follows: "60 min", not "2 min(x, y)". */
static bool item_ends(const struct lexer *lx, size_t at) {
    while (at < lx->s.n && isspace((unsigned char)lx->s.p[at])) {
        at++;
    }
    return at >= lx->s.n || strchr(",;.$)]}\\^", lx->s.p[at]) != NULL;
}

/* A letter that is a unit: in "20 m/s", "10 kg m/s^2" both m and s. A lone "5 m" stays a product.
 */
static bool unit_letter(const struct lexer *lx, struct str run) {
    const struct token *t = last(lx);
    size_t n = lx->out->n;
    if (t == NULL || !unit_known(run)) {
        return false;
    }
    bool behind_unit = t->kind == TOKEN_TEXT && unit_known(t->text);
    bool below_unit = t->kind == TOKEN_DIV && n >= 2 && lx->out->tokens[n - 2].kind == TOKEN_TEXT &&
                      unit_known(lx->out->tokens[n - 2].text);
    size_t under = lx->at + 1;
    while (under < lx->s.n && isalpha((unsigned char)lx->s.p[under])) {
        under++;
    }
    bool above_unit =
        (t->kind == TOKEN_NUM || t->kind == TOKEN_RPAREN) && lx->space && peek(lx, 0) == '/' &&
        unit_known((struct str){lx->s.p + lx->at + 1, under - lx->at - 1}) && item_ends(lx, under);
    return behind_unit || below_unit || above_unit;
}

/* Letters written for signs: "4.5 x 10^3", "(1, 2) U (3, 4)". */
static bool lex_letter_sign(struct lexer *lx, struct str letter) {
    const struct token *before = last(lx);
    struct str behind = str_trim(here(lx));
    if (before == NULL || !lx->space || behind.n == 0) {
        return false;
    }
    bool times = before->kind == TOKEN_NUM && tolower((unsigned char)letter.p[0]) == 'x' &&
                 (str_starts(behind, S("10^")) || str_starts(behind, S("10**")));
    bool cup = (before->kind == TOKEN_RPAREN || before->kind == TOKEN_RBRACK ||
                before->kind == TOKEN_RSET) &&
               letter.p[0] == 'U' && strchr("[({", behind.p[0]) != NULL;
    if (times || cup) {
        emit_text(lx, times ? TOKEN_TIMES : TOKEN_CUP, 0, letter);
    }
    return times || cup;
}

/* A run of letters outside \text. */
static void lex_letters(struct lexer *lx) {
    size_t n = 0;
    while (isalpha(peek(lx, n))) {
        n++;
    }
    struct str run = str_take(here(lx), n);
    lx->at += n;
    const struct word *word = word_plain(run);
    static const char *const ordinals[] = {"st", "nd", "rd", "th", "AM", "PM", "am", "pm"};
    const struct token *before = last(lx);
    bool ordinal = false;
    for (size_t i = 0; i < ARRAY_LEN(ordinals); i++) {
        ordinal = ordinal || str_eq(run, str_of(ordinals[i]));
    }
    bool unit_word = before != NULL && before->kind == TOKEN_NUM && lx->space && unit_known(run) &&
                     item_ends(lx, lx->at);
    if (n == 1 && unit_letter(lx, run)) {
        emit_text(lx, TOKEN_TEXT, 0, run);
    } else if (n == 1 && lex_letter_sign(lx, run)) {
        return;
    } else if (n == 1) {
        lex_letter(lx, run);
    } else if (word != NULL && word->kind == TOKEN_FUNC && unit_word) {
        emit_text(lx, TOKEN_TEXT, 0, run);
    } else if (ordinal && before != NULL && before->kind == TOKEN_NUM) {
        emit_text(lx, TOKEN_TEXT, 0, run);
    } else if (str_eq(run, S("in")) && strchr("[({\\ ", peek(lx, 0)) == NULL) {
        emit_text(lx, TOKEN_TEXT, 0, run);
    } else if (n <= 4 && after_value(lx) && unit_known(run) && !(word != NULL && n > 2)) {
        emit_text(lx, TOKEN_TEXT, 0, run);
    } else if (word != NULL) {
        emit_word(lx, word, run);
    } else if (lex_glued(lx, run)) {
        return;
    } else if (n <= 3 ? !short_word(run) || peek(lx, 0) == '^' || peek(lx, 0) == '_'
                      : is_upper(run)) {
        emit_letters(lx, run);
    } else if (n > 3 && (lx->reading & LEX_LETTERS_SPLIT) != 0 && n <= 12) {
        emit_letters(lx, run);
    } else {
        lx->out->ambiguous |= n <= 12 ? LEX_LETTERS_SPLIT : 0;
        emit_text(lx, TOKEN_TEXT, 0, run);
    }
}

/* A word inside \text; an apostrophe or hyphen between letters belongs to it. */
static void lex_prose_word(struct lexer *lx) {
    size_t n = 0;
    while (lx->at + n < lx->prose_end &&
           (isalpha(peek(lx, n)) ||
            (n > 0 && (peek(lx, n) == '\'' || peek(lx, n) == '-') && isalpha(peek(lx, n + 1))))) {
        n++;
    }
    struct str run = str_take(here(lx), n);
    lx->at += n;
    const struct word *word = word_plain(run);
    bool keyword = word != NULL &&
                   (word->kind == TOKEN_AND || word->kind == TOKEN_OR || word->kind == TOKEN_FUNC ||
                    word->kind == TOKEN_PERCENT || word->kind == TOKEN_DEGREE);
    if (keyword) {
        emit_word(lx, word, run);
    } else if (n == 1 && run.p[0] != 'a' && !(after_value(lx) && unit_known(run))) {
        emit_letter(lx, run, true);
    } else {
        emit_text(lx, TOKEN_TEXT, 0, run);
    }
}

/* --- commands --- */

/* Length of "{…}" at the current place, braces balanced, or 0. */
static size_t group_length(struct lexer *lx) {
    size_t depth = 0;
    if (lx->unclosed > LEX_UNCLOSED_MAX) {
        return 0;
    }
    for (size_t i = 0; lx->at + i < lx->s.n; i++) {
        char c = lx->s.p[lx->at + i];
        if (c == '\\') {
            i++;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return i + 1;
        }
        if (depth == 0) {
            return 0;
        }
    }
    lx->unclosed++;
    return 0;
}

static void skip_spaces(struct lexer *lx) {
    while (isspace(peek(lx, 0))) {
        lx->at++;
    }
}

/* A word or unit in a roman font: \mathrm{cm}, \mathrm{m/s^2}. Names and single letters stay
 * mathematics. */
static bool font_is_prose(struct str inner) {
    size_t letters = 0;
    while (letters < inner.n && isalpha((unsigned char)inner.p[letters])) {
        letters++;
    }
    bool compound =
        letters > 0 && letters < inner.n && (inner.p[letters] == '/' || inner.p[letters] == '^');
    if (compound && unit_known(str_take(inner, letters))) {
        return true;
    }
    return letters == inner.n && inner.n >= 2 && word_plain(inner) == NULL && !is_upper(inner);
}

static void lex_environment(struct lexer *lx, const struct word *word) {
    skip_spaces(lx);
    size_t group = group_length(lx);
    struct str name = group >= 2 ? str_trim((struct str){lx->s.p + lx->at + 1, group - 2}) : S("");
    lx->at += group;
    if (str_ends(name, S("*"))) {
        name.n--;
    }
    bool begins = word->kind == TOKEN_BEGIN;
    lx->env_depth += begins ? 1 : lx->env_depth > 0 ? -1 : 0;
    lx->depth += begins ? 1 : lx->depth > 0 ? -1 : 0;
    if (begins && str_eq(name, S("array"))) { /* its column specification */
        skip_spaces(lx);
        lx->at += group_length(lx);
    }
    bool column = str_ends(name, S("matrix")) && str_find_char(lx->s, '&') == STR_NPOS;
    lx->out->ambiguous |= column ? LEX_ROWS_JOINED : 0;
    if (!column || (lx->reading & LEX_ROWS_JOINED) == 0) {
        emit_text(lx, word->kind, 0, name);
    }
}

/* The argument of a font command, without its braces if they only hold a word or a name. */
static void lex_font(struct lexer *lx, const struct word *word, struct str name, size_t group) {
    struct str inner = str_trim((struct str){lx->s.p + lx->at + 1, group - 2});
    while (inner.n > 0 && inner.p[0] == '~') {
        inner = str_trim(str_skip(inner, 1));
    }
    bool unit = inner.n == 1 && after_value(lx) && unit_known(inner);
    const struct word *command = str_eq(name, S("operatorname")) ? word_command(inner) : NULL;
    bool prose = word->role == WORD_PROSE || unit || font_is_prose(inner);
    if (command != NULL && command->kind == TOKEN_FUNC) {
        lx->at += group;
        emit_word(lx, command, inner);
    } else if (str_eq(name, S("mathbb")) && inner.n == 1 && strchr("RZNQC", inner.p[0]) != NULL) {
        lx->at += group;
        emit_text(lx, TOKEN_SETNAME, 0, inner);
    } else if (prose) {
        lx->at++; /* the closing brace is dropped at prose_end */
        lx->prose_end = lx->at + group - 1;
        lx->space = true;
    } else if (word_plain(inner) != NULL) {
        lx->at += group;
        emit_word(lx, word_plain(inner), inner);
    }
}

/* What a known command stands for; its argument, where it has one, is read on as prose or
 * mathematics. */
static void lex_known(struct lexer *lx, const struct word *word, struct str name) {
    if (word->role == WORD_TOKEN) {
        if (word->kind == TOKEN_BEGIN || word->kind == TOKEN_ENDENV) {
            lex_environment(lx, word);
        } else {
            emit_word(lx, word, name);
        }
        return;
    }
    if (word->role == WORD_SPACE) {
        bool left = str_eq(name, S("left")), right = str_eq(name, S("right"));
        lx->bar_side = left ? 1 : right ? 2 : 0;
        lx->space = lx->space || !(left || right);
        if ((left || right) && peek(lx, 0) == '.') {
            lx->at++;
        }
        return;
    }
    skip_spaces(lx);
    size_t group = group_length(lx);
    if (group == 0 && str_eq(name, S("mathbb")) && peek(lx, 0) != '\0' &&
        strchr("RZNQC", peek(lx, 0)) != NULL) { /* \mathbb R */
        emit(lx, TOKEN_SETNAME, 0, 1);
        return;
    }
    if (word->role == WORD_SKIP_ARG) {
        lx->at += group;
    } else if (group > 0) {
        lex_font(lx, word, name, group);
    }
}

static void lex_backslash_sign(struct lexer *lx) {
    char c = (char)peek(lx, 1);
    static const struct {
        char c;
        enum token_kind kind;
    } signs[] = {{'{', TOKEN_LSET},     {'}', TOKEN_RSET}, {'%', TOKEN_PERCENT},
                 {'$', TOKEN_CURRENCY}, {'|', TOKEN_BAR},  {'_', TOKEN_UNDER}};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (signs[i].c == c) {
            lx->depth += c == '{' ? 1 : c == '}' && lx->depth > 0 ? -1 : 0;
            emit(lx, signs[i].kind, 0, 2);
            return;
        }
    }
    bool spacing = c != '\0' && strchr(",;:!> ()[]/-\n\t&", c) != NULL;
    lx->at += spacing ? 2 : 1;
    lx->space = true;
    if (!spacing) {
        emit_text(lx, TOKEN_BAD, 0, S("\\"));
    }
}

static void lex_backslash(struct lexer *lx) {
    size_t slashes = 1;
    if (peek(lx, 1) == '\\') {
        size_t n = 0;
        while (isalpha(peek(lx, 2 + n))) {
            n++;
        }
        bool row = lx->env_depth > 0 || n == 0 ||
                   word_command((struct str){lx->s.p + lx->at + 2, n}) == NULL;
        if (row) {
            if ((lx->reading & LEX_ROWS_JOINED) != 0) {
                lx->at += 2;
                lx->space = true;
            } else {
                emit(lx, TOKEN_ROW, 0, 2);
            }
            return;
        }
        slashes = 2; /* escaped twice */
    }
    size_t n = 0;
    while (isalpha(peek(lx, slashes + n))) {
        n++;
    }
    if (n == 0) {
        lex_backslash_sign(lx);
        return;
    }
    struct str name = {lx->s.p + lx->at + slashes, n};
    const struct word *word = word_command(name);
    lx->at += slashes + n;
    if (word == NULL) {
        emit_text(lx, TOKEN_BAD, 0, name);
        return;
    }
    lex_known(lx, word, name);
}

/* --- beyond ASCII --- */

static size_t utf8_decode(struct str s, uint32_t *ret) {
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    if (n == 1 || s.n < n) {
        *ret = 0xFFFD;
        return 1;
    }
    uint32_t code = c & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        code = (code << 6) | ((unsigned char)s.p[i] & 0x3F);
    }
    *ret = code;
    return n;
}

static int script_digit(uint32_t code, bool *super) {
    *super = true;
    switch (code) {
    case 0xB9:
        return 1;
    case 0xB2:
        return 2;
    case 0xB3:
        return 3;
    default:
        break;
    }
    if (code == 0x2070 || (code >= 0x2074 && code <= 0x2079)) {
        return (int)(code - 0x2070);
    }
    *super = false;
    return code >= 0x2080 && code <= 0x2089 ? (int)(code - 0x2080) : -1;
}

/* A run of superscript or subscript digits, with an optional superscript minus. */
static bool lex_script(struct lexer *lx, uint32_t code, size_t bytes) {
    bool super, minus = code == 0x207B;
    if (!minus && script_digit(code, &super) < 0) {
        return false;
    }
    size_t at = lx->at + (minus ? bytes : 0), n = 0;
    char *digits = arena_alloc(lx->a, 32);
    bool first_super = true;
    while (n < 30 && at < lx->s.n) {
        bytes = utf8_decode(str_skip(lx->s, at), &code);
        int d = script_digit(code, &super);
        if (d < 0 || (n > 0 && super != first_super)) {
            break;
        }
        first_super = super;
        digits[n++] = (char)('0' + d);
        at += bytes;
    }
    lx->at = at;
    emit_text(lx, first_super ? TOKEN_CARET : TOKEN_UNDER, 0, S("^"));
    emit_text(lx, TOKEN_LGROUP, 0, S("{"));
    if (minus) {
        emit_text(lx, TOKEN_MINUS, 0, S("-"));
    }
    emit_text(lx, n > 0 ? TOKEN_NUM : TOKEN_BAD, 0, (struct str){digits, n});
    emit_text(lx, TOKEN_RGROUP, 0, S("}"));
    return true;
}

/* ½ and its like; ① and its like. */
static bool lex_number_sign(struct lexer *lx, uint32_t code, size_t bytes) {
    static const struct {
        uint32_t code;
        const char *over, *under;
    } fractions[] = {{0xBC, "1", "4"},   {0xBD, "1", "2"},   {0xBE, "3", "4"},   {0x2153, "1", "3"},
                     {0x2154, "2", "3"}, {0x2155, "1", "5"}, {0x2156, "2", "5"}, {0x2157, "3", "5"},
                     {0x2158, "4", "5"}, {0x2159, "1", "6"}, {0x215A, "5", "6"}, {0x215B, "1", "8"},
                     {0x215C, "3", "8"}, {0x215D, "5", "8"}, {0x215E, "7", "8"}};
    if (code >= 0x2460 && code <= 0x2473) {
        const struct token *t = last(lx);
        if (t != NULL && t->kind == TOKEN_NUM && !lx->space) {
            emit_text(lx, TOKEN_COMMA, 0, S(","));
        }
        emit_text(lx, TOKEN_NUM, 0, str_fmt(lx->a, "%u", (unsigned)(code - 0x2460 + 1)));
        lx->at += bytes;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(fractions); i++) {
        if (fractions[i].code == code) {
            emit_text(lx, TOKEN_FRAC, 0, S("frac"));
            emit_text(lx, TOKEN_LGROUP, 0, S("{"));
            emit_text(lx, TOKEN_NUM, 0, str_of(fractions[i].over));
            emit_text(lx, TOKEN_RGROUP, 0, S("}"));
            emit_text(lx, TOKEN_LGROUP, 0, S("{"));
            emit_text(lx, TOKEN_NUM, 0, str_of(fractions[i].under));
            emit_text(lx, TOKEN_RGROUP, 0, S("}"));
            lx->at += bytes;
            return true;
        }
    }
    return false;
}

static void lex_unicode(struct lexer *lx) {
    uint32_t code;
    size_t bytes = utf8_decode(here(lx), &code);
    if (lex_script(lx, code, bytes) || lex_number_sign(lx, code, bytes)) {
        return;
    }
    const struct word *word = word_unicode(code);
    struct str written = str_take(here(lx), bytes);
    bool letter = (code >= 0xC0 && code <= 0x24F) || (code >= 0x400 && code <= 0x52F) ||
                  (code >= 0x2E80 && code < 0xD7A4);
    if (word == NULL && letter) { /* a word in another alphabet */
        size_t n = bytes;
        while (isalpha(peek(lx, n)) || peek(lx, n) >= 0xC3) {
            uint32_t next;
            n += utf8_decode(str_skip(lx->s, lx->at + n), &next);
        }
        emit(lx, TOKEN_TEXT, 0, MIN(n, lx->s.n - lx->at));
        return;
    }
    lx->at += bytes;
    if (word != NULL && word->role == WORD_SPACE) {
        lx->space = true;
    } else if (word != NULL) {
        emit_word(lx, word, word->name[0] != '\0' ? str_of(word->name) : written);
    } else {
        emit_text(lx, TOKEN_BAD, 0, written);
    }
}

/* --- signs --- */

static bool lex_sign_pair(struct lexer *lx) {
    static const struct {
        const char *sign;
        enum token_kind kind;
        int op;
    } pairs[] = {{"...", TOKEN_ELLIPSIS, 0},
                 {"=/=", TOKEN_REL, AST_NE},
                 {"<=>", TOKEN_REL, AST_RELATED},
                 {"**", TOKEN_CARET, 0},
                 {"!=", TOKEN_REL, AST_NE},
                 {"==", TOKEN_REL, AST_EQ},
                 {"=>", TOKEN_REL, AST_RELATED},
                 {"<=", TOKEN_REL, AST_LE},
                 {">=", TOKEN_REL, AST_GE},
                 {"->", TOKEN_REL, AST_RELATED},
                 {":=", TOKEN_REL, AST_EQ},
                 {"+-", TOKEN_PM, 1},
                 {"+/-", TOKEN_PM, 1}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        if (str_starts(here(lx), str_of(pairs[i].sign))) {
            emit(lx, pairs[i].kind, pairs[i].op, strlen(pairs[i].sign));
            return true;
        }
    }
    return false;
}

static void lex_sign(struct lexer *lx) {
    static const struct {
        char c;
        enum token_kind kind;
        int op, depth;
    } signs[] = {
        {'+', TOKEN_PLUS, 0, 0},     {'-', TOKEN_MINUS, 0, 0},    {'*', TOKEN_TIMES, 0, 0},
        {'/', TOKEN_DIV, 0, 0},      {':', TOKEN_COLON, 0, 0},    {'^', TOKEN_CARET, 0, 0},
        {'_', TOKEN_UNDER, 0, 0},    {'!', TOKEN_BANG, 0, 0},     {',', TOKEN_COMMA, 0, 0},
        {';', TOKEN_SEMI, 0, 0},     {'(', TOKEN_LPAREN, 0, 1},   {')', TOKEN_RPAREN, 0, -1},
        {'[', TOKEN_LBRACK, 0, 1},   {']', TOKEN_RBRACK, 0, -1},  {'{', TOKEN_LGROUP, 0, 0},
        {'}', TOKEN_RGROUP, 0, 0},   {'=', TOKEN_REL, AST_EQ, 0}, {'<', TOKEN_REL, AST_LT, 0},
        {'>', TOKEN_REL, AST_GT, 0}, {'%', TOKEN_PERCENT, 0, 0},  {'\'', TOKEN_PRIME, 0, 0},
        {'&', TOKEN_AMP, 0, 0},      {'|', TOKEN_BAR, 0, 0}};
    char c = (char)peek(lx, 0);
    if (c == '$' || c == '~' || c == '`') {
        lx->at++;
        lx->space = true;
        return;
    }
    if (c == '.') {
        bool ends = str_trim(str_skip(lx->s, lx->at + 1)).n == 0;
        lx->at++;
        lx->space = true;
        if (!ends && lx->at > lx->prose_end) {
            emit_text(lx, TOKEN_TEXT, 0, S("."));
        }
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (signs[i].c == c) {
            int op = c == '|' ? lx->bar_side : signs[i].op;
            lx->depth = MAX(0, lx->depth + signs[i].depth);
            emit(lx, signs[i].kind, op, 1);
            return;
        }
    }
    emit(lx, TOKEN_BAD, 0, 1);
}

static void lex_step(struct lexer *lx) {
    unsigned char c = peek(lx, 0);
    int bar_side = lx->bar_side;
    bool brace_of_prose = lx->at < lx->prose_end && (c == '{' || c == '}');
    if (isspace(c) || brace_of_prose) {
        lx->at++;
        lx->space = true;
        return;
    }
    if (isdigit(c) || (c == '.' && isdigit(peek(lx, 1)))) {
        lex_number(lx);
    } else if (isalpha(c)) {
        lx->at < lx->prose_end ? lex_prose_word(lx) : lex_letters(lx);
    } else if (c == '\\') {
        lex_backslash(lx);
    } else if (c >= 0x80) {
        lex_unicode(lx);
    } else if (!lex_sign_pair(lx)) {
        lex_sign(lx);
    }
    if (bar_side != 0 && lx->bar_side == bar_side) {
        lx->bar_side = 0; /* it was meant for this sign */
    }
}

bool lex(struct str text, unsigned reading, struct arena *a, struct lexed *ret) {
    if (text.n > LEX_BYTES_MAX) {
        return false;
    }
    *ret = (struct lexed){.n = 0};
    size_t max = MIN(text.n * 4 + 16, LEX_TOKENS_MAX); /* ½ is seven tokens in two bytes */
    ret->tokens = ARENA_ARRAY(a, struct token, max + 1);
    struct lexer lx = {.s = text, .reading = reading, .tokens_max = max, .a = a, .out = ret};
    while (lx.at < text.n && !lx.overflow) {
        lex_step(&lx);
    }
    lx.space = true;
    emit_text(&lx, TOKEN_END, 0, S(""));
    return !lx.overflow;
}
