/* Who may do what at the service's interface, how often, and how it is kept from harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "contract/api_rig.h"
#include "contract/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define JOB                                                                                        \
    "{\"num_problems\":1,\"engineer_model\":\"a/b\",\"checker_model\":\"a/"                        \
    "b\",\"target_model\":\"a/b\"}"
#define ADMIN ",\"scopes\":[\"admin\"]"
#define BEARER_BYTES 128

static void assert_says(const struct talk_reply *reply, int status, const char *text) {
    if (reply->status != status || strstr(reply->body, text) == NULL) {
        fail_msg("not %d with %s but: %s", status, text, reply->bytes);
    }
}

/* Make a key; @ret is the header that uses it. @admin: the header of one that may, or "". */
static void make_key(const struct api_rig *r, const char *admin, const char *members,
                     char ret[BEARER_BYTES], char ret_id[64]) {
    char body[256], path[64] = "/keys";
    (void)snprintf(body, sizeof body, "{\"name\":\"test\"%s}", members);
    const struct talk_reply *reply = talk(r->port, "POST", path, admin, body);
    assert_int_equal(reply->status, 201);
    const char *key = strstr(reply->body, "\"key\":\""), *id = strstr(reply->body, "\"id\":\"");
    assert_non_null(key);
    assert_non_null(id);
    assert_int_equal(sscanf(id, "\"id\":\"%63[^\"]", ret_id), 1);
    (void)snprintf(ret, BEARER_BYTES, "Authorization: Bearer %.*s\r\n", (int)strcspn(key + 7, "\""),
                   key + 7);
}

static void submit(const struct api_rig *r, const char *headers, char ret_path[128]) {
    const struct talk_reply *reply = talk(r->port, "POST", "/generate", headers, JOB);
    assert_int_equal(reply->status, 202);
    (void)snprintf(ret_path, 128, "%s", talk_header(reply, "location"));
}

static void test_the_first_key_closes_the_server(void **state) {
    struct api_rig *r = *state;
    char admin[BEARER_BYTES], id[64], path[128];
    assert_int_equal(talk(r->port, "GET", "/jobs", "", NULL)->status, 200);
    assert_says(talk(r->port, "POST", "/keys", "", "{\"name\":\"x\"}"), 422,
                "must hold \\\"admin\\\"");
    make_key(r, "", ADMIN, admin, id);
    const struct talk_reply *reply = talk(r->port, "GET", "/jobs", "", NULL);
    assert_string_equal(talk_header(reply, "www-authenticate"), "Bearer realm=\"stumper\"");
    assert_says(reply, 401, "\"code\":\"unauthorized\"");
    assert_int_equal(talk(r->port, "GET", "/jobs", admin, NULL)->status, 200);
    assert_int_equal(
        talk(r->port, "GET", "/jobs", "Authorization: Bearer sk-stumper-no\r\n", NULL)->status,
        401);
    assert_int_equal(talk(r->port, "GET", "/livez", "", NULL)->status, 200);
    reply = talk(r->port, "GET", "/keys", admin, NULL);
    assert_says(reply, 200, id);
    assert_null(strstr(reply->body, "sk-stumper-"));
    (void)snprintf(path, sizeof path, "/keys/%s", id);
    assert_int_equal(talk(r->port, "DELETE", path, admin, NULL)->status, 204);
    assert_int_equal(talk(r->port, "GET", "/jobs", admin, NULL)->status, 401);
    assert_int_equal(talk(r->port, "GET", "/jobs", "", NULL)->status, 401); /* it stays closed */
    struct errinfo why = {0};
    assert_int_equal(api_rig_again(r, &why), ERR_OK);
    assert_int_equal(talk(r->port, "GET", "/jobs", "", NULL)->status, 401);
}

