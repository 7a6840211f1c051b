/* The whole comparison:
 *
 *   limits ─► the same text? ─► find the answers ─► read both ─► compare shapes ─► a verdict
 *                                     │                 │
 *                                     │                 └ again under other readings, where a text
 *                                     │                   has several ("1,234", "1/2x", "rate")
 *                                     └ only in what looks like prose; an answer that was guessed,
 *                                       not marked, may be found equal but never different
 */
#include "answer/compare.h"

#include "answer/extract.h"
#include "answer/judge.h"
#include "answer/parse.h"

#include <ctype.h>
#include <string.h>

/* One side, found and read. */
struct side {
    struct str text;
    struct parsed parsed;
    bool guessed; /* the answer was not marked in the prose around it */
};

static struct answer_result result_of(struct outcome o, const char *method, double evidence) {
    bool decided = o.verdict != ANSWER_UNDECIDED;
    return (struct answer_result){
        .verdict = o.verdict,
        .certainty = !decided   ? ANSWER_NONE
                     : o.proved ? ANSWER_PROOF
                                : ANSWER_EVIDENCE,
        .confidence = !decided   ? 0
                      : o.proved ? 1
                                 : evidence,
        .method = method,
        .reason = o.reason,
    };
}

static struct answer_result undecided(const char *method, const char *reason) {
    return result_of(OUTCOME_UNDECIDED(reason), method, 0);
}

/* --- finding --- */

static bool has_any(struct str s, const char *const *marks, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_find(s, str_of(marks[i])) != STR_NPOS) {
            return true;
        }
    }
    return false;
}

static bool marked(struct str s) {
    static const char *const marks[] = {
        "\\boxed",  "\\fbox", "####",        "</think>",   "<think>", "<answer>",
        "nswer is", "nswer:", "inal answer", "nswers are", "<|im_",   "NSWER:"};
    return s.n >= 6 && has_any(s, marks, ARRAY_LEN(marks));
}

/* Three words in a row outside \text and $…$ make a sentence. */
static bool looks_like_prose(struct str s) {
    size_t words = 0;
    for (size_t i = 0; i < s.n;) {
        size_t n = 0;
        while (i + n < s.n && isalpha((unsigned char)s.p[i + n])) {
            n++;
        }
        bool command = i > 0 && s.p[i - 1] == '\\';
        words += n >= 2 && !command ? 1 : 0;
        i += n + 1;
        if (words >= 3) {
            return true;
        }
    }
    return false;
}

static struct str find_text(struct str text, struct arena *a, bool *guessed) {
    *guessed = false;
    if (!marked(text)) {
        return answer_strip(text);
    }
    struct answer_found found = answer_find(text, 0, a);
    *guessed = found.source > ANSWER_FROM_TAG;
    return found.text;
}

/* Read @side under @reading; where the whole has no reading, or words were swallowed, look for an
 * answer in it. */
static void read_side(struct side *side, unsigned reading, bool may_guess, struct arena *a) {
    side->parsed = parse(side->text, reading, a);
    if (side->parsed.root == NULL && (side->parsed.ambiguous & LEX_ROWS_JOINED) != 0) {
        side->parsed = parse(side->text, reading | LEX_ROWS_JOINED, a);
    }
    bool lost = side->parsed.root == NULL || side->parsed.condition;
    if (!lost || !may_guess || !looks_like_prose(side->text)) {
        return;
    }
    struct answer_found found = answer_find(side->text, 0, a);
    if (found.source == ANSWER_FROM_LINE || found.text.n == side->text.n) {
        return;
    }
    struct parsed again = parse(found.text, reading, a);
    if (again.root != NULL) {
        side->parsed = again;
        side->guessed = true;
    }
}

/* --- judging --- */

static uint64_t seed_of(struct str gold, struct str given) {
    uint64_t a = str_hash(gold), b = str_hash(given);
    return a + b + (a ^ b) * 0x9E3779B97F4A7C15u; /* the same for both orders */
}

