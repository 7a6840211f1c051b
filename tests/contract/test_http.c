/* Promises of io/http.h, against a real server on real sockets: connections are used again, every
 * deadline holds and is named, limits hold, whatever a peer does ends in one classified reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "io/http.h"
#include "io/limits.h"
#include "tiny_server.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG_MS 20000    /* deadlines that a test is not about */
#define SOON_US 15000000 /* none of them has passed */

/* What came back, copied. */
struct outcome {
    int calls;
    enum err err;
    char detail[ERRINFO_BYTES];
    bool sent;
    int status;
    char body[256];
    size_t body_n;
    char request_id[64];
    int64_t first_byte_us, total_us;
};

struct fixture {
    struct loop *loop;
    struct http_client *client;
    struct tiny_server *server;
    char url[128];
    struct http_request request;
};

#define STREAM_HEAD                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n"                        \
    "X-Request-Id: abc\r\nTransfer-Encoding: chunked\r\n\r\n"

/* The path of a request says what is to happen to it. */
static void serve(void *ctx, const struct tiny_request *request, struct tiny_reply *ret) {
    (void)ctx;
    struct str rest = request->head;
    (void)str_split(&rest, ' '); /* the method */
    struct str path = str_split(&rest, ' ');
    if (str_eq(path, S("/echo"))) {
        tiny_reply_set(ret, 200, "X-Request-Id: first\r\nx-request-id:  abc \r\n", request->body);
    } else if (str_eq(path, S("/head"))) {
        tiny_reply_set(ret, 200, "", request->head);
    } else if (str_eq(path, S("/slow"))) {
        tiny_reply_set(ret, 200, "", S("late"));
        ret->delay_ms = 150;
    } else if (str_eq(path, S("/slower"))) {
        tiny_reply_set(ret, 200, "", S("late"));
        ret->delay_ms = 3700;
    } else if (str_eq(path, S("/hang"))) {
        ret->delay_ms = 3600000;
    } else if (str_eq(path, S("/stall"))) {
        tiny_reply_raw(ret, S("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"));
    } else if (str_eq(path, S("/cut"))) {
        tiny_reply_raw(ret, S("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"));
        ret->then = TINY_CLOSE;
    } else if (str_eq(path, S("/chunked"))) {
        tiny_reply_raw(ret, S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nX-Trailer: t\r\n\r\n"));
    } else if (str_eq(path, S("/interim"))) {
        tiny_reply_raw(ret, S("HTTP/1.1 103 Early Hints\r\nX-Request-Id: early\r\n\r\n"
                              "HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\nok"));
    } else if (str_eq(path, S("/garbage"))) {
        tiny_reply_raw(ret, S("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
    } else if (str_eq(path, S("/close"))) {
        ret->then = TINY_CLOSE;
    } else if (str_eq(path, S("/reset"))) {
        ret->then = TINY_RESET;
    } else if (str_eq(path, S("/events"))) {
        tiny_reply_raw(ret,
                       S(STREAM_HEAD "6\r\n: hi\n\n\r\n9\r\ndata: one\r\n2\r\n\n\n\r\n0\r\n\r\n"));
    } else if (str_eq(path, S("/events-stall"))) {
        tiny_reply_raw(ret, S(STREAM_HEAD "9\r\ndata: one\r\n"));
    } else if (str_eq(path, S("/events-quiet"))) {
        tiny_reply_raw(ret, S(STREAM_HEAD "6\r\n: hi\n\n\r\n"));
    } else if (str_eq(path, S("/events-cut"))) {
        tiny_reply_raw(ret, S(STREAM_HEAD "9\r\ndata: one\r\n"));
        ret->then = TINY_CLOSE;
    } else if (str_eq(path, S("/events-refused"))) {
        tiny_reply_set(ret, 429, "Content-Type: text/event-stream\r\n", S("slow down"));
    } else if (str_eq(path, S("/endless-header"))) {
        struct sbuf b;
        sbuf_init(&b, 1 << 20);
        sbuf_addf(&b, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 3000; i++) {
            sbuf_addf(&b, "X-%d: %040d\r\n", i, i);
        }
        ret->bytes = b.p;
        ret->n = b.n;
    } else {
        tiny_reply_set(ret, 404, "", S("no such path"));
    }
}

static int set_up(void **state) {
    struct fixture *f = mem_new(sizeof *f);
    f->loop = loop_new();
    struct http_client_options options = {.in_flight_max = 4000, .user_agent = "stumper-test/1"};
    f->client = http_new(f->loop, &options);
    f->server = tiny_server_start(serve, NULL);
    f->request = (struct http_request){.method = "POST",
                                       .url = f->url,
                                       .body = S("{\"n\":1}"),
                                       .connect_ms = LONG_MS,
                                       .first_byte_ms = LONG_MS,
                                       .total_ms = LONG_MS,
                                       .body_bytes_max = 100000};
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    http_free(f->client);
    loop_free(f->loop);
    tiny_server_stop(f->server);
    free(f);
    return 0;
}

static const struct http_request *request_for(struct fixture *f, const char *path) {
    (void)snprintf(f->url, sizeof f->url, "%s%s", tiny_server_url(f->server), path);
    return &f->request;
}

static void note(void *ctx, const struct http_reply *reply) {
    struct outcome *o = ctx;
    o->calls++;
    o->err = reply->err;
    o->sent = reply->sent;
    o->status = reply->status;
    o->body_n = reply->body.n;
    o->first_byte_us = reply->first_byte_us;
    o->total_us = reply->total_us;
    struct str id = http_reply_header(reply, S("X-REQUEST-ID"));
    (void)snprintf(o->request_id, sizeof o->request_id, "%.*s", STR_ARG(id));
    (void)snprintf(o->body, sizeof o->body, "%.*s", STR_ARG(str_take(reply->body, 255)));
    (void)snprintf(o->detail, sizeof o->detail, "%s", reply->detail.text);
}

/* Send f->request and run until its reply is there. */
static struct outcome ask(struct fixture *f) {
    struct outcome o = {0};
    struct http_transfer *t;
    loop_run(f->loop); /* sets its clock, from which deadlines count */
    assert_int_equal(http_send(f->client, &f->request, note, &o, &t), ERR_OK);
    assert_int_equal(o.calls, 0);
    loop_run(f->loop);
    assert_int_equal(o.calls, 1);
    assert_int_equal(http_in_flight(f->client), 0);
    return o;
}

static struct outcome ask_path(struct fixture *f, const char *path) {
    (void)request_for(f, path);
    return ask(f);
}

static void test_a_reply_is_told_whole(void **state) {
    struct outcome o = ask_path(*state, "/echo");
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.status, 200);
    assert_true(o.sent);
    assert_string_equal(o.body, "{\"n\":1}");
    assert_string_equal(o.request_id, "abc");
    assert_true(o.first_byte_us > 0 && o.total_us >= o.first_byte_us);
}

static void test_an_error_status_is_a_whole_reply(void **state) {
    struct outcome o = ask_path(*state, "/nowhere");
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.status, 404);
    assert_string_equal(o.body, "no such path");
}

static void test_headers_go_out_as_given_and_expect_never(void **state) {
    struct fixture *f = *state;
    static const char *const headers[] = {"Content-Type: application/json", "X-Tag: job/1/2", NULL};
    f->request.headers = headers;
    char *large = mem_new(100000);
    memset(large, 'x', 100000);
    f->request.body = (struct str){large, 100000};
    struct outcome o = ask_path(f, "/head");
    assert_non_null(strstr(o.body, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(o.body, "X-Tag: job/1/2\r\n"));
    assert_non_null(strstr(o.body, "User-Agent: stumper-test/1\r\n"));
    assert_non_null(strstr(o.body, "Content-Length: 100000"));
    assert_null(strstr(o.body, "Expect"));
    o = ask_path(f, "/echo");
    assert_int_equal(o.body_n, 100000);
    free(large);
}

static void test_a_get_follows_a_post_on_the_same_handle(void **state) {
    struct fixture *f = *state;
    (void)ask_path(f, "/echo");
    f->request.method = "GET";
    f->request.body = (struct str){NULL, 0};
    struct outcome o = ask_path(f, "/head");
    assert_int_equal(strncmp(o.body, "GET /head HTTP/1.1\r\n", 20), 0);
    f->request.method = "POST";
    f->request.body = S("again");
    o = ask_path(f, "/echo");
    assert_string_equal(o.body, "again");
    assert_int_equal(tiny_server_connections(f->server), 1);
}

static void test_a_connection_is_used_again(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask_path(f, i % 2 == 0 ? "/echo" : "/chunked").err, ERR_OK);
    }
    assert_int_equal(tiny_server_requests(f->server), 20);
    assert_int_equal(tiny_server_connections(f->server), 1);
}

