/* Each answer is parsed into a scratch arena of its own, read, and what is kept is copied out: an
 * attempt in flight carries texts, not trees.
 *
 * In `struct reply` lies what the readers share; a reader that finds something wrong sets the error
 * and returns false, the first one ends the reading: one exact message at a time goes back to the
 * model.
 */
#include "core/attempt_reply.h"

#include "json/repair.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define REPLY_SCRATCH_BYTES_MAX (64 * JREPAIR_BYTES_MAX)
#define REPLY_HINTS_MIN 3
#define REPLY_NAME_BYTES_MAX ((size_t)200) /* of a subject or topic */
#define REPLY_SHOWN_BYTES_MAX ((size_t)40) /* of a model's key in a note */

/* --- the forms ---
 *
 * A strict schema has no open set of keys, so five hints are named and some of them nullable;
 * endpoints without schemas may give more. The reason stands before the verdict: a model that
 * writes its reasons first decides better. */

#define ONE_STRING "{\"type\":\"string\"}"
#define MAYBE_STRING "{\"type\":[\"string\",\"null\"]}"
#define SCHEMA_TEXT(text)                                                                          \
    { (text), sizeof(text) - 1 }

const struct call_schema reply_problem_schema = {
    .name = "problem",
    .json = SCHEMA_TEXT(
        "{\"type\":\"object\",\"properties\":{\"subject\":" ONE_STRING ",\"topic\":" ONE_STRING
        ",\"problem\":" ONE_STRING ",\"answer\":" ONE_STRING
        ",\"hints\":{\"type\":\"object\",\"properties\":{\"0\":" ONE_STRING ",\"1\":" ONE_STRING
        ",\"2\":" ONE_STRING ",\"3\":" MAYBE_STRING ",\"4\":" MAYBE_STRING
        "},\"required\":[\"0\",\"1\",\"2\",\"3\",\"4\"],\"additionalProperties\":false}},"
        "\"required\":[\"subject\",\"topic\",\"problem\",\"answer\",\"hints\"],"
        "\"additionalProperties\":false}"),
};

const struct call_schema reply_check_schema = {
    .name = "check",
    .json = SCHEMA_TEXT(
        "{\"type\":\"object\",\"properties\":{\"reason\":" ONE_STRING
        ",\"valid\":{\"type\":\"boolean\"},\"corrected_hints\":{\"type\":[\"object\",\"null\"],"
        "\"properties\":{\"0\":" MAYBE_STRING ",\"1\":" MAYBE_STRING ",\"2\":" MAYBE_STRING
        ",\"3\":" MAYBE_STRING ",\"4\":" MAYBE_STRING
        "},\"required\":[\"0\",\"1\",\"2\",\"3\",\"4\"],\"additionalProperties\":false}},"
        "\"required\":[\"reason\",\"valid\",\"corrected_hints\"],\"additionalProperties\":false}"),
};

const struct call_schema reply_verdict_schema = {
    .name = "verdict",
    .json = SCHEMA_TEXT(
        "{\"type\":\"object\",\"properties\":{\"reason\":" ONE_STRING
        ",\"valid\":{\"type\":\"boolean\"},\"equivalence_confidence\":{\"type\":\"number\"}},"
        "\"required\":[\"reason\",\"valid\",\"equivalence_confidence\"],"
        "\"additionalProperties\":false}"),
};

void notes_add(struct notes *notes, struct arena *a, const char *fmt, ...) {
    char text[256];
    va_list args;
    if (notes->n >= NOTES_MAX) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    struct note *note = ARENA_NEW(a, struct note);
    note->text = str_dup(a, str_of(text));
    if (notes->last == NULL) {
        notes->first = note;
    } else {
        notes->last->next = note;
    }
    notes->last = note;
    notes->n++;
}

/* --- what the readers share --- */

struct reply {
    struct arena scratch; /* the tree; gone when the reading ends */
    struct arena *a;      /* what is kept */
    const struct jnode *root;
    enum err err;
    struct errinfo *reterr;
};

/* Say what is wrong; always false. */
#define REPLY_WRONG(r, ...) ((r)->err = errinfo_set((r)->reterr, ERR_MALFORMED, __VA_ARGS__), false)

