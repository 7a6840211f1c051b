/* Each provider's headers: ids, limits, when to come again. */
#include "sim/exchange.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define HEADERS_ROUNDED INT64_C(1000) /* Anthropic tells remaining tokens in thousands */

static void headers_int(struct httpd_response *r, const char *name, int64_t v) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, v);
    httpd_response_header(r, name, text);
}

/* As Go writes a duration, to the millisecond. */
static void headers_duration(struct httpd_response *r, const char *name, int64_t us) {
    char text[64];
    int64_t ms = (us + 999) / 1000;
    if (ms < 1000) {
        (void)snprintf(text, sizeof text, "%" PRId64 "ms", ms);
    } else if (ms < 60000) {
        (void)snprintf(text, sizeof text, "%gs", (double)ms / 1000);
    } else {
        (void)snprintf(text, sizeof text, "%" PRId64 "m%gs", ms / 60000,
                       (double)(ms % 60000) / 1000);
    }
    httpd_response_header(r, name, text);
}

static void headers_openai(const struct exchange *x, struct httpd_response *r) {
    static const char *const names[][3] = {
        [QUOTA_REQUESTS] = {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
                            "x-ratelimit-reset-requests"},
        [QUOTA_TOKENS] = {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
                          "x-ratelimit-reset-tokens"}};
    char id[40];
    exchange_request_id(x, id, sizeof id);
    httpd_response_header(r, "x-request-id", id);
    httpd_response_header(r, "openai-version", "2020-10-01");
    httpd_response_header(r, "openai-organization", "org-sim");
    headers_int(r, "openai-processing-ms", (clock_mono_us() - x->q->started_us) / 1000);
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        const struct quota_view *v = &x->answer.limits[k];
        if (v->limit > 0) {
            headers_int(r, names[k][0], v->limit);
            headers_int(r, names[k][1], v->remaining);
            headers_duration(r, names[k][2], v->reset_us);
        }
    }
    if (x->answer.wait_ms > 0) {
        headers_int(r, "retry-after-ms", x->answer.wait_ms);
        headers_int(r, "retry-after", (x->answer.wait_ms + 999) / 1000);
    }
}

static void headers_anthropic_limit(const char *of, const struct quota_view *v, bool rounded,
                                    struct httpd_response *r) {
    char name[64], time[CLOCK_RFC3339_BYTES];
    int64_t left = v->remaining;
    if (rounded) {
        left = (left + HEADERS_ROUNDED / 2) / HEADERS_ROUNDED * HEADERS_ROUNDED;
    }
    (void)snprintf(name, sizeof name, "anthropic-ratelimit-%s-limit", of);
    headers_int(r, name, v->limit);
    (void)snprintf(name, sizeof name, "anthropic-ratelimit-%s-remaining", of);
    headers_int(r, name, left);
    clock_rfc3339(clock_wall_ms() + (v->reset_us + 999) / 1000, time);
    (void)snprintf(name, sizeof name, "anthropic-ratelimit-%s-reset", of);
    httpd_response_header(r, name, time);
}

static void headers_anthropic(const struct exchange *x, struct httpd_response *r) {
    static const char *const names[] = {[QUOTA_REQUESTS] = "requests",
                                        [QUOTA_TOKENS] = "input-tokens",
                                        [QUOTA_OUTPUT] = "output-tokens"};
    char id[40];
    exchange_request_id(x, id, sizeof id);
    httpd_response_header(r, "request-id", id);
    httpd_response_header(r, "anthropic-organization-id", "00000000-0000-0000-0000-000000000000");
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        const struct quota_view *v = &x->answer.limits[k];
        if (v->limit > 0) {
            headers_anthropic_limit(names[k], v, k != QUOTA_REQUESTS, r);
        }
    }
    if (x->answer.wait_ms > 0) {
        headers_int(r, "retry-after", (x->answer.wait_ms + 999) / 1000);
    }
}

void headers_add(const struct exchange *x, struct httpd_response *r) {
    const struct answer *a = &x->answer;
    httpd_response_header(r, "content-type", a->content_type);
    if (x->dialect == DIALECT_OPENAI) {
        headers_openai(x, r);
    } else if (x->dialect == DIALECT_ANTHROPIC) {
        headers_anthropic(x, r);
    } /* Gemini tells nothing */
    if (a->allow != NULL) {
        httpd_response_header(r, "allow", a->allow);
    }
    if (a->close) {
        httpd_response_header(r, "connection", "close");
    }
}
