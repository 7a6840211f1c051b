/* Rules in order of trust; the first that finds something wins, except that a "final answer" after
 * the last box is the writer's last word. Within a rule the last occurrence wins: models correct
 * themselves forward.
 *
 *   1 the last group of \boxed          4 the last formula, unless the last sentence goes on to a
 *   2 "final answer is", "answer:"        number behind it
 *   3 <answer>, ####                    5 the last number   6 the last line
 */
#include "answer/extract.h"

#include "answer/boxed.h"
#include "base/sbuf.h"

#include <ctype.h>
#include <string.h>

#define FORMULAS_UNCLOSED_MAX 16

static bool at_word(struct str s, size_t i) {
    return i == 0 || !isalnum((unsigned char)s.p[i - 1]);
}

/* Offset of the last @needle in @s without regard to ASCII case, or STR_NPOS. */
static size_t rfind_nocase(struct str s, struct str needle) {
    for (size_t i = s.n >= needle.n ? s.n - needle.n + 1 : 0; i-- > 0;) {
        if (tolower((unsigned char)s.p[i]) == needle.p[0] &&
            str_eq_nocase((struct str){s.p + i, needle.n}, needle)) {
            return i;
        }
    }
    return STR_NPOS;
}

/* What is left without the reasoning in front and the chat template behind. */
static struct str without_thinking(struct str text) {
    static const char *const tokens[] = {"<|im_start|>", "<|im_end|>", "<|endoftext|>",
                                         "<|eot_id|>", "<｜end▁of▁sentence｜>"};
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        size_t at = str_find(text, str_of(tokens[i]));
        if (at != STR_NPOS && str_trim(str_take(text, at)).n > 0) {
            text = str_take(text, at);
        }
    }
    size_t end = str_rfind(text, S("</think>"));
    if (end != STR_NPOS) {
        struct str rest = str_trim(str_skip(text, end + sizeof "</think>" - 1));
        return rest.n > 0 ? rest : str_trim(str_take(text, end));
    }
    size_t open = str_find(text, S("<think>"));
    if (open != STR_NPOS) {
        struct str before = str_trim(str_take(text, open));
        return before.n > 0 ? before : str_skip(text, open + sizeof "<think>" - 1);
    }
    return text;
}

/* "Therefore, x = 4": the word that leads over to an answer is no part of it. */
static bool strip_connective(struct str *s) {
    static const char *const words[] = {"therefore", "thus",    "hence",       "so",
                                        "then",      "finally", "consequently"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct str w = str_of(words[i]);
        if (s->n > w.n + 1 && s->p[w.n] == ',' && str_eq_nocase(str_take(*s, w.n), w)) {
            *s = str_skip(*s, w.n + 1);
            return true;
        }
    }
    return false;
}

/* "17**", "## 17": the half of a mark whose other half stood around a label. */
static bool strip_half_emphasis(struct str *s) {
    struct str mark = S("**");
    if (s->n > mark.n && str_ends(*s, mark) && str_find(*s, mark) == s->n - mark.n) {
        s->n -= mark.n;
        return true;
    }
    if (s->n > mark.n && str_starts(*s, mark) && str_rfind(*s, mark) == 0) {
        *s = str_skip(*s, mark.n);
        return true;
    }
    return false;
}

/* Strip one layer of emphasis, delimiters, closing punctuation or leading words; false if there was
 * none. */
static bool strip_layer(struct str *s) {
    static const struct {
        const char *open, *close;
    } pairs[] = {{"$$", "$$"}, {"$", "$"},   {"\\(", "\\)"}, {"\\[", "\\]"},
                 {"**", "**"}, {"__", "__"}, {"`", "`"}};
    *s = str_trim(*s);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct str open = str_of(pairs[i].open), close = str_of(pairs[i].close);
        if (s->n > open.n + close.n && str_starts(*s, open) && str_ends(*s, close)) {
            struct str inner = {s->p + open.n, s->n - open.n - close.n};
            if (str_find(inner, open) == STR_NPOS && str_find(inner, close) == STR_NPOS) {
                *s = inner;
                return true;
            }
        }
    }
    if (s->n > 1 && (s->p[s->n - 1] == '.' || s->p[s->n - 1] == ',' || s->p[s->n - 1] == ';') &&
        !str_ends(*s, S("..")) && !str_ends(*s, S("\\,")) && !str_ends(*s, S("\\;"))) {
        s->n--;
        return true;
    }
    return strip_half_emphasis(s) || strip_connective(s);
}

