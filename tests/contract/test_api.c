/* The service's interface as its clients see it: the real server over a real store, spoken to in
 * plain bytes. Here jobs; who may do what is in test_api_access.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/problem.h"
#include "contract/api_rig.h"
#include "contract/talk.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MODELS                                                                                     \
    "\"engineer_model\":\"sim/engineer\",\"checker_model\":\"sim/checker\","                       \
    "\"target_model\":{\"provider\":\"sim\",\"model_name\":\"target\"}"
#define JOB "{\"num_problems\":2," MODELS ",\"name\":\"one\",\"metadata\":{\"team\":\"a\"}}"
#define STATUS "/status/" RIG_JOB
#define JOB_PATH "/jobs/" RIG_JOB

static const struct talk_reply *get(const struct api_rig *r, const char *path,
                                    const char *headers) {
    return talk(r->port, "GET", path, headers, NULL);
}

static const struct talk_reply *post(const struct api_rig *r, const char *path, const char *headers,
                                     const char *body) {
    return talk(r->port, "POST", path, headers, body);
}

static void assert_says(const struct talk_reply *reply, int status, const char *text) {
    if (reply->status != status || strstr(reply->body, text) == NULL) {
        fail_msg("not %d with %s but: %s", status, text, reply->bytes);
    }
}

/* Every error has this form. */
static void assert_problem(const struct talk_reply *reply, int status, const char *code) {
    char member[64];
    (void)snprintf(member, sizeof member, "\"code\":\"%s\"", code);
    assert_says(reply, status, member);
    assert_string_equal(talk_header(reply, "content-type"), "application/problem+json");
    assert_non_null(strstr(reply->body, "\"request_id\":\"req_"));
    assert_non_null(strstr(reply->body, "\"title\":\""));
}

static void submit(const struct api_rig *r, const char *headers, char ret_id[64]) {
    const struct talk_reply *reply = post(r, "/generate", headers, JOB);
    assert_int_equal(reply->status, 202);
    assert_int_equal(sscanf(talk_header(reply, "location"), "/status/%63s", ret_id), 1);
}

static void finish_one(struct api_rig *r, enum outcome outcome) {
    assert_int_equal(rig_finish(&r->rig, rig_claim_one(&r->rig), outcome, NULL), ERR_OK);
}

/* A job with two accepted problems and one that the target solved. */
static void make_job(struct api_rig *r, enum job_state state) {
    assert_int_equal(rig_submit(&r->rig, 3), ERR_OK);
    struct lease first = rig_claim_one(&r->rig);
    assert_int_equal(rig_record(&r->rig, first, 1, S("x")), ERR_OK);
    assert_int_equal(rig_finish(&r->rig, first, OUTCOME_ACCEPTED, NULL), ERR_OK);
    finish_one(r, OUTCOME_SOLVED);
    finish_one(r, OUTCOME_ACCEPTED);
    if (state != JOB_QUEUED) {
        assert_int_equal(rig_job_set(&r->rig, state, "attempts_spent"), ERR_OK);
    }
}

static void test_a_job_is_accepted_and_can_be_looked_at(void **state) {
    struct api_rig *r = *state;
    char id[64], path[128];
    submit(r, "Content-Type: application/json; charset=utf-8\r\n", id);
    (void)snprintf(path, sizeof path, "/status/%s", id);
    const struct talk_reply *reply = get(r, path, "");
    assert_says(reply, 200, "\"status\":\"queued\"");
    assert_says(reply, 200, "\"metadata\":{\"team\":\"a\"}");
    assert_says(reply, 200, "\"counts\":{\"wanted\":2,\"accepted\":0");
    assert_string_equal(talk_header(reply, "retry-after"), "2");
    (void)snprintf(path, sizeof path, "/jobs/%s", id);
    assert_says(get(r, path, ""), 200, id);
    assert_says(post(r, "/v1/jobs", "", JOB), 202, "\"status\":\"queued\"");
    assert_says(post(r, "/v1/jobs", "", JOB), 202, "\"expires_at\":null");
}