static void test_a_key_sees_its_own_jobs_and_does_what_its_scopes_say(void **state) {
    struct api_rig *r = *state;
    char admin[BEARER_BYTES], one[BEARER_BYTES], two[BEARER_BYTES], reader[BEARER_BYTES], id[64];
    char path[128], cancel[160];
    make_key(r, "", ADMIN, admin, id);
    assert_int_equal(talk(r->port, "GET", "/jobs", "", NULL)->status, 401);
    make_key(r, admin, "", one, id);
    make_key(r, admin, "", two, id);
    make_key(r, admin, ",\"scopes\":[\"read\"]", reader, id);
    assert_int_equal(talk(r->port, "GET", "/jobs", reader, NULL)->status, 200);
    submit(r, one, path);
    assert_int_equal(talk(r->port, "GET", path, one, NULL)->status, 200);
    assert_says(talk(r->port, "GET", path, two, NULL), 404, "There is no such job.");
    assert_int_equal(talk(r->port, "GET", path, admin, NULL)->status, 200);
    (void)snprintf(cancel, sizeof cancel, "/jobs/%s/cancel", path + strlen("/status/"));
    assert_int_equal(talk(r->port, "POST", cancel, two, NULL)->status, 404);
    assert_says(talk(r->port, "POST", cancel, reader, NULL), 403, "lacks the scope \\\"submit\\\"");
    assert_says(talk(r->port, "POST", "/generate", reader, JOB), 403, "\"code\":\"forbidden\"");
    assert_int_equal(talk(r->port, "GET", "/keys", one, NULL)->status, 403);
    assert_says(talk(r->port, "GET", "/jobs", two, NULL), 200, "\"data\":[]");
    assert_int_equal(talk(r->port, "POST", cancel, one, NULL)->status, 200);
}

static void test_a_key_is_good_and_revoked_from_the_answer_on(void **state) {
    struct api_rig *r = *state;
    char admin[BEARER_BYTES], key[BEARER_BYTES], id[64], path[128];
    make_key(r, "", ADMIN, admin, id);
    for (int i = 0; i < 100; i++) {
        make_key(r, admin, "", key, id);
        assert_int_equal(talk(r->port, "GET", "/jobs", key, NULL)->status, 200);
        (void)snprintf(path, sizeof path, "/keys/%s", id);
        assert_int_equal(talk(r->port, "DELETE", path, admin, NULL)->status, 204);
        assert_int_equal(talk(r->port, "GET", "/jobs", key, NULL)->status, 401);
    }
}

/* Begin a request that will take its time. */
static int begin(const struct api_rig *r, const char *method, const char *path,
                 const char *header) {
    char line[1024];
    int fd = talk_dial(r->port);
    (void)snprintf(line, sizeof line, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, path,
                   header);
    talk_say(fd, line);
    return fd;
}

/* A stream is cut off: no end that would make it look whole. */
static void assert_cut_off(int fd) {
    static struct talk_reply stream;
    stream = (struct talk_reply){.n = 0};
    assert_false(talk_until(fd, "0\r\n\r\n", 5000, &stream));
    assert_true(stream.closed);
    (void)close(fd);
}

/* Of two that follow a job one loses its key, and its stream with it. @what: events or results. */
static void assert_cut_off_when_revoked(const struct api_rig *r, const char *admin,
                                        const char *what) {
    static struct talk_reply stream;
    char key[BEARER_BYTES], id[64], path[128], line[512];
    make_key(r, admin, "", key, id);
    submit(r, key, path);
    const char *job = path + strlen("/status/");
    (void)snprintf(line, sizeof line, "/jobs/%s/%s", job, what);
    int stays = begin(r, "GET", line, admin), goes = begin(r, "GET", line, key);
    stream = (struct talk_reply){.n = 0};
    assert_true(talk_until(stays, "\r\n\r\n", 5000, &stream));
    stream = (struct talk_reply){.n = 0};
    assert_true(talk_until(goes, "\r\n\r\n", 5000, &stream));
    (void)snprintf(line, sizeof line, "/keys/%s", id);
    assert_int_equal(talk(r->port, "DELETE", line, admin, NULL)->status, 204);
    assert_cut_off(goes); /* although nothing has happened */
    (void)snprintf(line, sizeof line, "/jobs/%s/cancel", job);
    assert_int_equal(talk(r->port, "POST", line, admin, NULL)->status, 200);
    stream = (struct talk_reply){.n = 0};
    assert_true(talk_until(stays, "0\r\n\r\n", 5000, &stream));
    (void)close(stays);
}

