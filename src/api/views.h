/* views.h - inside the room: what status requests see, rendered once and kept until it changes.
 *
 * A view is one job's status: the bytes, their ETag, ready responses. The store says what changed;
 * the next request reads it anew, and those that wait for a change are answered. Polling costs a
 * look-up. A change of nothing but counts is shown at most VIEW_COUNTS_MS late.
 *
 * Limits  VIEWS_MAX views of VIEWS_BYTES_MAX in all; the longest unused go first.
 */
#ifndef STUMPER_API_VIEWS_H
#define STUMPER_API_VIEWS_H

#include "base/str.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define VIEWS_MAX ((size_t)16384)
#define VIEWS_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define VIEW_COUNTS_MS 100
#define VIEW_PROBLEMS_MAX 1000 /* of an ended job: shown with its status */

struct api;
struct call;
struct httpd_response;
struct view;
struct views;

/* What a view says to the function that answers. */
struct view_facts {
    enum err err; /* OK | NOT_FOUND | what the store says, then only detail is there */
    const struct errinfo *detail;
    enum job_state state;
    const char *etag; /* with its quotes */
    struct str body;
    struct httpd_response *ok, *unchanged; /* 200 and 304; borrowed; ok holds the body */
};
typedef void view_fn(struct call *c, const struct view_facts *facts);

/* When a waiting call is answered: what it waits for, or when its patience is over. */
struct view_wait {
    int64_t ms;      /* 0: it does not wait */
    struct str not ; /* wait for an ETag that is not in this; empty: for the end of the job */
};

struct views *views_new(struct api *api);

/** Nothing is read any more. */
void views_stop(struct views *v);
void views_free(struct views *v);

void views_on_news(struct views *v, const struct store_news *news);

/** Call @fn once for @c, now or later, with the view of job @id, if @c may see it. @wait is copied,
 * but its `not` must live as long as the call. */
void view_ask(struct call *c, const char *id, const struct view_wait *wait, view_fn *fn);

/** The headers of a response made of a view. */
void view_headers(const struct view_facts *facts, bool unchanged, struct httpd_response *r);

/** Refuse those that wait but may not any more (call_may_go_on()). */
void views_end_refused(struct views *v);

/** @c is over; harmless if it asked nothing. */
void view_forget_call(struct call *c);

#endif
