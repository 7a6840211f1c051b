#include "cases.h"

#include "answer/extract.h"
#include "base/file.h"
#include "json/node.h"

#include <stdio.h>
#include <stdlib.h>

#define CASES_MAX ((size_t)5000)

static struct str data_read(const char *name, struct arena *a) {
    struct errinfo why = {0};
    const char *dir = getenv("TESTS_DIR");
    struct str text, path = str_fmt(a, "%s/answer/data/%s", dir != NULL ? dir : "tests", name);
    if (file_read(path.p, (size_t)16 << 20, a, &text, &why) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        abort();
    }
    return text;
}

struct case_file case_file_read(const char *name) {
    struct case_file f = {.n = 0};
    arena_init(&f.arena, (size_t)64 << 20);
    struct str text = data_read(name, &f.arena);
    f.cases = ARENA_ARRAY(&f.arena, struct answer_case, CASES_MAX);
    for (int line = 1; text.n > 0 && f.n < CASES_MAX; line++) {
        const struct jnode *j;
        struct str row = str_split(&text, '\n');
        if (jnode_parse(row, &f.arena, &j, NULL) == ERR_OK) {
            f.cases[f.n++] = (struct answer_case){.gold = jnode_get_str(j, "gold"),
                                                  .pred = jnode_get_str(j, "pred"),
                                                  .kind = jnode_get_str(j, "kind"),
                                                  .equal = jnode_bool(jnode_get(j, "equal"), false),
                                                  .line = line};
        }
    }
    return f;
}

void case_file_release(struct case_file *f) {
    arena_release(&f->arena);
}

struct answer_result compare_once(struct str gold, struct str given,
                                  const struct answer_options *options) {
    struct arena a;
    arena_init(&a, ANSWER_ARENA_BYTES);
    struct answer_result r = answer_compare(gold, given, options, &a);
    arena_release(&a);
    return r;
}

struct score score_file(const char *name, bool print) {
    struct score s = {.wrong_proofs = 0};
    struct case_file f = case_file_read(name);
    for (size_t i = 0; i < f.n; i++) {
        const struct answer_case *c = &f.cases[i];
        struct answer_result r = compare_once(c->gold, c->pred, NULL);
        (c->equal ? s.equal : s.different)[r.verdict]++;
        bool wrong = r.verdict == (c->equal ? ANSWER_DIFFERENT : ANSWER_EQUAL);
        s.wrong_proofs += wrong && r.certainty == ANSWER_PROOF ? 1 : 0;
        if (print && (wrong || (c->equal && r.verdict != ANSWER_EQUAL))) {
            (void)printf("%s:%d: %s, should be %s: %.100s | %.100s (%s)\n", name, c->line,
                         answer_verdict_name(r.verdict), c->equal ? "equal" : "different",
                         c->gold.p, c->pred.p, r.reason);
        }
    }
    case_file_release(&f);
    return s;
}

double score_accuracy(const struct score *s) {
    int all = s->equal[0] + s->equal[1] + s->equal[2] + s->different[0] + s->different[1] +
              s->different[2];
    return 100.0 *
           (s->equal[ANSWER_EQUAL] + s->different[ANSWER_DIFFERENT] +
            s->different[ANSWER_UNDECIDED]) /
           all;
}

double score_decided(const struct score *s) {
    int undecided = s->equal[ANSWER_UNDECIDED] + s->different[ANSWER_UNDECIDED];
    int decided = s->equal[0] + s->equal[1] + s->different[0] + s->different[1];
    return 100.0 * decided / (decided + undecided);
}

/* By text, or by being the same answer. */
static bool found_right(const struct jnode *j, struct arena *a) {
    struct str expected = jnode_get_str(j, "expected");
    bool letter = str_find(jnode_get_str(j, "rule"), S("letter")) != STR_NPOS;
    struct answer_found found = answer_find(jnode_get_str(j, "text"), letter ? 4 : 0, a);
    if (jnode_type(jnode_get(j, "expected")) != JNODE_STRING) {
        return found.source == ANSWER_FROM_LINE;
    }
    struct answer_options bare = {.no_extraction = true};
    return found.source != ANSWER_FROM_LINE &&
           (str_eq(found.text, expected) ||
            compare_once(expected, found.text, &bare).verdict == ANSWER_EQUAL);
}

struct found_score found_score_file(const char *name, bool print) {
    struct found_score s = {.all = 0};
    struct arena a;
    arena_init(&a, (size_t)64 << 20);
    for (struct str text = data_read(name, &a); text.n > 0; s.all++) {
        const struct jnode *j;
        if (jnode_parse(str_split(&text, '\n'), &a, &j, NULL) == ERR_OK && found_right(j, &a)) {
            s.right++;
        } else if (print) {
            (void)printf("%s:%d: another answer is found\n", name, s.all + 1);
        }
    }
    arena_release(&a);
    return s;
}
