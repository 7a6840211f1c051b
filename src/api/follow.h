/* follow.h - inside the room: answers that go on while their job does: its events, its problems.
 *
 *     page from the store ─► written ─► drained ─► next page … no more: wait for news ─► next page
 *
 * The store is asked for the next page when the client has taken the last one, so a slow reader
 * costs one page of memory.
 *
 * Limits  API_STREAMS_MAX at once; one that reads nothing is cut off by httpd/.
 */
#ifndef STUMPER_API_FOLLOW_H
#define STUMPER_API_FOLLOW_H

#include "store/store_read.h"

struct api;
struct call;
struct follow;
struct follows;

/* What is followed. */
enum follow_kind { FOLLOW_EVENTS, FOLLOW_PROBLEMS };

struct follow_options {
    enum follow_kind kind;
    int64_t after_seq;
    unsigned mask; /* FOLLOW_PROBLEMS: of outcomes */
    bool to_end;   /* until the job has ended; otherwise what there is now */
};

struct follows *follows_new(struct api *api);
void follows_free(struct follows *f);

/** Answer @c with a stream of its job's events (text/event-stream) or problems (application/jsonl);
 * with 404 if it may not see one, 429 if there are too many streams, 204 for the events of a job
 * that has ended after @options->after_seq. */
void follow_begin(struct call *c, const struct follow_options *options);

/** The client has taken what was written. */
void follow_more(struct follow *f);

/** The client is gone, or has it all; harmless for a call that follows nothing. */
void follow_end(struct call *c);

/** Cut off those that may not go on (call_may_go_on()): an end would make them look whole. */
void follows_end_refused(struct follows *all);

void follows_on_news(struct follows *all, const struct store_news *news);

#endif