static void test_everything_wrong_in_a_request_is_told_at_once(void **state) {
    struct api_rig *r = *state;
    const struct talk_reply *reply =
        post(r, "/generate", "",
             "{\"num_problems\":0,\"engineer_model\":7,\"checker_model\":\"a/b\",\"colour\":1}");
    assert_problem(reply, 422, "invalid_request");
    assert_says(reply, 422, "\"pointer\":\"/num_problems\"");
    assert_says(reply, 422, "\"pointer\":\"/engineer_model\"");
    assert_says(reply, 422, "\"pointer\":\"/target_model\"");
    assert_says(reply, 422, "\"pointer\":\"/colour\"");
    reply = post(r, "/generate", "", "{\"num_problems\":\n tru}");
    assert_problem(reply, 400, "invalid_json");
    assert_says(reply, 400, "line 2, column 2");
    assert_says(reply, 400, "\"errors\":[{\"pointer\":\"/num_problems\",\"line\":2,\"detail\":\"");
    reply = post(r, "/generate", "", "{\"num_problems\":\n7,\n\"taxonomy\":{\"A\":[\"b\",\n3]}}");
    assert_says(reply, 422, "\"pointer\":\"/taxonomy/A/1\",\"line\":4,");
    assert_says(reply, 422, "\"pointer\":\"/target_model\",\"line\":1,");
    assert_problem(post(r, "/generate", "", ""), 400, "invalid_json");
    reply = post(r, "/generate", "",
                 "{\"num_problems\":1," MODELS ",\"webhook_url\":\"https://example.org/\"}");
    assert_says(reply, 422, "no secret to sign webhooks with");
}

static void test_nesting_too_deep_is_an_error_like_any_other(void **state) {
    struct api_rig *r = *state;
    char deep[2001];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_problem(post(r, "/generate", "", deep), 400, "invalid_json");
}

static void test_wrong_paths_methods_and_arguments_are_problems(void **state) {
    struct api_rig *r = *state;
    assert_problem(get(r, "/nothing", ""), 404, "not_found");
    assert_problem(get(r, STATUS, ""), 404, "not_found");
    assert_problem(get(r, "/status/", ""), 404, "not_found");
    const struct talk_reply *reply = talk(r->port, "PUT", "/jobs/x", "", "");
    assert_problem(reply, 405, "method_not_allowed");
    assert_string_equal(talk_header(reply, "allow"), "GET, HEAD, DELETE");
    assert_problem(post(r, "/generate", "Content-Type: text/plain\r\n", JOB), 415,
                   "unsupported_media_type");
    reply = get(r, "/jobs?limit=0&colour=red", "");
    assert_problem(reply, 400, "bad_request");
    assert_says(reply, 400, "colour");
    assert_says(reply, 400, "limit must be an integer from 1 to 100");
    assert_problem(get(r, "/jobs?status=happy", ""), 400, "bad_request");
}

static void test_the_same_key_gives_the_same_job_and_another_body_is_refused(void **state) {
    struct api_rig *r = *state;
    char first[64], second[64];
    submit(r, "Idempotency-Key: \"k-1\"\r\n", first);
    submit(r, "Idempotency-Key: k-1\r\n", second);
    assert_string_equal(first, second);
    const struct talk_reply *reply = post(r, "/generate", "Idempotency-Key: k-1\r\n", JOB);
    assert_string_equal(talk_header(reply, "idempotency-replayed"), "true");
    reply = post(r, "/generate", "Idempotency-Key: k-1\r\n", "{\"num_problems\":3," MODELS "}");
    assert_problem(reply, 422, "idempotency_mismatch");
    reply =
        post(r, "/generate", "Idempotency-Key: k-1\r\n",
             "{" MODELS ", \"metadata\":{\"team\":\"a\"},\"name\":\"one\", \"num_problems\":2}");
    assert_int_equal(reply->status, 202); /* the same in another order */
    assert_problem(post(r, "/generate", "Idempotency-Key: \r\n", JOB), 400, "bad_request");
}

