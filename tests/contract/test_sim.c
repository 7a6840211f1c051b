/* The simulated provider as its clients see it: the real server on a loopback port, spoken to in
 * plain bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sim/server.h"
#include "json/node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_BYTES_MAX 65536
#define LONG_MS 20000 /* on a slow machine; what is waited for ends the wait */
#define CHAT "/v1/chat/completions"
#define ENGINEER                                                                                   \
    "{\"model\":\"engineer\",\"messages\":[{\"role\":\"user\",\"content\":\"one problem\"}]}"

struct rig {
    struct sim_options options;
    struct sim_server *server;
    pthread_t thread;
};

static void *rig_main(void *server) {
    sim_server_run(server);
    return NULL;
}

/* Options may be changed between rig_init() and rig_start(). */
static void rig_init(struct rig *r) {
    memset(r, 0, sizeof *r);
    r->options.listen = "127.0.0.1";
    r->options.stop_fd = eventfd(0, EFD_CLOEXEC);
    r->options.piece_bytes = 64;
    brain_options_init(&r->options.brain);
}

static void rig_start(struct rig *r) {
    struct errinfo why = {0};
    if (sim_server_new(&r->options, &r->server, &why) != ERR_OK) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(pthread_create(&r->thread, NULL, rig_main, r->server), 0);
}

static void rig_stop(struct rig *r) {
    assert_int_equal(eventfd_write(r->options.stop_fd, 1), 0);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    sim_server_free(r->server);
    (void)close(r->options.stop_fd);
}

