/* stumper score: how many kept problems are truly right and truly unsolved, by the simulator's own
 * account. The judgement is in sim/score.c. */
#include "cli/cmd.h"
#include "cli/lines.h"
#include "sim/score.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>

#define SCORE_ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024 * 1024)
#define SCORE_LINE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SCORE_JSON_BYTES_MAX ((size_t)4096)

struct score_row {
    const char *key, *label;
    int64_t n;
};

#define SCORE_ROWS 8

static void score_rows(const struct score *s, struct score_row ret[SCORE_ROWS]) {
    const struct score_row rows[SCORE_ROWS] = {
        {"kept", "kept", s->kept},
        {"unknown", "unknown to the simulator", s->unknown},
        {"key_right", "stated answer truly right", s->key_right},
        {"key_wrong", "stated answer wrong", s->key_wrong},
        {"unsolved", "truly unsolved", s->unsolved},
        {"falsely_kept", "falsely kept: the target was right", s->solved},
        {"unsure", "target's answer neither right nor planted", s->unsure},
        {"good", "truly right and truly unsolved", s->good},
    };
    for (int i = 0; i < SCORE_ROWS; i++) {
        ret[i] = rows[i];
    }
}

static void score_print(const struct score_row *rows) {
    int64_t known = rows[0].n - rows[1].n;
    for (int i = 0; i < SCORE_ROWS; i++) {
        (void)printf("%-42s %8" PRId64, rows[i].label, rows[i].n);
        if (i >= 2 && known > 0) {
            (void)printf("  %5.1f %%", 100 * (double)rows[i].n / (double)known);
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

/* Give every line of a file to @take. */
static enum err score_read(struct score *s, const char *path,
                           enum err (*take)(struct score *s, struct str line, struct arena *a,
                                            struct errinfo *reterr),
                           struct errinfo *reterr) {
    struct lines l;
    struct str line;
    struct arena a;
    enum err e = lines_open(&l, path, reterr);
    if (e != ERR_OK) {
        return e;
    }
    arena_init(&a, SCORE_LINE_BYTES_MAX);
    while (e == ERR_OK && lines_next(&l, &line)) {
        e = take(s, line, &a, reterr);
        if (e != ERR_OK) {
            e = errinfo_wrap(reterr, e, "%s line %" PRId64, path, l.number);
        }
        arena_reset(&a);
    }
    arena_release(&a);
    enum err closed = lines_close(&l, e == ERR_OK ? reterr : NULL);
    return e != ERR_OK ? e : closed;
}

/* A line that a crash cut off is passed over. */
static enum err score_take_truth(struct score *s, struct str line, struct arena *a,
                                 struct errinfo *reterr) {
    const struct jnode *j;
    if (lines_parse(line, a, &j, NULL) == ERR_OK && !score_add_truth(s, j)) {
        return errinfo_set(reterr, ERR_INVALID, "this is not what `stumper sim --truth` writes");
    }
    return ERR_OK;
}

static enum err score_take_problem(struct score *s, struct str line, struct arena *a,
                                   struct errinfo *reterr) {
    const struct jnode *j;
    enum err e = lines_parse(line, a, &j, reterr);
    if (e == ERR_OK && jnode_type(jnode_get(j, "status")) != JNODE_STRING) {
        e = errinfo_set(reterr, ERR_INVALID, "this is not a problem that `stumper generate` wrote");
    }
    if (e == ERR_OK) {
        score_add_problem(s, j);
    }
    return e;
}

static int score_run(const char *problems, const char *truth, bool json) {
    struct arena a;
    struct score s;
    struct errinfo why = {0};
    struct score_row rows[SCORE_ROWS];
    arena_init(&a, SCORE_ARENA_BYTES_MAX);
    score_init(&s, &a);
    enum err e = score_read(&s, truth, score_take_truth, &why);
    if (e == ERR_OK) {
        e = score_read(&s, problems, score_take_problem, &why);
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
        .about = "The simulator knows which answers are right. This tells how many of the kept "
                 "problems have a right answer and were truly missed by the target, and how many "
                 "mistakes of the models came through.",
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