/* The mendings by name, "latex, commas", for a note. */
static struct str reply_mended(unsigned notes, struct arena *a) {
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {JREPAIR_EXTRACTED, "text around the JSON dropped"},
        {JREPAIR_LATEX, "LaTeX backslashes doubled"},
        {JREPAIR_COMMAS, "commas"},
        {JREPAIR_QUOTES, "quotes"},
        {JREPAIR_LITERALS, "literals"},
        {JREPAIR_COMMENTS, "comments dropped"},
        {JREPAIR_CONTROLS, "control characters escaped"},
        {JREPAIR_ELLIPSIS, "ellipsis dropped"},
        {JREPAIR_CLOSERS, "closing brackets dropped"},
        {JREPAIR_DECODED, "JSON inside a string decoded"},
    };
    struct str text = S("");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (notes & names[i].bit) {
            text = str_fmt(a, "%.*s%s%s", STR_ARG(text), text.n == 0 ? "" : ", ", names[i].name);
        }
    }
    return text;
}

/* Parse the one object of @text. Whatever comes of it, reply_end() must follow. */
static bool reply_begin(struct reply *r, struct str text, struct str *ret_mended) {
    unsigned notes = 0;
    struct errinfo why = {0};
    arena_init(&r->scratch, REPLY_SCRATCH_BYTES_MAX);
    enum err e = jrepair_parse(text, &r->scratch, &r->root, &notes, &why);
    if (e == ERR_EMPTY) {
        return REPLY_WRONG(r, "there is no JSON object in it");
    }
    if (e == ERR_TRUNCATED) {
        return REPLY_WRONG(r, "the JSON object ends before it is complete");
    }
    if (e != ERR_OK) {
        return REPLY_WRONG(r, "it is not one valid JSON object: %s", errinfo_text(&why, e));
    }
    if (jnode_type(r->root) != JNODE_OBJECT) {
        return REPLY_WRONG(r, "it must be a JSON object, not %s",
                           jnode_type_name(jnode_type(r->root)));
    }
    *ret_mended = reply_mended(notes, r->a);
    return true;
}

static enum err reply_end(struct reply *r) {
    arena_release(&r->scratch);
    return r->err;
}

/* The string member @key, trimmed and copied. */
static bool reply_string(struct reply *r, const char *key, size_t bytes_max, struct str *ret) {
    const struct jnode *j = jnode_get(r->root, key);
    struct str text = str_trim(jnode_str(j));
    if (j == NULL) {
        return REPLY_WRONG(r, "\"%s\" is missing: it must be a string", key);
    }
    if (jnode_type(j) != JNODE_STRING) {
        return REPLY_WRONG(r, "\"%s\" must be a string, not %s", key,
                           jnode_type_name(jnode_type(j)));
    }
    if (text.n > bytes_max) {
        return REPLY_WRONG(r, "\"%s\" must be at most %zu bytes long, not %zu", key, bytes_max,
                           text.n);
    }
    *ret = str_dup(r->a, text);
    return true;
}

static bool reply_full_string(struct reply *r, const char *key, size_t bytes_max, struct str *ret) {
    return reply_string(r, key, bytes_max, ret) &&
           (ret->n > 0 || REPLY_WRONG(r, "\"%s\" must not be empty", key));
}

/* A member that only a boolean can be: no 1, no "true". */
static bool reply_verdict_bool(struct reply *r, const char *key, bool *ret) {
    const struct jnode *j = jnode_get(r->root, key);
    if (j == NULL) {
        return REPLY_WRONG(r, "\"%s\" is missing: it must be true or false", key);
    }
    if (jnode_type(j) != JNODE_BOOL) {
        return REPLY_WRONG(r, "\"%s\" must be true or false (a JSON boolean), not %s", key,
                           jnode_type_name(jnode_type(j)));
    }
    *ret = jnode_bool(j, false);
    return true;
}

static bool reply_is_absent(const struct jnode *j) {
    return jnode_type(j) == JNODE_NONE || jnode_type(j) == JNODE_NULL;
}

/* --- the engineer --- */

/* The final answer; a number is taken as its text. */
static bool reply_answer(struct reply *r, struct str *ret) {
    const struct jnode *j = jnode_get(r->root, "answer");
    if (jnode_type(j) == JNODE_INT || jnode_type(j) == JNODE_REAL) {
        *ret = jnode_text(j, r->a);
        return true;
    }
    return reply_full_string(r, "answer", ATTEMPT_ANSWER_BYTES_MAX, ret);
}

