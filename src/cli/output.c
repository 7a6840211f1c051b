#include "cli/output.h"

#include "base/mem.h"
#include "cli/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_LINE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define OUTPUT_ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define OUTPUT_JOB_BYTES_MAX ((size_t)4 << 30) /* a spec may hold seeds by the million */

const char *const output_formats[] = {"jsonl", "json", "csv", "chat", NULL};
const char *const output_keeps[] = {"accepted", "all", NULL};

/* The fields of a problem, in the order of its JSON. */
static const char *const output_columns[] = {
    "id",
    "job_id",
    "attempt",
    "status",
    "subject",
    "topic",
    "difficulty",
    "problem",
    "answer",
    "hints",
    "hints_were_corrected",
    "target_model_answer",
    "target_model_text",
    "reference",
    "rejection_reason",
    "error",
    "verdict",
    "checks",
    "samples",
    "solve_rate",
    "similar",
    "usage",
    "cost_usd",
    "models",
    "created_at",
    "notes",
};

unsigned output_mask(enum output_keep keep) {
    return keep == OUTPUT_ALL ? (1u << OUTCOME_COUNT) - 1 : 1u << OUTCOME_ACCEPTED;
}

void output_csv_field(struct str text, struct sbuf *out) {
    bool quoted = false;
    for (size_t i = 0; i < text.n && !quoted; i++) {
        quoted = strchr(",\"\r\n", text.p[i]) != NULL;
    }
    if (!quoted) {
        sbuf_add(out, text);
        return;
    }
    sbuf_add_char(out, '"');
    while (text.n > 0) {
        size_t quote = str_find_char(text, '"');
        sbuf_add(out, str_take(text, quote));
        if (quote != STR_NPOS) {
            sbuf_add_cstr(out, "\"\"");
        }
        text = str_skip(text, quote == STR_NPOS ? text.n : quote + 1);
    }
    sbuf_add_char(out, '"');
}

void output_csv_header(struct sbuf *out) {
    for (size_t i = 0; i < ARRAY_LEN(output_columns); i++) {
        sbuf_addf(out, "%s%s", i > 0 ? "," : "", output_columns[i]);
    }
    sbuf_add_cstr(out, "\r\n");
}

#define OUTPUT_DEPTH_MAX 48 /* of nesting; what is deeper is copied as the parser writes it */

/* A value as it was: numbers in their shortest form, not with all the digits of a binary fraction.
 */
static void output_value(struct jwrite *w, const struct jnode *j, struct arena *a) {
    struct str key;
    const struct jnode *value;
    enum jnode_type type = jnode_type(j);
    if (type == JNODE_REAL) {
        jwrite_real(w, jnode_real(j, 0));
    } else if (type == JNODE_ARRAY && w->depth < OUTPUT_DEPTH_MAX) {
        jwrite_array(w);
        for (size_t i = 0; i < jnode_len(j); i++) {
            output_value(w, jnode_at(j, i), a);
        }
        jwrite_end(w);
    } else if (type == JNODE_OBJECT && w->depth < OUTPUT_DEPTH_MAX) {
        jwrite_object(w);
        for (void *i = jnode_next(j, NULL, &key, &value); i != NULL;
             i = jnode_next(j, i, &key, &value)) {
            jwrite_key_str(w, key);
            output_value(w, value, a);
        }
        jwrite_end(w);
    } else {
        jwrite_raw(w, jnode_text(j, a));
    }
}

static void output_csv_value(const struct jnode *j, struct arena *a, struct sbuf *out) {
    struct sbuf text;
    struct jwrite w;
    sbuf_init(&text, OUTPUT_LINE_BYTES_MAX);
    jwrite_init(&w, &text);
    output_value(&w, j, a);
    output_csv_field(sbuf_str(&text), out);
    sbuf_release(&text);
}

static void output_csv_line(const struct jnode *problem, struct arena *a, struct sbuf *out) {
    for (size_t i = 0; i < ARRAY_LEN(output_columns); i++) {
        const struct jnode *j = jnode_get(problem, output_columns[i]);
        enum jnode_type type = jnode_type(j);
        if (i > 0) {
            sbuf_add_char(out, ',');
        }
        if (type == JNODE_STRING) {
            output_csv_field(jnode_str(j), out);
        } else if (type != JNODE_NONE && type != JNODE_NULL) {
            output_csv_value(j, a, out);
        }
    }
    sbuf_add_cstr(out, "\r\n");
}

static void output_chat_message(struct jwrite *w, const char *role, struct str content) {
    jwrite_object(w);
    jwrite_key(w, "role");
    jwrite_cstr(w, role);
    jwrite_key(w, "content");
    jwrite_str(w, content);
    jwrite_end(w);
}

static void output_chat_line(const struct jnode *problem, struct arena *a, struct sbuf *out) {
    struct str question = jnode_get_str(problem, "problem");
    struct str answer = jnode_get_str(problem, "answer"), key;
    const struct jnode *value;
    struct jwrite w;
    if (question.n == 0 || answer.n == 0) {
        return;
    }
    jwrite_init(&w, out);
    jwrite_object(&w);
    jwrite_key(&w, "messages");
    jwrite_array(&w);
    output_chat_message(&w, "user", question);
    output_chat_message(&w, "assistant", answer);
    jwrite_end(&w);
    jwrite_key(&w, "metadata");
    jwrite_object(&w);
    for (void *i = jnode_next(problem, NULL, &key, &value); i != NULL;
         i = jnode_next(problem, i, &key, &value)) {
        if (!str_eq(key, S("problem")) && !str_eq(key, S("answer"))) {
            jwrite_key_str(&w, key);
            output_value(&w, value, a);
        }
    }
    jwrite_end(&w);
    jwrite_end(&w);
    sbuf_add_char(out, '\n');
}

