/* output.h - problems as a file that other tools read.
 *
 *     jsonl  one problem a line (docs/problem.schema.json), as it is stored
 *     json   the same objects in one array
 *     csv    RFC 4180 with a header; members that are objects or arrays are JSON in their cell
 *     chat   one line {"messages": [user: the problem, assistant: the answer], "metadata": {…the
 *            rest}}; attempts that never got a problem and an answer have no line
 *
 * Problems stream from the store to the file; memory does not grow with their number.
 */
#ifndef STUMPER_CLI_OUTPUT_H
#define STUMPER_CLI_OUTPUT_H

#include "base/id.h"
#include "store/store_read.h"

enum output_format { OUTPUT_JSONL, OUTPUT_JSON, OUTPUT_CSV, OUTPUT_CHAT };
enum output_keep { OUTPUT_ACCEPTED, OUTPUT_ALL };

/* Their names, NULL-terminated, for options. */
extern const char *const output_formats[];
extern const char *const output_keeps[];

/* Of `enum outcome`, for store_read_problems(). */
unsigned output_mask(enum output_keep keep);

/** The id of the store's newest job. ERR_NOT_FOUND. */
NODISCARD enum err output_newest_job(struct store_reader *r, char ret[ID_BYTES],
                                     struct errinfo *reterr);

/**
 * Write the problems of a job in the order of finishing, as one step: after an error the old file
 * is still there.
 *
 * @job_id  NULL: the store's newest job
 * @path    "-": standard output
 * @ret_n   how many were written
 * @return  what store_read_problems() says; ERR_IO (also a closed pipe), ERR_DISK_FULL,
 *          ERR_READ_ONLY, ERR_NOT_FOUND naming the file
 */
NODISCARD enum err output_write(struct store_reader *r, const char *job_id,
                                enum output_format format, enum output_keep keep, const char *path,
                                int64_t *ret_n, struct errinfo *reterr);

/* --- the same for lines that come from elsewhere, one after the other */

struct output;

/** Begin a file. Free with output_end(). Errors as of output_write(). */
NODISCARD enum err output_begin(enum output_format format, const char *path, struct output **ret,
                                struct errinfo *reterr);

/** Add a problem's line. After an error nothing more is written. */
NODISCARD enum err output_add(struct output *o, struct str line, struct errinfo *reterr);

/** Put the file in place, if @e and all before was ERR_OK, else drop it; free. @ret_n: how many
 * were written. */
NODISCARD enum err output_end(struct output *o, enum err e, int64_t *ret_n, struct errinfo *reterr);

/* --- single lines, pure --- */

/** The header of a CSV file, with its line end. */
void output_csv_header(struct sbuf *out);

/** One stored line as a line of another format; adds nothing where the format has none for it. @a:
 * scratch. ERR_CORRUPT when the line is not an object. */
NODISCARD enum err output_line(enum output_format format, struct str line, struct arena *a,
                               struct sbuf *out);

/** One CSV field, quoted if it must be. */
void output_csv_field(struct str text, struct sbuf *out);

#endif
