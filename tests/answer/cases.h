/* cases.h - the files of tests/answer/data as pairs, for the tests here. */
#ifndef STUMPER_TESTS_ANSWER_CASES_H
#define STUMPER_TESTS_ANSWER_CASES_H

#include "answer/compare.h"

struct answer_case {
    struct str gold, pred, kind;
    bool equal;
    int line; /* from 1 */
};

struct case_file {
    struct arena arena; /* the texts */
    struct answer_case *cases;
    size_t n;
};

/** Read tests/answer/data/@name; ends the program if it cannot. Lines that are not JSON are left
 * out. */
struct case_file case_file_read(const char *name);
void case_file_release(struct case_file *f);

/** Compare with memory of its own. */
struct answer_result compare_once(struct str gold, struct str given,
                                  const struct answer_options *options);

/* What came out over a file, equal and different cases apart. */
struct score {
    int equal[3], different[3]; /* by verdict */
    int wrong_proofs;
};

struct score score_file(const char *name, bool print);

struct found_score {
    int right, all;
};

/** The final answers that are found in the texts of a file, held against those expected. */
struct found_score found_score_file(const char *name, bool print);

/** In per cent: right, where undecided counts as wrong for equal pairs; decided at all. */
double score_accuracy(const struct score *s);
double score_decided(const struct score *s);

#endif
