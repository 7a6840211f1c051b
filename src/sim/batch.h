/* batch.h - questions by the thousand, answered some time later at half the price.
 *
 * A batch owns a copy of what was sent and goes through it in an order of its own, as time goes by;
 * what is said is written down line by line, as its provider does. It lives as long as the server,
 * whoever asked for it. How it is asked for and shown: batch_openai.c, batch_anthropic.c.
 *
 *     VALIDATING ─► RUNNING ─────► FINALIZING ─► ENDED
 *         │            └► CANCELLING ────▲
 *         └► FAILED (OpenAI: a line that makes no sense)
 */
#ifndef STUMPER_SIM_BATCH_H
#define STUMPER_SIM_BATCH_H

#include "sim/format.h"
#include "sim/timers.h"

#define BATCH_ITEMS_MAX 100000
#define BATCH_ID_BYTES 48
#define BATCH_FILE_BYTES_MAX ((size_t)200 * 1000 * 1000)  /* OpenAI's: of the questions */
#define BATCH_BODY_BYTES_MAX ((size_t)256 * 1000 * 1000)  /* Anthropic's: of the request */
#define BATCH_KEPT_BYTES_MAX ((size_t)1024 * 1024 * 1024) /* of everything */
#define BATCH_WINDOW_S (INT64_C(24) * 3600)

struct sim_server;

enum batch_state {
    BATCH_VALIDATING,
    BATCH_FAILED,
    BATCH_RUNNING,
    BATCH_CANCELLING,
    BATCH_FINALIZING, /* all is answered, the results are being put together */
    BATCH_ENDED
};

/* What became of a question. */
enum batch_fate { BATCH_SUCCEEDED, BATCH_ERRORED, BATCH_EXPIRED, BATCH_CANCELLED, BATCH_FATES };

struct batch_item {
    struct str custom_id; /* as it stands in JSON, without quotes */
    struct str body;      /* the question, in the format's JSON */
};

struct batch;

/* How a provider writes down one result; @status and @body: of the answer or error, for the first
 * two fates. */
typedef void batch_write_fn(struct batch *b, const struct batch_item *item, enum batch_fate fate,
                            int status, struct str body);

struct batch {
    struct batch *next; /* the one made before */
    struct timer timer;
    struct sim_server *server;
    char id[BATCH_ID_BYTES];
    const struct format *format;
    batch_write_fn *write;
    char *input; /* owned; the items point into it */
    size_t input_bytes;
    struct batch_item *items; /* owned */
    size_t n, done, step;     /* step: from one item to the next, without a common factor with n */
    size_t fates[BATCH_FATES];
    enum batch_state state;
    int64_t begun_us, took_us;                          /* monotonic; how long it takes */
    int64_t created_s, finalizing_s, ended_s, cancel_s; /* since 1970; 0: not yet */
    struct sbuf results, errors; /* lines; errors: only where a provider keeps them apart */

    /* OpenAI's alone */
    char input_file[BATCH_ID_BYTES], output_file[BATCH_ID_BYTES], error_file[BATCH_ID_BYTES];
    char endpoint[40];
    struct sbuf metadata; /* JSON */
    char invalid[160];    /* why it FAILED */
    size_t invalid_line;
};

/* A file that was uploaded or written. */
struct depot_file {
    struct depot_file *next; /* the one made before */
    char id[BATCH_ID_BYTES];
    char name[128], purpose[32];
    struct sbuf data;
    int64_t created_s;
};

/* All there are, newest first. */
struct depot {
    struct batch *batches;
    struct depot_file *files;
    size_t bytes; /* of inputs and files */
    uint64_t serial;
};

/** Free everything; timers are not touched. */
void depot_release(struct depot *d);

/** A copy of @text as a file, or NULL if too much is kept already. */
struct depot_file *depot_file_new(struct sim_server *s, struct str name, struct str purpose,
                                  struct str text);

/** The file of that id, or NULL. */
struct depot_file *depot_file_find(const struct depot *d, struct str id);

/** Forget it. */
void depot_file_drop(struct depot *d, struct depot_file *f);

/** A new batch around a copy of @input, without items; NULL if too much is kept already. Fill its
 * items, then batch_start(). @prefix: of its id. */
struct batch *batch_new(struct sim_server *s, const struct format *f, batch_write_fn *write,
                        const char *prefix, struct str input);

/** Add a question; false: there are too many. */
NODISCARD bool batch_add(struct batch *b, struct batch_item item);

/** It is worked on from now on. */
void batch_start(struct batch *b);

/** No more questions are answered. */
void batch_cancel(struct batch *b);

/** Forget the newest batch, which was not started. */
void batch_drop(struct batch *b);

/** The batch of that id and dialect, or NULL. */
struct batch *batch_find(const struct depot *d, enum dialect dialect, struct str id);

/* Some batches of a list, by next from first on; others' are among them. */
struct batch_page {
    const struct batch *first, *behind; /* NULL: none / the list ends */
};

/** At most @limit of @dialect's, behind the one whose id is @after (empty: from the newest on). */
struct batch_page batch_page(const struct depot *d, enum dialect dialect, struct str after,
                             int64_t limit);

#endif