/* Both are read before the store can answer the first, if they come together; they need not. */
static void test_a_retry_that_comes_before_the_first_is_answered_is_a_conflict(void **state) {
    const struct api_rig *r = *state;
    int conflicts = 0;
    for (int round = 0; round < 200 && conflicts == 0; round++) {
        char request[1024], ids[2][64] = {"", ""};
        int fd[2] = {talk_dial(r->port), talk_dial(r->port)}, stored = 0;
        (void)snprintf(request, sizeof request,
                       "POST /generate HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: r%d\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       round, strlen(JOB), JOB);
        talk_say(fd[0], request);
        talk_say(fd[1], request);
        for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
            const struct talk_reply *reply = talk_hear(fd[i], 5000);
            if (reply->status == 409) {
                assert_problem(reply, 409, "idempotency_in_progress");
                assert_string_equal(talk_header(reply, "retry-after"), "1");
                conflicts++;
            } else {
                assert_int_equal(reply->status, 202);
                (void)sscanf(talk_header(reply, "location"), "/status/%63s", ids[stored++]);
            }
            (void)close(fd[i]);
        }
        assert_true(stored >= 1 && (stored == 1 || strcmp(ids[0], ids[1]) == 0));
        (void)snprintf(request, sizeof request, "Idempotency-Key: r%d\r\n", round);
        const struct talk_reply *again = post(r, "/generate", request, JOB);
        assert_says(again, 202, ids[0]);
    }
    assert_int_equal(conflicts, 1);
}

static void test_an_unchanged_status_is_304_until_something_changes(void **state) {
    struct api_rig *r = *state;
    char header[64];
    make_job(r, JOB_QUEUED);
    (void)snprintf(header, sizeof header, "If-None-Match: %s\r\n",
                   talk_header(get(r, STATUS, ""), "etag"));
    const struct talk_reply *reply = get(r, STATUS, header);
    assert_int_equal(reply->status, 304);
    assert_int_equal(reply->body_n, 0);
    assert_int_equal(rig_job_set(&r->rig, JOB_PARTIAL, "attempts_spent"), ERR_OK);
    for (int i = 0; i < 1000 && reply->status == 304; i++) { /* the api has to hear of it */
        (void)usleep(20000);
        reply = get(r, STATUS, header);
    }
    assert_says(reply, 200, "\"status\":\"partial\"");
    assert_says(reply, 200, "\"reason\":\"attempts_spent\"");
    assert_null(talk_header(reply, "retry-after"));
}

static void test_an_ended_job_shows_its_problems_with_its_status(void **state) {
    struct api_rig *r = *state;
    make_job(r, JOB_PARTIAL);
    const struct talk_reply *reply = get(r, STATUS, "");
    assert_says(reply, 200, "\"valid_prompts\":[{\"id\":\"p1\"");
    assert_says(reply, 200, "\"discarded_prompts\":[{\"id\":\"p2\"");
    assert_says(reply, 200, "\"acceptance_rate\":0.6667");
    assert_says(reply, 200,
                "\"by_model\":[{\"role\":\"target\",\"model\":\"lab/target\",\"calls\":1");
}

struct later {
    struct api_rig *r;
    enum job_state state;
};

static void *set_later(void *ctx) {
    const struct later *l = ctx;
    (void)usleep(150000);
    assert_int_equal(rig_job_set(&l->r->rig, l->state, "attempts_spent"), ERR_OK);
    return NULL;
}

static void test_a_waiting_client_is_answered_when_the_job_ends(void **state) {
    struct api_rig *r = *state;
    pthread_t thread;
    struct later later = {r, JOB_SUCCEEDED};
    make_job(r, JOB_QUEUED);
    assert_int_equal(pthread_create(&thread, NULL, set_later, &later), 0);
    const struct talk_reply *reply = get(r, STATUS "?wait=20", "");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_says(reply, 200, "\"status\":\"succeeded\"");
}

static void test_a_client_that_waits_in_vain_is_told_what_there_is(void **state) {
    struct api_rig *r = *state;
    char header[64];
    make_job(r, JOB_QUEUED);
    (void)snprintf(header, sizeof header, "If-None-Match: %s\r\n",
                   talk_header(get(r, STATUS, ""), "etag"));
    assert_int_equal(get(r, STATUS "?wait=1", header)->status, 304);
    assert_says(get(r, STATUS "?wait=1", ""), 200, "\"status\":\"queued\"");
    assert_int_equal(post(r, "/generate", "Prefer: wait=1\r\n", JOB)->status, 202);
}

