/* call.h - inside the room: a request on its way through the server.
 *
 *     head: route, key, rate, type ─► body ─► the route's function ─► call_send()
 *                                                    └► a task asks the store ─► call_send()
 *
 * A call lives until its client has the answer or is gone. What asks the store lives in a task of
 * its own, which the store has until it answers; a task whose call is gone ends silently.
 */
#ifndef STUMPER_API_CALL_H
#define STUMPER_API_CALL_H

#include "api/key.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/views.h"
#include "json/write.h"

#include <sys/queue.h>

#define TASK_BYTES_MAX ((size_t)128 * 1024 * 1024)

struct follow;

/* The state of a request of httpd/. */
struct call {
    struct api *api;
    struct httpd_request *q;
    const struct route *route; /* NULL: there is none */
    char id[STORE_ID_BYTES];   /* the {id} of the path, or "" */
    struct key *key;         /* whose request it is; NULL: no keys are in use, or none is needed */
    int64_t tenant;          /* whose jobs it may see: as the store takes it */
    struct auth_rate rate;   /* what is left of the key's; quota 0: no limit */
    struct auth_share share; /* … of its jobs and money, once asked for */
    int status;              /* of the answer; 0: none yet */
    int64_t created_ms;      /* of the job that was ordered */
    bool replayed;           /* an idempotency key was seen before */
    struct buffer *body;     /* of the answer, while it is written */
    struct jwrite w;         /* into it */
    struct task *task;       /* that works for it; NULL: none */
    bool in_line;            /* for its key's rate (quota.h) */
    TAILQ_ENTRY(call) in_quota;
    /* of one that asked for a job's view (views.h) */
    struct view *view; /* NULL: it did not, or was answered */
    LIST_ENTRY(call) in_view;
    view_fn *on_view;
    struct view_wait wait;
    int64_t reading; /* the first that will do */
    struct loop_timer patience;
    struct follow *follow; /* of a stream; NULL: it is none */
};

/* What asks the store. The operations are in its arena. */
struct task {
    struct task *next; /* among the unused */
    struct api *api;
    struct call *call; /* NULL: gone, or there never was one */
    struct arena a;
};

/** What httpd/ calls; its ctx is the api. */
extern const struct httpd_handler call_handler;

/** Its rate is known: run its route, unless it is refused. */
void call_go(struct call *c);

/** Begin the answer's JSON body; gives the writer. */
struct jwrite *call_json(struct call *c);

/** … of a list, up to its first member. / Answer with one that has none but members. */
struct jwrite *call_list(struct call *c);
void call_send_list(struct call *c);

/** A response made of the body, with the headers that all have. @content_type NULL: none. */
struct httpd_response *call_response(struct call *c, int status, const char *content_type);

/** Add the headers that tell a key's limits, if it has any. */
void call_rate_headers(const struct call *c, struct httpd_response *r);

/** May who asked @c still hear more? Not once its key was revoked, or the first key closed the
 * server to those that have none. For routes that want a scope. */
NODISCARD bool call_may_go_on(const struct call *c);

/** Answer one that may not: 401. */
void call_send_refused(struct call *c);

/** Keys have changed: end every answer that may not go on, streams and those that wait. */
void call_end_refused(struct api *api);

/** Answer; @r is freed. */
void call_send(struct call *c, struct httpd_response *r);

/** Answer with the body as JSON and no further headers. */
void call_send_json(struct call *c, int status);

/** … of something that will not change any more: with an ETag, and 304 to who knows that. */
void call_send_fixed(struct call *c);

/** Does its If-None-Match name @etag? */
bool call_knows(const struct call *c, const char *etag);

/** A task for @c, which may be NULL and must have none. */
struct task *task_new(struct api *api, struct call *c);

/** Done with it and everything in its arena. */
void task_free(struct task *t);

#endif