struct str answer_strip(struct str s) {
    for (int layers = 0; layers < 16 && strip_layer(&s); layers++) {
    }
    return str_trim(s);
}

/* --- numbers in prose --- */

static bool is_digit(struct str s, size_t i) {
    return i < s.n && isdigit((unsigned char)s.p[i]);
}

/* The number that ends behind offset @end (its last digit is at @end - 1), with sign, currency,
 * separators and a plain fraction; copied without "$" and thousands commas if it has any. */
static struct str number_before(struct str s, size_t end, struct arena *a) {
    size_t begin = end;
    while (begin > 0 && (isdigit((unsigned char)s.p[begin - 1]) ||
                         (strchr(".,/", s.p[begin - 1]) != NULL && begin >= 2 &&
                          (isdigit((unsigned char)s.p[begin - 2]) || s.p[begin - 1] == '.') &&
                          is_digit(s, begin)))) {
        begin--;
    }
    size_t sign = begin;
    if (sign > 0 && s.p[sign - 1] == '$') {
        sign--;
    }
    bool negative =
        sign > 0 && s.p[sign - 1] == '-' && (sign == 1 || strchr(" ($=:\n", s.p[sign - 2]) != NULL);
    struct str digits = {s.p + begin, end - begin};
    bool percent = end < s.n && s.p[end] == '%';
    if (!negative && str_find_char(digits, ',') == STR_NPOS) {
        return (struct str){digits.p, digits.n + (percent ? 1 : 0)};
    }
    struct str out = str_fmt(a, "%s%.*s%s", negative ? "-" : "", (int)MIN(digits.n, 4096u),
                             digits.p, percent ? "%" : "");
    char *p = (char *)(uintptr_t)out.p; /* our own copy */
    size_t n = 0;
    for (size_t i = 0; i < out.n; i++) {
        bool thousands = p[i] == ',' && is_digit(out, i + 1) && is_digit(out, i + 2) &&
                         is_digit(out, i + 3) && !is_digit(out, i + 4);
        if (!thousands) {
            p[n++] = p[i];
        }
    }
    return (struct str){p, n};
}

static bool last_number(struct str s, struct arena *a, struct str *ret) {
    for (size_t i = s.n; i-- > 0;) {
        if (isdigit((unsigned char)s.p[i])) {
            size_t begin = i;
            while (begin > 0 && isdigit((unsigned char)s.p[begin - 1])) {
                begin--;
            }
            if (begin > 0 && (isalpha((unsigned char)s.p[begin - 1]) || s.p[begin - 1] == '_')) {
                i = begin; /* part of a name such as x1 */
                continue;
            }
            *ret = number_before(s, i + 1, a);
            return true;
        }
    }
    return false;
}

/* --- formulas --- */

struct formula {
    struct str body;
    size_t begin, end; /* with the delimiters */
};

static size_t formula_close(struct str s, size_t from, struct str close) {
    for (size_t i = from; i + close.n <= s.n; i++) {
        if (str_starts(str_skip(s, i), close)) {
            return i;
        }
        if (s.p[i] == '\\' && close.p[0] == '$') {
            i++; /* \$ does not close */
        }
    }
    return STR_NPOS;
}