enum err output_line(enum output_format format, struct str line, struct arena *a,
                     struct sbuf *out) {
    const struct jnode *problem;
    if (format == OUTPUT_JSONL || format == OUTPUT_JSON) {
        sbuf_add(out, line);
        sbuf_add_cstr(out, format == OUTPUT_JSONL ? "\n" : "");
        return ERR_OK;
    }
    if (jnode_parse(line, a, &problem, NULL) != ERR_OK || jnode_type(problem) != JNODE_OBJECT) {
        return ERR_CORRUPT;
    }
    if (format == OUTPUT_CSV) {
        output_csv_line(problem, a, out);
    } else {
        output_chat_line(problem, a, out);
    }
    return ERR_OK;
}

/* One file under way. */
struct output {
    struct sink sink;
    enum output_format format;
    struct arena arena; /* of one line */
    struct sbuf line;
    int64_t n;
};

static enum err output_flush(struct output *o, struct errinfo *reterr) {
    enum err e = sbuf_overflowed(&o->line)
                     ? errinfo_set(reterr, ERR_TOO_BIG, "a problem is larger than %zu bytes",
                                   OUTPUT_LINE_BYTES_MAX)
                     : sink_write(&o->sink, sbuf_str(&o->line), reterr);
    sbuf_clear(&o->line);
    return e;
}

static void output_free(struct output *o) {
    sbuf_release(&o->line);
    arena_release(&o->arena);
    free(o);
}

enum err output_begin(enum output_format format, const char *path, struct output **ret,
                      struct errinfo *reterr) {
    struct output *o = mem_new(sizeof *o);
    o->format = format;
    arena_init(&o->arena, OUTPUT_ARENA_BYTES_MAX);
    sbuf_init(&o->line, OUTPUT_LINE_BYTES_MAX);
    enum err e = sink_open(&o->sink, path, reterr);
    if (e != ERR_OK) {
        output_free(o);
        return e;
    }
    if (format == OUTPUT_CSV) {
        output_csv_header(&o->line);
    } else if (format == OUTPUT_JSON) {
        sbuf_add_char(&o->line, '[');
    }
    *ret = o;
    return ERR_OK; /* what was added so far goes out with the first line */
}

enum err output_add(struct output *o, struct str line, struct errinfo *reterr) {
    if (o->format == OUTPUT_JSON) {
        sbuf_add_cstr(&o->line, o->n > 0 ? ",\n" : "\n");
    }
    size_t before = o->line.n;
    enum err e = output_line(o->format, line, &o->arena, &o->line);
    if (e != ERR_OK) {
        return errinfo_set(reterr, e, "a problem's line is not an object");
    }
    o->n += o->line.n > before;
    e = output_flush(o, reterr);
    arena_reset(&o->arena);
    return e;
}

enum err output_end(struct output *o, enum err e, int64_t *ret_n, struct errinfo *reterr) {
    if (e == ERR_OK && o->format == OUTPUT_JSON) {
        sbuf_add_cstr(&o->line, "\n]\n");
    }
    if (e == ERR_OK) {
        e = output_flush(o, reterr);
    }
    if (e == ERR_OK) {
        e = sink_commit(&o->sink, reterr);
    } else {
        sink_drop(&o->sink);
    }
    if (e == ERR_OK) {
        *ret_n = o->n;
    }
    output_free(o);
    return e;
}

/* Rows of a store on their way into a file. */
struct output_rows {
    struct output *output;
    enum err err;
    struct errinfo *reterr;
};

static bool output_each(void *ctx, const struct problem_row *row) {
    struct output_rows *rows = ctx;
    rows->err = output_add(rows->output, row->line, rows->reterr);
    if (rows->err == ERR_CORRUPT) {
        (void)errinfo_set(rows->reterr, rows->err, "problem %.*s: the stored line is not an object",
                          STR_ARG(row->id));
    }
    return rows->err == ERR_OK;
}

enum err output_newest_job(struct store_reader *r, char ret[ID_BYTES], struct errinfo *reterr) {
    struct arena a;
    struct job_row job;
    arena_init(&a, OUTPUT_JOB_BYTES_MAX);
    enum err e = store_read_job(r, NULL, &a, &job, reterr);
    if (e == ERR_OK) {
        (void)snprintf(ret, ID_BYTES, "%s", job.id);
    }
    arena_release(&a);
    return e;
}

enum err output_write(struct store_reader *r, const char *job_id, enum output_format format,
                      enum output_keep keep, const char *path, int64_t *ret_n,
                      struct errinfo *reterr) {
    struct output_rows rows = {.reterr = reterr};
    char newest[ID_BYTES];
    enum err e = job_id != NULL ? ERR_OK : output_newest_job(r, newest, reterr);
    job_id = job_id != NULL ? job_id : newest;
    e = e == ERR_OK ? output_begin(format, path, &rows.output, reterr) : e;
    if (e != ERR_OK) {
        return e;
    }
    e = store_read_problems(r, job_id, output_mask(keep), output_each, &rows, reterr);
    return output_end(rows.output, rows.err != ERR_OK ? rows.err : e, ret_n, reterr);
}
