/* opt.h - command-line options by declaration: a command writes a table, one function does the
 * rest.
 *
 *     static const char *const formats[] = {"jsonl", "csv", NULL};
 *     struct { int64_t slots; int format; } want = {0};
 *     const struct opt rows[] = {
 *         {.name = "concurrency", .kind = OPT_INT, .value = "N", .to = &want.slots, .min = 1,
 *          .max = 100000, .otherwise = "64", .help = "attempts in flight at once"},
 *         {.name = "format", .kind = OPT_ENUM, .names = formats, .to = &want.format, …},
 *     };
 *
 * Where a value may come from, first wins: the flag, the environment (STUMPER_CONCURRENCY), the key
 * of the same name in stumper.yaml (where the command reads one), the row's default. A flag that
 * holds one value and is given twice: the last wins. A repeated one collects; whatever comes from a
 * stronger source replaces the whole list of a weaker one.
 *
 * Errors  one sentence that names the flag, variable or key, the value, and what would be right:
 * "--concurrency: '12x' is not a whole number between 1 and 100000".
 */
#ifndef STUMPER_CLI_OPT_H
#define STUMPER_CLI_OPT_H

#include "base/err.h"
#include "base/sbuf.h"
#include "json/node.h"

#include <stdint.h>

enum opt_kind {
    OPT_FLAG,     /* bool; also --flag=true|false, 1|0, yes|no, on|off */
    OPT_STR,      /* const char *; not empty */
    OPT_STRS,     /* struct opt_strs; repeat the flag; in the environment separated by ';' */
    OPT_INT,      /* int64_t within min..max */
    OPT_REAL,     /* double within real_min..real_max */
    OPT_DURATION, /* int64_t milliseconds within min..max: "90s", "15m", "2h", "1d", "1h30m",
                     "500ms" */
    OPT_MONEY,    /* int64_t nano-dollars within min..max: "2.50", "$2.50"; exact */
    OPT_RATE,     /* double 0..1: "0.25", "25%" */
    OPT_ENUM,     /* int: index into names */
};

struct opt_strs {
    const char **v;
    size_t n;
};

struct opt {
    const char *group; /* heading in the help from this row on; NULL: as the row before */
    const char *name;  /* long name without dashes: "max-cost" */
    char letter;       /* 'n' for -n; 0: none */
    enum opt_kind kind;
    const char *value;     /* what the help calls the value: "USD"; unused for a flag */
    void *to;              /* destination, of the kind's type */
    const char *help;      /* one sentence without a full stop */
    const char *otherwise; /* default, as text, shown in the help; NULL: *to keeps what it holds */
    int64_t min, max;      /* both 0: the kind's own limits (money and durations: not negative) */
    double real_min, real_max; /* REAL; both 0: any */
    const char *const *names;  /* ENUM: NULL-terminated */
    bool required;             /* an error if no source has it */
    bool argv_only;            /* neither environment nor stumper.yaml: what is meant for one run */
};

#define OPT_ROWS_MAX 64
#define OPT_STRS_MAX 10000

/* A command, as its help tells it. */
struct opt_command {
    const char *name;    /* "export" */
    const char *summary; /* one line: "write out the problems of a store" */
    const char *args;    /* positional arguments as the usage line shows them: "FILE.db"; or NULL */
    const char *about;   /* paragraphs under the usage line, or NULL; wrapped when printed */
    const char *examples; /* whole lines, or NULL */
    const struct opt *rows;
    size_t rows_n; /* at most OPT_ROWS_MAX */
    size_t args_min, args_max;
};

enum opt_origin { OPT_FROM_DEFAULT, OPT_FROM_YAML, OPT_FROM_ENV, OPT_FROM_ARGV };

/* What was read, besides the destinations. */
struct opt_result {
    const struct opt_command *command;
    bool help; /* -h or --help: nothing else was read */
    const char *const *args;
    size_t args_n;
    enum opt_origin origins[OPT_ROWS_MAX]; /* by row */
    const char *yaml_path;                 /* file that settings came from; NULL: none */
};

/* Where to read from. */
struct opt_input {
    int argc; /* argv[0] is the command's name */
    char **argv;
    const char *(*getenv_fn)(const char *name); /* an empty variable counts as unset */
    /** Called once, after arguments and environment were read (so a --config row has its value):
     * the settings of a file, as an object with keys named like the rows. NULL node: there is none.
     * May itself be NULL. */
    enum err (*settings)(void *ctx, const struct jnode **ret, const char **ret_path,
                         struct errinfo *reterr);
    void *ctx;
};

/**
 * Read everything into the rows' destinations.
 *
 * @command  must outlive @ret
 * @a        owns strings and lists
 * @return   ERR_USAGE with one sentence (also when the settings file is at fault); destinations may
 *           then hold some of the values
 */
NODISCARD enum err opt_parse(const struct opt_command *command, const struct opt_input *in,
                             struct arena *a, struct opt_result *ret, struct errinfo *reterr);

/** True if row @name got its value from anywhere but its default. The row must exist. */
bool opt_given(const struct opt_result *r, const char *name);

/** Where row @name got its value. The row must exist. */
enum opt_origin opt_origin(const struct opt_result *r, const char *name);

/* A short text that is passed by value. */
struct opt_label {
    char s[160];
};

/** What to call row @name in a later error, by where its value came from: "--seeds",
 * "STUMPER_SEEDS", "stumper.yaml: seeds". The row must exist. */
struct opt_label opt_label(const struct opt_result *r, const char *name);

/** The help of a command, wrapped at @width columns: usage line, groups, defaults, examples. */
void opt_help(const struct opt_command *command, int width, struct sbuf *out);

/* The readers of single values, for other places that take the same notation. Each returns false
 * and leaves *ret alone when @text is not one. */
NODISCARD bool opt_read_bool(struct str text, bool *ret);
NODISCARD bool opt_read_duration(struct str text, int64_t *ret_ms);
NODISCARD bool opt_read_money(struct str text, int64_t *ret_nusd);
NODISCARD bool opt_read_rate(struct str text, double *ret);

/** Store @text in row @o's destination. @label is what the error calls the source. ERR_USAGE. */
NODISCARD enum err opt_store(const struct opt *o, const char *label, struct str text,
                             struct arena *a, struct errinfo *reterr);

#endif
