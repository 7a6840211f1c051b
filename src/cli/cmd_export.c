/* stumper export: the problems of a store, in any of the formats. */
#include "cli/cmd.h"
#include "cli/output.h"
#include "cli/term.h"

#include <stdio.h>
#include <string.h>

#define EXPORT_ARENA_BYTES_MAX ((size_t)1024 * 1024)

struct export_wish {
    const char *output;
    int format, keep;
};

static int export_run(const struct export_wish *wish, const char *state) {
    struct store_reader *reader;
    struct errinfo why = {0};
    int64_t n = 0;
    enum err e = store_reader_open(state, &reader, &why);
    if (e == ERR_OK) {
        e = output_write(reader, NULL, (enum output_format)wish->format,
                         (enum output_keep)wish->keep, wish->output, &n, &why);
        store_reader_close(reader);
    }
    if (e != ERR_OK) {
        return cmd_fail("export", EXIT_FAILED, "%s", errinfo_text(&why, e));
    }
    if (strcmp(wish->output, "-") != 0) {
        (void)fprintf(stderr, "stumper: %s problem%s in %s\n", term_count(n).s, n == 1 ? "" : "s",
                      wish->output);
    }
    return EXIT_DONE;
}

int cmd_export(int argc, char **argv) {
    struct export_wish wish = {0};
    const struct opt rows[] = {
        {.name = "format",
         .kind = OPT_ENUM,
         .names = output_formats,
         .to = &wish.format,
         .otherwise = "jsonl",
         .help = "form of the output"},
        {.name = "output",
         .letter = 'o',
         .kind = OPT_STR,
         .value = "FILE|-",
         .to = &wish.output,
         .otherwise = "-",
         .argv_only = true,
         .help = "where to; - is standard output"},
        {.name = "keep",
         .kind = OPT_ENUM,
         .names = output_keeps,
         .to = &wish.keep,
         .otherwise = "accepted",
         .help = "accepted problems only, or all that attempts made, with their status"},
    };
    const struct opt_command command = {
        .name = "export",
        .summary = "write out the problems of a store",
        .args = "FILE.db",
        .about = "FILE.db is the state that `stumper generate -o FILE` keeps beside its output. It "
                 "can be read while the job is running. A file is replaced as one step.",
        .examples =
            "  stumper export problems.jsonl.db --format csv -o problems.csv\n"
            "  stumper export problems.jsonl.db --keep all | jq -r .status | sort | uniq -c\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_min = 1,
        .args_max = 1,
    };
    struct arena a;
    struct opt_result options;
    int code;
    arena_init(&a, EXPORT_ARENA_BYTES_MAX);
    if (cmd_options(&command, argc, argv, &a, &options, &code)) {
        code = export_run(&wish, options.args[0]);
    }
    arena_release(&a);
    return code;
}
