/* stumper show: problems for people, from a .jsonl file or a store, all of them or one by (a
 * beginning of) its id. Lines stream through: the file may be larger than the memory. */
#include "cli/cmd.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/pretty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOW_ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define SHOW_PAGE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SHOW_LINE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SHOW_AMBIGUOUS_MAX 5

struct show {
    const char *path;
    struct str id; /* empty: all */
    int keep;
    int64_t limit; /* 0: none */
    struct term term;
    struct arena arena; /* of one line */
    struct sbuf page;   /* one problem, or with an id the one that matched */
    int64_t shown;
    int errnum;          /* of a write that failed; 0: none did */
    struct sbuf matches; /* ids that begin with `id` */
    int64_t matched;
    bool exact;
};

static bool show_is_kept(const struct show *s, struct str status) {
    return s->keep == OUTPUT_ALL || str_eq(status, str_of(outcome_name(OUTCOME_ACCEPTED)));
}

/* One of those that were asked for by id. */
static bool show_match(struct show *s, const struct jnode *j) {
    struct str id = jnode_get_str(j, "id"), bare = id;
    (void)str_split(&bare, '_');
    s->exact = str_eq(id, s->id) || str_eq(bare, s->id);
    if (s->exact || str_starts(id, s->id) || str_starts(bare, s->id)) {
        s->matched++;
        if (s->matched <= SHOW_AMBIGUOUS_MAX) {
            sbuf_addf(&s->matches, "%s%.*s", s->matched > 1 ? ", " : "", STR_ARG(id));
        }
        if (s->matched == 1 || s->exact) {
            sbuf_clear(&s->page);
            pretty_problem(j, &s->term, &s->arena, &s->page);
        }
    }
    return !s->exact;
}

static bool show_next(struct show *s, const struct jnode *j) {
    if (!show_is_kept(s, jnode_get_str(j, "status"))) {
        return true;
    }
    sbuf_clear(&s->page);
    if (s->shown > 0) {
        sbuf_add_char(&s->page, '\n');
    }
    pretty_problem(j, &s->term, &s->arena, &s->page);
    s->shown++;
    if (fputs(sbuf_str(&s->page).p, stdout) < 0) {
        s->errnum = errno;
    }
    return s->errnum == 0 && (s->limit == 0 || s->shown < s->limit);
}

/* One line of either source. Sets *ret_more to false when no more are wanted. */
static enum err show_line(struct show *s, struct str line, bool *ret_more, struct errinfo *reterr) {
    const struct jnode *j;
    arena_reset(&s->arena);
    enum err e = lines_parse(line, &s->arena, &j, reterr);
    if (e == ERR_OK && jnode_type(j) != JNODE_OBJECT) {
        e = errinfo_set(reterr, ERR_INVALID, "is %s, not a problem",
                        jnode_type_name(jnode_type(j)));
    }
    if (e == ERR_OK) {
        *ret_more = s->id.n > 0 ? show_match(s, j) : show_next(s, j);
    }
    return e;
}

struct show_rows {
    struct show *s;
    enum err err;
    struct errinfo *reterr;
};

static bool show_row(void *ctx, const struct problem_row *row) {
    struct show_rows *rows = ctx;
    bool more = false;
    rows->err = show_line(rows->s, row->line, &more, rows->reterr);
    return rows->err == ERR_OK && more;
}

static enum err show_store(struct show *s, struct errinfo *reterr) {
    struct show_rows rows = {.s = s, .reterr = reterr};
    struct store_reader *reader;
    char job_id[ID_BYTES];
    unsigned mask = output_mask(s->id.n > 0 ? OUTPUT_ALL : (enum output_keep)s->keep);
    enum err e = store_reader_open(s->path, &reader, reterr);
    if (e != ERR_OK) {
        return e;
    }
    e = output_newest_job(reader, job_id, reterr);
    if (e == ERR_OK) {
        e = store_read_problems(reader, job_id, mask, show_row, &rows, reterr);
    }
    store_reader_close(reader);
    return e == ERR_OK ? rows.err : e;
}

static enum err show_lines(struct show *s, struct errinfo *reterr) {
    struct lines lines;
    struct str line;
    bool more = true;
    enum err e = lines_open(&lines, s->path, reterr);
    if (e != ERR_OK) {
        return e;
    }
    while (e == ERR_OK && more && lines_next(&lines, &line)) {
        e = line.n > SHOW_LINE_BYTES_MAX
                ? errinfo_set(reterr, ERR_TOO_BIG, "longer than %zu bytes", SHOW_LINE_BYTES_MAX)
                : show_line(s, line, &more, reterr);
        if (e != ERR_OK) {
            (void)errinfo_wrap(reterr, e, "%s, line %lld", s->path, (long long)lines.number);
        }
    }
    enum err closed = lines_close(&lines, e == ERR_OK ? reterr : NULL);
    return e == ERR_OK ? closed : e;
}

