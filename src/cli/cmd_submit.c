/* stumper submit: hand a job to a running service. */
#include "base/clock.h"
#include "cli/cmd.h"
#include "cli/load.h"
#include "cli/watch.h"

#include <stdio.h>
#include <unistd.h>

#define SUBMIT_ARENA_BYTES_MAX ((size_t)1024 * 1024 * 1024)

struct submit {
    struct arena arena;
    struct client client;
    struct opt_result options;
    const char *spec;
    bool wait, quiet, json_progress;
};

static int submit_wait(struct submit *s, const char *job_id) {
    struct progress progress;
    struct errinfo why;
    int code = EXIT_DONE;
    progress_init(&progress,
                  progress_mode_for(s->quiet, s->json_progress, STDERR_FILENO, cmd_getenv),
                  STDERR_FILENO, cmd_getenv, clock_mono_ms());
    enum err e = watch_job(&s->client, job_id, &progress, &code, &why);
    return e == ERR_OK ? code : cmd_fail("submit", EXIT_FAILED, "%s", errinfo_text(&why, e));
}

static int submit_run(struct submit *s) {
    struct errinfo why = {0};
    const struct jnode *spec;
    struct client_reply reply;
    enum err e = load_spec(s->spec, &s->arena, &spec, &why);
    if (e != ERR_OK) {
        return cmd_fail("submit", EXIT_USAGE, "--spec: %s", errinfo_text(&why, e));
    }
    client_init(&s->client, &s->arena);
    e = client_ask(&s->client, "POST", "/generate", jnode_text(spec, &s->arena), &reply, &why);
    int code = EXIT_DONE;
    if (e != ERR_OK) {
        code = cmd_fail("submit", e == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED, "%s",
                        errinfo_text(&why, e));
    } else {
        const char *job_id = str_cstr(&s->arena, jnode_get_str(reply.json, "job_id"));
        (void)printf("%s\n", job_id);
        (void)fflush(stdout);
        code = s->wait ? submit_wait(s, job_id) : EXIT_DONE;
    }
    client_release(&s->client);
    return code;
}

int cmd_submit(int argc, char **argv) {
    struct submit s = {0};
    const struct opt rows[] = {
        {.name = "spec",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &s.spec,
         .required = true,
         .argv_only = true,
         .help = "the job request in JSON, as for POST /generate; - is standard input"},
        {.name = "wait",
         .kind = OPT_FLAG,
         .to = &s.wait,
         .argv_only = true,
         .help = "stay, show how it goes, and exit with what became of it"},
        {.name = "quiet",
         .kind = OPT_FLAG,
         .to = &s.quiet,
         .argv_only = true,
         .help = "with --wait: show nothing meanwhile"},
        {.name = "json-progress",
         .kind = OPT_FLAG,
         .to = &s.json_progress,
         .argv_only = true,
         .help = "with --wait: one JSON object a second on standard error"},
        client_row(&s.client),
    };
    const struct opt_command command = {
        .name = "submit",
        .summary = "hand a job to a running service",
        .about = "Prints the job's id once the service has it on disk. With --wait it follows the "
                 "job to its end; Ctrl-C then ends the watching, not the job.",
        .examples = "  echo '{\"num_problems\": 20}' | stumper submit --spec - --wait\n"
                    "  stumper submit --spec job.json --server http://127.0.0.1:8080\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows)};
    int code;
    arena_init(&s.arena, SUBMIT_ARENA_BYTES_MAX);
    if (cmd_options(&command, argc, argv, &s.arena, &s.options, &code)) {
        code = submit_run(&s);
    }
    arena_release(&s.arena);
    return code;
}
