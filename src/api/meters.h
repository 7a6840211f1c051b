/* meters.h - inside the room: what the api counts about itself. */
#ifndef STUMPER_API_METERS_H
#define STUMPER_API_METERS_H

#include "base/metrics.h"

#define METERS_ROUTES_MAX 40
#define METERS_CLASSES 6 /* of statuses, by their first digit */

struct route;

struct meters {
    struct metrics *metrics;                                    /* may be NULL */
    struct metric *requests[METERS_ROUTES_MAX][METERS_CLASSES]; /* made when first needed */
    struct metric *connections, *streams, *submitted, *replayed;
    struct metric *delivered, *retried, *given_up; /* webhooks */
};

void meters_init(struct meters *m, struct metrics *metrics);

/** A request was answered. @route: NULL if there was none. */
void meters_request(struct meters *m, const struct route *route, int status, int64_t took_us);

/** Append all of the process' numbers, and what the system says of it, in Prometheus' format. */
void meters_render(struct meters *m, struct sbuf *out);

#endif
