/* cmd.h - the subcommands: one file each, all of one shape, and what they share.
 *
 *     int cmd_export(int argc, char **argv) {
 *         … const struct opt rows[] = {…}; const struct opt_command command = {…};
 *         int code;
 *         if (!cmd_options(&command, argc, argv, &a, &options, &code)) {
 *             return code;
 *         }
 */
#ifndef STUMPER_CLI_CMD_H
#define STUMPER_CLI_CMD_H

#include "cli/opt.h"

/* What the shell gets. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_SHORT = 3, /* ended short of N: attempts, budget, deadline or progress spent; or migrate
                    --dry-run has found something to do */
    EXIT_INTERRUPTED = 130 /* resumable */
};

/** Run a subcommand; argv[0] is its name. Returns an exit code. */
typedef int cmd_fn(int argc, char **argv);

cmd_fn cmd_compare, cmd_generate, cmd_jobs, cmd_keys, cmd_show, cmd_status, cmd_submit, cmd_export,
    cmd_doctor, cmd_migrate, cmd_models, cmd_sim, cmd_score, cmd_serve, cmd_version, cmd_worker,
    cmd_workers;

/** Print one line, "stumper COMMAND: text", on stderr with registered secrets replaced; return
 * @code. */
PRINTF(3, 4) int cmd_fail(const char *command, int code, const char *fmt, ...);

/**
 * Read a command's options from its arguments and the environment. (Commands that read stumper.yaml
 * too use config_options(), config.h.)
 *
 * @a        owns strings and lists
 * @return   true to go on. false: help was printed or an error told; *@ret_code is the exit code
 */
NODISCARD bool cmd_options(const struct opt_command *command, int argc, char **argv,
                           struct arena *a, struct opt_result *ret, int *ret_code);

/** The same with the input given: what cmd_options() and config_options() have in common. */
NODISCARD bool cmd_options_from(const struct opt_command *command, const struct opt_input *in,
                                struct arena *a, struct opt_result *ret, int *ret_code);

/** getenv() with a const result, as opt.h, term.h and llm.h take it. */
const char *cmd_getenv(const char *name);

#endif
