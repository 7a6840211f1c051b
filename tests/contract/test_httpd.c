/* Promises of httpd/httpd.h, kept by a server on a loop of its own and asked for by clients that
 * may be rude. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "contract/talk.h"
#include "httpd/httpd.h"
#include "io/http.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATER_MS 30
#define BLOCK_BYTES ((size_t)16 * 1024)
#define STREAM_BYTES ((size_t)8 * 1024 * 1024)
#define STREAM_BYTES_MAX ((size_t)64 * 1024)

/* Only for this test. */
static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBljCCATugAwIBAgIUT3W5dOdU8GCh1jzzuM/17UlZZHYwCgYIKoZIzj0EAwIw\n"
    "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTIzMDUzOVoYDzIxMjYxMTAx\n"
    "MjMwNTM5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAAQA0QNlhZWyQH4v+Fyl61dI7Da+2BwrYFBpdYL27Mg4TtHIagmHyXVU\n"
    "vdxVU+9dlXtaL1GkokN4vtdjgbNcJeImo2kwZzAdBgNVHQ4EFgQU+hhY5STbGWrs\n"
    "jMdOFm8MxWPCWmgwHwYDVR0jBBgwFoAU+hhY5STbGWrsjMdOFm8MxWPCWmgwDwYD\n"
    "VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID\n"
    "SQAwRgIhALWN/4r6BILJ1WDwCVccw31cuTejVYrw3H68JOUSOPL+AiEA1lZcZdyl\n"
    "zJo3Pe9a+dnFEOZelzO9fmk3dCcrvNVi47U=\n"
    "-----END CERTIFICATE-----\n";

static const char private_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxmJXnfdTy+sihGdp\n"
    "K/kslPNWcvMVP5zxYJxewdm5cYahRANCAAQA0QNlhZWyQH4v+Fyl61dI7Da+2Bwr\n"
    "YFBpdYL27Mg4TtHIagmHyXVUvdxVU+9dlXtaL1GkokN4vtdjgbNcJeIm\n"
    "-----END PRIVATE KEY-----\n";

struct served {
    struct httpd_request *q;
    struct loop_timer timer;
    size_t left; /* of a stream */
};

struct rig {
    struct httpd_options options;
    struct loop *loop;
    struct httpd *httpd;
    pthread_t thread;
    struct loop_msg stop;
    atomic_int over, whole;
    atomic_size_t unsent_max;
};

static void answer(struct httpd_request *q, int status, struct str body) {
    struct httpd_response *r = httpd_response_new(status, body, NULL, NULL);
    httpd_response_header(r, "content-type", "text/plain");
    httpd_respond(q, r);
    httpd_response_free(r);
}

static void on_later(void *ctx) {
    struct served *s = ctx;
    answer(s->q, 200, S("later"));
}

/* As much of the stream as fits. */
static void pour(struct rig *r, struct served *s) {
    static char block[BLOCK_BYTES];
    memset(block, 'x', sizeof block);
    while (s->left > 0 && httpd_write(s->q, (struct str){block, MIN(s->left, sizeof block)})) {
        s->left -= MIN(s->left, sizeof block);
    }
    atomic_store(&r->unsent_max, MAX(atomic_load(&r->unsent_max), httpd_unsent(s->q)));
    if (s->left == 0) {
        httpd_end(s->q);
    }
}