static void test_chunks_are_joined_and_trailers_do_no_harm(void **state) {
    struct outcome o = ask_path(*state, "/chunked");
    assert_int_equal(o.err, ERR_OK);
    assert_string_equal(o.body, "hello, world");
}

static void test_an_interim_answer_is_not_the_answer(void **state) {
    struct outcome o = ask_path(*state, "/interim");
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.status, 418);
    assert_string_equal(o.body, "ok");
    assert_string_equal(o.request_id, "");
}

static void test_no_first_byte_in_time_is_a_timeout_that_says_so(void **state) {
    struct fixture *f = *state;
    assert_int_equal(ask_path(f, "/echo").err, ERR_OK); /* then it goes out at once */
    f->request.first_byte_ms = 600;
    struct outcome o = ask_path(f, "/hang");
    assert_int_equal(o.err, ERR_TIMEOUT);
    assert_non_null(strstr(o.detail, "no first byte of an answer within 600 ms"));
    assert_non_null(strstr(o.detail, "127.0.0.1:"));
    assert_true(o.sent);
    assert_true(o.total_us >= 590000 && o.total_us < SOON_US);
}

/* Deadlines count from the loop's clock, which is refreshed once an iteration: some ms of slack. */
static void test_a_body_that_stalls_meets_the_total_deadline(void **state) {
    struct fixture *f = *state;
    f->request.first_byte_ms = 3200;
    f->request.total_ms = 3700;
    struct outcome o = ask_path(f, "/stall");
    assert_int_equal(o.err, ERR_TIMEOUT);
    assert_non_null(strstr(o.detail, "no whole answer within 3700 ms"));
    assert_true(o.total_us >= 3680000 && o.total_us < SOON_US);
}

