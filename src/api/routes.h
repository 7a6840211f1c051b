/* routes.h - inside the room: what each path does, and who may. The functions answer their call,
 * now or later. */
#ifndef STUMPER_API_ROUTES_H
#define STUMPER_API_ROUTES_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_ALLOW_BYTES 64

struct call;

struct route {
    const char *method, *path; /* "/jobs/{id}/cancel" */
    void (*run)(struct call *c);
    unsigned scope; /* STORE_SCOPE_…; 0: anybody */
    bool body;      /* takes JSON */
    bool health;    /* about the process: also where nothing else is served */
};

/** The route of a method and path, its {id} copied. NULL: there is no such path, then @ret_allow is
 * empty, or it has other methods, "GET, HEAD, DELETE". */
const struct route *route_find(const char *method, const char *path, char ret_id[STORE_ID_BYTES],
                               char ret_allow[ROUTE_ALLOW_BYTES]);

/** All of them. */
const struct route *routes_all(size_t *ret_n);

/* submit.c */
void submit_run(struct call *c);

/* status.c */
void status_run(struct call *c);

/* jobs.c */
void jobs_list(struct call *c);
void jobs_cancel(struct call *c);
void jobs_pause(struct call *c);
void jobs_resume(struct call *c);
void jobs_delete(struct call *c);

/* results.c, events.c */
void results_run(struct call *c);
void events_run(struct call *c);

/* keys.c */
void keys_list(struct call *c);
void keys_add(struct call *c);
void keys_revoke(struct call *c);

/* workers.c */
void workers_list(struct call *c);
void workers_drain(struct call *c);

/* pages.c */
void pages_root(struct call *c);
void pages_docs(struct call *c);
void pages_openapi(struct call *c);
void pages_metrics(struct call *c);
void pages_livez(struct call *c);
void pages_readyz(struct call *c);

#endif
