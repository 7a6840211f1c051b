/* Whatever Last-Event-ID or path a client sends: a stream begins at a place that there may be, and
 * a route is found with an id that fits, or not. */
#include "api/events.h"
#include "api/routes.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[256], back[32], id[STORE_ID_BYTES], allow[ROUTE_ALLOW_BYTES];
    size_t n = MIN(size, sizeof text - 1);
    memcpy(text, data, n);
    text[n] = '\0';
    int64_t seq = events_last_id((struct str){text, n});
    ASSERT(seq >= 0);
    (void)snprintf(back, sizeof back, "%lld", (long long)seq);
    ASSERT(events_last_id(str_of(back)) == seq);
    const struct route *r = route_find("GET", text, id, allow);
    ASSERT(strlen(id) < sizeof id && (r == NULL || strcmp(r->method, "GET") == 0));
    return 0;
}
