/* GET /status/{id}: a job's view, at once or when it has changed. */
#include "api/status.h"

#include "api/call.h"
#include "api/problem.h"
#include "api/query.h"

#define STATUS_WAIT_S_MAX 20
#define MS_PER_S INT64_C(1000)

static void status_release(void *response) {
    httpd_response_free(response);
}

/* The ready response is for everybody; one that tells a key's rate is made for it, over the same
 * bytes. */
static struct httpd_response *status_response(const struct call *c, const struct view_facts *facts,
                                              bool unchanged) {
    if (c->rate.quota == 0) {
        return httpd_response_hold(unchanged ? facts->unchanged : facts->ok);
    }
    struct httpd_response *r =
        httpd_response_new(unchanged ? 304 : 200, unchanged ? S("") : facts->body, status_release,
                           httpd_response_hold(facts->ok));
    view_headers(facts, unchanged, r);
    call_rate_headers(c, r);
    return r;
}

void status_send(struct call *c, const struct view_facts *facts, bool unchanged) {
    c->status = unchanged ? 304 : 200;
    call_send(c, status_response(c, facts, unchanged));
}

static void status_on_view(struct call *c, const struct view_facts *facts) {
    if (facts->err == ERR_TIMEOUT) {
        problem_send_later(c, PROBLEM_UNAVAILABLE, 1, "The store did not answer in time.");
    } else if (facts->err != ERR_OK) {
        problem_send_store(c, facts->err, facts->detail);
    } else {
        status_send(c, facts, call_knows(c, facts->etag));
    }
}

void status_run(struct call *c) {
    static const char *const known[] = {"wait", NULL};
    struct query q;
    query_begin(&q, c, known);
    int64_t wait_s = query_int(&q, "wait", 0, INT64_MAX, 0);
    if (!query_end(&q)) {
        return;
    }
    const struct view_wait wait = {.ms = MIN(wait_s, (int64_t)STATUS_WAIT_S_MAX) * MS_PER_S,
                                   .not = httpd_header(c->q, "if-none-match")};
    if (wait.ms > 0) {
        httpd_watch(c->q);
    }
    view_ask(c, c->id, &wait, status_on_view);
}
