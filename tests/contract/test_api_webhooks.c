/* Webhooks as their receiver sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/signature.h"
#include "contract/api_rig.h"
#include "contract/jumping_clock.h"
#include "contract/talk.h"
#include "contract/tiny_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SEEN_MAX 8
#define SEEN_BYTES 4096

/* What came, and what the receiver answers. */
struct receiver {
    pthread_mutex_t lock;
    int statuses[SEEN_MAX]; /* 0: 200 */
    char heads[SEEN_MAX][SEEN_BYTES], bodies[SEEN_MAX][SEEN_BYTES];
    int n;
};

static void receive(void *ctx, const struct tiny_request *q, struct tiny_reply *ret) {
    struct receiver *r = ctx;
    (void)pthread_mutex_lock(&r->lock);
    int i = r->n < SEEN_MAX ? r->n++ : SEEN_MAX - 1;
    (void)snprintf(r->heads[i], SEEN_BYTES, "%.*s", (int)q->head.n, q->head.p);
    (void)snprintf(r->bodies[i], SEEN_BYTES, "%.*s", (int)q->body.n, q->body.p);
    int status = r->statuses[i] != 0 ? r->statuses[i] : 200;
    (void)pthread_mutex_unlock(&r->lock);
    tiny_reply_set(ret, status, "Location: http://127.0.0.1:1/\r\n", S(""));
}

static int received(struct receiver *r) {
    (void)pthread_mutex_lock(&r->lock);
    int n = r->n;
    (void)pthread_mutex_unlock(&r->lock);
    return n;
}

static void wait_for(struct receiver *r, int n, int ms) {
    for (int i = 0; i < ms / 20 && received(r) < n; i++) {
        (void)usleep(20000);
    }
}

struct scene {
    struct receiver receiver;
    struct tiny_server *server;
    struct api_rig *rig;
};

static void begin(struct scene *s, struct api_rig *rig, bool private_webhooks) {
    struct errinfo why = {0};
    *s = (struct scene){.rig = rig};
    assert_int_equal(pthread_mutex_init(&s->receiver.lock, NULL), 0);
    s->server = tiny_server_start(receive, &s->receiver);
    rig->options.webhook_secrets = SECRET;
    rig->options.private_webhooks = private_webhooks;
    assert_int_equal(api_rig_again(rig, &why), ERR_OK);
}

static void end(struct scene *s) {
    api_stop(s->rig->api); /* before the receiver goes */
    s->rig->api = NULL;
    tiny_server_stop(s->server);
    (void)pthread_mutex_destroy(&s->receiver.lock);
}

/* A job that ends at once. */
static void end_a_job_of(const struct scene *s, const char *bearer, const char *url) {
    char body[512], path[128];
    (void)snprintf(body, sizeof body,
                   "{\"num_problems\":1,\"engineer_model\":\"a/b\",\"checker_model\":\"a/b\","
                   "\"target_model\":\"a/b\",\"webhook_url\":\"%s/hook\"}",
                   url);
    const struct talk_reply *reply = talk(s->rig->port, "POST", "/generate", bearer, body);
    assert_int_equal(reply->status, 202);
    (void)snprintf(path, sizeof path, "/jobs/%s/cancel",
                   talk_header(reply, "location") + strlen("/status/"));
    assert_int_equal(talk(s->rig->port, "POST", path, bearer, NULL)->status, 200);
}

static void end_a_job(const struct scene *s, const char *url) {
    end_a_job_of(s, "", url);
}

static void head_value(const char *head, const char *name, char ret[256]) {
    const char *at = strcasestr(head, name);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(name), ": %255[^\r]", ret), 1);
}

static void test_the_end_of_a_job_is_told_signed(void **state) {
    struct scene s;
    char id[256], time[256], signature[256], expected[SIGNATURE_HEADER_BYTES];
    struct signature_secrets secrets;
    struct arena a;
    begin(&s, *state, true);
    end_a_job(&s, tiny_server_url(s.server));
    wait_for(&s.receiver, 1, 5000);
    assert_int_equal(received(&s.receiver), 1);
    assert_non_null(strstr(s.receiver.bodies[0], "\"type\":\"job.cancelled\""));
    head_value(s.receiver.heads[0], "webhook-id", id);
    head_value(s.receiver.heads[0], "webhook-timestamp", time);
    head_value(s.receiver.heads[0], "webhook-signature", signature);
    arena_init(&a, 1 << 20);
    assert_int_equal(signature_read(S(SECRET), &secrets, NULL), ERR_OK);
    signature_make(&secrets, id, atoll(time), str_of(s.receiver.bodies[0]), &a, expected);
    assert_string_equal(signature, expected);
    arena_release(&a);
    end(&s);
}

/* Make a key: the header that uses it, and the secret that it is told. */
static void make_key(const struct scene *s, const char *admin, const char *body, char ret[128],
                     char ret_secret[SIGNATURE_TEXT_BYTES]) {
    char key[80];
    const struct talk_reply *reply = talk(s->rig->port, "POST", "/keys", admin, body);
    assert_int_equal(reply->status, 201);
    const char *at = strstr(reply->body, "\"key\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"key\":\"%79[^\"]", key), 1);
    at = strstr(reply->body, "\"webhook_secret\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"webhook_secret\":\"%95[^\"]", ret_secret), 1);
    (void)snprintf(ret, 128, "Authorization: Bearer %s\r\n", key);
}

