/* stumper generate: what is wanted (flags, environment, stumper.yaml, --spec) becomes one job; the
 * job runs on a store beside the output file (run.h); what it made is written out, and the summary
 * says how it went. */
#include "base/clock.h"
#include "cli/call_options.h"
#include "cli/job_options.h"
#include "cli/output.h"
#include "cli/planted.h"
#include "cli/progress.h"
#include "cli/reuse.h"
#include "cli/run.h"
#include "cli/sim_child.h"
#include "cli/summary.h"
#include "io/limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GENERATE_LINE_BYTES_MAX ((size_t)512 * 1024 * 1024)
#define GENERATE_STATE_DEFAULT "stumper.db"        /* when the problems go to standard output */
#define GENERATE_ARENA_BYTES_MAX ((size_t)4 << 30) /* millions of seeds */

/* Where the options that do not say what the job is put their values. */
struct generate_flags {
    const char *output, *state, *config, *cache;
    bool cache_engineer;
    int format, keep;
    bool fresh, quiet, json_progress;
};

struct generate {
    struct arena arena;
    struct generate_flags flags;
    struct job_options job;
    struct call_options call;
    struct opt rows[OPT_ROWS_MAX];
    struct opt_command command;
    struct opt_result options; /* points into the two above */
    struct config config;
    struct llm_config llm;
    struct reuse reuse;
    struct job_spec spec;
    struct prompts prompts;
    struct sim_child sim;
    const char *truth; /* what it planted; NULL: it was not started */
    const char *output, *state;
    struct progress progress;
    struct llm_stats stats;
    int64_t began_ms;
    struct run_result result;
    struct errinfo why;
};

#define GENERATE_BATCH_REQUESTS_MAX 64 /* batches are made and looked at by few */

static const char generate_examples[] =
    "# 20 problems without any key, from the simulator\n"
    "stumper generate -n 20 --engineer sim/engineer --checker sim/checker --target sim/target\n"
    "\n"
    "# real models, at most five dollars, 200 attempts at once\n"
    "stumper generate -n 500 --engineer openai/gpt-5.4-mini --checker openai/gpt-5.4 \\\n"
    "    --target openai/gpt-5.4-nano --concurrency 200 --max-cost 5 -o hard.jsonl\n"
    "\n"
    "# a killed run goes on with the same command; --fresh starts over\n";

/* How calls are paid for. */
static size_t generate_cache_rows(struct generate_flags *f, struct opt *ret) {
    const struct opt rows[] = {
        {.name = "cache",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &f->cache,
         .help = "keep answers there, and take them from there instead of paying for the same call "
                 "in another job"},
        {.name = "cache-engineer",
         .kind = OPT_FLAG,
         .to = &f->cache_engineer,
         .help = "the engineer's answers, too: the same problems again"},
    };
    memcpy(ret, rows, sizeof rows);
    return ARRAY_LEN(rows);
}

/* Where everything goes, and what is shown. */
static size_t generate_output_rows(struct generate_flags *f, struct opt *ret) {
    const struct opt rows[] = {
        {.group = "Where it goes",
         .name = "output",
         .letter = 'o',
         .kind = OPT_STR,
         .value = "FILE",
         .to = &f->output,
         .help = "the problems; -: standard output; without it problems.jsonl"},
        {.name = "format",
         .kind = OPT_ENUM,
         .value = "FORM",
         .names = output_formats,
         .to = &f->format,
         .otherwise = "jsonl",
         .help = "form of the output"},
        {.name = "keep",
         .kind = OPT_ENUM,
         .value = "WHICH",
         .names = output_keeps,
         .to = &f->keep,
         .otherwise = "accepted",
         .help = "which problems to write out"},
        {.name = "state",
         .kind = OPT_STR,
         .value = "FILE.db",
         .to = &f->state,
         .argv_only = true,
         .help = "where the run remembers everything; without it OUTPUT.db"},
        {.name = "fresh",
         .kind = OPT_FLAG,
         .to = &f->fresh,
         .argv_only = true,
         .help = "start over; the old state is moved aside"},
        {.group = "Display and configuration",
         .name = "quiet",
         .letter = 'q',
         .kind = OPT_FLAG,
         .to = &f->quiet,
         .help = "errors only"},
        {.name = "json-progress",
         .kind = OPT_FLAG,
         .to = &f->json_progress,
         .argv_only = true,
         .help = "progress as JSON lines on standard error"},
        {.name = "config",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &f->config,
         .argv_only = true,
         .help = "configuration; without it stumper.yaml in this folder, if it is there"},
    };
    memcpy(ret, rows, sizeof rows);
    return ARRAY_LEN(rows);
}

