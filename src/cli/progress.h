/* progress.h - what a run looks like while it runs.
 *
 *     live    on a terminal: a few lines, redrawn in place ten times a second
 *     lines   elsewhere: one line every few seconds, and one when something notable happens
 *     json    one object a second on stderr
 *     quiet   nothing
 *
 * The texts are made by pure functions (progress_picture, progress_line, progress_json); the rest
 * of the module only decides when, and where the cursor goes.
 *
 * JSON fields  event "progress", at the end "end" · elapsed_ms · wanted, accepted · per_minute,
 * eta_ms (null: too early to tell) · in_flight (attempts), calls_in_flight · launched · outcomes
 * {accepted … failed: count} · calls, calls_unpriced, replayed, input_tokens, output_tokens (of
 * this run) · cost_usd (of all runs; null: no price is known), max_cost_usd (null: no cap) ·
 * requests, retries, rate_limited, waiting (HTTP requests; the last: calls now waiting for their
 * turn or a retry) · batches, batched (under way; calls in them) ·
 * trouble (a model that cannot be asked for the time being, and why; null: none) ·
 * errors_in_row, cause (null: none) · stop (null while it goes on; then done, max_attempts,
 * max_cost, deadline, …).
 */
#ifndef STUMPER_CLI_PROGRESS_H
#define STUMPER_CLI_PROGRESS_H

#include "cli/pace.h"
#include "cli/term.h"
#include "worker/worker.h"

enum progress_mode { PROGRESS_QUIET, PROGRESS_LIVE, PROGRESS_LINES, PROGRESS_JSON };

#define PROGRESS_LINES_MAX 5

/* All that a text shows. */
struct progress_facts {
    struct work_view view;
    struct llm_stats stats;
    int64_t elapsed_ms;
    double per_minute; /* negative: not known yet */
    int64_t eta_ms;    /* -1: not known yet */
};

struct progress {
    enum progress_mode mode;
    int fd;
    const char *(*getenv_fn)(const char *name);
    struct term term;
    struct pace pace;
    struct progress_facts facts; /* of the last update */
    int64_t began_ms, told_ms;   /* told: when the last line or object was written */
    enum stop told_stop;
    bool told_first;               /* the first acceptance was told */
    int drawn[PROGRESS_LINES_MAX]; /* live: columns of each line on the screen */
    int drawn_n;                   /* live: how many; 0: nothing is drawn */
    bool cursor_hidden;
};

/** Begin. Draws nothing yet.
 *
 * @fd         where to: stderr
 * @getenv_fn  for the width and the locale
 * @now_ms     of a monotonic clock, as in the calls that follow
 */
void progress_init(struct progress *p, enum progress_mode mode, int fd,
                   const char *(*getenv_fn)(const char *name), int64_t now_ms);

/** The mode for the flags --quiet and --json-progress and what is at @fd. */
enum progress_mode progress_mode_for(bool quiet, bool json, int fd,
                                     const char *(*getenv_fn)(const char *name));

/** Take in the state of things and write what is due. Meant to be called about ten times a second.
 */
void progress_update(struct progress *p, const struct work_view *view,
                     const struct llm_stats *stats, int64_t now_ms);

/** A line of its own above the picture ("stumper: …"), unless quiet; as JSON an object with event
 * "note" and text. */
PRINTF(2, 3) void progress_note(struct progress *p, const char *fmt, ...);

/** The first Ctrl-C was taken: say what happens now, to what is in @batches as of the last update,
 * or to what is in flight. */
void progress_interrupted(struct progress *p, const struct work_view *view, bool batches);

/** Wipe the picture and give the cursor back; with JSON write the last object. Harmless when called
 * again. */
void progress_end(struct progress *p);

/* --- the texts, pure --- */

/** 3 to PROGRESS_LINES_MAX lines, each ended by a line break and narrower than term->width. */
void progress_picture(const struct progress_facts *f, const struct term *term, struct sbuf *out);

/** One line without its end: "37/50 accepted, 12.3/min, …". */
void progress_line(const struct progress_facts *f, struct sbuf *out);

/** One object and a line break. */
void progress_json(const struct progress_facts *f, const char *event, struct sbuf *out);

/** Money that was spent, as "$1.23", "$1.23 + 4 unpriced calls", or "unknown" when no call had a
 * price. */
void progress_money(int64_t nusd, int64_t calls_unpriced, struct sbuf *out);

#endif