static void test_the_first_byte_ends_the_first_deadline(void **state) {
    struct fixture *f = *state;
    f->request.connect_ms = 3200;
    struct outcome o = ask_path(f, "/slower");
    assert_int_equal(o.err, ERR_OK);
    assert_string_equal(o.body, "late");
}

#define PROC_KEEPALIVE 2 /* the kind of a socket's timer, Documentation/networking/proc_net_tcp */

struct look {
    struct fixture *f;
    struct http_transfer *transfer;
    struct loop_timer timer;
    bool found;
    int looks;
};

/* Does the kernel watch over a connection to @port that is quiet? */
static bool is_kept_alive(unsigned port) {
    char line[512];
    bool found = false;
    FILE *file = fopen("/proc/net/tcp", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned remote, state, timer;
        found = found ||
                (sscanf(line, " %*u: %*x:%*x %*x:%x %x %*x:%*x %x", &remote, &state, &timer) == 3 &&
                 remote == port && state == 1 && timer == PROC_KEEPALIVE);
    }
    (void)fclose(file);
    return found;
}

static void look_at_timers(void *ctx) {
    struct look *l = ctx;
    unsigned port;
    assert_int_equal(sscanf(tiny_server_url(l->f->server), "http://127.0.0.1:%u", &port), 1);
    l->found = is_kept_alive(port);
    if (l->found || ++l->looks == 200) {
        http_cancel(l->transfer);
    } else {
        loop_timer_start(l->f->loop, &l->timer, 20, look_at_timers, l);
    }
}