/* A label that we can do without: it may be missing, but not be something else than text. */
static bool reply_label(struct reply *r, const char *key, struct str *ret) {
    return reply_is_absent(jnode_get(r->root, key)) ||
           reply_string(r, key, REPLY_NAME_BYTES_MAX, ret);
}

/* Members that are not null: a strict schema makes a model write null for hints it has not. */
static size_t hints_count(const struct jnode *hints) {
    struct str key;
    const struct jnode *hint;
    size_t n = 0;
    for (void *i = NULL; (i = jnode_next(hints, i, &key, &hint)) != NULL;) {
        n += !reply_is_absent(hint);
    }
    return n;
}

static bool reply_hint(struct reply *r, const struct jnode *hints, size_t i, struct hints *ret) {
    char key[24];
    (void)snprintf(key, sizeof key, "%zu", i);
    const struct jnode *j = jnode_get(hints, key);
    struct str text = str_trim(jnode_str(j));
    if (reply_is_absent(j)) {
        return REPLY_WRONG(r,
                           "\"hints\" must be keyed \"0\", \"1\", \"2\" … without a gap: "
                           "\"%s\" is missing",
                           key);
    }
    if (jnode_type(j) != JNODE_STRING) {
        return REPLY_WRONG(r, "hint \"%s\" must be a string, not %s", key,
                           jnode_type_name(jnode_type(j)));
    }
    if (text.n == 0) {
        return REPLY_WRONG(r, "hint \"%s\" must not be empty", key);
    }
    if (text.n > ATTEMPT_HINTS_BYTES_MAX - ret->bytes) {
        return REPLY_WRONG(r, "\"hints\" must be at most %zu bytes long in all",
                           ATTEMPT_HINTS_BYTES_MAX);
    }
    ret->text[ret->n++] = str_dup(r->a, text);
    ret->bytes += text.n;
    return true;
}

static bool reply_hints(struct reply *r, struct hints *ret) {
    const struct jnode *hints = jnode_get(r->root, "hints");
    size_t n = hints_count(hints);
    if (hints == NULL) {
        return REPLY_WRONG(r,
                           "\"hints\" is missing: it must be an object of at least %d strings "
                           "keyed \"0\", \"1\", \"2\" …",
                           REPLY_HINTS_MIN);
    }
    if (jnode_type(hints) != JNODE_OBJECT) {
        return REPLY_WRONG(r, "\"hints\" must be an object keyed \"0\", \"1\", \"2\" …, not %s",
                           jnode_type_name(jnode_type(hints)));
    }
    if (n < REPLY_HINTS_MIN || n > ATTEMPT_HINTS_MAX) {
        return REPLY_WRONG(r, "\"hints\" must hold %d to %d hints, not %zu", REPLY_HINTS_MIN,
                           ATTEMPT_HINTS_MAX, n);
    }
    bool good = true;
    *ret = (struct hints){0};
    for (size_t i = 0; good && i < n; i++) {
        good = reply_hint(r, hints, i, ret);
    }
    return good;
}

enum err reply_read_problem(struct str text, struct arena *a, struct reply_problem *ret,
                            struct errinfo *reterr) {
    struct reply r = {.a = a, .reterr = reterr};
    struct reply_problem p = {0};
    if (reply_begin(&r, text, &p.mended) && reply_label(&r, "subject", &p.subject) &&
        reply_label(&r, "topic", &p.topic) &&
        reply_full_string(&r, "problem", ATTEMPT_PROBLEM_BYTES_MAX, &p.problem) &&
        reply_answer(&r, &p.answer) && reply_hints(&r, &p.hints)) {
        *ret = p;
    }
    return reply_end(&r);
}

/* --- the initial check --- */

struct corrections {
    struct hints *hints;
    struct notes *notes;
    struct arena *a;
    bool changed;
};

/* The number that @key writes, as the engineer wrote it: "0", "1" …; c->hints->n if it is none. */
static size_t correction_index(const struct corrections *c, struct str key) {
    char number[24];
    size_t i = 0;
    for (; i < c->hints->n; i++) {
        int n = snprintf(number, sizeof number, "%zu", i);
        if (str_eq(key, (struct str){number, (size_t)n})) {
            break;
        }
    }
    return i;
}