static void test_a_stream_is_cut_off_when_its_key_is_revoked(void **state) {
    struct api_rig *r = *state;
    char admin[BEARER_BYTES], id[64];
    make_key(r, "", ADMIN, admin, id);
    assert_cut_off_when_revoked(r, admin, "events");
    assert_cut_off_when_revoked(r, admin, "results?format=jsonl&follow=true");
    assert_says(talk(r->port, "GET", "/metrics", "", NULL), 200, "\nstumper_api_streams 0\n");
}

static void test_a_request_that_waits_is_refused_when_its_key_is_revoked(void **state) {
    struct api_rig *r = *state;
    char admin[BEARER_BYTES], key[BEARER_BYTES], id[64], path[140], line[256];
    make_key(r, "", ADMIN, admin, id);
    make_key(r, admin, "", key, id);
    submit(r, key, path);
    (void)strcat(path, "?wait=20");
    int status = begin(r, "GET", path, key);
    (void)snprintf(line, sizeof line, "%sPrefer: wait=20\r\nContent-Length: %zu\r\n", key,
                   strlen(JOB));
    int submission = begin(r, "POST", "/generate", line),
        body = begin(r, "POST", "/generate", line);
    talk_say(submission, JOB);
    while (strstr(talk(r->port, "GET", "/jobs?limit=1", admin, NULL)->body, "\"has_more\":true") ==
           NULL) {
        (void)usleep(1000);
    }
    (void)snprintf(line, sizeof line, "/keys/%s", id);
    assert_int_equal(talk(r->port, "DELETE", line, admin, NULL)->status, 204);
    talk_say(body, JOB);
    assert_says(talk_hear(status, 5000), 401, "This key was revoked.");
    assert_says(talk_hear(submission, 5000), 401, "This key was revoked.");
    assert_says(talk_hear(body, 5000), 401, "This key was revoked.");
    (void)close(status);
    (void)close(submission);
    (void)close(body);
}

static void test_who_came_without_a_key_is_cut_off_by_the_first_one(void **state) {
    static struct talk_reply stream;
    struct api_rig *r = *state;
    char admin[BEARER_BYTES], id[64], path[128], line[256];
    submit(r, "", path);
    (void)snprintf(line, sizeof line, "/jobs/%s/events", path + strlen("/status/"));
    int events = begin(r, "GET", line, "");
    stream = (struct talk_reply){.n = 0};
    assert_true(talk_until(events, "job.queued", 5000, &stream));
    (void)strcat(path, "?wait=20");
    int status = begin(r, "GET", path, "");
    int livez = begin(r, "GET", "/livez", "");
    assert_int_equal(talk_hear(livez, 5000)->status, 200); /* so the other was read, too */
    make_key(r, "", ADMIN, admin, id);
    assert_cut_off(events);
    assert_says(talk_hear(status, 5000), 401, "wants a key by now");
    (void)close(status);
    (void)close(livez);
}

static void test_a_key_is_held_to_its_rate_and_told_of_it(void **state) {
    struct api_rig *r = *state;
    char key[BEARER_BYTES], id[64];
    make_key(r, "", ADMIN ",\"requests_per_minute\":3", key, id);
    assert_int_equal(talk(r->port, "GET", "/jobs", "", NULL)->status, 401);
    const struct talk_reply *reply = talk(r->port, "GET", "/jobs", key, NULL);
    assert_string_equal(talk_header(reply, "ratelimit-policy"), "\"default\";q=3;w=60");
    assert_string_equal(talk_header(reply, "ratelimit"), "\"default\";r=2;t=20");
    assert_int_equal(talk(r->port, "GET", "/jobs", key, NULL)->status, 200);
    assert_int_equal(talk(r->port, "GET", "/jobs", key, NULL)->status, 200);
    reply = talk(r->port, "GET", "/jobs", key, NULL);
    assert_says(reply, 429, "\"code\":\"rate_limited\"");
    assert_true(atoi(talk_header(reply, "retry-after")) >= 1);
    assert_non_null(talk_header(reply, "ratelimit"));
}