static int dial(const struct rig *r) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)sim_server_port(r->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *bytes) {
    size_t n = strlen(bytes);
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

static void post(int fd, const char *path, const char *headers, const char *body) {
    char request[8192];
    int n = snprintf(request, sizeof request,
                     "POST %s HTTP/1.1\r\nHost: sim\r\n%sContent-Length: %zu\r\n\r\n%s", path,
                     headers, strlen(body), body);
    assert_true(n > 0 && (size_t)n < sizeof request);
    say(fd, request);
}

struct reply {
    char bytes[REPLY_BYTES_MAX];
    size_t n;
    int status;       /* 0: none came */
    const char *body; /* NUL-terminated */
    bool closed;      /* the server ended the connection behind it */
    int errnum;       /* of recv() */
};

static bool reply_whole(struct reply *r) {
    const char *end = strstr(r->bytes, "\r\n\r\n"),
               *length = strcasestr(r->bytes, "content-length:");
    if (end == NULL || length == NULL || length > end) {
        return false;
    }
    r->body = end + 4;
    r->status = atoi(r->bytes + strlen("HTTP/1.1 "));
    return (size_t)(r->bytes + r->n - r->body) >= strtoul(length + 15, NULL, 10);
}

static bool readable(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0;
}

/* Has the server ended the connection, or does it within @ms? */
static bool ends(int fd, int ms) {
    char byte;
    return readable(fd, ms) && recv(fd, &byte, 1, MSG_PEEK) <= 0;
}

/* Read one reply; gives up after @ms. */
static struct reply *hear(int fd, int ms) {
    static struct reply r;
    memset(&r, 0, sizeof r);
    while (!reply_whole(&r) && !r.closed && readable(fd, ms)) {
        ssize_t n = recv(fd, r.bytes + r.n, sizeof r.bytes - 1 - r.n, 0);
        r.closed = n <= 0;
        r.errnum = n < 0 ? errno : 0;
        r.n += n > 0 ? (size_t)n : 0;
    }
    r.closed = r.closed || ends(fd, 50);
    return &r;
}

static const struct jnode *body_of(const struct reply *r, struct arena *a) {
    const struct jnode *j = NULL;
    assert_int_equal(jnode_parse(str_of(r->body), a, &j, NULL), ERR_OK);
    return j;
}

static void assert_error(const struct reply *r, int status, const char *code, const char *words) {
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    assert_int_equal(r->status, status);
    const struct jnode *e = jnode_get(body_of(r, &a), "error");
    assert_true(jnode_get_str(e, "type").n > 0);
    assert_non_null(jnode_get(e, "param"));
    assert_non_null(jnode_get(e, "code"));
    assert_true(str_eq(jnode_get_str(e, "code"), str_of(code)));
    assert_true(str_find(jnode_get_str(e, "message"), str_of(words)) != STR_NPOS);
    arena_release(&a);
}

static void test_a_completion_has_the_shape_of_openais(void **state) {
    (void)state;
    struct rig rig;
    struct arena a;
    rig_init(&rig);
    rig_start(&rig);
    arena_init(&a, (size_t)1 << 20);
    int fd = dial(&rig);
    for (int i = 0; i < 3; i++) { /* on one connection */
        post(fd, i == 1 ? "/chat/completions" : CHAT, "", ENGINEER);
        const struct reply *r = hear(fd, LONG_MS);
        assert_int_equal(r->status, 200);
        assert_false(r->closed);
        assert_non_null(strcasestr(r->bytes, "\r\nx-request-id: req_"));
        assert_non_null(strcasestr(r->bytes, "\r\nopenai-processing-ms: "));
        assert_null(strcasestr(r->bytes, "\r\nx-ratelimit-")); /* there is no limit */
        const struct jnode *j = body_of(r, &a);
        const struct jnode *choice = jnode_at(jnode_get(j, "choices"), 0);
        const struct jnode *usage = jnode_get(j, "usage");
        assert_true(str_eq(jnode_get_str(j, "object"), S("chat.completion")));
        assert_true(str_eq(jnode_get_str(choice, "finish_reason"), S("stop")));
        assert_true(jnode_get_str(jnode_get(choice, "message"), "content").n > 0);
        assert_int_equal(jnode_get_int(usage, "total_tokens", 0),
                         jnode_get_int(usage, "prompt_tokens", 0) +
                             jnode_get_int(usage, "completion_tokens", 0));
        assert_true(jnode_get_int(usage, "completion_tokens", 0) > 0);
    }
    (void)close(fd);
    arena_release(&a);
    rig_stop(&rig);
}

static void test_errors_have_the_shape_of_openais(void **state) {
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.options.key = "sk-right";
    rig.options.reasoning = true;
    rig_start(&rig);
    int fd = dial(&rig);
    const char *key = "Authorization: Bearer sk-right\r\n";
    post(fd, CHAT, "", ENGINEER);
    assert_error(hear(fd, LONG_MS), 401, NULL, "didn't provide an API key");
    post(fd, CHAT, "Authorization: Bearer sk-wrong\r\n", ENGINEER);
    const struct reply *r = hear(fd, LONG_MS);
    assert_error(r, 401, "invalid_api_key", "Incorrect API key");
    assert_null(strstr(r->bytes, "sk-wrong"));
    post(fd, CHAT, key,
         "{\"model\":\"gpt-9\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
    assert_error(hear(fd, LONG_MS), 404, "model_not_found", "gpt-9");
    post(fd, CHAT, key, "{\"model\":\"engineer\"");
    assert_error(hear(fd, LONG_MS), 400, NULL, "could not parse the JSON");
    post(fd, CHAT, key,
         "{\"model\":\"engineer\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
         "\"max_tokens\":5}");
    assert_error(hear(fd, LONG_MS), 400, "unsupported_parameter", "Use 'max_completion_tokens'");
    post(fd, "/v1/nothing", key, "{}");
    assert_error(hear(fd, LONG_MS), 404, NULL, "Invalid URL (POST /v1/nothing)");
    say(fd, "DELETE " CHAT " HTTP/1.1\r\nHost: sim\r\n\r\n");
    r = hear(fd, LONG_MS);
    assert_error(r, 405, "method_not_supported", "DELETE");
    assert_non_null(strcasestr(r->bytes, "\r\nallow: POST\r\n"));
    say(fd,
        "GET /v1/models/nobody HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer sk-right\r\n\r\n");
    assert_error(hear(fd, LONG_MS), 404, "model_not_found", "nobody");
    (void)close(fd);
    rig_stop(&rig);
}

static void test_health_models_and_ledger_can_be_read(void **state) {
    (void)state;
    struct rig rig;
    struct arena a;
    rig_init(&rig);
    rig_start(&rig);
    arena_init(&a, (size_t)1 << 20);
    int fd = dial(&rig);
    say(fd, "GET /healthz HTTP/1.1\r\nHost: sim\r\n\r\n");
    assert_string_equal(hear(fd, LONG_MS)->body, "ok\n");
    say(fd, "GET /v1/models HTTP/1.1\r\nHost: sim\r\n\r\n");
    assert_int_equal(jnode_len(jnode_get(body_of(hear(fd, LONG_MS), &a), "data")), 4);
    for (int i = 0; i < 3; i++) { /* the same thing twice, then another */
        post(fd, CHAT,
             i < 2 ? "X-Client-Request-Id: job/1/1\r\n" : "X-Client-Request-Id: job/1/2\r\n",
             i < 2 ? ENGINEER
                   : "{\"model\":\"target\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
        assert_int_equal(hear(fd, LONG_MS)->status, 200);
    }
    say(fd, "GET /ledger/summary HTTP/1.1\r\nHost: sim\r\n\r\n");
    const struct jnode *sums = body_of(hear(fd, LONG_MS), &a);
    assert_int_equal(jnode_get_int(sums, "calls", 0), 3);
    assert_int_equal(jnode_get_int(sums, "engineer", 0), 2);
    assert_int_equal(jnode_get_int(sums, "repeated", 0), 1);
    assert_int_equal(jnode_get_int(sums, "repeated_request_ids", 0), 1);
    (void)close(fd);
    arena_release(&a);
    rig_stop(&rig);
}

static void test_smuggling_is_refused_and_the_connection_closed(void **state) {
    (void)state;
    static const char *const headers[] = {
        "Host: sim\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Host: sim\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
        "Host: sim\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "Host: sim\r\nContent-Length: +5\r\n",
        "Host: sim\r\nContent-Length: 0x5\r\n",
        "Host: sim\r\nContent-Length: 9999999999999999999\r\n",
        "Host: sim\r\nTransfer-Encoding: xchunked\r\n",
        "Host: sim\r\nTransfer-Encoding: chunked, identity\r\n",
        "Host: sim\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Host: sim\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n",
        "Host: sim\r\nHost: other\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\n",
        "Host: sim\r\nX-Bad: a\x01z\r\nContent-Length: 5\r\n",
        "Host: sim\r\nBad(name): a\r\nContent-Length: 5\r\n",
        "Host: sim\r\nContent-Length: 500000000\r\n",
    };
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        char request[512];
        int fd = dial(&rig);
        (void)snprintf(request, sizeof request, "POST " CHAT " HTTP/1.1\r\n%s\r\n0\r\n\r\n",
                       headers[i]);
        say(fd, request);
        const struct reply *r = hear(fd, LONG_MS);
        bool closed = r->closed || ends(fd, LONG_MS);
        if (!(r->status >= 400 && r->status <= 501) || !closed) {
            fail_msg("status %d, %s, for:\n%s", r->status, closed ? "closed" : "left open",
                     headers[i]);
        }
        (void)close(fd);
    }
    rig_stop(&rig);
}

static void test_a_chunked_body_is_read(void **state) {
    (void)state;
    struct rig rig;
    char request[1024];
    rig_init(&rig);
    rig_start(&rig);
    int fd = dial(&rig);
    (void)snprintf(request, sizeof request,
                   "POST " CHAT " HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "a\r\n%.10s\r\n%zx\r\n%s\r\n0\r\n\r\n",
                   ENGINEER, strlen(ENGINEER) - 10, &ENGINEER[10]);
    say(fd, request);
    assert_int_equal(hear(fd, LONG_MS)->status, 200);
    (void)close(fd);
    rig_stop(&rig);
}

static void test_a_client_that_dribbles_is_cut_off(void **state) {
    (void)state;
    static const char *const starts[] = {
        "POST " CHAT " HTTP/1.1\r\nHost: sim\r\nX-Slow: ",
        "POST " CHAT " HTTP/1.1\r\nHost: sim\r\nContent-Length: 1000\r\n\r\n{",
    };
    struct rig rig;
    rig_init(&rig);
    rig.options.input_ms = 200;
    rig_start(&rig);
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        int64_t begun_ms = clock_mono_ms();
        int fd = dial(&rig);
        char byte;
        say(fd, starts[i]);
        while (!readable(fd, 50) && clock_mono_ms() - begun_ms < 30000) {
            (void)send(fd, " ", 1, MSG_NOSIGNAL); /* a byte now and then: never idle for long */
        }
        assert_true(recv(fd, &byte, 1, 0) <= 0);
        assert_in_range(clock_mono_ms() - begun_ms, 150, 25000); /* the usual one is a minute */
        (void)close(fd);
    }
    rig_stop(&rig);
}

static void test_a_latency_is_kept_by_many_at_once(void **state) {
    (void)state;
    enum { N = 300, MEAN_MS = 2000, MORE_MS = 6000 };
    struct rig rig;
    int fds[N];
    rig_init(&rig);
    rig.options.latency_ms = (struct spread){.mean = MEAN_MS};
    rig_start(&rig);
    for (int i = 0; i < N; i++) {
        fds[i] = dial(&rig);
    }
    int64_t begun_ms = clock_mono_ms();
    for (int i = 0; i < N; i++) {
        post(fds[i], CHAT, "", ENGINEER);
    }
    int64_t until_ms = clock_mono_ms() + MEAN_MS + MORE_MS; /* not one after another */
    assert_true(readable(fds[0], LONG_MS));
    assert_true(clock_mono_ms() - begun_ms >= MEAN_MS - 2);
    for (int i = 0; i < N; i++) {
        assert_true(readable(fds[i], (int)MAX(until_ms - clock_mono_ms(), INT64_C(0))));
    }
    for (int i = 0; i < N; i++) {
        (void)close(fds[i]);
    }
    rig_stop(&rig);
}

static void rig_fault(struct rig *rig, enum fault fault) {
    rig_init(rig);
    rig->options.brain.faults.of[fault] = 1;
    rig_start(rig);
}

static void test_faults_look_like_the_real_ones(void **state) {
    (void)state;
    struct rig rig;
    rig_fault(&rig, FAULT_429);
    int fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    const struct reply *r = hear(fd, LONG_MS);
    assert_error(r, 429, "rate_limit_exceeded", "Rate limit reached");
    const char *wait = strcasestr(r->bytes, "\r\nretry-after-ms: ");
    assert_non_null(wait);
    assert_in_range(strtol(wait + 18, NULL, 10), 1, 1000);
    assert_non_null(strcasestr(r->bytes, "\r\nretry-after: 1\r\n"));
    (void)close(fd);
    rig_stop(&rig);

    rig_fault(&rig, FAULT_RESET);
    fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    r = hear(fd, LONG_MS);
    assert_int_equal(r->n, 0);
    assert_int_equal(r->errnum, ECONNRESET);
    (void)close(fd);
    rig_stop(&rig);

    rig_fault(&rig, FAULT_HANG);
    fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    assert_false(readable(fd, 300));
    (void)close(fd);
    fd = dial(&rig); /* nobody else is held up */
    say(fd, "GET /ledger/summary HTTP/1.1\r\nHost: sim\r\n\r\n");
    r = hear(fd, LONG_MS);
    assert_int_equal(r->status, 200);
    assert_non_null(strstr(r->body, "\"calls\":0"));
    post(fd, CHAT, "", ENGINEER); /* and one that hangs does not keep it from ending */
    rig_stop(&rig);
    (void)close(fd);
}

static void test_a_refusal_and_a_cut_answer_are_told_as_such(void **state) {
    (void)state;
    struct rig rig;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    rig_fault(&rig, FAULT_REFUSE);
    int fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    const struct jnode *m =
        jnode_get(jnode_at(jnode_get(body_of(hear(fd, LONG_MS), &a), "choices"), 0), "message");
    assert_int_equal(jnode_type(jnode_get(m, "content")), JNODE_NULL);
    assert_true(jnode_get_str(m, "refusal").n > 0);
    (void)close(fd);
    rig_stop(&rig);
    rig_fault(&rig, FAULT_TRUNCATE);
    fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    const struct jnode *choice = jnode_at(jnode_get(body_of(hear(fd, LONG_MS), &a), "choices"), 0);
    assert_true(str_eq(jnode_get_str(choice, "finish_reason"), S("length")));
    (void)close(fd);
    rig_stop(&rig);
    arena_release(&a);
}

#define TARGET_STREAM                                                                              \
    "{\"model\":\"target\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream\":true}"

/* All that comes on @fd until it ends or, after @awaited has come, is silent for @ms;
 * NUL-terminated. */
static size_t listen_to(int fd, const char *awaited, int ms, char *to, size_t n_max,
                        bool *ret_ended) {
    size_t n = 0;
    ssize_t got = 1;
    *ret_ended = false;
    to[0] = '\0';
    while (n + 1 < n_max && !*ret_ended &&
           readable(fd, strstr(to, awaited) != NULL ? ms : LONG_MS)) {
        got = recv(fd, to + n, n_max - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        to[n] = '\0';
        *ret_ended = got <= 0 || strstr(to, "\r\n0\r\n\r\n") != NULL;
    }
    return n;
}

static void test_a_stream_comes_as_time_goes_by(void **state) {
    (void)state;
    static char bytes[REPLY_BYTES_MAX];
    struct rig rig;
    bool ended;
    rig_init(&rig);
    rig.options.latency_ms = (struct spread){.mean = 5000};
    rig_start(&rig);
    int fd = dial(&rig);
    int64_t begun_ms = clock_mono_ms();
    post(fd, CHAT, "", TARGET_STREAM);
    assert_true(readable(fd, LONG_MS));
    assert_in_range(clock_mono_ms() - begun_ms, 900, 4500); /* a fifth of it, then bit by bit */
    ssize_t n = recv(fd, bytes, sizeof bytes - 1, 0);
    assert_true(n > 0);
    bytes[n] = '\0';
    assert_non_null(strcasestr(bytes, "\r\ncontent-type: text/event-stream"));
    assert_null(strstr(bytes, "[DONE]"));
    (void)listen_to(fd, "", LONG_MS, bytes, sizeof bytes, &ended);
    assert_true(ended && strstr(bytes, "data: [DONE]\n\n") != NULL);
    assert_in_range(clock_mono_ms() - begun_ms, 4990, 20000);
    say(fd, "GET /v1/models HTTP/1.1\r\nHost: sim\r\n\r\n"); /* the connection goes on */
    assert_int_equal(hear(fd, LONG_MS)->status, 200);
    (void)close(fd);
    rig_stop(&rig);
}

static void test_signs_of_life_come_while_a_model_thinks(void **state) {
    (void)state;
    static char bytes[REPLY_BYTES_MAX];
    struct rig rig;
    bool ended;
    rig_init(&rig);
    rig.options.latency_ms = (struct spread){.mean = 10000};
    rig.options.keep_alive_ms = 40;
    rig_start(&rig);
    int fd = dial(&rig), whole = dial(&rig);
    post(fd, CHAT, "", TARGET_STREAM);
    post(whole, CHAT, "", ENGINEER);
    assert_true(readable(whole, 5000)); /* long before the answer */
    (void)listen_to(fd, "", LONG_MS, bytes, sizeof bytes, &ended);
    const char *life = strstr(bytes, ": keep-alive\n\n"), *data = strstr(bytes, "data: {");
    assert_true(ended && life != NULL && data != NULL && life < data);
    assert_non_null(strstr(bytes, "data: [DONE]"));
    (void)listen_to(whole, "", LONG_MS, bytes, sizeof bytes, &ended);
    assert_true(ended);
    assert_non_null(strstr(bytes, "\r\n1\r\n\n\r\n1\r\n\n\r\n")); /* empty lines, a chunk each */
    assert_non_null(strstr(bytes, "\"finish_reason\":\"stop\""));
    (void)close(fd);
    (void)close(whole);
    rig_stop(&rig);
}

static void test_faults_of_streams(void **state) {
    (void)state;
    static const struct {
        enum fault fault;
        bool ends, done;
        const char *has;
    } cases[] = {{FAULT_NONE, true, true, "\"finish_reason\":\"stop\""},
                 {FAULT_IN_200, true, false, "data: {\"error\":{"},
                 {FAULT_CUT, true, false, "chat.completion.chunk"},
                 {FAULT_STALL, false, false, "chat.completion.chunk"},
                 {FAULT_DRIP, true, true, "\"finish_reason\":\"stop\""},
                 {FAULT_TRUNCATE, true, true, "\"finish_reason\":\"length\""},
                 {FAULT_REFUSE, true, true, "\"refusal\":\"I'm sorry"}};
    static char bytes[REPLY_BYTES_MAX];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig;
        bool ended;
        rig_fault(&rig, cases[i].fault);
        int fd = dial(&rig);
        int64_t begun_ms = clock_mono_ms();
        post(fd, CHAT, "", TARGET_STREAM);
        (void)listen_to(fd, cases[i].has, cases[i].ends ? LONG_MS : 300, bytes, sizeof bytes,
                        &ended);
        assert_int_equal(ended, cases[i].ends);
        assert_int_equal(strstr(bytes, "[DONE]") != NULL, cases[i].done);
        assert_non_null(strstr(bytes, cases[i].has));
        assert_true(cases[i].fault != FAULT_DRIP || clock_mono_ms() - begun_ms >= 950);
        (void)close(fd);
        rig_stop(&rig); /* and it ends, whatever hangs */
    }
}

static void test_faults_of_whole_answers_in_the_middle(void **state) {
    (void)state;
    static char bytes[REPLY_BYTES_MAX];
    struct rig rig;
    bool ended;
    rig_fault(&rig, FAULT_IN_200);
    int fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    const struct reply *r = hear(fd, LONG_MS);
    assert_error(r, 200, "server_is_overloaded", "Overloaded");
    (void)close(fd);
    rig_stop(&rig);

    rig_fault(&rig, FAULT_CUT);
    fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    (void)listen_to(fd, "", LONG_MS, bytes, sizeof bytes, &ended);
    assert_true(ended && strstr(bytes, "\r\n0\r\n\r\n") == NULL); /* broken off, no orderly end */
    (void)close(fd);
    rig_stop(&rig);

    rig_fault(&rig, FAULT_STALL);
    fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    assert_true(listen_to(fd, "HTTP/1.1 200", 300, bytes, sizeof bytes, &ended) > 0);
    assert_true(!ended && strstr(bytes, "HTTP/1.1 200") == bytes);
    (void)close(fd);
    rig_stop(&rig);
}

/* What `GET /ledger/summary` says under @key of the refused. */
static int64_t refused(int fd, const char *key) {
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    say(fd, "GET /ledger/summary HTTP/1.1\r\nHost: sim\r\n\r\n");
    const struct jnode *sums = body_of(hear(fd, LONG_MS), &a);
    int64_t n = jnode_get_int(jnode_get(sums, "refused"), key, -1);
    arena_release(&a);
    return n;
}

static void test_limits_are_enforced_and_told_in_headers(void **state) {
    (void)state;
    struct rig rig;
    rig_init(&rig);
    assert_true(quota_plan_read(S("60"), &rig.options.limits.of[QUOTA_REQUESTS]));
    assert_true(quota_plan_read(S("100000"), &rig.options.limits.of[QUOTA_TOKENS]));
    rig.options.limits.burst_s = 2;
    rig_start(&rig);
    int fd = dial(&rig);
    post(fd, CHAT, "", ENGINEER);
    const struct reply *r = hear(fd, LONG_MS);
    assert_int_equal(r->status, 200);
    assert_non_null(strcasestr(r->bytes, "\r\nx-ratelimit-limit-requests: 60\r\n"));
    assert_non_null(strcasestr(r->bytes, "\r\nx-ratelimit-remaining-requests: 1\r\n"));
    assert_non_null(strcasestr(r->bytes, "\r\nx-ratelimit-reset-requests: "));
    assert_non_null(strcasestr(r->bytes, "\r\nx-ratelimit-limit-tokens: 100000\r\n"));
    for (int i = 0; i < 100 && r->status == 200; i++) { /* one a second is let in, and no more */
        post(fd, CHAT, "", ENGINEER);
        r = hear(fd, LONG_MS);
    }
    assert_error(r, 429, "rate_limit_exceeded", "requests per min (RPM): Limit 60");
    assert_non_null(strcasestr(r->bytes, "\r\nretry-after: 1\r\n"));
    assert_true(refused(fd, "requests") > 0);
    (void)close(fd);
    fd = dial(&rig); /* another key has limits of its own */
    post(fd, CHAT, "Authorization: Bearer other\r\n", ENGINEER);
    assert_int_equal(hear(fd, LONG_MS)->status, 200);
    (void)close(fd);
    rig_stop(&rig);
}

static void test_at_most_so_many_are_in_flight_at_once(void **state) {
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.options.latency_ms = (struct spread){.mean = 2000};
    assert_true(quota_plan_read(S("2"), &rig.options.limits.of[QUOTA_CONCURRENCY]));
    rig_start(&rig);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(&rig);
        post(fds[i], CHAT, "", ENGINEER);
        (void)readable(fds[i], i < 2 ? 20 : LONG_MS);
    }
    assert_error(hear(fds[2], LONG_MS), 429, "rate_limit_exceeded", "concurrent requests: Limit 2");
    assert_int_equal(hear(fds[0], LONG_MS)->status, 200);
    post(fds[2], CHAT, "", ENGINEER); /* one is over: there is room again */
    assert_int_equal(hear(fds[2], LONG_MS)->status, 200);
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
    rig_stop(&rig);
}