static bool generate_options(struct generate *g, int argc, char **argv, int *ret_code) {
    job_options_rows(&g->job, g->rows);
    size_t n = JOB_OPTIONS_ROWS;
    call_options_rows(&g->call, g->rows + n);
    n += CALL_OPTIONS_ROWS;
    n += generate_cache_rows(&g->flags, g->rows + n);
    n += generate_output_rows(&g->flags, g->rows + n);
    g->command = (struct opt_command){
        .name = "generate",
        .summary = "make problems that are valid and that the target model fails",
        .about = "Keeps many attempts in flight: the engineer writes a problem, the checker "
                 "validates it, the "
                 "target attempts it, the checker judges. Kept is what is valid and unsolved. "
                 "Every paid answer "
                 "is stored at once, so a killed run goes on with the same command.",
        .examples = generate_examples,
        .rows = g->rows,
        .rows_n = n};
    return config_options(&g->command, argc, argv, &g->arena, &g->flags.config, &g->config,
                          &g->options, ret_code);
}

static void generate_choose_paths(struct generate *g) {
    static const char *const defaults[] = {"problems.jsonl", "problems.json", "problems.csv",
                                           "problems.chat.jsonl"};
    const struct generate_flags *f = &g->flags;
    g->output = f->output != NULL ? f->output : defaults[f->format];
    g->state = f->state != NULL              ? f->state
               : strcmp(g->output, "-") == 0 ? GENERATE_STATE_DEFAULT
                                             : str_fmt(&g->arena, "%s.db", g->output).p;
}

static bool generate_is_there(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

/* Before anything is paid for: can the output be written, and would it cost anybody a file? What
 * has its state beside it can be written again from there. */
static enum err generate_check_output(struct generate *g) {
    const char *slash = strrchr(g->output, '/');
    const char *folder = slash == NULL ? "."
                         : slash == g->output
                             ? "/"
                             : str_fmt(&g->arena, "%.*s", (int)(slash - g->output), g->output).p;
    if (strcmp(g->output, "-") == 0) {
        return ERR_OK;
    }
    if (access(folder, F_OK) != 0) {
        return errinfo_set(&g->why, ERR_USAGE, "--output %s: %s: %s", g->output, folder,
                           strerror(errno));
    }
    if (!g->flags.fresh && generate_is_there(g->output) && !generate_is_there(g->state)) {
        return errinfo_set(&g->why, ERR_USAGE,
                           "%s is there already, and what made it is not (%s): choose another "
                           "output, or let it be replaced with --fresh",
                           g->output, g->state);
    }
    return ERR_OK;
}

static bool generate_wants_sim(const struct generate *g) {
    bool wanted = false;
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct job_models *models = &g->spec.models[role];
        for (size_t i = 0; i < models->n; i++) {
            wanted = wanted || str_eq(models->v[i].provider, S("sim"));
        }
    }
    return wanted && llm_config_find(&g->llm, S("sim")) == NULL;
}

/* A provider "sim" on a port of its own. */
static enum err generate_start_sim(struct generate *g) {
    if (!generate_wants_sim(g)) {
        return ERR_OK;
    }
    g->truth = str_fmt(&g->arena, "%s.truth.jsonl", g->state).p;
    enum err e =
        sim_child_provide(&g->sim, g->truth, str_of(g->call.sim), &g->llm, &g->arena, &g->why);
    if (e == ERR_OK) {
        progress_note(&g->progress,
                      "started a simulated provider on 127.0.0.1:%d (what it planted: %s)",
                      g->sim.port, g->truth);
    }
    return e;
}

static enum err generate_check_price(struct generate *g, enum role role) {
    for (size_t i = 0; i < g->spec.models[role].n; i++) {
        const struct model_name *m = &g->spec.models[role].v[i];
        if (llm_config_price(&g->llm, m) == NULL) {
            return errinfo_set(&g->why, ERR_INVALID,
                               "--max-cost: the price of %.*s/%.*s (%s) is not known; say it with "
                               "--price %.*s/%.*s=IN,OUT (dollars per million tokens)",
                               STR_ARG(m->provider), STR_ARG(m->model), role_name(role),
                               STR_ARG(m->provider), STR_ARG(m->model));
        }
    }
    return ERR_OK;
}

