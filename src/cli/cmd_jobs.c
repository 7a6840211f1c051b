/* stumper jobs: the jobs of a running service. A row of `actions` for each word that may follow. */
#include "base/clock.h"
#include "cli/cmd.h"
#include "cli/grid.h"
#include "cli/output.h"
#include "cli/watch.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define JOBS_ARENA_BYTES_MAX ((size_t)4 << 30)
#define JOBS_TEXT_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define JOBS_PAGE 500

struct jobs {
    struct arena arena;
    struct client client;
    struct opt_result options;
    const char *id; /* NULL: the action takes none */
    const char *status, *name, *output;
    int64_t limit;
    int format, keep;
    bool json, quiet, json_progress;
    struct errinfo why;
};

static enum err jobs_ask(struct jobs *j, const char *method, const char *path,
                         struct client_reply *ret) {
    return client_ask(&j->client, method, path, S(""), ret, &j->why);
}

static const char *jobs_path(struct jobs *j, const char *what) {
    return str_fmt(&j->arena, "/jobs/%s%s", j->id, what).p;
}

/* --- list and show */

static void jobs_print_row(struct jobs *j, struct grid *t, const struct jnode *job) {
    const struct jnode *counts = jnode_get(job, "counts"), *usage = jnode_get(job, "usage");
    (void)j;
    grid_cell(t, "%.*s", STR_ARG(jnode_get_str(job, "job_id")));
    grid_cell(t, "%.*s", STR_ARG(jnode_get_str(job, "status")));
    grid_cell(t, "%" PRId64 "/%" PRId64, jnode_get_int(counts, "accepted", 0),
              jnode_get_int(counts, "wanted", 0));
    grid_cell(t, "%" PRId64, jnode_get_int(counts, "in_flight", 0));
    double cost_usd = jnode_real(jnode_get(usage, "cost_usd"), -1);
    if (cost_usd >= 0) {
        grid_cell(t, "$%.4g%s", cost_usd, jnode_get_int(usage, "calls_unpriced", 0) > 0 ? "+" : "");
    } else {
        grid_cell(t, "unknown");
    }
    grid_cell(t, "%.*s", STR_ARG(str_take(jnode_get_str(job, "created_at"), 19)));
    grid_cell(t, "%.*s", STR_ARG(jnode_get_str(job, "name")));
}

static void jobs_print_grid(const struct grid *t) {
    struct sbuf out;
    sbuf_init(&out, JOBS_TEXT_BYTES_MAX);
    grid_write(t, 0, &out);
    (void)fputs(sbuf_str(&out).p, stdout);
    sbuf_release(&out);
}

static enum err jobs_list(struct jobs *j, int *ret_code) {
    static const char *const heads[] = {"job",  "status",  "accepted", "in flight",
                                        "cost", "created", "name"};
    struct client_reply reply;
    struct grid t;
    struct sbuf path;
    (void)ret_code;
    sbuf_init(&path, 4096);
    sbuf_addf(&path, "/jobs?limit=%" PRId64 "%s%s", j->limit, j->status != NULL ? "&status=" : "",
              j->status != NULL ? j->status : "");
    const char *text = str_dup(&j->arena, sbuf_str(&path)).p;
    sbuf_release(&path);
    enum err e = jobs_ask(j, "GET", text, &reply);
    if (e != ERR_OK) {
        return e;
    }
    const struct jnode *data = jnode_get(reply.json, "data");
    if (j->json) {
        (void)printf("%.*s\n", STR_ARG(reply.body));
        return ERR_OK;
    }
    grid_init(&t, &j->arena, "llrrrll");
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        grid_cell(&t, "%s", heads[i]);
    }
    for (size_t i = 0; i < jnode_len(data); i++) {
        jobs_print_row(j, &t, jnode_at(data, i));
    }
    jobs_print_grid(&t);
    if (jnode_bool(jnode_get(reply.json, "has_more"), false)) {
        (void)printf("… there are older ones; --limit 100 or --status show others\n");
    }
    return ERR_OK;
}

/* What of the calls was paid for by earlier jobs. */
static void jobs_print_calls(const struct jnode *usage) {
    int64_t reused = jnode_get_int(usage, "calls_reused", 0);
    (void)printf("  %-10s %" PRId64, "calls", jnode_get_int(usage, "calls", 0));
    if (reused > 0) {
        (void)printf(", %" PRId64 " of them answered from the cache", reused);
    }
    (void)printf("\n");
}