/* Were it one for all, whoever can check a signature could make those of others. */
static void test_each_key_has_a_secret_of_its_own(void **state) {
    struct scene s;
    char admin[128], one[128], secrets[3][SIGNATURE_TEXT_BYTES];
    char id[256], time[256], signature[256], expected[SIGNATURE_HEADER_BYTES];
    struct arena a;
    begin(&s, *state, true);
    make_key(&s, "", "{\"name\":\"root\",\"scopes\":[\"admin\"]}", admin, secrets[0]);
    make_key(&s, admin, "{\"name\":\"one\"}", one, secrets[1]);
    (void)snprintf(secrets[2], sizeof secrets[2], "%s", SECRET);
    const struct talk_reply *list = talk(s.rig->port, "GET", "/keys", admin, NULL);
    assert_non_null(strstr(list->body, secrets[0]));
    assert_non_null(strstr(list->body, secrets[1]));
    end_a_job_of(&s, one, tiny_server_url(s.server));
    wait_for(&s.receiver, 1, 5000);
    assert_int_equal(received(&s.receiver), 1);
    head_value(s.receiver.heads[0], "webhook-id", id);
    head_value(s.receiver.heads[0], "webhook-timestamp", time);
    head_value(s.receiver.heads[0], "webhook-signature", signature);
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        struct signature_secrets read;
        assert_int_equal(signature_read(str_of(secrets[i]), &read, NULL), ERR_OK);
        signature_make(&read, id, atoll(time), str_of(s.receiver.bodies[0]), &a, expected);
        assert_int_equal(strcmp(signature, expected) == 0, i == 1);
    }
    arena_release(&a);
    end(&s);
}

static void test_a_failed_try_is_repeated_with_the_same_id(void **state) {
    struct scene s;
    char first[256], second[256];
    begin(&s, *state, true);
    s.receiver.statuses[0] = 302; /* not followed */
    end_a_job(&s, tiny_server_url(s.server));
    wait_for(&s.receiver, 2, 12000);
    assert_int_equal(received(&s.receiver), 2);
    head_value(s.receiver.heads[0], "webhook-id", first);
    head_value(s.receiver.heads[1], "webhook-id", second);
    assert_string_equal(first, second);
    end(&s);
}

/* The counter of what became of tries. */
static void wait_for_result(const struct scene *s, const char *result, int times) {
    char line[96];
    (void)snprintf(line, sizeof line, "stumper_webhook_tries_total{result=\"%s\"} %d\n", result,
                   times);
    for (int i = 0; i < 250; i++) {
        if (strstr(talk(s->rig->port, "GET", "/metrics", "", NULL)->body, line) != NULL) {
            return;
        }
        (void)usleep(20000);
    }
    fail_msg("no %s", line);
}

/* The next try comes when it would have come, and what is new at once. */
static void test_the_time_of_day_may_jump_between_tries(void **state) {
    static const int64_t jumps_ms[] = {-5 * HOUR_MS, 7 * HOUR_MS};
    for (size_t i = 0; i < ARRAY_LEN(jumps_ms); i++) {
        struct scene s;
        begin(&s, *state, true);
        s.receiver.statuses[0] = 503;
        end_a_job(&s, tiny_server_url(s.server));
        wait_for_result(&s, "retried", (int)i + 1);
        clock_jump(jumps_ms[i]);
        wait_for(&s.receiver, 2, 12000);
        assert_int_equal(received(&s.receiver), 2);
        end_a_job(&s, tiny_server_url(s.server));
        wait_for(&s.receiver, 3, 5000);
        assert_int_equal(received(&s.receiver), 3);
        end(&s);
    }
}

static void test_a_receiver_that_wants_none_gets_no_more(void **state) {
    struct scene s;
    begin(&s, *state, true);
    s.receiver.statuses[0] = 410;
    end_a_job(&s, tiny_server_url(s.server));
    wait_for_result(&s, "given_up", 1);
    assert_int_equal(received(&s.receiver), 1);
    assert_non_null(strstr(talk(s.rig->port, "GET", "/metrics", "", NULL)->body,
                           "stumper_webhooks_pending 0\n"));
    end(&s);
}

static void test_addresses_that_are_not_public_are_not_connected_to(void **state) {
    struct scene s;
    begin(&s, *state, false);
    end_a_job(&s, tiny_server_url(s.server));
    wait_for_result(&s, "given_up", 1);
    assert_int_equal(tiny_server_connections(s.server), 0);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        api_test(test_the_end_of_a_job_is_told_signed),
        api_test(test_each_key_has_a_secret_of_its_own),
        api_test(test_a_failed_try_is_repeated_with_the_same_id),
        api_test(test_the_time_of_day_may_jump_between_tries),
        api_test(test_a_receiver_that_wants_none_gets_no_more),
        api_test(test_addresses_that_are_not_public_are_not_connected_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
