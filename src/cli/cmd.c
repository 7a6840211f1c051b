#include "cli/cmd.h"

#include "base/log.h"
#include "cli/term.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CMD_LINE_BYTES_MAX 2048
#define CMD_HELP_BYTES_MAX ((size_t)64 * 1024)

int cmd_fail(const char *command, int code, const char *fmt, ...) {
    char line[CMD_LINE_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args); /* cut on purpose */
    va_end(args);
    log_redact(line);
    (void)fprintf(stderr, "stumper %s: %s\n", command, line);
    return code;
}

const char *cmd_getenv(const char *name) {
    return getenv(name);
}

static void cmd_help(const struct opt_command *command) {
    struct sbuf out;
    sbuf_init(&out, CMD_HELP_BYTES_MAX);
    opt_help(command, term_width(STDOUT_FILENO, cmd_getenv), &out);
    (void)fputs(sbuf_str(&out).p, stdout); /* main() reports what could not be written */
    sbuf_release(&out);
}

bool cmd_options_from(const struct opt_command *command, const struct opt_input *in,
                      struct arena *a, struct opt_result *ret, int *ret_code) {
    struct errinfo why = {0};
    enum err e = opt_parse(command, in, a, ret, &why);
    if (e != ERR_OK) {
        *ret_code = cmd_fail(command->name, EXIT_USAGE, "%s", errinfo_text(&why, e));
        return false;
    }
    if (ret->help) {
        cmd_help(command);
        *ret_code = EXIT_DONE;
        return false;
    }
    return true;
}

bool cmd_options(const struct opt_command *command, int argc, char **argv, struct arena *a,
                 struct opt_result *ret, int *ret_code) {
    struct opt_input in = {.argc = argc, .argv = argv, .getenv_fn = cmd_getenv};
    return cmd_options_from(command, &in, a, ret, ret_code);
}
