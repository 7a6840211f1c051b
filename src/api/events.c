/* GET /jobs/{id}/events: what happens to a job, as server-sent events. */
#include "api/events.h"

#include "api/call.h"
#include "api/follow.h"
#include "api/query.h"

int64_t events_last_id(struct str text) {
    int64_t seq;
    return str_to_i64(str_trim(text), &seq) && seq >= 0 ? seq : 0;
}

void events_run(struct call *c) {
    static const char *const known[] = {"last_event_id", NULL};
    struct query q;
    query_begin(&q, c, known);
    int64_t asked = query_int(&q, "last_event_id", 0, INT64_MAX, 0);
    if (!query_end(&q)) {
        return;
    }
    struct str last = httpd_header(c->q, "last-event-id");
    const struct follow_options o = {.kind = FOLLOW_EVENTS,
                                     .after_seq = last.p != NULL ? events_last_id(last) : asked,
                                     .to_end = true};
    follow_begin(c, &o);
}