static void test_a_quiet_connection_is_kept_alive(void **state) {
    struct fixture *f = *state;
    struct outcome o = {0};
    struct look look = {.f = f};
    (void)request_for(f, "/hang");
    assert_int_equal(http_send(f->client, &f->request, note, &o, &look.transfer), ERR_OK);
    loop_timer_start(f->loop, &look.timer, 20, look_at_timers, &look);
    loop_run(f->loop);
    assert_int_equal(o.err, ERR_CANCELED);
    assert_true(look.found);
}

/* A socket whose backlog is full: connecting to it hangs. */
static int full_backlog(char *url, size_t url_n, int *ret_clients, int clients_n) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_n = sizeof at;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &at_n), 0);
    for (int i = 0; i < clients_n; i++) {
        ret_clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(ret_clients[i], (struct sockaddr *)&at, sizeof at);
    }
    (void)snprintf(url, url_n, "http://127.0.0.1:%d/", ntohs(at.sin_port));
    return fd;
}

static void test_a_connection_that_does_not_come_is_a_timeout_that_says_so(void **state) {
    struct fixture *f = *state;
    int clients[8];
    int fd = full_backlog(f->url, sizeof f->url, clients, 8);
    f->request.connect_ms = 80;
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_TIMEOUT);
    assert_non_null(strstr(o.detail, "no connection within 80 ms"));
    assert_false(o.sent);
    for (int i = 0; i < 8; i++) {
        (void)close(clients[i]);
    }
    (void)close(fd);
}

static void test_a_refused_connection_is_a_network_error_and_nothing_was_sent(void **state) {
    struct fixture *f = *state;
    (void)snprintf(f->url, sizeof f->url, "http://127.0.0.1:1/v1");
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_NETWORK);
    assert_false(o.sent);
    assert_non_null(strstr(o.detail, "127.0.0.1:1: "));
}

static void test_an_unknown_host_fails_for_all_who_wait_for_it(void **state) {
    struct fixture *f = *state;
    struct outcome outcomes[50] = {0};
    struct http_transfer *t;
    f->request.connect_ms = 2000; /* of asking for the name, too: nobody may answer */
    (void)snprintf(f->url, sizeof f->url, "http://no-such-host.invalid/v1");
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(http_send(f->client, &f->request, note, &outcomes[i], &t), ERR_OK);
    }
    loop_run(f->loop);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_true(outcomes[i].err == ERR_NETWORK || outcomes[i].err == ERR_TIMEOUT);
        assert_false(outcomes[i].sent);
    }
}

static void test_a_bad_url_is_invalid_and_never_names_what_is_in_it(void **state) {
    static const char *const bad[] = {"ftp://host/", "host/path", "http://", "file:///etc/passwd",
                                      "http://user:sk-secret@[bad/"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        (void)snprintf(f->url, sizeof f->url, "%s", bad[i]);
        struct outcome o = ask(f);
        assert_int_equal(o.err, ERR_INVALID);
        assert_null(strstr(o.detail, "sk-secret"));
    }
}

static void test_a_password_in_the_url_is_not_in_the_detail(void **state) {
    struct fixture *f = *state;
    (void)snprintf(f->url, sizeof f->url, "http://user:sk-secret@127.0.0.1:1/");
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_NETWORK);
    assert_null(strstr(o.detail, "sk-secret"));
}

static void test_what_is_not_http_is_a_protocol_error(void **state) {
    struct outcome o = ask_path(*state, "/garbage");
    assert_int_equal(o.err, ERR_PROTOCOL);
    assert_true(o.sent);
}

static void test_a_lost_connection_is_told_and_not_sent_again(void **state) {
    static const char *const paths[] = {"/close", "/reset", "/cut"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        /* On a fresh connection, and on one that is used again, where curl itself would repeat. */
        for (int warm = 0; warm < 2; warm++) {
            if (warm == 1) {
                assert_int_equal(ask_path(f, "/echo").err, ERR_OK);
            }
            int64_t before = tiny_server_requests(f->server);
            struct outcome o = ask_path(f, paths[i]);
            assert_int_equal(o.err, ERR_NETWORK);
            assert_true(o.sent);
            assert_int_equal(tiny_server_requests(f->server), before + 1);
        }
    }
}

