/* query.h - inside the room: typed reads of a request's query. All that is wrong is told at once.
 */
#ifndef STUMPER_API_QUERY_H
#define STUMPER_API_QUERY_H

#include "api/call.h"

#define QUERY_WRONG_BYTES 400

struct query {
    struct call *c;
    char wrong[QUERY_WRONG_BYTES]; /* what is, as sentences; "" while nothing is */
};

/** Begin; every argument that is not in the NULL-terminated @known is wrong. */
void query_begin(struct query *q, struct call *c, const char *const *known);

/** An integer; absent: @otherwise. */
int64_t query_int(struct query *q, const char *name, int64_t min, int64_t max, int64_t otherwise);

/** A text, borrowed from the request; absent: empty. */
struct str query_str(struct query *q, const char *name, size_t bytes_max);

/** Something is wrong with an argument. */
PRINTF(2, 3) void query_fail(struct query *q, const char *fmt, ...);

/** True if nothing is wrong; otherwise the call is answered (400). */
NODISCARD bool query_end(struct query *q);

#endif