static void test_a_key_has_no_more_jobs_than_it_may_but_its_retries_are_answered(void **state) {
    struct api_rig *r = *state;
    char key[BEARER_BYTES], keyed[BEARER_BYTES + 64], id[64];
    make_key(r, "", ADMIN ",\"jobs_max\":1,\"usd_per_day\":2.5", key, id);
    assert_int_equal(talk(r->port, "GET", "/jobs", "", NULL)->status, 401);
    (void)snprintf(keyed, sizeof keyed, "%sIdempotency-Key: a\r\n", key);
    const struct talk_reply *first = talk(r->port, "POST", "/generate", keyed, JOB);
    assert_int_equal(first->status, 202);
    assert_string_equal(talk_header(first, "ratelimit-policy"),
                        "\"jobs\";q=1, \"cents\";q=250;w=86400");
    assert_non_null(strstr(talk_header(first, "ratelimit"), "\"jobs\";r=0, \"cents\";r=250;t="));
    const struct talk_reply *reply = talk(r->port, "POST", "/generate", key, JOB);
    assert_says(reply, 429, "\"code\":\"too_many_jobs\"");
    assert_non_null(talk_header(reply, "retry-after"));
    assert_int_equal(talk(r->port, "POST", "/generate", keyed, JOB)->status, 202);
}

static void test_a_key_that_has_spent_its_days_money_waits_for_the_next(void **state) {
    struct api_rig *r = *state;
    char key[BEARER_BYTES], id[64];
    make_key(r, "", ADMIN ",\"usd_per_day\":0.000000005", key, id);
    assert_int_equal(talk(r->port, "GET", "/jobs", "", NULL)->status, 401);
    struct store_submit o = {
        .op = RIG_OP(&r->rig), .job_id = RIG_JOB, .tenant = 1, .spec = S("{}"), .wanted = 1};
    store_submit(r->rig.store, &o);
    assert_int_equal(rig_wait(&r->rig, &o.op), ERR_OK);
    assert_int_equal(talk(r->port, "POST", "/generate", key, JOB)->status, 202);
    struct lease lease = rig_claim_one(&r->rig);
    struct ledger_call call = rig_call(lease.attempt_no, 1, S("x"));
    call.created_ms = clock_wall_ms();
    struct store_record record = {
        .op = RIG_OP(&r->rig), .job_id = RIG_JOB, .lease = lease, .call = &call};
    store_record(r->rig.store, &record);
    assert_int_equal(rig_wait(&r->rig, &record.op), ERR_OK);
    const struct talk_reply *reply = talk(r->port, "POST", "/generate", key, JOB);
    assert_says(reply, 429, "\"code\":\"spend_limit\"");
    assert_in_range(atoi(talk_header(reply, "retry-after")), 1, 86400);
}