static void test_a_body_over_the_cap_is_cut_off(void **state) {
    struct fixture *f = *state;
    f->request.body = S("0123456789");
    f->request.body_bytes_max = 10;
    assert_int_equal(ask_path(f, "/echo").err, ERR_OK);
    f->request.body_bytes_max = 9;
    struct outcome o = ask_path(f, "/echo");
    assert_int_equal(o.err, ERR_TOO_BIG);
    assert_int_equal(o.body_n, 0);
    f->request.body_bytes_max = 10;
    assert_string_equal(ask_path(f, "/echo").body, "0123456789");
}

static void test_headers_over_the_cap_are_cut_off(void **state) {
    assert_int_equal(ask_path(*state, "/endless-header").err, ERR_TOO_BIG);
}

static void test_a_canceled_transfer_is_told_once_and_later(void **state) {
    struct fixture *f = *state;
    struct outcome waiting = {0}, other = {0};
    struct http_transfer *t, *u;
    assert_int_equal(http_send(f->client, request_for(f, "/hang"), note, &waiting, &t), ERR_OK);
    assert_int_equal(http_send(f->client, request_for(f, "/hang"), note, &other, &u), ERR_OK);
    http_cancel(t);
    http_cancel(u);
    http_cancel(u);
    assert_int_equal(waiting.calls, 0);
    loop_run(f->loop);
    assert_int_equal(waiting.calls, 1);
    assert_int_equal(waiting.err, ERR_CANCELED);
    assert_int_equal(other.calls, 1);
    assert_int_equal(other.err, ERR_CANCELED);
}

static void test_freeing_the_client_cancels_what_is_in_flight(void **state) {
    struct fixture *f = *state;
    struct outcome outcomes[300] = {0};
    struct http_transfer *t;
    struct http_client_options options = {.in_flight_max = 1000, .user_agent = "x"};
    struct http_client *c = http_new(f->loop, &options);
    struct loop_timer stop = {0};
    (void)request_for(f, "/hang");
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(http_send(c, &f->request, note, &outcomes[i], &t), ERR_OK);
    }
    loop_timer_start(f->loop, &stop, 50, (void (*)(void *))loop_stop, f->loop);
    loop_run(f->loop);
    http_free(c);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].err, ERR_CANCELED);
    }
}

static void test_more_than_in_flight_max_is_refused(void **state) {
    struct fixture *f = *state;
    struct outcome o = {0};
    struct http_transfer *t;
    struct http_client_options options = {.in_flight_max = 2, .user_agent = "x"};
    struct http_client *c = http_new(f->loop, &options);
    (void)request_for(f, "/echo");
    assert_int_equal(http_send(c, &f->request, note, &o, &t), ERR_OK);
    assert_int_equal(http_send(c, &f->request, note, &o, &t), ERR_OK);
    assert_int_equal(http_send(c, &f->request, note, &o, &t), ERR_BUSY);
    loop_run(f->loop);
    assert_int_equal(o.calls, 2);
    http_free(c);
}

static void test_connections_that_no_limit_allows_are_refused_with_the_remedy(void **state) {
    (void)state;
    struct errinfo info = {0};
    assert_int_equal(limits_check_connections(100, &info), ERR_OK);
    assert_int_equal(limits_check_connections(INT64_C(1) << 40, &info), ERR_INVALID);
    assert_non_null(strstr(info.text, "ulimit"));
}

/* Takes a stream as a format would: comments are quiet. */
struct taken {
    char text[256];
    size_t n, bytes_max;
};

static enum http_take take(void *ctx, struct str bytes) {
    struct taken *t = ctx;
    if (t->n + bytes.n > t->bytes_max) {
        return HTTP_TAKE_NO;
    }
    memcpy(t->text + t->n, bytes.p, bytes.n);
    t->n += bytes.n;
    return strstr(t->text, "data") != NULL ? HTTP_TAKE_MORE : HTTP_TAKE_QUIET;
}

