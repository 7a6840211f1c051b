/* stumper score: how many kept problems are truly right and truly unsolved, by the simulator's own
 * account. The judgement is in sim/score.c. */
#include "cli/cmd.h"
#include "cli/planted.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>

#define SCORE_ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024 * 1024)
#define SCORE_JSON_BYTES_MAX ((size_t)4096)

/* A count, and what it is a share of. */
struct score_row {
    const char *key, *label;
    int64_t n, of; /* of -1: of nothing */
};

#define SCORE_ROWS 12

static void score_rows(const struct score *s, struct score_row ret[SCORE_ROWS]) {
    int64_t known = s->kept - s->unknown;
    const struct score_row rows[SCORE_ROWS] = {
        {"kept", "kept", s->kept, -1},
        {"unknown", "unknown to the simulator", s->unknown, -1},
        {"key_right", "stated answer truly right", s->key_right, known},
        {"key_wrong", "stated answer wrong", s->key_wrong, known},
        {"unsolved", "truly unsolved", s->unsolved, known},
        {"falsely_kept", "falsely kept: the target was right", s->solved, known},
        {"unsure", "target's answer neither right nor planted", s->unsure, known},
        {"good", "truly right and truly unsolved", s->good, known},
        {"judged", "verdicts on a right stated answer", s->judged, -1},
        {"by_proof", "by proof, without asking the checker", s->by_proof, s->judged},
        {"false_accepts", "false accepts: called different, was right", s->false_accepts,
         s->accepts},
        {"false_solves", "false solves: called the same, was wrong", s->false_solves, s->solves},
    };
    for (int i = 0; i < SCORE_ROWS; i++) {
        ret[i] = rows[i];
    }
}

static void score_print(const struct score_row *rows) {
    for (int i = 0; i < SCORE_ROWS; i++) {
        (void)printf("%-42s %8" PRId64, rows[i].label, rows[i].n);
        if (rows[i].of > 0) {
            (void)printf("  %5.1f %%", 100 * (double)rows[i].n / (double)rows[i].of);
        }
        (void)printf("\n");
    }
}

static void score_print_json(const struct score_row *rows) {
    struct sbuf out;
    struct jwrite w;
    sbuf_init(&out, SCORE_JSON_BYTES_MAX);
    jwrite_init(&w, &out);
    jwrite_object(&w);
    for (int i = 0; i < SCORE_ROWS; i++) {
        jwrite_key(&w, rows[i].key);
        jwrite_int(&w, rows[i].n);
    }
    jwrite_end(&w);
    (void)printf("%.*s\n", STR_ARG(sbuf_str(&out)));
    sbuf_release(&out);
}

static int score_run(const char *problems, const char *truth, bool json) {
    struct arena a;
    struct score s;
    struct errinfo why = {0};
    struct score_row rows[SCORE_ROWS];
    arena_init(&a, SCORE_ARENA_BYTES_MAX);
    score_init(&s, &a);
    enum err e = planted_read_truth(&s, truth, &why);
    if (e == ERR_OK) {
        e = planted_read_problems(&s, problems, &why);
    }
    if (e == ERR_OK) {
        score_rows(&s, rows);
        (json ? score_print_json : score_print)(rows);
    }
    score_release(&s);
    arena_release(&a);
    return e == ERR_OK ? EXIT_DONE : cmd_fail("score", EXIT_FAILED, "%s", errinfo_text(&why, e));
}

int cmd_score(int argc, char **argv) {
    const char *truth = NULL;
    bool json = false;
    const struct opt rows[] = {
        {.name = "truth",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &truth,
         .required = true,
         .argv_only = true,
         .help = "what `stumper sim --truth FILE` wrote"},
        {.name = "json", .kind = OPT_FLAG, .to = &json, .argv_only = true, .help = "as JSON"},
    };
    const struct opt_command command = {
        .name = "score",
        .summary = "kept problems against what the simulator planted",
        .args = "PROBLEMS.jsonl",
        .about =
            "The simulator knows which answers are right. This tells how many of the kept "
            "problems have a right answer and were truly missed by the target, how many mistakes "
            "of the models came through, and how often the verdict on two answers was wrong "
            "(solved problems count there, too, if the file has them: --keep all).",
        .examples = "  stumper score problems.jsonl --truth truth.jsonl\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_min = 1,
        .args_max = 1,
    };
    struct arena a;
    struct opt_result options;
    int code;
    arena_init(&a, (size_t)1024 * 1024);
    if (cmd_options(&command, argc, argv, &a, &options, &code)) {
        code = score_run(options.args[0], truth, json);
    }
    arena_release(&a);
    return code;
}