static void on_request(void *ctx, struct httpd_request *q) {
    struct rig *r = ctx;
    struct served *s = q->state;
    s->q = q;
    if (strcmp(q->path, "/later") == 0) {
        loop_timer_start(r->loop, &s->timer, LATER_MS, on_later, s);
    } else if (strcmp(q->path, "/stream") == 0) {
        struct httpd_response *response = httpd_stream_new(q, 200);
        httpd_respond(q, response);
        httpd_response_free(response);
        s->left = STREAM_BYTES;
        pour(r, s);
    } else if (strcmp(q->path, "/watched") == 0) {
        httpd_watch(q);
    } else if (strcmp(q->path, "/reset") == 0) {
        httpd_reset(q);
    } else if (strcmp(q->path, "/query") == 0) {
        answer(q, 200, str_eq(httpd_query(q, "a"), S("1 2")) ? S("right") : S("wrong"));
    } else {
        char *copy = mem_dup_cstr(q->body->p != NULL ? q->body->p : "", q->body->n);
        struct httpd_response *response = httpd_response_new(200, str_of(copy), free, copy);
        httpd_respond(q, response);
        httpd_response_free(response);
    }
}

static void on_refuse(void *ctx, struct httpd_request *q, int status, const char *reason) {
    (void)ctx;
    answer(q, status, str_of(reason));
}

static void on_drained(void *ctx, struct httpd_request *q) {
    struct served *s = q->state;
    if (s->left > 0) {
        pour(ctx, s);
    }
}

static void on_over(void *ctx, struct httpd_request *q, bool whole) {
    struct rig *r = ctx;
    struct served *s = q->state;
    loop_timer_stop(&s->timer);
    atomic_fetch_add(&r->over, 1);
    atomic_fetch_add(&r->whole, whole ? 1 : 0);
}

static const struct httpd_handler handler = {
    .request = on_request, .refuse = on_refuse, .drained = on_drained, .over = on_over};

static void on_stop(struct loop_msg *msg) {
    struct rig *r = CONTAINER_OF(msg, struct rig, stop);
    httpd_free(r->httpd);
    loop_unhold(r->loop);
}

static void *run(void *ctx) {
    struct rig *r = ctx;
    loop_run(r->loop);
    return NULL;
}

static void start(struct rig *r) {
    struct errinfo why = {0};
    r->loop = loop_new();
    loop_hold(r->loop);
    if (httpd_new(&r->options, &r->httpd, &why) != ERR_OK) {
        fail_msg("%s", why.text);
    }
    httpd_attach(r->httpd, r->loop);
    assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
}

static int set_up(void **state) {
    struct rig *r = mem_new(sizeof *r);
    r->stop.fn = on_stop;
    r->options = (struct httpd_options){.listen = {.address = "127.0.0.1", .fd = -1},
                                        .handler = &handler,
                                        .ctx = r,
                                        .state_bytes = sizeof(struct served),
                                        .body_bytes_max = 100000,
                                        .stream_bytes_max = STREAM_BYTES_MAX,
                                        .timeout_reply = "HTTP/1.1 408 Late\r\n\r\n"};
    *state = r;
    return 0;
}

static int tear_down(void **state) {
    struct rig *r = *state;
    loop_post(r->loop, &r->stop);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    loop_free(r->loop);
    free(r);
    return 0;
}

static void wait_over(struct rig *r, int n) {
    for (int i = 0; i < 250 && atomic_load(&r->over) < n; i++) {
        (void)usleep(20000);
    }
    assert_int_equal(atomic_load(&r->over), n);
}