/* Does @one say in words, or by a sign, what the numbers are of, and @other something else? */
static bool counts_other_things(const struct side *one, const struct side *other) {
    struct str sign = one->parsed.currency, sign_of_other = other->parsed.currency;
    bool unit =
        node_has(other->parsed.root, NODE_UNIT, 0) && !node_has(one->parsed.root, NODE_UNIT, 0);
    bool words = one->parsed.words.n > 0 && other->parsed.words.n == 0;
    return (words && (unit || (sign.n == 0 && sign_of_other.n > 0))) ||
           (sign.n > 0 && unit && !str_eq(sign, S("\\$"))) ||
           (sign.n > 0 && sign_of_other.n > 0 && !str_eq(sign, sign_of_other));
}

static struct outcome mind_measures(struct outcome o, const struct side *gold,
                                    const struct side *given) {
    if (o.verdict != ANSWER_EQUAL) {
        return o;
    }
    if (counts_other_things(gold, given) || counts_other_things(given, gold)) {
        return OUTCOME_UNDECIDED("they may be of different things");
    }
    struct str here = gold->parsed.limits, there = given->parsed.limits;
    if (here.n > 0 && there.n > 0 && !str_eq(here, there)) {
        return OUTCOME_UNDECIDED("they may hold in different places");
    }
    o.proved = o.proved && str_eq(gold->parsed.currency, given->parsed.currency);
    return o;
}

/* What swallowed words allow: a unit nobody knows may be missing on one side, no more. */
static struct outcome mind_words(struct outcome o, const struct side *gold,
                                 const struct side *given) {
    bool swallowed = gold->parsed.swallowed || given->parsed.swallowed;
    if (gold->parsed.condition || given->parsed.condition) {
        return o.proved && o.verdict == ANSWER_EQUAL && swallowed &&
                       str_eq(gold->parsed.words, given->parsed.words)
                   ? o
                   : OUTCOME_UNDECIDED("words that may change the meaning");
    }
    if (!swallowed) {
        return o;
    }
    bool both = gold->parsed.words.n > 0 && given->parsed.words.n > 0;
    bool same = str_eq_nocase(gold->parsed.words, given->parsed.words);
    if (o.verdict == ANSWER_DIFFERENT || (both && !same)) {
        return o.verdict == ANSWER_DIFFERENT && same
                   ? o
                   : OUTCOME_UNDECIDED("words that were not understood");
    }
    o.proved = o.proved && same;
    return o;
}

static struct outcome judge_sides(struct judge *j, const struct side *gold,
                                  const struct side *given) {
    if (gold->parsed.root == NULL || given->parsed.root == NULL) {
        return OUTCOME_UNDECIDED("not read whole");
    }
    struct outcome o = shape_compare(j, gold->parsed.root, given->parsed.root);
    if (j->options.form_matters && o.verdict == ANSWER_EQUAL &&
        !str_eq(node_canonical(gold->parsed.root, j->a),
                node_canonical(given->parsed.root, j->a))) {
        o = OUTCOME_DIFFERENT(false, "equal, but not in the same form");
    }
    bool text = gold->parsed.root->kind == NODE_TEXT && given->parsed.root->kind == NODE_TEXT;
    o = text ? o : mind_measures(mind_words(o, gold, given), gold, given);
    if (o.verdict == ANSWER_DIFFERENT && str_eq_nocase(gold->text, given->text)) {
        o = OUTCOME_UNDECIDED("they differ in case only");
    }
    if ((gold->guessed || given->guessed) && o.verdict != ANSWER_EQUAL) {
        return OUTCOME_UNDECIDED("the answer in the prose is a guess");
    }
    o.proved = o.proved && !gold->guessed && !given->guessed;
    return o;
}

/* Equal under another reading is equal where the reading is a way of writing, and a doubt where it
 * is a way of understanding. */
static struct outcome other_readings(struct judge *j, struct side gold, struct side given,
                                     struct outcome o) {
    unsigned bits = gold.parsed.ambiguous | given.parsed.ambiguous;
    bool failed = gold.parsed.root == NULL || given.parsed.root == NULL;
    for (unsigned bit = 1; bit <= LEX_TIGHT_PRODUCT; bit <<= 1) {
        if ((bits & bit) == 0 || j->work <= 0 || arena_room(j->a) < (size_t)12 << 20) {
            continue;
        }
        for (int which = 1; which <= 3; which++) {
            struct side x = gold, y = given;
            if ((which & 1) != 0 && (gold.parsed.ambiguous & bit) != 0) {
                x.parsed = parse(x.text, bit, j->a);
            } else if (which != 2) {
                continue;
            }
            if ((which & 2) != 0 && (given.parsed.ambiguous & bit) != 0) {
                y.parsed = parse(y.text, bit, j->a);
            } else if (which != 1) {
                continue;
            }
            struct outcome other = judge_sides(j, &x, &y);
            if (other.verdict == ANSWER_EQUAL) {
                other.proved = false;
                return bit == LEX_TIGHT_PRODUCT ? OUTCOME_UNDECIDED("a / b c has two readings")
                                                : other;
            }
            if (failed && bit == LEX_ROWS_JOINED && other.verdict == ANSWER_DIFFERENT) {
                return other;
            }
        }
    }
    return o;
}