/* Ask for @path and take a stream if one comes. */
static struct outcome ask_stream(struct fixture *f, const char *path, struct taken *ret) {
    *ret = (struct taken){.bytes_max = sizeof ret->text - 1};
    f->request.stream = take;
    f->request.stream_ctx = ret;
    f->request.idle_ms = f->request.idle_ms > 0 ? f->request.idle_ms : LONG_MS;
    return ask_path(f, path);
}

static void test_a_stream_is_taken_as_it_comes(void **state) {
    struct taken taken;
    struct outcome o = ask_stream(*state, "/events", &taken);
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.body_n, 0);
    assert_string_equal(taken.text, ": hi\n\ndata: one\n\n");
    assert_string_equal(o.request_id, "abc");
    assert_true(o.first_byte_us > 0);
}

static void test_what_is_no_stream_is_gathered_although_one_was_wanted(void **state) {
    struct taken taken;
    assert_string_equal(ask_stream(*state, "/echo", &taken).body, "{\"n\":1}");
    assert_int_equal(taken.n, 0);
    struct outcome o = ask_stream(*state, "/events-refused", &taken);
    assert_int_equal(o.status, 429);
    assert_string_equal(o.body, "slow down");
    assert_int_equal(taken.n, 0);
}

static void test_a_stream_that_falls_silent_meets_the_idle_deadline(void **state) {
    struct fixture *f = *state;
    struct taken taken;
    f->request.idle_ms = 80;
    struct outcome o = ask_stream(f, "/events-stall", &taken);
    assert_int_equal(o.err, ERR_TIMEOUT);
    assert_non_null(strstr(o.detail, "stopped in the middle: nothing more of it within 80 ms"));
    assert_true(o.total_us >= 70000 && o.total_us < SOON_US);
    assert_string_equal(taken.text, "data: one");
    assert_string_equal(o.request_id, "abc");
}

static void test_comments_do_not_count_as_the_first_byte(void **state) {
    struct fixture *f = *state;
    struct taken taken;
    f->request.idle_ms = 40;
    f->request.first_byte_ms = 150;
    struct outcome o = ask_stream(f, "/events-quiet", &taken);
    assert_int_equal(o.err, ERR_TIMEOUT);
    assert_non_null(strstr(o.detail, "no first byte of an answer within 150 ms"));
    assert_int_equal(o.first_byte_us, 0);
}

static void test_a_stream_that_is_cut_off_is_a_network_error(void **state) {
    struct taken taken;
    struct outcome o = ask_stream(*state, "/events-cut", &taken);
    assert_int_equal(o.err, ERR_NETWORK);
    assert_true(o.sent);
    assert_string_equal(taken.text, "data: one");
}

static void test_a_taker_that_has_enough_ends_the_stream(void **state) {
    struct fixture *f = *state;
    struct taken taken = {.bytes_max = 8};
    f->request.stream = take;
    f->request.stream_ctx = &taken;
    f->request.idle_ms = LONG_MS;
    assert_int_equal(ask_path(f, "/events").err, ERR_TOO_BIG);
    f->request.stream = NULL; /* the handle is as good as new */
    assert_int_equal(ask_path(f, "/events").err, ERR_OK);
}

/* Sends itself again from `done` until `left` is used up. */
struct crowd {
    struct fixture *f;
    int64_t left, ok, peak;
};

static void crowd_next(void *ctx, const struct http_reply *reply) {
    struct crowd *c = ctx;
    struct http_transfer *t;
    c->ok += reply->err == ERR_OK && str_eq(reply->body, S("late"));
    if (c->left > 0) {
        c->left--;
        assert_int_equal(http_send(c->f->client, &c->f->request, crowd_next, c, &t), ERR_OK);
    }
    c->peak = MAX(c->peak, http_in_flight(c->f->client));
}

static void test_two_thousand_in_flight_all_come_back_and_share_connections(void **state) {
    struct fixture *f = *state;
    struct crowd crowd = {.f = f, .left = 2000};
    struct http_transfer *t;
    (void)request_for(f, "/slow");
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(http_send(f->client, &f->request, crowd_next, &crowd, &t), ERR_OK);
    }
    loop_run(f->loop);
    assert_int_equal(crowd.ok, 4000);
    assert_int_equal(crowd.peak, 2000);
    assert_int_equal(tiny_server_requests(f->server), 4000);
    assert_true(tiny_server_connections(f->server) <= 2000);
}