static void *cancel_the_only_job(void *ctx) {
    struct api_rig *r = ctx;
    char id[64] = "", path[128];
    int fd = -1;
    static struct talk_reply list;
    for (int i = 0; i < 100 && *id == '\0'; i++) {
        (void)usleep(20000);
        fd = talk_dial(r->port);
        list = (struct talk_reply){.n = 0};
        talk_say(fd, "GET /jobs HTTP/1.0\r\nHost: localhost\r\n\r\n");
        (void)talk_until(fd, "\"next\"", 5000, &list);
        (void)close(fd);
        const char *at = strstr(list.bytes, "\"job_id\":\"");
        if (at != NULL) {
            (void)sscanf(at, "\"job_id\":\"%63[^\"]", id);
        }
    }
    (void)snprintf(path, sizeof path, "POST /jobs/%s/cancel HTTP/1.0\r\nHost: localhost\r\n\r\n",
                   id);
    fd = talk_dial(r->port);
    list = (struct talk_reply){.n = 0};
    talk_say(fd, path);
    (void)talk_until(fd, "cancelled", 5000, &list);
    (void)close(fd);
    return NULL;
}

static void test_a_submission_that_prefers_to_wait_gets_the_whole_result(void **state) {
    struct api_rig *r = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_the_only_job, r), 0);
    const struct talk_reply *reply =
        post(r, "/generate", "Prefer: handling=lenient, wait=9\r\n", JOB);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_says(reply, 200, "\"status\":\"cancelled\"");
    assert_says(reply, 200,
                "\"valid_prompts\":[],\"discarded_prompts\":[],\"metadata\":{\"team\":\"a\"}");
}

static void test_jobs_are_listed_newest_first_in_pages(void **state) {
    struct api_rig *r = *state;
    char ids[3][64], path[128], next[96];
    for (int i = 0; i < 3; i++) {
        submit(r, "", ids[i]);
    }
    const struct talk_reply *reply = get(r, "/jobs?limit=2&status=queued&name=one", "");
    (void)snprintf(next, sizeof next, "\"has_more\":true,\"next\":\"%s\"", ids[1]);
    assert_says(reply, 200, next);
    assert_true(strstr(reply->body, ids[2]) < strstr(reply->body, ids[1]));
    assert_null(strstr(reply->body, ids[0]));
    (void)snprintf(path, sizeof path, "/jobs?limit=2&starting_after=%s", ids[1]);
    reply = get(r, path, "");
    assert_says(reply, 200, ids[0]);
    assert_says(reply, 200, "\"has_more\":false,\"next\":null");
    assert_says(get(r, "/jobs?status=running", ""), 200, "\"data\":[]");
}

static void test_jobs_are_paused_resumed_cancelled_and_deleted(void **state) {
    struct api_rig *r = *state;
    make_job(r, JOB_QUEUED);
    assert_says(post(r, JOB_PATH "/pause", "", NULL), 200, "\"status\":\"paused\"");
    assert_says(get(r, STATUS, ""), 200, "\"status\":\"paused\"");
    assert_says(post(r, JOB_PATH "/resume", "", NULL), 200, "\"status\":\"queued\"");
    assert_problem(talk(r->port, "DELETE", JOB_PATH, "", NULL), 409, "conflict");
    assert_says(post(r, JOB_PATH "/cancel", "", NULL), 200, "\"status\":\"cancelled\"");
    assert_says(post(r, JOB_PATH "/cancel", "", NULL), 200, "\"status\":\"cancelled\"");
    assert_problem(post(r, JOB_PATH "/pause", "", NULL), 409, "conflict");
    assert_says(get(r, STATUS, ""), 200, "\"status\":\"cancelled\"");
    assert_int_equal(talk(r->port, "DELETE", JOB_PATH, "", NULL)->status, 204);
    assert_problem(get(r, STATUS, ""), 410, "gone");
    assert_problem(post(r, JOB_PATH "/cancel", "", NULL), 410, "gone");
}

static void test_results_come_in_pages_while_the_job_runs(void **state) {
    struct api_rig *r = *state;
    make_job(r, JOB_QUEUED);
    const struct talk_reply *reply = get(r, JOB_PATH "/results?limit=1", "");
    assert_says(reply, 200, "\"job_status\":\"queued\"");
    assert_says(reply, 200, "\"has_more\":true,\"next\":1,\"data\":[{\"seq\":1,\"id\":\"p1\"");
    reply = get(r, JOB_PATH "/results?starting_after=1", "");
    assert_says(reply, 200, "\"has_more\":false,\"next\":3,\"data\":[{\"seq\":3,\"id\":\"p3\"");
    assert_says(get(r, JOB_PATH "/results?status=solved,rejected", ""), 200, "\"id\":\"p2\"");
    assert_problem(get(r, JOB_PATH "/results?status=fine", ""), 400, "bad_request");
    assert_problem(get(r, "/jobs/job_2/results", ""), 404, "not_found");
}

