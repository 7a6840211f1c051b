/* stumper compare: are two final answers the same? One pair from the arguments, or a file of pairs.
 *
 * Pairs of a file are compared by helper processes, several at a time; a ring of those under way
 * keeps the lines in order. A line that is no pair is told as undecided in its place, so that line
 * n of the output always belongs to line n of the input. */
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/lines.h"
#include "worker/judge_pool.h"
#include "json/write.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COMPARE_RING 1024
#define COMPARE_LINE_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define COMPARE_DEADLINE_MS 100

/* What the shell gets. */
enum { COMPARE_EQUAL = 0, COMPARE_DIFFERENT = 1, COMPARE_UNDECIDED = 2 };

struct pair {
    struct judge_call call;
    struct arena arena; /* the texts */
    struct compare *owner;
    bool done;
};

struct compare {
    const char *path;
    bool json;
    struct answer_options options;
    int64_t choices, helpers, deadline_ms;

    struct judge_pool *pool;
    pthread_mutex_t lock; /* guards `done` and `awaited` */
    struct pair *awaited; /* the oldest, when somebody waits for it */
    pthread_cond_t progress;
    struct pair *ring; /* COMPARE_RING of them; pairs first..next - 1 are under way */
    size_t first, next;
    struct sbuf line;
};

static void write_result(struct sbuf *out, const struct answer_result *r) {
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    jwrite_key(&w, "verdict");
    jwrite_cstr(&w, answer_verdict_name(r->verdict));
    jwrite_key(&w, "certainty");
    jwrite_cstr(&w, answer_certainty_name(r->certainty));
    jwrite_key(&w, "confidence");
    jwrite_real(&w, r->confidence);
    jwrite_key(&w, "method");
    jwrite_cstr(&w, r->method);
    jwrite_key(&w, "reason");
    jwrite_cstr(&w, r->reason);
    jwrite_end(&w);
    sbuf_add_char(out, '\n');
}

/* --- a file of pairs --- */