/* --- "(D) 4" --- */

/* A choice letter in front of a value: what is behind it, or an empty text. */
static struct str behind_choice(struct str s, char *letter) {
    static const char *const wrappers[] = {"\\textbf{", "\\text{", "\\mathrm{", "\\mathbf{"};
    bool wrapped = false;
    for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
        if (str_starts(s, str_of(wrappers[i]))) {
            s = str_skip(s, strlen(wrappers[i]));
            wrapped = true;
        }
    }
    if (s.n < 4 || s.p[0] != '(' || s.p[1] < 'A' || s.p[1] > 'E' || s.p[2] != ')') {
        return S("");
    }
    *letter = s.p[1];
    s = str_skip(s, 3);
    s = str_trim(s);
    s = wrapped && str_starts(s, S("}")) ? str_skip(s, 1) : s;
    while (s.n > 0 && (s.p[0] == '~' || s.p[0] == ' ' || str_starts(s, S("\\ ")) ||
                       str_starts(s, S("\\:")) || str_starts(s, S("\\quad")))) {
        s = str_skip(s, s.p[0] != '\\' ? 1 : str_starts(s, S("\\quad")) ? 5 : 2);
    }
    return s.n > 0 && s.p[0] != '}' && strchr("+-*/^=,;", s.p[0]) == NULL ? s : S("");
}

/* --- the same text --- */

static bool may_divide_by_zero(struct str s) {
    return str_find_char(s, '0') != STR_NPOS &&
           (str_find_char(s, '/') != STR_NPOS || str_find(s, S("frac")) != STR_NPOS ||
            str_find_char(s, '^') != STR_NPOS || str_find(s, S("log")) != STR_NPOS ||
            str_find(s, S("ln")) != STR_NPOS);
}

static bool utf8_clean(struct str s) {
    return str_is_utf8(s) && memchr(s.p, '\0', s.n) == NULL;
}

/* "(B)", "B.", "\text{B}" as the letter; 0 if it is none. */
static char choice_letter(struct str s, int choices) {
    static const char *const wrappers[] = {"\\text",   "\\textbf", "\\mathrm",
                                           "\\mathbf", "\\boxed",  "\\mbox"};
    for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
        struct str w = str_of(wrappers[i]);
        s = str_starts(s, w) ? str_skip(s, w.n) : s;
    }
    while (s.n > 0 && strchr("({[$* ", s.p[0]) != NULL) {
        s = str_skip(s, 1);
    }
    while (s.n > 0 && strchr(")}]$*. :", s.p[s.n - 1]) != NULL) {
        s.n--;
    }
    return s.n == 1 && s.p[0] >= 'A' && s.p[0] < 'A' + choices ? s.p[0] : '\0';
}

static bool compare_choices(struct str gold, struct str given, int choices, struct arena *a,
                            struct answer_result *ret) {
    char right = choice_letter(gold, choices > 0 ? choices : 5);
    bool prose = looks_like_prose(given) || marked(given);
    if (right == '\0' || (choices == 0 && !prose)) {
        return false;
    }
    struct answer_found found = answer_find(given, choices > 0 ? choices : 5, a);
    if (found.source == ANSWER_FROM_LINE) {
        return false;
    }
    bool same = found.text.n == 1 && found.text.p[0] == right;
    if (!same && found.source > ANSWER_FROM_TAG) {
        *ret = undecided("choice", "the letter in the prose is a guess");
        return true;
    }
    *ret = result_of(same ? OUTCOME_EQUAL(false, "the same letter")
                          : OUTCOME_DIFFERENT(false, "different letters"),
                     "choice", found.source > ANSWER_FROM_TAG ? 0.9 : 0.99);
    return true;
}

