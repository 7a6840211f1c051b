/* cmd.h - the subcommands: one file each, all of one shape. */
#ifndef STUMPER_CLI_CMD_H
#define STUMPER_CLI_CMD_H

/* What the shell gets. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_SHORT = 3,        /* ended short of N: attempts, budget, deadline or progress spent */
    EXIT_INTERRUPTED = 130 /* resumable */
};

/** Run a subcommand; argv[0] is its name. Returns an exit code. */
typedef int cmd_fn(int argc, char **argv);

cmd_fn cmd_generate, cmd_show, cmd_status, cmd_export, cmd_doctor, cmd_sim, cmd_score, cmd_version;

#endif