static void correct_hint(struct corrections *c, struct str key, const struct jnode *value) {
    struct str shown = str_take_utf8(key, REPLY_SHOWN_BYTES_MAX);
    struct str text = str_trim(jnode_str(value));
    size_t i = correction_index(c, key);
    if (reply_is_absent(value)) {
        return; /* how a strict schema says "not this one" */
    }
    if (i == c->hints->n) {
        notes_add(c->notes, c->a, "corrected hint \"%.*s\" ignored: there is no hint of that key",
                  STR_ARG(shown));
    } else if (jnode_type(value) != JNODE_STRING || text.n == 0) {
        notes_add(c->notes, c->a, "corrected hint \"%.*s\" ignored: it is %s", STR_ARG(shown),
                  jnode_type(value) == JNODE_STRING ? "empty" : jnode_type_name(jnode_type(value)));
    } else if (text.n > ATTEMPT_HINTS_BYTES_MAX - (c->hints->bytes - c->hints->text[i].n)) {
        notes_add(c->notes, c->a, "corrected hint \"%.*s\" ignored: it is too long",
                  STR_ARG(shown));
    } else if (!str_eq(text, c->hints->text[i])) {
        c->hints->bytes += text.n - c->hints->text[i].n;
        c->hints->text[i] = str_dup(c->a, text);
        c->changed = true;
    }
}

static void correct_hints(struct corrections *c, const struct jnode *corrected) {
    struct str key;
    const struct jnode *value;
    if (!reply_is_absent(corrected) && jnode_type(corrected) != JNODE_OBJECT) {
        notes_add(c->notes, c->a, "corrected_hints ignored: it is %s, not an object",
                  jnode_type_name(jnode_type(corrected)));
        return;
    }
    for (void *i = NULL; (i = jnode_next(corrected, i, &key, &value)) != NULL;) {
        correct_hint(c, key, value);
    }
}

enum err reply_read_check(struct str text, struct arena *a, struct hints *hints,
                          struct notes *notes, struct reply_check *ret, struct errinfo *reterr) {
    struct reply r = {.a = a, .reterr = reterr};
    struct reply_check check = {0};
    if (reply_begin(&r, text, &check.mended) && reply_verdict_bool(&r, "valid", &check.valid) &&
        reply_string(&r, "reason", ATTEMPT_REASON_BYTES_MAX, &check.reason)) {
        if (check.valid) {
            struct corrections c = {.hints = hints, .notes = notes, .a = a};
            correct_hints(&c, jnode_get(r.root, "corrected_hints"));
            check.hints_changed = c.changed;
        }
        *ret = check;
    }
    return reply_end(&r);
}

/* --- the equivalence check --- */

static bool reply_confidence(struct reply *r, double *ret) {
    static const char key[] = "equivalence_confidence";
    const struct jnode *j = jnode_get(r->root, key);
    enum jnode_type type = jnode_type(j);
    *ret = jnode_real(j, (double)NAN);
    if (reply_is_absent(j)) {
        return true;
    }
    if (type != JNODE_INT && type != JNODE_REAL) {
        return REPLY_WRONG(r, "\"%s\" must be a number from 0 to 1, not %s", key,
                           jnode_type_name(type));
    }
    if (!(*ret >= 0 && *ret <= 1)) {
        return REPLY_WRONG(r, "\"%s\" must be a number from 0 to 1, not %g", key, *ret);
    }
    return true;
}

static bool reply_is_coherent(struct reply *r, const struct reply_verdict *v) {
    bool contradicts = v->equivalent ? v->confidence < 0.5 : v->confidence > 0.5;
    if (contradicts) {
        r->err = errinfo_set(
            r->reterr, ERR_CONFLICT,
            "\"valid\" is %s but \"equivalence_confidence\" is %g: it is the confidence that the "
            "two answers are equivalent, at least 0.5 if \"valid\" is true, at most 0.5 if it is "
            "false",
            v->equivalent ? "true" : "false", v->confidence);
    }
    return !contradicts;
}

enum err reply_read_verdict(struct str text, struct arena *a, struct reply_verdict *ret,
                            struct errinfo *reterr) {
    struct reply r = {.a = a, .reterr = reterr};
    struct reply_verdict v = {0};
    if (reply_begin(&r, text, &v.mended) && reply_verdict_bool(&r, "valid", &v.equivalent) &&
        reply_string(&r, "reason", ATTEMPT_REASON_BYTES_MAX, &v.reason) &&
        reply_confidence(&r, &v.confidence) && reply_is_coherent(&r, &v)) {
        *ret = v;
    }
    return reply_end(&r);
}