static void test_results_come_as_lines_and_may_be_followed_to_the_end(void **state) {
    struct api_rig *r = *state;
    static struct talk_reply stream;
    make_job(r, JOB_QUEUED);
    const struct talk_reply *reply =
        get(r, JOB_PATH "/results?status=all", "Accept: application/jsonl\r\n");
    assert_string_equal(talk_header(reply, "content-type"), "application/jsonl");
    int lines = 0;
    for (const char *p = reply->body; (p = strchr(p, '\n')) != NULL; p++) {
        lines++;
    }
    assert_int_equal(lines, 3);
    int fd = talk_dial(r->port);
    stream = (struct talk_reply){.n = 0};
    talk_say(fd, "GET " JOB_PATH
                 "/results?format=jsonl&follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(talk_until(fd, "\"id\":\"p3\"", 5000, &stream));
    finish_one(r, OUTCOME_ACCEPTED);
    assert_true(talk_until(fd, "\"id\":\"p4\"", 5000, &stream));
    assert_null(strstr(stream.bytes, "\r\n0\r\n\r\n"));
    assert_int_equal(rig_job_set(&r->rig, JOB_SUCCEEDED, ""), ERR_OK);
    assert_true(talk_until(fd, "\r\n0\r\n\r\n", 5000, &stream));
    (void)close(fd);
}