static void jobs_print_one(struct jobs *j, const struct jnode *job) {
    const struct jnode *counts = jnode_get(job, "counts"), *value;
    struct str key, reason = jnode_get_str(job, "reason");
    struct grid t;
    grid_init(&t, &j->arena, "llrrrll");
    jobs_print_row(j, &t, job);
    jobs_print_grid(&t);
    if (reason.n > 0) {
        (void)printf("  reason     %.*s\n", STR_ARG(reason));
    }
    for (void *it = jnode_next(counts, NULL, &key, &value); it != NULL;
         it = jnode_next(counts, it, &key, &value)) {
        (void)printf("  %-10.*s %" PRId64 "\n", STR_ARG(key), jnode_int(value, 0));
    }
    jobs_print_calls(jnode_get(job, "usage"));
}

static enum err jobs_show(struct jobs *j, int *ret_code) {
    struct client_reply reply;
    (void)ret_code;
    enum err e = jobs_ask(j, "GET", jobs_path(j, ""), &reply);
    if (e == ERR_OK && j->json) {
        (void)printf("%.*s\n", STR_ARG(reply.body));
    } else if (e == ERR_OK) {
        jobs_print_one(j, reply.json);
    }
    return e;
}

/* --- steering */

static enum err jobs_steer(struct jobs *j, const char *verb) {
    struct client_reply reply;
    enum err e = jobs_ask(j, "POST", jobs_path(j, str_fmt(&j->arena, "/%s", verb).p), &reply);
    if (e == ERR_OK) {
        (void)printf("%s is %.*s\n", j->id, STR_ARG(jnode_get_str(reply.json, "status")));
    }
    return e;
}

static enum err jobs_cancel(struct jobs *j, int *ret_code) {
    (void)ret_code;
    return jobs_steer(j, "cancel");
}

static enum err jobs_pause(struct jobs *j, int *ret_code) {
    (void)ret_code;
    return jobs_steer(j, "pause");
}

static enum err jobs_resume(struct jobs *j, int *ret_code) {
    (void)ret_code;
    return jobs_steer(j, "resume");
}

static enum err jobs_delete(struct jobs *j, int *ret_code) {
    struct client_reply reply;
    (void)ret_code;
    enum err e = jobs_ask(j, "DELETE", jobs_path(j, ""), &reply);
    if (e == ERR_OK) {
        (void)printf("%s is deleted\n", j->id);
    }
    return e;
}

static enum err jobs_watch(struct jobs *j, int *ret_code) {
    struct progress progress;
    progress_init(&progress,
                  progress_mode_for(j->quiet, j->json_progress, STDERR_FILENO, cmd_getenv),
                  STDERR_FILENO, cmd_getenv, clock_mono_ms());
    return watch_job(&j->client, j->id, &progress, ret_code, &j->why);
}

/* --- problems */

/* One page into @to; *@after moves on. */
static enum err jobs_take_page(struct jobs *j, struct output *to, int64_t *after, bool *more) {
    struct client_reply reply;
    struct arena *all = j->client.a, page;
    arena_init(&page, CLIENT_REPLY_BYTES_MAX * 4);
    j->client.a = &page;
    const char *path =
        str_fmt(&page, "/jobs/%s/results?limit=%d&starting_after=%" PRId64 "&status=%s", j->id,
                JOBS_PAGE, *after, j->keep == OUTPUT_ALL ? "all" : "accepted")
            .p;
    enum err e = jobs_ask(j, "GET", path, &reply);
    const struct jnode *data = e == ERR_OK ? jnode_get(reply.json, "data") : NULL;
    for (size_t i = 0; i < jnode_len(data) && e == ERR_OK; i++) {
        e = output_add(to, jnode_text(jnode_at(data, i), &page), &j->why);
    }
    if (e == ERR_OK) {
        *after = jnode_get_int(reply.json, "next", *after);
        *more = jnode_bool(jnode_get(reply.json, "has_more"), false);
    }
    j->client.a = all;
    arena_release(&page);
    return e;
}

static enum err jobs_write(struct jobs *j, const char *path, int64_t *ret_n) {
    struct output *to;
    int64_t after = 0;
    bool more = true;
    enum err e = output_begin((enum output_format)j->format, path, &to, &j->why);
    if (e != ERR_OK) {
        return e;
    }
    while (e == ERR_OK && more) {
        e = jobs_take_page(j, to, &after, &more);
    }
    return output_end(to, e, ret_n, &j->why);
}

static enum err jobs_results(struct jobs *j, int *ret_code) {
    int64_t n;
    (void)ret_code;
    return jobs_write(j, "-", &n);
}

static enum err jobs_export(struct jobs *j, int *ret_code) {
    static const char *const endings[] = {"jsonl", "json", "csv", "chat.jsonl"};
    const char *path =
        j->output != NULL ? j->output : str_fmt(&j->arena, "%s.%s", j->id, endings[j->format]).p;
    int64_t n = 0;
    (void)ret_code;
    enum err e = jobs_write(j, path, &n);
    if (e == ERR_OK && strcmp(path, "-") != 0) {
        (void)printf("%s: %" PRId64 " problem%s\n", path, n, n == 1 ? "" : "s");
    }
    return e;
}