struct answer_result answer_compare(struct str gold, struct str given,
                                    const struct answer_options *options, struct arena *a) {
    struct judge j = {.a = a, .options = options != NULL ? *options : (struct answer_options){0}};
    j.work = j.options.work_max > 0 ? j.options.work_max : EVAL_WORK_MAX;
    gold = str_trim(gold);
    given = str_trim(given);
    if (gold.n == 0 || given.n == 0) {
        return undecided("none", "an answer is empty");
    }
    if (gold.n > ANSWER_TEXT_BYTES_MAX || given.n > ANSWER_TEXT_BYTES_MAX) {
        return undecided("limits", "an answer is too long");
    }
    if (!utf8_clean(gold) || !utf8_clean(given)) {
        return undecided("limits", "an answer is not valid text");
    }
    struct answer_result choice;
    if (!j.options.no_extraction && compare_choices(gold, given, j.options.choices, a, &choice)) {
        return choice;
    }
    struct side x = {.text = gold}, y = {.text = given};
    if (!j.options.no_extraction) {
        x.text = find_text(gold, a, &x.guessed);
        y.text = find_text(given, a, &y.guessed);
    }
    char letter_x = '\0', letter_y = '\0';
    struct str value_x = behind_choice(x.text, &letter_x),
               value_y = behind_choice(y.text, &letter_y);
    char only_x = choice_letter(x.text, 5), only_y = choice_letter(y.text, 5);
    if ((value_x.n > 0 && only_y != '\0') || (value_y.n > 0 && only_x != '\0')) {
        bool same = value_x.n > 0 ? letter_x == only_y : letter_y == only_x;
        return result_of(same ? OUTCOME_EQUAL(false, "the same letter")
                              : OUTCOME_DIFFERENT(false, "different letters"),
                         "choice", 0.95);
    }
    if (only_x != '\0' && only_x == only_y && x.text.n + y.text.n > 2) { /* "B" and "B)" */
        return result_of(OUTCOME_EQUAL(false, "the same letter"), "choice", 0.98);
    }
    x.text = value_x.n > 0 ? value_x : x.text;
    y.text = value_y.n > 0 ? value_y : y.text;
    if (str_eq(x.text, y.text) && x.text.n > 0 && !may_divide_by_zero(x.text) && !x.guessed) {
        return result_of(OUTCOME_EQUAL(true, "the same text"), "literal", 1);
    }
    if (x.text.n > LEX_BYTES_MAX || y.text.n > LEX_BYTES_MAX) {
        return undecided("limits", "an answer is too long");
    }
    rng_init(&j.rng, seed_of(x.text, y.text));
    read_side(&x, 0, false, a);
    read_side(&y, 0, !j.options.no_extraction, a);
    struct outcome o = judge_sides(&j, &x, &y);
    if (o.verdict != ANSWER_EQUAL) {
        o = other_readings(&j, x, y, o);
    }
    if (j.work <= 0 && o.verdict != ANSWER_EQUAL && !o.proved) {
        o = OUTCOME_UNDECIDED("out of work");
    }
    bool guessed = x.guessed || y.guessed;
    return result_of(o, o.proved ? "exact" : "points", guessed ? 0.9 : 0.98);
}

bool answer_is_definite(struct str text, struct arena *a) {
    bool guessed;
    text = str_trim(text);
    if (text.n == 0 || text.n > ANSWER_TEXT_BYTES_MAX || !utf8_clean(text)) {
        return false;
    }
    struct side s = {.text = find_text(text, a, &guessed)};
    if (s.text.n == 0 || s.text.n > LEX_BYTES_MAX) {
        return false;
    }
    read_side(&s, 0, false, a);
    return s.parsed.root != NULL && !s.parsed.condition && !guessed &&
           !node_has(s.parsed.root, NODE_TEXT, 0) && !node_has(s.parsed.root, NODE_ELLIPSIS, 0);
}

const char *answer_verdict_name(enum answer_verdict verdict) {
    static const char *const names[] = {"equal", "different", "undecided"};
    return names[verdict];
}

const char *answer_certainty_name(enum answer_certainty certainty) {
    static const char *const names[] = {"proof", "evidence", "none"};
    return names[certainty];
}