static void test_other_sites_pages_are_refused_while_no_key_protects(void **state) {
    struct api_rig *r = *state;
    assert_int_equal(
        talk(r->port, "POST", "/generate", "Origin: https://evil.example\r\n", JOB)->status, 403);
    assert_int_equal(
        talk(r->port, "POST", "/generate", "Origin: http://localhost\r\n", JOB)->status, 202);
    int fd = talk_dial(r->port);
    talk_say(fd, "GET /jobs HTTP/1.1\r\nHost: rebound.example:80\r\n\r\n");
    assert_int_equal(talk_hear(fd, 5000)->status, 403);
    talk_say(fd, "GET /jobs HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
    assert_int_equal(talk_hear(fd, 5000)->status, 200);
    talk_say(fd, "GET /jobs HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
    assert_int_equal(talk_hear(fd, 5000)->status, 200);
    (void)close(fd);
}

static void test_beyond_loopback_a_key_has_to_be_there_first(void **state) {
    struct api_rig *r = *state;
    struct errinfo why = {0};
    char key[BEARER_BYTES], id[64];
    r->options.listen.address = "0.0.0.0";
    assert_int_equal(api_rig_again(r, &why), ERR_AUTH);
    assert_non_null(strstr(why.text, "stumper keys add"));
    r->options.listen.address = "127.0.0.1";
    assert_int_equal(api_rig_again(r, &why), ERR_OK);
    make_key(r, "", ADMIN, key, id);
    r->options.listen.address = "0.0.0.0";
    assert_int_equal(api_rig_again(r, &why), ERR_OK);
    assert_int_equal(talk(r->port, "GET", "/metrics", "", NULL)->status, 401);
    assert_int_equal(talk(r->port, "GET", "/metrics", key, NULL)->status, 200);
}

static void test_a_unix_socket_is_for_its_owner_and_replaces_a_dead_one(void **state) {
    struct api_rig *r = *state;
    struct errinfo why = {0};
    char path[96];
    (void)snprintf(path, sizeof path, "%s/api.sock", r->rig.folder);
    r->options.listen.unix_path = path;
    struct sockaddr_un dead = {.sun_family = AF_UNIX};
    (void)snprintf(dead.sun_path, sizeof dead.sun_path, "%s", path);
    int left = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(left, (struct sockaddr *)&dead, sizeof dead), 0);
    (void)close(left);
    assert_int_equal(api_rig_again(r, &why), ERR_OK);
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    int fd = talk_dial_unix(path);
    talk_say(fd, "GET /jobs HTTP/1.1\r\nHost: anything\r\n\r\n");
    assert_int_equal(talk_hear(fd, 5000)->status, 200);
    (void)close(fd);
    struct api *second;
    assert_int_equal(api_start(&r->options, &second, &why), ERR_BUSY);
    r->options.listen.unix_path = NULL;
    assert_int_equal(api_rig_again(r, &why), ERR_OK);
    assert_int_equal(stat(path, &file), -1);
}

static void test_what_is_too_large_is_refused_as_a_problem(void **state) {
    struct api_rig *r = *state;
    struct errinfo why = {0};
    char header[10000];
    r->options.body_bytes_max = 1000;
    assert_int_equal(api_rig_again(r, &why), ERR_OK);
    const struct talk_reply *reply = talk(r->port, "POST", "/generate",
                                          "Content-Length: 1001\r\nExpect: 100-continue\r\n", NULL);
    assert_says(reply, 413, "\"code\":\"too_large\"");
    memset(header, 'a', sizeof header);
    memcpy(header, "X-Long: ", 8);
    memcpy(header + sizeof header - 3, "\r\n", 3);
    assert_says(talk(r->port, "GET", "/livez", header, NULL), 431, "\"code\":\"header_too_large\"");
    reply = talk(r->port, "GET", "/livez", "Transfer-Encoding: gzip\r\n", NULL);
    assert_says(reply, 501, "\"code\":\"not_implemented\"");
    reply = talk(r->port, "POST", "/generate", "Content-Length: 1\r\nContent-Length: 2\r\n", NULL);
    assert_says(reply, 400, "\"code\":\"bad_request\"");
}

/* Say @n bytes between @begin and @end; the answer must be a problem. */
static void assert_refused(const struct api_rig *r, const char *begin, size_t n, const char *end,
                           int status, const char *code) {
    char *text = malloc(n + strlen(begin) + strlen(end) + 1), *at = stpcpy(text, begin);
    memset(at, 'a', n);
    (void)strcpy(at + n, end);
    int fd = talk_dial(r->port);
    talk_say(fd, text);
    const struct talk_reply *reply = talk_hear(fd, 5000);
    assert_says(reply, status, code);
    assert_string_equal(talk_header(reply, "content-type"), "application/problem+json");
    (void)close(fd);
    free(text);
}

/* libmicrohttpd answers these by itself, with pages, if it is let. */
static void test_what_the_library_cannot_read_is_refused_as_a_problem_too(void **state) {
    const struct api_rig *r = *state;
    const char *const end = " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_refused(r, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ", 20000, "\r\n\r\n", 431,
                   "\"code\":\"header_too_large\"");
    assert_refused(r, "GET /", 20000, end, 414, "\"code\":\"uri_too_long\"");
    assert_refused(r, "GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 0, "", 505,
                   "\"code\":\"http_version_not_supported\"");
    assert_refused(
        r, "POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
        "zz\r\n", 400, "\"code\":\"bad_request\"");
    assert_int_equal(talk(r->port, "GET", "/livez", "", NULL)->status, 200);
}

