/* snapshot.h - inside the room: all that a job's status shows, read from the store: its row, what
 * its calls have cost, and, once it has ended with few enough of them, its problems. */
#ifndef STUMPER_API_SNAPSHOT_H
#define STUMPER_API_SNAPSHOT_H

#include "base/sbuf.h"
#include "store/store_read.h"

struct api;
struct task;

/* Problems that are shown, in order of seq. */
struct snapshot_problems {
    struct problem_row *rows;
    size_t n;
};

struct snapshot {
    struct task *task;
    struct store_get_job job;
    struct store_get_problems page; /* that is being read */
    enum { SNAPSHOT_VALID, SNAPSHOT_DISCARDED, SNAPSHOT_LISTS } list;
    struct snapshot_problems lists[SNAPSHOT_LISTS];
    bool with_problems;
    enum err err;
    struct errinfo detail; /* if err */
    void (*done)(void *ctx, const struct snapshot *s);
    void *ctx;
};

/**
 * Read it; @done is called on a later tick, with a snapshot that is borrowed for the call.
 *
 * @job_id     borrowed until then
 * @with_spec  for snapshot_metadata()
 */
void snapshot_read(struct api *api, const char *job_id, bool with_spec,
                   void (*done)(void *ctx, const struct snapshot *s), void *ctx);

/** The request's metadata, "{}" if it had none. Borrowed from the snapshot. */
struct str snapshot_metadata(const struct snapshot *s);

/** The status as one JSON object. @retain_ms: how long an ended job is kept; 0: for ever. */
void snapshot_render(const struct snapshot *s, struct str metadata, int64_t retain_ms,
                     struct sbuf *out);

#endif
