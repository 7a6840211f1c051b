/* The table of subcommands, nothing else. What happens behind it:
 *
 *   generate ─► cli/cmd_generate.c   submits a job to a store and runs a worker on it
 *   serve    ─► cli/cmd_serve.c      the service: store, broker, workers, API in one process
 *   worker   ─► cli/cmd_worker.c     the same without the API, for a store that others share
 *   submit jobs keys workers ─► one file each in cli/, over cli/client.c: clients of a running service
 *   sim      ─► cli/cmd_sim.c        a simulated provider, a real HTTP server (sim/)
 *   score    ─► cli/cmd_score.c      kept problems against what the simulator planted
 *   compare ─► cli/cmd_compare.c     two answers, or a file of pairs, by answer/
 *   show status export migrate doctor version ─► one file each in cli/
 *
 * ARCHITECTURE.md tells the rest.
 */
#include "cli/cmd.h"
#include "cli/nearest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    cmd_fn *run;
    const char *summary;
};

static const struct command commands[] = {
    {"generate", cmd_generate, "make problems that are valid and that the target model fails"},
    {"serve", cmd_serve, "the service: jobs over HTTP, a durable queue, workers"},
    {"worker", cmd_worker, "works on the jobs of a store that others share"},
    {"submit", cmd_submit, "hand a job to a running service"},
    {"jobs", cmd_jobs, "the jobs of a running service: look, follow, steer, fetch"},
    {"keys", cmd_keys, "who may use a service"},
    {"workers", cmd_workers, "who works on the jobs of a service; ask one to go"},
    {"show", cmd_show, "problems, laid out for reading"},
    {"status", cmd_status, "where a job stands and what it has cost"},
    {"export", cmd_export, "write out the problems of a store"},
    {"migrate", cmd_migrate, "bring a store's schema to this version"},
    {"doctor", cmd_doctor, "check configuration, keys and endpoints"},
    {"models", cmd_models, "which models an endpoint offers"},
    {"compare", cmd_compare, "are two final answers the same?"},
    {"sim", cmd_sim, "a simulated provider: try everything without a key"},
    {"score", cmd_score, "kept problems against what the simulator planted"},
    {"version", cmd_version, "which Stumper this is, and what it was built with"},
};

static const struct command *command_find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int command_unknown(const char *name) {
    struct nearest near = nearest_to(str_of(name));
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        nearest_offer(&near, commands[i].name);
    }
    nearest_offer(&near, "help");
    (void)fprintf(stderr, "stumper: unknown command '%s'%s%s; see stumper --help\n", name,
                  near.name != NULL ? "; did you mean " : "", near.name != NULL ? near.name : "");
    return EXIT_USAGE;
}

static int help_print(FILE *to) {
    (void)fputs(
        "stumper: problems that a chosen model gets wrong and that are nonetheless right\n\n"
        "usage: stumper COMMAND [OPTION]...\n\nCommands:\n",
        to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        (void)fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fputs("  help       the options of a command: stumper help COMMAND\n\n"
                "stumper COMMAND --help tells each command's options, with examples.\n",
                to);
    return EXIT_DONE;
}

static int help_command(int argc, char **argv) {
    if (argc < 2 || argv[1][0] == '-') {
        return help_print(stdout);
    }
    const struct command *c = command_find(argv[1]);
    char help[] = "--help";
    char *help_argv[] = {argv[1], help, NULL};
    return c == NULL ? command_unknown(argv[1]) : c->run(2, help_argv);
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        (void)help_print(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return help_print(stdout);
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("stumper " STUMPER_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "help") == 0) {
        return help_command(argc - 1, argv + 1);
    }
    const struct command *c = command_find(argv[1]);
    return c == NULL ? command_unknown(argv[1]) : c->run(argc - 1, argv + 1);
}

/* What was printed may still be in a buffer, and a full disk shows only when it leaves it. */
static int flush(int code) {
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fclose(stdout) == 0 && !failed) {
        return code;
    }
    if (code != EXIT_FAILED) { /* else the command has told what failed */
        (void)fprintf(stderr, "stumper: cannot write standard output%s%s\n", errno != 0 ? ": " : "",
                      errno != 0 ? strerror(errno) : "");
    }
    return EXIT_FAILED;
}

int main(int argc, char **argv) {
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write(), told like any other */
    return flush(run(argc, argv));
}