static void test_a_port_in_use_is_a_clear_error(void **state) {
    (void)state;
    struct rig rig;
    struct sim_server *second;
    struct errinfo why = {0};
    rig_init(&rig);
    rig_start(&rig);
    struct sim_options options = rig.options;
    options.port = sim_server_port(rig.server);
    assert_int_equal(sim_server_new(&options, &second, &why), ERR_BUSY);
    assert_non_null(strstr(why.text, "in use"));
    options.listen = "localhost";
    assert_int_equal(sim_server_new(&options, &second, &why), ERR_USAGE);
    rig_stop(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_completion_has_the_shape_of_openais),
        cmocka_unit_test(test_errors_have_the_shape_of_openais),
        cmocka_unit_test(test_health_models_and_ledger_can_be_read),
        cmocka_unit_test(test_smuggling_is_refused_and_the_connection_closed),
        cmocka_unit_test(test_a_chunked_body_is_read),
        cmocka_unit_test(test_a_client_that_dribbles_is_cut_off),
        cmocka_unit_test(test_a_latency_is_kept_by_many_at_once),
        cmocka_unit_test(test_faults_look_like_the_real_ones),
        cmocka_unit_test(test_a_refusal_and_a_cut_answer_are_told_as_such),
        cmocka_unit_test(test_a_stream_comes_as_time_goes_by),
        cmocka_unit_test(test_signs_of_life_come_while_a_model_thinks),
        cmocka_unit_test(test_faults_of_streams),
        cmocka_unit_test(test_faults_of_whole_answers_in_the_middle),
        cmocka_unit_test(test_limits_are_enforced_and_told_in_headers),
        cmocka_unit_test(test_at_most_so_many_are_in_flight_at_once),
        cmocka_unit_test(test_a_port_in_use_is_a_clear_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