#define COUNTED_HOST "counted.test"

static atomic_int lookups;

/* In the place of the C library's: counts who asks for the name above, which is this machine. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **res) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *next = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &next, sizeof real); /* ISO C knows no cast from an object to a function */
    bool counted = node != NULL && strcmp(node, COUNTED_HOST) == 0;
    lookups += counted;
    return real(counted ? "127.0.0.1" : node, service, hints, res);
}

static void test_a_burst_looks_its_host_up_once(void **state) {
    struct fixture *f = *state;
    struct crowd crowd = {.f = f, .left = 0};
    struct http_transfer *t;
    const char *port = strrchr(tiny_server_url(f->server), ':');
    (void)snprintf(f->url, sizeof f->url, "http://" COUNTED_HOST "%s/slow", port);
    for (int i = 0; i < 600; i++) { /* more than a shard has */
        assert_int_equal(http_send(f->client, &f->request, crowd_next, &crowd, &t), ERR_OK);
    }
    loop_run(f->loop);
    assert_int_equal(crowd.ok, 600);
    assert_int_equal(lookups, 1);
}

#define HTTP_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        HTTP_TEST(test_a_reply_is_told_whole),
        HTTP_TEST(test_an_error_status_is_a_whole_reply),
        HTTP_TEST(test_headers_go_out_as_given_and_expect_never),
        HTTP_TEST(test_a_get_follows_a_post_on_the_same_handle),
        HTTP_TEST(test_a_connection_is_used_again),
        HTTP_TEST(test_chunks_are_joined_and_trailers_do_no_harm),
        HTTP_TEST(test_an_interim_answer_is_not_the_answer),
        HTTP_TEST(test_no_first_byte_in_time_is_a_timeout_that_says_so),
        HTTP_TEST(test_a_body_that_stalls_meets_the_total_deadline),
        HTTP_TEST(test_the_first_byte_ends_the_first_deadline),
        HTTP_TEST(test_a_connection_that_does_not_come_is_a_timeout_that_says_so),
        HTTP_TEST(test_a_quiet_connection_is_kept_alive),
        HTTP_TEST(test_a_refused_connection_is_a_network_error_and_nothing_was_sent),
        HTTP_TEST(test_an_unknown_host_fails_for_all_who_wait_for_it),
        HTTP_TEST(test_a_burst_looks_its_host_up_once),
        HTTP_TEST(test_a_bad_url_is_invalid_and_never_names_what_is_in_it),
        HTTP_TEST(test_a_password_in_the_url_is_not_in_the_detail),
        HTTP_TEST(test_what_is_not_http_is_a_protocol_error),
        HTTP_TEST(test_a_lost_connection_is_told_and_not_sent_again),
        HTTP_TEST(test_a_body_over_the_cap_is_cut_off),
        HTTP_TEST(test_headers_over_the_cap_are_cut_off),
        HTTP_TEST(test_a_canceled_transfer_is_told_once_and_later),
        HTTP_TEST(test_freeing_the_client_cancels_what_is_in_flight),
        HTTP_TEST(test_more_than_in_flight_max_is_refused),
        HTTP_TEST(test_connections_that_no_limit_allows_are_refused_with_the_remedy),
        HTTP_TEST(test_a_stream_is_taken_as_it_comes),
        HTTP_TEST(test_what_is_no_stream_is_gathered_although_one_was_wanted),
        HTTP_TEST(test_a_stream_that_falls_silent_meets_the_idle_deadline),
        HTTP_TEST(test_comments_do_not_count_as_the_first_byte),
        HTTP_TEST(test_a_stream_that_is_cut_off_is_a_network_error),
        HTTP_TEST(test_a_taker_that_has_enough_ends_the_stream),
        HTTP_TEST(test_two_thousand_in_flight_all_come_back_and_share_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