/* The most memory for the least text. */
static void test_bodies_full_of_very_small_things_are_answered(void **state) {
    struct api_rig *r = *state;
    static const char *const parts[][2] = {
        {"\"seed_data\":[{\"problem\":\"a\"}", ",{\"problem\":\"a\"}"},
        {"\"seed_data\":[{}", ",{}"},
        {"\"topics\":[\"a/b\"", ",\"\""},
        {"\"taxonomy\":[\"a/b\"", ",[]"},
        {"\"metadata\":[[]", ",[]"},
    };
    const size_t size = 400000;
    char *body = malloc(size + 1000);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t n =
            (size_t)sprintf(body, "{\"num_problems\":1,\"engineer_model\":\"a/b\",%s", parts[i][0]);
        while (n < size) {
            n += (size_t)sprintf(body + n, "%s", parts[i][1]);
        }
        (void)sprintf(body + n, "]}");
        char head[128];
        int fd = talk_dial(r->port);
        (void)snprintf(head, sizeof head,
                       "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
                       strlen(body));
        talk_say(fd, head);
        talk_say(fd, body);
        assert_int_equal(talk_hear(fd, 20000)->status, 422);
        (void)close(fd);
    }
    free(body);
}

static void test_bad_webhook_secrets_are_refused_without_telling_them(void **state) {
    struct api_rig *r = *state;
    struct errinfo why = {0};
    r->options.webhook_secrets = "whsec_c2hvcnQ=";
    assert_int_equal(api_rig_again(r, &why), ERR_INVALID);
    assert_null(strstr(why.text, "c2hvcnQ"));
}

static void test_a_client_that_vanishes_leaves_nothing_behind(void **state) {
    struct api_rig *r = *state;
    char path[128], request[256];
    submit(r, "", path);
    /* What is written to a stream every 15 s, and the end of a wait after 20, would tell too. */
    int64_t until_ms = clock_mono_ms() + 12000;
    for (int i = 0; i < 20; i++) {
        int fd = talk_dial(r->port);
        (void)snprintf(request, sizeof request,
                       i % 2 == 0 ? "GET /jobs/%s/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                  : "GET /jobs/%s?wait=20 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                       path + strlen("/status/"));
        talk_say(fd, request);
        (void)close(fd);
    }
    while (clock_mono_ms() < until_ms) {
        const struct talk_reply *reply = talk(r->port, "GET", "/metrics", "", NULL);
        if (strstr(reply->body, "\nstumper_api_streams 0\n") != NULL &&
            strstr(reply->body, "\nstumper_api_connections 1\n") != NULL) {
            return;
        }
        (void)usleep(20000);
    }
    fail_msg("still there: %s", talk(r->port, "GET", "/metrics", "", NULL)->body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        api_test(test_the_first_key_closes_the_server),
        api_test(test_a_key_sees_its_own_jobs_and_does_what_its_scopes_say),
        api_test(test_a_key_is_good_and_revoked_from_the_answer_on),
        api_test(test_a_stream_is_cut_off_when_its_key_is_revoked),
        api_test(test_a_request_that_waits_is_refused_when_its_key_is_revoked),
        api_test(test_who_came_without_a_key_is_cut_off_by_the_first_one),
        api_test(test_a_key_is_held_to_its_rate_and_told_of_it),
        api_test(test_a_key_has_no_more_jobs_than_it_may_but_its_retries_are_answered),
        api_test(test_a_key_that_has_spent_its_days_money_waits_for_the_next),
        api_test(test_other_sites_pages_are_refused_while_no_key_protects),
        api_test(test_beyond_loopback_a_key_has_to_be_there_first),
        api_test(test_a_unix_socket_is_for_its_owner_and_replaces_a_dead_one),
        api_test(test_what_is_too_large_is_refused_as_a_problem),
        api_test(test_what_the_library_cannot_read_is_refused_as_a_problem_too),
        api_test(test_bodies_full_of_very_small_things_are_answered),
        api_test(test_bad_webhook_secrets_are_refused_without_telling_them),
        api_test(test_a_client_that_vanishes_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
