/* The help of a command, from its table. */
#include "cli/opt.h"
#include "cli/term.h"

#include <string.h>

#define OPT_HELP_COLUMN_MAX 30 /* longer left sides put their text on the next line */
#define OPT_HELP_WIDTH_MIN 40
#define OPT_HELP_WIDTH_MAX 100

static void opt_pad(struct sbuf *out, int n) {
    sbuf_addf(out, "%*s", MAX(n, 0), "");
}

/* "  -n, --num-problems N"; returns its width. */
static int opt_left(const struct opt *o, struct sbuf *out) {
    size_t before = out->n;
    if (o->letter != 0) {
        sbuf_addf(out, "  -%c, --%s", o->letter, o->name);
    } else {
        sbuf_addf(out, "      --%s", o->name);
    }
    if (o->kind == OPT_ENUM && o->value == NULL) {
        for (size_t i = 0; o->names[i] != NULL; i++) {
            sbuf_addf(out, "%c%s", i == 0 ? ' ' : '|', o->names[i]);
        }
    } else if (o->kind != OPT_FLAG) {
        sbuf_addf(out, " %s", o->value != NULL ? o->value : "VALUE");
    }
    return (int)(out->n - before);
}

static void opt_help_row(const struct opt *o, int column, int width, struct sbuf *out) {
    struct sbuf text;
    sbuf_init(&text, 4096);
    sbuf_add_cstr(&text, o->help);
    if (o->kind == OPT_STRS) {
        sbuf_add_cstr(&text, " (may be repeated)");
    }
    if (o->otherwise != NULL && o->kind != OPT_FLAG) {
        sbuf_addf(&text, " (default: %s)", o->otherwise);
    }
    int left = opt_left(o, out);
    if (left + 2 > column) {
        sbuf_add_char(out, '\n');
        left = 0;
    }
    opt_pad(out, column - left);
    term_wrap(out, sbuf_str(&text), column, column, width);
    sbuf_add_char(out, '\n');
    sbuf_release(&text);
}

static int opt_help_column(const struct opt_command *c) {
    struct sbuf scratch;
    int column = (int)sizeof "  -h, --help" - 1 + 2;
    sbuf_init(&scratch, 4096);
    for (size_t i = 0; i < c->rows_n; i++) {
        int left = opt_left(&c->rows[i], &scratch) + 2;
        sbuf_clear(&scratch);
        if (left <= OPT_HELP_COLUMN_MAX) {
            column = MAX(column, left);
        }
    }
    sbuf_release(&scratch);
    return column;
}

static void opt_help_usage(const struct opt_command *c, struct sbuf *out) {
    sbuf_addf(out, "usage: stumper %s", c->name);
    for (size_t i = 0; i < c->rows_n; i++) {
        if (c->rows[i].required) {
            sbuf_addf(out, " --%s %s", c->rows[i].name, c->rows[i].value);
        }
    }
    sbuf_add_cstr(out, " [OPTION]...");
    if (c->args != NULL) {
        sbuf_addf(out, " %s", c->args);
    }
    sbuf_add_char(out, '\n');
}

void opt_help(const struct opt_command *command, int width, struct sbuf *out) {
    static const struct opt help_row = {
        .name = "help", .letter = 'h', .kind = OPT_FLAG, .help = "show this text"};
    int column = opt_help_column(command);
    bool env = false;
    width = MIN(MAX(width, OPT_HELP_WIDTH_MIN), OPT_HELP_WIDTH_MAX);
    sbuf_addf(out, "stumper %s: %s\n\n", command->name, command->summary);
    opt_help_usage(command, out);
    if (command->about != NULL) {
        sbuf_add_char(out, '\n');
        term_wrap(out, str_of(command->about), 0, 0, width);
        sbuf_add_char(out, '\n');
    }
    for (size_t i = 0; i < command->rows_n; i++) {
        const struct opt *o = &command->rows[i];
        if (o->group != NULL || i == 0) {
            sbuf_addf(out, "\n%s:\n", o->group != NULL ? o->group : "Options");
        }
        opt_help_row(o, column, width, out);
        env = env || !o->argv_only;
    }
    sbuf_add_cstr(out, command->rows_n == 0 ? "\nOptions:\n" : "\n");
    opt_help_row(&help_row, column, width, out);
    if (env) {
        sbuf_add_char(out, '\n');
        term_wrap(out,
                  S("An option --some-name that is not given is read from the environment variable "
                    "STUMPER_SOME_NAME."),
                  0, 0, width);
        sbuf_add_char(out, '\n');
    }
    if (command->examples != NULL) {
        sbuf_addf(out, "\nExamples:\n%s", command->examples);
    }
}