/* @unclosed  counts the formulas without an end, each of which costs a scan */
static bool formula_at(struct str s, size_t i, int *unclosed, struct formula *ret) {
    static const struct {
        const char *open, *close;
    } pairs[] = {{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}};
    if (s.p[i] != '$' && s.p[i] != '\\') {
        return false;
    }
    for (size_t k = 0; k < ARRAY_LEN(pairs); k++) {
        struct str open = str_of(pairs[k].open), close = str_of(pairs[k].close);
        if (!str_starts(str_skip(s, i), open)) {
            continue;
        }
        size_t end = formula_close(s, i + open.n, close);
        struct str body = {s.p + i + open.n, end == STR_NPOS ? 0 : end - i - open.n};
        if (end != STR_NPOS && str_trim(body).n > 0) {
            *ret = (struct formula){.body = body, .begin = i, .end = end + close.n};
            return true;
        }
        *unclosed += end == STR_NPOS ? 1 : 0;
        return false;
    }
    return false;
}

/* A formula in dollars that holds a sentence is two prices with words between them. */
static bool formula_is_prose(struct str body) {
    size_t words = 0;
    bool command = str_find_char(body, '\\') != STR_NPOS;
    for (size_t i = 0; !command && i + 2 < body.n; i++) {
        if (at_word(body, i) && isalpha((unsigned char)body.p[i]) &&
            isalpha((unsigned char)body.p[i + 1]) && isalpha((unsigned char)body.p[i + 2])) {
            words++;
        }
    }
    return words >= 3;
}

static bool last_formula(struct str s, struct formula *ret) {
    bool found = false;
    int unclosed = 0;
    for (size_t i = 0; i < s.n && unclosed <= FORMULAS_UNCLOSED_MAX; i++) {
        struct formula f;
        if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] != '(' && s.p[i + 1] != '[') {
            i++;
        } else if (formula_at(s, i, &unclosed, &f)) {
            if (formula_is_prose(f.body)) {
                continue; /* try the next dollar as an opening one */
            }
            *ret = f;
            found = true;
            i = f.end - 1;
        }
    }
    return found;
}

/* --- marked answers --- */

static size_t sentence_end(struct str s) {
    int depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        depth += s.p[i] == '{' || s.p[i] == '(';
        depth -= s.p[i] == '}' || s.p[i] == ')';
        bool stop = s.p[i] == '.' && (i + 1 == s.n || s.p[i + 1] == ' ' || s.p[i + 1] == '\n');
        if (depth <= 0 && (stop || (s.p[i] == '\n' && str_trim(str_take(s, i)).n > 0))) {
            return i;
        }
    }
    return s.n;
}

/* Skip what stands between a mark and the answer: "is", "are", a colon, emphasis, "approximately".
 */
static struct str skip_lead(struct str s) {
    static const char *const words[] = {
        "is ",    "is:",   "are ",    "are:",     "be ",     "therefore ",
        "thus ",  "that",  "=",       ":",        "*",       "approximately ",
        "about ", "just ", "simply ", "exactly ", "option ", "choice "};
    for (bool again = true; again;) {
        again = false;
        s = str_trim(s);
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            struct str w = str_of(words[i]);
            if (s.n > w.n && str_eq_nocase(str_take(s, w.n), w)) {
                s = str_skip(s, w.n);
                again = true;
            }
        }
    }
    return s;
}

/* The answer in the words behind a mark: a formula if one begins them, else what follows the last
 * "is" of the sentence, else the sentence. */
static struct str marked_text(struct str s, struct arena *a) {
    s = skip_lead(s);
    struct formula f;
    int unclosed = 0;
    if (s.n > 0 && formula_at(s, 0, &unclosed, &f) && !formula_is_prose(f.body)) {
        struct str more = str_trim(str_skip(s, f.end));
        bool list =
            str_starts(more, S(",")) || str_starts(more, S("and ")) || str_starts(more, S("or "));
        return list ? str_take(s, f.end + sentence_end(str_skip(s, f.end))) : f.body;
    }
    s = str_take(s, sentence_end(s));
    size_t is = rfind_nocase(s, S(" is "));
    if (is != STR_NPOS && str_trim(str_skip(s, is + 4)).n > 0) {
        return skip_lead(str_skip(s, is + 4));
    }
    struct str number;
    bool sentence = formula_is_prose(s);
    if (sentence && last_formula(s, &f)) {
        return f.body;
    }
    return sentence && last_number(s, a, &number) ? number : s;
}