static void pair_done(struct judge_call *call) {
    struct pair *pair = call->ctx;
    struct compare *c = pair->owner;
    (void)pthread_mutex_lock(&c->lock);
    pair->done = true;
    if (pair == c->awaited) {
        (void)pthread_cond_signal(&c->progress);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

/* Wait for the oldest pair and print it. */
static void print_oldest(struct compare *c) {
    struct pair *pair = &c->ring[c->first++ % COMPARE_RING];
    (void)pthread_mutex_lock(&c->lock);
    c->awaited = pair;
    while (!pair->done) {
        (void)pthread_cond_wait(&c->progress, &c->lock);
    }
    (void)pthread_mutex_unlock(&c->lock);
    sbuf_clear(&c->line);
    write_result(&c->line, &pair->call.result);
    (void)fputs(sbuf_str(&c->line).p, stdout);
    arena_reset(&pair->arena);
}

/* A member as text; a number stands for itself. False if there is none. */
static bool member_text(const struct jnode *j, const char *key, struct arena *a, struct str *ret) {
    const struct jnode *m = jnode_get(j, key);
    if (m == NULL || jnode_type(m) == JNODE_NULL) {
        return false;
    }
    *ret = jnode_type(m) == JNODE_STRING ? jnode_str(m) : jnode_text(m, a);
    return true;
}

static void refuse(struct pair *pair, const char *reason) {
    pair->call.result = (struct answer_result){
        .verdict = ANSWER_UNDECIDED, .certainty = ANSWER_NONE, .method = "input", .reason = reason};
    pair->done = true;
}

static void start_pair(struct compare *c, struct str line) {
    if (c->next - c->first == COMPARE_RING) {
        print_oldest(c);
    }
    struct pair *pair = &c->ring[c->next++ % COMPARE_RING];
    const struct jnode *j = NULL;
    struct errinfo why = {0};
    pair->owner = c;
    pair->done = false;
    pair->call = (struct judge_call){.options = c->options, .done = pair_done, .ctx = pair};
    if (line.n > COMPARE_LINE_BYTES_MAX) {
        refuse(pair, "the line is too long");
    } else if (lines_parse(line, &pair->arena, &j, &why) != ERR_OK) {
        refuse(pair, "the line is not JSON");
    } else if (!member_text(j, "gold", &pair->arena, &pair->call.gold) ||
               !(member_text(j, "pred", &pair->arena, &pair->call.given) ||
                 member_text(j, "given", &pair->arena, &pair->call.given))) {
        refuse(pair, "the line has no gold and pred");
    } else {
        judge_pool_submit(c->pool, &pair->call);
    }
}

static int compare_file(struct compare *c) {
    struct lines lines;
    struct str line;
    struct errinfo why = {0};
    enum err e = lines_open(&lines, c->path, &why);
    if (e != ERR_OK) {
        return cmd_fail("compare", EXIT_FAILED, "%s", errinfo_text(&why, e));
    }
    while (lines_next(&lines, &line)) {
        start_pair(c, line);
    }
    while (c->first < c->next) {
        print_oldest(c);
    }
    e = lines_close(&lines, &why);
    return e == ERR_OK ? EXIT_DONE : cmd_fail("compare", EXIT_FAILED, "%s", errinfo_text(&why, e));
}

/* --- one pair --- */

static int compare_two(struct compare *c, const char *gold, const char *given) {
    static const int codes[] = {
        [ANSWER_EQUAL] = COMPARE_EQUAL,
        [ANSWER_DIFFERENT] = COMPARE_DIFFERENT,
        [ANSWER_UNDECIDED] = COMPARE_UNDECIDED,
    };
    struct judge_call call = {.gold = str_of(gold), .given = str_of(given), .options = c->options};
    struct answer_result r = judge_pool_compare(c->pool, &call);
    if (c->json) {
        write_result(&c->line, &r);
        (void)fputs(sbuf_str(&c->line).p, stdout);
    } else if (r.verdict == ANSWER_UNDECIDED) {
        (void)printf("undecided: %s\n", r.reason);
    } else {
        (void)printf("%s, by %s: %s\n", answer_verdict_name(r.verdict),
                     answer_certainty_name(r.certainty), r.reason);
    }
    return codes[r.verdict];
}

static int compare_run(struct compare *c, const struct opt_result *options) {
    struct errinfo why = {0};
    bool file = c->path != NULL;
    if (file ? options->args_n != 0 : options->args_n != 2) {
        return cmd_fail("compare", EXIT_USAGE, "give GOLD and GIVEN, or --file FILE");
    }
    int64_t cores = (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
    int64_t helpers = !file ? 1 : c->helpers > 0 ? c->helpers : MAX(1, MIN(cores, 8));
    enum err e = judge_pool_new((int)helpers, (int)c->deadline_ms, &c->pool, &why);
    if (e != ERR_OK) {
        return cmd_fail("compare", EXIT_FAILED, "%s", errinfo_text(&why, e));
    }
    c->options.choices = (int)c->choices;
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->progress, NULL);
    sbuf_init(&c->line, 8192);
    c->ring = mem_new_array(COMPARE_RING, sizeof *c->ring);
    for (size_t i = 0; i < COMPARE_RING; i++) {
        arena_init(&c->ring[i].arena, 8 * COMPARE_LINE_BYTES_MAX);
    }
    int code = file ? compare_file(c) : compare_two(c, options->args[0], options->args[1]);
    for (size_t i = 0; i < COMPARE_RING; i++) {
        arena_release(&c->ring[i].arena);
    }
    judge_pool_free(c->pool);
    sbuf_release(&c->line);
    free(c->ring);
    return code;
}

int cmd_compare(int argc, char **argv) {
    struct compare c = {.deadline_ms = COMPARE_DEADLINE_MS};
    const struct opt rows[] = {
        {.name = "file",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &c.path,
         .argv_only = true,
         .help = "compare many: lines with gold and pred; - is standard input"},
        {.name = "json",
         .kind = OPT_FLAG,
         .to = &c.json,
         .argv_only = true,
         .help = "the verdict on two arguments as JSON (lines of a file always are)"},
        {.name = "choices",
         .kind = OPT_INT,
         .value = "N",
         .to = &c.choices,
         .max = 26,
         .argv_only = true,
         .help = "the question has N lettered choices: only a letter is an answer"},
        {.name = "order-matters",
         .kind = OPT_FLAG,
         .to = &c.options.order_matters,
         .argv_only = true,
         .help = "1, 2 is not 2, 1"},
        {.name = "units-matter",
         .kind = OPT_FLAG,
         .to = &c.options.units_matter,
         .argv_only = true,
         .help = "5 is not 5 cm"},
        {.name = "form-matters",
         .kind = OPT_FLAG,
         .to = &c.options.form_matters,
         .argv_only = true,
         .help = "2/4 is not 1/2"},
        {.name = "helpers",
         .kind = OPT_INT,
         .value = "N",
         .to = &c.helpers,
         .min = 1,
         .max = JUDGE_HELPERS_MAX,
         .argv_only = true,
         .help = "processes that compare the pairs of a file; without it one a core"},
        {.name = "deadline",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &c.deadline_ms,
         .min = 1,
         .max = JUDGE_DEADLINE_MS_MAX,
         .argv_only = true,
         .help = "a pair that takes longer is undecided (default 100ms)"},
    };
    const struct opt_command command = {
        .name = "compare",
        .summary = "are two final answers the same?",
        .args = "[GOLD GIVEN]",
        .about =
            "The exit code is 0 if they are equal, 1 if they are different, 2 if that cannot be "
            "decided. With --file each line of the file gives one line of output: verdict "
            "(equal, different, undecided), certainty (proof, evidence, none), confidence, "
            "method and reason.",
        .examples = "  stumper compare '\\frac{1}{2}' 0.5\n"
                    "  stumper compare --file cases.jsonl > verdicts.jsonl\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_max = 2,
    };
    struct arena a;
    struct opt_result options;
    int code;
    arena_init(&a, (size_t)1024 * 1024);
    if (cmd_options(&command, argc, argv, &a, &options, &code)) {
        code = compare_run(&c, &options);
    }
    arena_release(&a);
    return code;
}