/* A budget can be held only over calls whose price is known. */
static enum err generate_check_prices(struct generate *g) {
    enum err e = ERR_OK;
    for (int role = 0; g->spec.max_cost_nusd != MONEY_UNKNOWN && role < ROLE_COUNT; role++) {
        e = e == ERR_OK ? generate_check_price(g, (enum role)role) : e;
    }
    return e;
}

static enum err generate_check_batches(struct generate *g) {
    enum err e = ERR_OK;
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct job_models *models = &g->spec.models[role];
        for (size_t i = 0; i < models->n && e == ERR_OK; i++) {
            bool own_sim = str_eq(models->v[i].provider, S("sim")) && generate_wants_sim(g);
            e = own_sim ? ERR_OK : llm_config_check_batches(&g->llm, &models->v[i], &g->why);
        }
    }
    return e == ERR_OK ? e : errinfo_wrap(&g->why, e, "--mode batch");
}

/* How many attempts there may be at once, and how many connections that takes. */
static enum err generate_set_scale(struct generate *g) {
    if (!g->spec.batches) {
        g->llm.in_flight_max = g->spec.concurrency;
        return limits_check_connections(g->spec.concurrency, &g->why);
    }
    g->llm.in_flight_max = GENERATE_BATCH_REQUESTS_MAX;
    return generate_check_batches(g);
}

static enum err generate_prepare(struct generate *g) {
    enum err e =
        call_options_config(&g->call, &g->options, &g->config, false, &g->arena, &g->llm, &g->why);
    if (e == ERR_OK) {
        e = job_options_spec(&g->job, &g->options, &g->arena, &g->spec, &g->why);
    }
    if (e == ERR_OK && g->spec.webhook_url.n > 0) {
        e = errinfo_set(&g->why, ERR_USAGE, "webhook_url: only `stumper serve` delivers webhooks");
    }
    if (e == ERR_OK) {
        e = load_prompts(g->job.prompts, g->spec.seeds_n > 0, &g->arena, &g->prompts, &g->why);
    }
    if (e == ERR_OK) {
        e = generate_set_scale(g);
    }
    if (e == ERR_OK) {
        e = generate_check_prices(g);
    }
    return e;
}

static enum err generate_set_aside(struct generate *g) {
    char moved_to[4096];
    if (!g->flags.fresh || access(g->state, F_OK) != 0) {
        return ERR_OK;
    }
    enum err e = store_set_aside(g->state, moved_to, &g->why);
    if (e == ERR_OK) {
        progress_note(&g->progress, "moved the old state to %s", moved_to);
    }
    return e;
}

static void generate_tick(void *ctx, const struct work_view *view, const struct llm_stats *stats) {
    struct generate *g = ctx;
    g->stats = *stats;
    progress_update(&g->progress, view, stats, clock_mono_ms());
}

static void generate_interrupted(void *ctx, const struct work_view *view) {
    struct generate *g = ctx;
    progress_interrupted(&g->progress, view, g->spec.batches);
}

/* No run fails by its cache. */
static void generate_close_cache(struct generate *g) {
    struct errinfo why = {0};
    enum err e = reuse_close(&g->reuse, &why);
    if (e != ERR_OK) {
        progress_note(&g->progress, "%s: not all answers could be kept or used: %s", g->flags.cache,
                      errinfo_text(&why, e));
    }
}

static enum err generate_run(struct generate *g) {
    const struct run_options options = {.state_path = g->state,
                                        .spec = &g->spec,
                                        .prompts = &g->prompts,
                                        .llm = &g->llm,
                                        .tick = generate_tick,
                                        .interrupted = generate_interrupted,
                                        .ctx = g};
    enum err e = generate_set_aside(g);
    if (e == ERR_OK) {
        e = generate_start_sim(g);
    }
    if (e == ERR_OK) {
        e = reuse_open(&g->reuse, g->flags.cache, g->flags.cache_engineer, &g->llm, &g->why);
    }
    if (e == ERR_OK) {
        e = run_job(&options, &g->result, &g->why);
    }
    generate_close_cache(g);
    sim_child_stop(&g->sim);
    progress_end(&g->progress);
    return e;
}

struct generate_scoring {
    struct score *score;
    struct arena line;
};

static bool generate_score_row(void *ctx, const struct problem_row *row) {
    struct generate_scoring *to = ctx;
    const struct jnode *line;
    if (jnode_parse(row->line, &to->line, &line, NULL) == ERR_OK) {
        score_add_problem(to->score, line);
    }
    arena_reset(&to->line);
    return true;
}