/* A store is told by its first bytes, not by its name. Pipes hold lines. */
static bool show_is_store(const char *path) {
    static const char magic[] = "SQLite format 3";
    char head[sizeof magic] = "";
    struct stat st;
    bool same = false;
    int fd = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        same = read(fd, head, sizeof head) == (ssize_t)sizeof head &&
               memcmp(head, magic, sizeof magic) == 0;
        (void)close(fd);
    }
    return same;
}

static enum err show_file(struct show *s, struct errinfo *reterr) {
    return show_is_store(s->path) ? show_store(s, reterr) : show_lines(s, reterr);
}

static int show_end_of_id(struct show *s) {
    if (s->matched == 0) {
        return cmd_fail("show", EXIT_FAILED, "no problem in %s has an id that begins with '%.*s'",
                        s->path, STR_ARG(s->id));
    }
    if (s->matched > 1 && !s->exact) {
        return cmd_fail("show", EXIT_USAGE, "'%.*s' is the beginning of %lld ids: %s%s",
                        STR_ARG(s->id), (long long)s->matched, sbuf_str(&s->matches).p,
                        s->matched > SHOW_AMBIGUOUS_MAX ? ", …" : "");
    }
    (void)fputs(sbuf_str(&s->page).p, stdout);
    return EXIT_DONE;
}

static int show_run(struct show *s) {
    struct errinfo why = {0};
    arena_init(&s->arena, SHOW_ARENA_BYTES_MAX);
    sbuf_init(&s->page, SHOW_PAGE_BYTES_MAX);
    sbuf_init(&s->matches, 4096);
    s->term = term_look(STDOUT_FILENO, cmd_getenv);
    s->term.utf8 = s->term.utf8 || !s->term.tty; /* a file takes everything */
    enum err e = show_file(s, &why);
    int code = EXIT_DONE;
    if (e != ERR_OK) {
        code = cmd_fail("show", EXIT_FAILED, "%s", errinfo_text(&why, e));
    } else if (s->errnum != 0) {
        code =
            cmd_fail("show", EXIT_FAILED, "cannot write standard output: %s", strerror(s->errnum));
    } else if (s->id.n > 0) {
        code = show_end_of_id(s);
    } else if (s->shown == 0) {
        (void)fprintf(stderr, "stumper: no %sproblems in %s%s\n",
                      s->keep == OUTPUT_ALL ? "" : "accepted ", s->path,
                      s->keep == OUTPUT_ALL ? "" : " (--keep all shows the others)");
    }
    sbuf_release(&s->matches);
    sbuf_release(&s->page);
    arena_release(&s->arena);
    return code;
}

int cmd_show(int argc, char **argv) {
    struct show s = {0};
    const struct opt rows[] = {
        {.name = "limit",
         .letter = 'n',
         .kind = OPT_INT,
         .value = "N",
         .to = &s.limit,
         .min = 1,
         .max = INT64_MAX,
         .argv_only = true,
         .help = "stop after N problems"},
        {.name = "keep",
         .kind = OPT_ENUM,
         .names = output_keeps,
         .to = &s.keep,
         .otherwise = "accepted",
         .argv_only = true,
         .help = "accepted problems only, or all that attempts made"},
    };
    const struct opt_command command = {
        .name = "show",
        .summary = "problems, laid out for reading",
        .args = "FILE [ID]",
        .about = "FILE is a .jsonl file of problems, the state of a job (.db), or - for standard "
                 "input. With ID only that problem is shown; a beginning of its id is enough, and "
                 "what comes before the underscore may be left out.",
        .examples = "  stumper show problems.jsonl | less -R\n"
                    "  stumper show problems.jsonl.db --keep all --limit 20\n"
                    "  stumper show problems.jsonl 0199f3a2\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_min = 1,
        .args_max = 2,
    };
    struct arena a;
    struct opt_result options;
    int code;
    arena_init(&a, (size_t)1024 * 1024);
    if (cmd_options(&command, argc, argv, &a, &options, &code)) {
        s.path = options.args[0];
        s.id = options.args_n > 1 ? str_of(options.args[1]) : S("");
        code = show_run(&s);
    }
    arena_release(&a);
    return code;
}
