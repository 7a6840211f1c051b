/* Accuracy and speed over the case files, in one process: one JSON line per file. Called by
 * bench/answers.py, which sets the same files before a SymPy check.
 *
 * Speed: every pair is compared several times and the fastest run counts, so that a busy machine
 * and a first touch of memory do not; pairs per second are of CPU time. */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 3

static double cpu_us(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int order(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void bench_file(const char *name) {
    struct case_file f = case_file_read(name);
    struct score s = {.wrong_proofs = 0};
    struct arena a;
    double *us = calloc(f.n, sizeof *us), total = 0;
    arena_init(&a, ANSWER_ARENA_BYTES);
    for (int run = 0; us != NULL && run < RUNS; run++) {
        for (size_t i = 0; i < f.n; i++) {
            const struct answer_case *c = &f.cases[i];
            double start = cpu_us();
            struct answer_result r = answer_compare(c->gold, c->pred, NULL, &a);
            double spent = cpu_us() - start;
            arena_reset(&a);
            us[i] = run == 0 || spent < us[i] ? spent : us[i];
            if (run == 0) {
                (c->equal ? s.equal : s.different)[r.verdict]++;
            }
        }
    }
    qsort(us, f.n, sizeof *us, order);
    for (size_t i = 0; i < f.n; i++) {
        total += us[i];
    }
    int equal_said = s.equal[ANSWER_EQUAL] + s.different[ANSWER_EQUAL];
    int different_said = s.equal[ANSWER_DIFFERENT] + s.different[ANSWER_DIFFERENT];
    (void)printf(
        "{\"file\":\"%s\",\"pairs\":%zu,\"accuracy\":%.2f,\"false_equal\":%d,"
        "\"false_different\":%d,\"equal_right\":%.2f,\"different_right\":%.2f,"
        "\"decided\":%.2f,\"pairs_per_second\":%.0f,\"p99_us\":%.1f,\"worst_us\":%.1f}\n",
        name, f.n, score_accuracy(&s), s.different[ANSWER_EQUAL], s.equal[ANSWER_DIFFERENT],
        equal_said > 0 ? 100.0 * s.equal[ANSWER_EQUAL] / equal_said : 100.0,
        different_said > 0 ? 100.0 * s.different[ANSWER_DIFFERENT] / different_said : 100.0,
        score_decided(&s), (double)f.n * 1e6 / total, us[(f.n * 99) / 100], us[f.n - 1]);
    free(us);
    arena_release(&a);
    case_file_release(&f);
}

static void bench_extraction(const char *name) {
    struct found_score s = found_score_file(name, false);
    (void)printf("{\"file\":\"%s\",\"texts\":%d,\"right\":%.2f}\n", name, s.all,
                 100.0 * s.right / s.all);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        bench_file(argv[i]);
    }
    bench_extraction("extraction.jsonl");
    return 0;
}