struct mark {
    size_t at, end;
};

/* The last mark at or behind offset @from. */
static bool last_mark(struct str s, size_t from, bool final_only, struct mark *ret) {
    static const char *const marks[] = {"final answer", "answer is", "answers are", "answer:",
                                        "answer :",     "answer**:", "答案是",      "答案为",
                                        "答案：",       "answer "};
    size_t n = final_only ? 1 : ARRAY_LEN(marks);
    bool found = false;
    *ret = (struct mark){0};
    for (size_t i = 0; i < n; i++) {
        struct str m = str_of(marks[i]);
        size_t at = rfind_nocase(s, m);
        bool weak = i + 1 == ARRAY_LEN(marks); /* "Answer $…$": only before a formula */
        if (at == STR_NPOS || at < from || str_trim(str_skip(s, at + m.n)).n == 0 ||
            (weak && s.p[at + m.n] != '$' && s.p[at + m.n] != '\\')) {
            continue;
        }
        if (!found || at > ret->at) {
            *ret = (struct mark){.at = at, .end = at + m.n};
            found = true;
        }
    }
    return found;
}

static struct str after_mark(struct str s, struct mark mark, struct arena *a) {
    struct str rest = str_skip(s, mark.end);
    struct mark inner; /* "Final answer: the answer is 5" */
    struct str head = str_take(rest, 40);
    if (last_mark(head, 0, false, &inner)) {
        rest = str_skip(rest, inner.end);
    }
    return marked_text(rest, a);
}

static bool tagged(struct str s, struct answer_found *ret) {
    size_t open = str_rfind(s, S("<answer>"));
    if (open != STR_NPOS) {
        struct str rest = str_skip(s, open + sizeof "<answer>" - 1);
        size_t close = str_find(rest, S("</answer>"));
        *ret = (struct answer_found){str_take(rest, close == STR_NPOS ? rest.n : close),
                                     ANSWER_FROM_TAG};
        return str_trim(ret->text).n > 0;
    }
    size_t hashes = str_rfind(s, S("####"));
    if (hashes != STR_NPOS) {
        struct str rest = str_trim(str_skip(s, hashes + 4));
        *ret = (struct answer_found){str_split(&rest, '\n'), ANSWER_FROM_MARK};
        return str_trim(ret->text).n > 0;
    }
    return false;
}

/* A formula written without delimiters, behind the last "is" or "=" of the sentence; a number in it
 * is no answer. */
static bool bare_formula(struct str s, struct str *ret) {
    static const char *const leads[] = {" is ", "\\ is\\ ", "is:", " are "};
    if (str_find_char(s, '\\') == STR_NPOS) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
        size_t at = rfind_nocase(s, str_of(leads[i]));
        if (at != STR_NPOS && str_trim(str_skip(s, at + strlen(leads[i]))).n > 0) {
            *ret = str_skip(s, at + strlen(leads[i]));
            return true;
        }
    }
    return false;
}

/* The last formula; or the number behind it, if the text goes on and ends with one. */
static bool guessed(struct str s, struct arena *a, struct answer_found *ret) {
    struct formula f = {0};
    bool formula = last_formula(s, &f);
    struct str tail = formula ? str_skip(s, f.end) : s, number;
    bool sentence = formula_is_prose(tail);
    if (!formula && bare_formula(s, &number)) {
        *ret = (struct answer_found){number, ANSWER_FROM_FORMULA};
        return true;
    }
    if ((!formula || sentence) && last_number(tail, a, &number)) {
        *ret = (struct answer_found){number, ANSWER_FROM_NUMBER};
        return true;
    }
    if (formula) {
        *ret = (struct answer_found){f.body, ANSWER_FROM_FORMULA};
    }
    return formula;
}

/* --- choices --- */