static void test_requests_in_a_row_are_answered_in_their_order(void **state) {
    struct rig *r = *state;
    static struct talk_reply all;
    start(r);
    int fd = talk_dial(httpd_port(r->httpd));
    all = (struct talk_reply){.n = 0};
    talk_say(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                 "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst"
                 "GET /query?a=1%202 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(talk_until(fd, "right", 5000, &all));
    const char *later = strstr(all.bytes, "later"), *first = strstr(all.bytes, "first");
    assert_true(later != NULL && first != NULL && later < first);
    (void)close(fd);
    wait_over(r, 3);
    assert_int_equal(atomic_load(&r->whole), 3);
}

static void test_a_stream_waits_for_a_slow_reader_in_little_memory(void **state) {
    struct rig *r = *state;
    static char bytes[65536];
    size_t n = 0;
    start(r);
    int fd = talk_dial(httpd_port(r->httpd));
    talk_say(fd, "GET /stream HTTP/1.0\r\nHost: a\r\n\r\n");
    (void)usleep(100000);
    for (ssize_t got; (got = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
        n += (size_t)got;
    }
    assert_true(n > STREAM_BYTES && n < STREAM_BYTES + 1000);
    assert_true(atomic_load(&r->unsent_max) <= STREAM_BYTES_MAX);
    (void)close(fd);
    wait_over(r, 1);
}

static void test_a_reader_that_leaves_in_the_middle_ends_the_stream(void **state) {
    struct rig *r = *state;
    static struct talk_reply some;
    start(r);
    int fd = talk_dial(httpd_port(r->httpd));
    some = (struct talk_reply){.n = 0};
    talk_say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(talk_until(fd, "xxxx", 5000, &some));
    (void)close(fd);
    wait_over(r, 1);
    assert_int_equal(atomic_load(&r->whole), 0);
}

static void test_a_watched_client_that_goes_is_noticed(void **state) {
    struct rig *r = *state;
    start(r);
    int fd = talk_dial(httpd_port(r->httpd));
    talk_say(fd, "GET /watched HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)usleep(50000);
    assert_int_equal(atomic_load(&r->over), 0);
    (void)close(fd);
    wait_over(r, 1);
}

static void test_a_reset_is_seen_as_one(void **state) {
    struct rig *r = *state;
    start(r);
    int fd = talk_dial(httpd_port(r->httpd));
    talk_say(fd, "GET /reset HTTP/1.1\r\nHost: a\r\n\r\n");
    const struct talk_reply *reply = talk_hear(fd, 5000);
    assert_int_equal(reply->status, 0);
    assert_int_equal(reply->errnum, ECONNRESET);
    (void)close(fd);
}

/* A byte now and then does not help. */
static void drip(struct rig *r, const char *begin) {
    static struct talk_reply all;
    r->options.input_ms = 300;
    start(r);
    int fd = talk_dial(httpd_port(r->httpd));
    all = (struct talk_reply){.n = 0};
    talk_say(fd, begin);
    for (int i = 0; i < 100 && !all.closed; i++) {
        (void)send(fd, "a", 1, MSG_NOSIGNAL);
        (void)talk_until(fd, "\r\n\r\n", 50, &all);
    }
    assert_non_null(strstr(all.bytes, "408 Late"));
    (void)close(fd);
}

static void test_a_slow_header_is_given_up(void **state) {
    drip(*state, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
}

static void test_a_slow_body_is_given_up(void **state) {
    drip(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
}

static void test_a_chunked_body_is_counted_as_it_comes(void **state) {
    struct rig *r = *state;
    char chunk[1100] = "3e8\r\n";
    memset(chunk + 5, 'a', 1000);
    memcpy(chunk + 1005, "\r\n", 3);
    start(r);
    int fd = talk_dial(httpd_port(r->httpd));
    talk_say(fd, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 101; i++) {
        talk_say(fd, chunk);
    }
    talk_say(fd, "0\r\n\r\n");
    assert_int_equal(talk_hear(fd, 5000)->status, 413);
    (void)close(fd);
}

static void note_status(void *ctx, const struct http_reply *reply) {
    int *status = ctx;
    *status = reply->err == ERR_OK ? reply->status : -(int)reply->err;
}

static void test_tls_is_spoken_with_a_certificate_and_its_key(void **state) {
    struct rig *r = *state;
    char path[] = "/tmp/stumper-cert-XXXXXX", url[64];
    int status = 0, fd = mkstemp(path);
    assert_int_equal(write(fd, certificate, strlen(certificate)), strlen(certificate));
    (void)close(fd);
    r->options.tls_cert = certificate;
    r->options.tls_key = private_key;
    start(r);
    (void)snprintf(url, sizeof url, "https://localhost:%d/echo", httpd_port(r->httpd));
    assert_int_equal(setenv("SSL_CERT_FILE", path, 1), 0);
    struct loop *l = loop_new();
    struct http_client *client =
        http_new(l, &(struct http_client_options){.in_flight_max = 1, .user_agent = "test"});
    const struct http_request request = {.method = "POST",
                                         .url = url,
                                         .body = S("hello"),
                                         .connect_ms = 5000,
                                         .first_byte_ms = 5000,
                                         .total_ms = 5000,
                                         .body_bytes_max = 1000};
    struct http_transfer *transfer;
    assert_int_equal(http_send(client, &request, note_status, &status, &transfer), ERR_OK);
    loop_run(l);
    http_free(client);
    loop_free(l);
    (void)unlink(path);
    assert_int_equal(status, 200);
}

/* All that a client hears over TLS who says @request and then waits. */
static void hear_tls(int port, const char *request, char *ret, size_t ret_n) {
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t tls;
    int fd = talk_dial(port), e;
    size_t n = 0;
    assert_int_equal(gnutls_certificate_allocate_credentials(&credentials), 0);
    assert_int_equal(gnutls_init(&tls, GNUTLS_CLIENT), 0);
    assert_int_equal(gnutls_set_default_priority(tls), 0);
    assert_int_equal(gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, credentials), 0);
    gnutls_transport_set_int(tls, fd);
    do {
        e = gnutls_handshake(tls);
    } while (e < 0 && gnutls_error_is_fatal(e) == 0);
    assert_int_equal(e, 0);
    assert_int_equal(gnutls_record_send(tls, request, strlen(request)), strlen(request));
    for (ssize_t got; (got = gnutls_record_recv(tls, ret + n, ret_n - 1 - n)) > 0;) {
        n += (size_t)got;
    }
    ret[n] = '\0';
    gnutls_deinit(tls);
    gnutls_certificate_free_credentials(credentials);
    (void)close(fd);
}

static void test_over_tls_too_the_slow_are_told_why(void **state) {
    struct rig *r = *state;
    char heard[1000];
    r->options.tls_cert = certificate;
    r->options.tls_key = private_key;
    r->options.input_ms = 300;
    start(r);
    hear_tls(httpd_port(r->httpd), "GET / HTTP/1.1\r\nHost: a\r\nX: ", heard, sizeof heard);
    assert_string_equal(heard, r->options.timeout_reply);
    int mute = talk_dial(httpd_port(r->httpd)); /* who has not even shaken hands hears nothing */
    assert_int_equal(recv(mute, heard, sizeof heard, 0), 0);
    (void)close(mute);
}

static void test_a_wrong_key_is_told_at_the_start(void **state) {
    struct rig *r = *state;
    struct errinfo why = {0};
    struct httpd *none;
    r->options.tls_cert = certificate;
    r->options.tls_key = "nonsense";
    assert_int_equal(httpd_new(&r->options, &none, &why), ERR_INVALID);
    r->options.tls_cert = r->options.tls_key = NULL;
    start(r);
}

#define HTTPD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        HTTPD_TEST(test_requests_in_a_row_are_answered_in_their_order),
        HTTPD_TEST(test_a_stream_waits_for_a_slow_reader_in_little_memory),
        HTTPD_TEST(test_a_reader_that_leaves_in_the_middle_ends_the_stream),
        HTTPD_TEST(test_a_watched_client_that_goes_is_noticed),
        HTTPD_TEST(test_a_reset_is_seen_as_one),
        HTTPD_TEST(test_a_slow_header_is_given_up),
        HTTPD_TEST(test_a_slow_body_is_given_up),
        HTTPD_TEST(test_a_chunked_body_is_counted_as_it_comes),
        HTTPD_TEST(test_tls_is_spoken_with_a_certificate_and_its_key),
        HTTPD_TEST(test_over_tls_too_the_slow_are_told_why),
        HTTPD_TEST(test_a_wrong_key_is_told_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