/* The problems against what the run's own simulator planted. No score is no reason to fail. */
static bool generate_score(struct generate *g, struct store_reader *reader, const char *job_id,
                           struct score *ret) {
    struct generate_scoring to = {.score = ret};
    score_init(ret, &g->arena);
    if (g->truth == NULL || planted_read_truth(ret, g->truth, NULL) != ERR_OK) {
        return false;
    }
    arena_init(&to.line, GENERATE_LINE_BYTES_MAX);
    enum err e = store_read_problems(reader, job_id, ~0u, generate_score_row, &to, NULL);
    arena_release(&to.line);
    return e == ERR_OK;
}

/* Write the problems out and tell how it went. */
static enum err generate_report(struct generate *g) {
    struct store_reader *reader;
    struct job_row job;
    struct spend_row *spend = NULL;
    struct score score = {0};
    struct summary s = {.job = &job,
                        .stop = g->result.was_done ? STOP_DONE : g->result.view.sched.stop};
    enum err e = store_reader_open(g->state, &reader, &g->why);
    if (e != ERR_OK) {
        return e;
    }
    e = store_read_job(reader, NULL, &g->arena, &job, &g->why);
    if (e == ERR_OK) {
        e = store_read_spend(reader, job.id, &g->arena, &spend, &s.spend_n, &g->why);
    }
    if (e == ERR_OK) {
        e = output_write(reader, job.id, (enum output_format)g->flags.format,
                         (enum output_keep)g->flags.keep, g->output, &s.output_n, &g->why);
    }
    bool scored = e == ERR_OK && generate_score(g, reader, job.id, &score);
    store_reader_close(reader);
    s.score = scored ? &score : NULL;
    if (e == ERR_OK && !g->flags.quiet && !g->flags.json_progress) {
        s.spend = spend;
        s.view = g->result.was_done ? NULL : &g->result.view;
        s.stats = g->result.was_done ? NULL : &g->stats;
        s.elapsed_ms = clock_mono_ms() - g->began_ms;
        s.cause = g->result.view.error;
        s.fatal = g->result.view.fatal;
        s.fatal_detail = g->result.view.fatal_detail;
        s.output = g->output;
        s.state = g->state;
        summary_print(&s, stderr);
    }
    score_release(&score);
    return e;
}

static int generate_exit_code(const struct run_result *r) {
    if (r->was_done) {
        return EXIT_DONE;
    }
    if (r->view.fatal != ERR_OK) {
        return EXIT_FAILED;
    }
    switch (r->view.sched.stop) {
    case STOP_DONE:
        return EXIT_DONE;
    case STOP_INTERRUPTED:
        return EXIT_INTERRUPTED;
    case STOP_ERRORS:
        return r->view.sched.outcomes[OUTCOME_ACCEPTED] > 0 ? EXIT_SHORT : EXIT_FAILED;
    case STOP_NOT_YET:
    case STOP_MAX_ATTEMPTS:
    case STOP_MAX_COST:
    case STOP_DEADLINE:
    case STOP_STALLED:
    case STOP_CANCELLED:
    case STOP_COUNT:
        break;
    }
    return EXIT_SHORT;
}

static int generate(struct generate *g) {
    enum err e = generate_prepare(g);
    if (e != ERR_OK) {
        return cmd_fail("generate", EXIT_USAGE, "%s", errinfo_text(&g->why, e));
    }
    generate_choose_paths(g);
    e = generate_check_output(g);
    if (e != ERR_OK) {
        return cmd_fail("generate", EXIT_USAGE, "%s", errinfo_text(&g->why, e));
    }
    enum progress_mode mode =
        progress_mode_for(g->flags.quiet, g->flags.json_progress, STDERR_FILENO, cmd_getenv);
    g->began_ms = clock_mono_ms();
    progress_init(&g->progress, mode, STDERR_FILENO, cmd_getenv, g->began_ms);
    e = generate_run(g);
    if (e == ERR_OK) {
        e = generate_report(g);
    }
    if (e != ERR_OK) {
        return cmd_fail("generate", EXIT_FAILED, "%s", errinfo_text(&g->why, e));
    }
    if (g->result.view.fatal != ERR_OK) {
        return cmd_fail("generate", EXIT_FAILED, "%s: %s", g->state, g->result.view.fatal_detail);
    }
    return generate_exit_code(&g->result);
}

int cmd_generate(int argc, char **argv) {
    struct generate g = {0};
    int code;
    arena_init(&g.arena, GENERATE_ARENA_BYTES_MAX);
    if (generate_options(&g, argc, argv, &code)) {
        code = generate(&g);
    }
    arena_release(&g.arena);
    return code;
}