static bool is_choice(struct str s, size_t i, int choices, bool any_case) {
    char c = any_case ? (char)toupper((unsigned char)s.p[i]) : s.p[i];
    bool alone = at_word(s, i) && (i + 1 >= s.n || !isalnum((unsigned char)s.p[i + 1])) &&
                 !(i + 2 < s.n && s.p[i + 1] == '\'');
    return alone && c >= 'A' && c < 'A' + choices;
}

static struct answer_found choice_found(char c, enum answer_source source, struct arena *a) {
    return (struct answer_found){str_fmt(a, "%c", toupper((unsigned char)c)), source};
}

/* A capital that is a word of its own: "A cat" and "A is" are told apart by what follows. */
static bool choice_in_prose(struct str s, size_t i, int choices) {
    if (!is_choice(s, i, choices, false)) {
        return false;
    }
    bool bracketed = i > 0 && s.p[i - 1] == '(' && i + 1 < s.n && s.p[i + 1] == ')';
    struct str rest = str_trim(str_skip(s, i + 1));
    bool article = s.p[i] == 'A' && rest.n > 0 && islower((unsigned char)rest.p[0]) &&
                   !str_starts(rest, S("is "));
    return bracketed || !article;
}

static bool choice_after_mark(struct str s, int choices, struct arena *a,
                              struct answer_found *ret) {
    struct mark mark;
    if (!last_mark(s, 0, false, &mark)) {
        return false;
    }
    struct str rest = skip_lead(str_skip(s, mark.end));
    rest = str_take(rest, sentence_end(rest));
    size_t i = 0;
    while (i < rest.n && strchr("($*{ \\", rest.p[i]) != NULL) {
        i++;
    }
    if (str_starts(str_skip(rest, i), S("text{"))) {
        i += 5;
    }
    i += i < rest.n && rest.p[i] == '(' ? 1 : 0;
    if (i < rest.n && is_choice(rest, i, choices, true)) {
        *ret = choice_found(rest.p[i], ANSWER_FROM_MARK, a);
    } else {
        *ret = (struct answer_found){answer_strip(rest), ANSWER_FROM_LINE};
    }
    return true;
}

static struct answer_found find_choice(struct str s, int choices, struct arena *a) {
    struct answer_found found = {answer_strip(s), ANSWER_FROM_LINE};
    struct boxed box = boxed_last(s, a);
    if (box.found) {
        for (size_t i = box.text.n; i-- > 0;) {
            if (is_choice(box.text, i, choices, box.text.n == 1)) {
                return choice_found(box.text.p[i], ANSWER_FROM_BOX, a);
            }
        }
    }
    if (choice_after_mark(s, choices, a, &found)) {
        return found;
    }
    for (size_t i = s.n; i-- > 0;) {
        if (choice_in_prose(s, i, choices)) {
            return choice_found(s.p[i], ANSWER_FROM_NUMBER, a);
        }
    }
    return found;
}

static struct str last_line(struct str s) {
    s = str_trim(s);
    size_t nl = str_rfind(s, S("\n"));
    return nl == STR_NPOS ? s : str_skip(s, nl + 1);
}

struct answer_found answer_find(struct str text, int choices, struct arena *a) {
    struct str s = str_trim(without_thinking(text));
    if (choices > 0) {
        return find_choice(s, choices, a);
    }
    struct answer_found found;
    struct mark mark;
    struct boxed box = boxed_last(s, a);
    size_t from = box.found ? box.end : 0;
    if (last_mark(s, from, box.found, &mark)) {
        found = (struct answer_found){after_mark(s, mark, a), ANSWER_FROM_MARK};
    } else if (box.found) {
        found = (struct answer_found){box.text, ANSWER_FROM_BOX};
    } else if (!tagged(s, &found) && !guessed(s, a, &found)) {
        found = (struct answer_found){last_line(s), ANSWER_FROM_LINE};
    }
    found.text = answer_strip(found.text);
    return found;
}

struct str answer_extract(struct str text, struct arena *a) {
    return answer_find(text, 0, a).text;
}