static void test_events_come_as_they_happen_and_go_on_where_a_client_was_cut_off(void **state) {
    struct api_rig *r = *state;
    static struct talk_reply stream;
    assert_int_equal(rig_submit(&r->rig, 3), ERR_OK);
    int fd = talk_dial(r->port);
    stream = (struct talk_reply){.n = 0};
    talk_say(fd, "GET " JOB_PATH "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(talk_until(fd, "id: 1\nevent: job.queued\ndata: {", 5000, &stream));
    assert_non_null(strstr(stream.bytes, "content-type: text/event-stream"));
    finish_one(r, OUTCOME_ACCEPTED);
    assert_true(talk_until(fd, "event: problem.accepted\n", 5000, &stream));
    assert_int_equal(rig_job_set(&r->rig, JOB_PARTIAL, "attempts_spent"), ERR_OK);
    assert_true(talk_until(fd, "event: job.partial\n", 5000, &stream));
    assert_true(talk_until(fd, "\r\n0\r\n\r\n", 5000, &stream));
    (void)close(fd);
    const struct talk_reply *again = get(r, JOB_PATH "/events", "Last-Event-ID: 1\r\n");
    assert_null(strstr(again->body, "job.queued"));
    assert_says(again, 200, "event: job.partial\n");
    assert_int_equal(get(r, JOB_PATH "/events", "Last-Event-ID: 1000\r\n")->status, 204);
    assert_says(get(r, JOB_PATH "/events", "Last-Event-ID: never\r\n"), 200, "job.queued");
    assert_problem(get(r, "/jobs/job_2/events", ""), 404, "not_found");
}

static void test_health_numbers_and_documents_need_no_job(void **state) {
    struct api_rig *r = *state;
    assert_says(get(r, "/livez", ""), 200, "ok");
    assert_says(get(r, "/readyz", ""), 200, "ready");
    assert_says(
        get(r, "/metrics", ""), 200,
        "stumper_api_request_seconds_count{method=\"GET\",route=\"/livez\",status=\"2xx\"} 1\n");
    assert_says(get(r, "/metrics", ""), 200, "stumper_jobs{state=\"queued\"} 0\n");
    assert_says(get(r, "/openapi.json", ""), 200, "\"openapi\":\"3.1.0\"");
    assert_says(get(r, "/docs", ""), 200, "<!doctype html>");
    const struct talk_reply *reply = get(r, "/", "");
    assert_int_equal(reply->status, 302);
    assert_string_equal(talk_header(reply, "location"), "/docs");
    reply = talk(r->port, "HEAD", "/livez", "", NULL);
    assert_int_equal(reply->status, 200);
}

static bool has_error(const struct jnode *api, const char *code) {
    const struct jnode *errors = jnode_get(api, "x-errors");
    for (size_t i = 0; i < jnode_len(errors); i++) {
        if (str_eq(jnode_get_str(jnode_at(errors, i), "code"), str_of(code))) {
            return true;
        }
    }
    return false;
}

static void test_every_route_and_error_is_described(void **state) {
    struct api_rig *r = *state;
    static const char *const codes[] = {
#define X(name, code, status, retry) code,
        PROBLEM_TABLE(X)
#undef X
    };
    const struct talk_reply *reply = get(r, "/openapi.json", "");
    const struct jnode *api;
    size_t n;
    assert_int_equal(jnode_parse(str_of(reply->body), &r->rig.arena, &api, NULL), ERR_OK);
    assert_true(str_eq(jnode_get_str(jnode_get(api, "info"), "version"), S(STUMPER_VERSION)));
    const struct route *routes = routes_all(&n);
    for (size_t i = 0; i < n; i++) {
        const struct jnode *path = jnode_get(jnode_get(api, "paths"), routes[i].path);
        const char *method = strcmp(routes[i].method, "GET") == 0    ? "get"
                             : strcmp(routes[i].method, "POST") == 0 ? "post"
                                                                     : "delete";
        if (jnode_type(jnode_get(path, method)) != JNODE_OBJECT) {
            fail_msg("%s %s is not described", routes[i].method, routes[i].path);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (!has_error(api, codes[i])) {
            fail_msg("%s is not described", codes[i]);
        }
    }
}

static void test_a_draining_server_takes_no_job_but_answers_for_those_it_has(void **state) {
    struct api_rig *r = *state;
    make_job(r, JOB_QUEUED);
    api_drain(r->api);
    assert_int_equal(get(r, "/readyz", "")->status, 503);
    assert_problem(post(r, "/generate", "", JOB), 503, "unavailable");
    assert_int_equal(get(r, STATUS, "")->status, 200);
    assert_int_equal(get(r, "/livez", "")->status, 200);
}

static bool is_degraded(void *ctx) {
    return *(bool *)ctx;
}

static void test_what_is_done_without_is_told_and_is_no_reason_to_send_nobody(void **state) {
    struct api_rig *r = *state;
    bool degraded = true;
    r->options.degraded = is_degraded;
    r->options.degraded_ctx = &degraded;
    assert_int_equal(api_rig_again(r, NULL), ERR_OK);
    assert_says(get(r, "/readyz", ""), 200, "ready, degraded");
    degraded = false;
    assert_says(get(r, "/readyz", ""), 200, "ready\n");
    r->options.degraded = NULL;
    assert_int_equal(api_rig_again(r, NULL), ERR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        api_test(test_a_job_is_accepted_and_can_be_looked_at),
        api_test(test_everything_wrong_in_a_request_is_told_at_once),
        api_test(test_nesting_too_deep_is_an_error_like_any_other),
        api_test(test_wrong_paths_methods_and_arguments_are_problems),
        api_test(test_the_same_key_gives_the_same_job_and_another_body_is_refused),
        api_test(test_a_retry_that_comes_before_the_first_is_answered_is_a_conflict),
        api_test(test_an_unchanged_status_is_304_until_something_changes),
        api_test(test_an_ended_job_shows_its_problems_with_its_status),
        api_test(test_a_waiting_client_is_answered_when_the_job_ends),
        api_test(test_a_client_that_waits_in_vain_is_told_what_there_is),
        api_test(test_a_submission_that_prefers_to_wait_gets_the_whole_result),
        api_test(test_jobs_are_listed_newest_first_in_pages),
        api_test(test_jobs_are_paused_resumed_cancelled_and_deleted),
        api_test(test_results_come_in_pages_while_the_job_runs),
        api_test(test_results_come_as_lines_and_may_be_followed_to_the_end),
        api_test(test_events_come_as_they_happen_and_go_on_where_a_client_was_cut_off),
        api_test(test_health_numbers_and_documents_need_no_job),
        api_test(test_what_is_done_without_is_told_and_is_no_reason_to_send_nobody),
        api_test(test_every_route_and_error_is_described),
        api_test(test_a_draining_server_takes_no_job_but_answers_for_those_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