/* --- the command */

static const struct jobs_action {
    const char *name;
    bool takes_id;
    enum err (*run)(struct jobs *j, int *ret_code);
} actions[] = {
    {"list", false, jobs_list},      {"show", true, jobs_show},     {"watch", true, jobs_watch},
    {"cancel", true, jobs_cancel},   {"pause", true, jobs_pause},   {"resume", true, jobs_resume},
    {"results", true, jobs_results}, {"export", true, jobs_export}, {"delete", true, jobs_delete},
};

static int jobs_run(struct jobs *j) {
    const struct jobs_action *action = NULL;
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].name, j->options.args[0]) == 0) {
            action = &actions[i];
        }
    }
    if (action == NULL) {
        return cmd_fail("jobs", EXIT_USAGE,
                        "'%s' is none of list, show, watch, cancel, pause, resume, results, "
                        "export, delete",
                        j->options.args[0]);
    }
    if (action->takes_id != (j->options.args_n > 1)) {
        return cmd_fail("jobs", EXIT_USAGE,
                        action->takes_id ? "%s wants a job's id; stumper jobs list shows them"
                                         : "%s takes no job's id",
                        action->name);
    }
    j->id = action->takes_id ? j->options.args[1] : NULL;
    if (j->id != NULL &&
        (strspn(j->id, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(j->id))) {
        return cmd_fail("jobs", EXIT_USAGE, "'%s' is no job's id", j->id);
    }
    int code = EXIT_DONE;
    client_init(&j->client, &j->arena);
    enum err e = action->run(j, &code);
    client_release(&j->client);
    return e == ERR_OK ? code : cmd_fail("jobs", EXIT_FAILED, "%s", errinfo_text(&j->why, e));
}

int cmd_jobs(int argc, char **argv) {
    struct jobs j = {0};
    const struct opt rows[] = {
        {.name = "status",
         .kind = OPT_STR,
         .value = "STATE",
         .to = &j.status,
         .argv_only = true,
         .help = "list: only jobs in this state"},
        {.name = "limit",
         .kind = OPT_INT,
         .value = "N",
         .to = &j.limit,
         .min = 1,
         .max = 100,
         .otherwise = "20",
         .argv_only = true,
         .help = "list: so many, newest first"},
        {.name = "json",
         .kind = OPT_FLAG,
         .to = &j.json,
         .argv_only = true,
         .help = "list, show: as JSON"},
        {.name = "output",
         .letter = 'o',
         .kind = OPT_STR,
         .value = "FILE",
         .to = &j.output,
         .argv_only = true,
         .help = "export: where to; - is standard output"},
        {.name = "format",
         .kind = OPT_ENUM,
         .value = "FORMAT",
         .to = &j.format,
         .names = output_formats,
         .otherwise = "jsonl",
         .argv_only = true,
         .help = "results, export: jsonl, json, csv or chat"},
        {.name = "keep",
         .kind = OPT_ENUM,
         .value = "WHICH",
         .to = &j.keep,
         .names = output_keeps,
         .otherwise = "accepted",
         .argv_only = true,
         .help = "results, export: accepted or all"},
        {.name = "quiet",
         .kind = OPT_FLAG,
         .to = &j.quiet,
         .argv_only = true,
         .help = "watch: show nothing"},
        {.name = "json-progress",
         .kind = OPT_FLAG,
         .to = &j.json_progress,
         .argv_only = true,
         .help = "watch: one JSON object a second on standard error"},
        client_row(&j.client),
    };
    const struct opt_command command = {
        .name = "jobs",
        .summary = "the jobs of a running service: look, follow, steer, fetch",
        .args = "list|show|watch|cancel|pause|resume|results|export|delete [JOB_ID]",
        .about =
            "list shows the newest jobs, show one of them. watch follows a job with the display "
            "of generate and exits as generate would. cancel, pause and resume steer it. results "
            "prints its problems, export writes them to a file, both also while it runs. delete "
            "removes a job that has ended.",
        .examples = "  stumper jobs list --status running\n"
                    "  stumper jobs watch job_0199f3a2c4d57c318b1e5f0a9c2d7e41\n"
                    "  stumper jobs export job_0199f3a2c4d57c318b1e5f0a9c2d7e41 --format csv\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_min = 1,
        .args_max = 2,
    };
    int code;
    arena_init(&j.arena, JOBS_ARENA_BYTES_MAX);
    if (cmd_options(&command, argc, argv, &j.arena, &j.options, &code)) {
        code = jobs_run(&j);
    }
    arena_release(&j.arena);
    return code;
}
