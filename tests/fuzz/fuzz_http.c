/* Whatever a client sends, the HTTP server neither crashes nor hangs, hands over only requests that
 * are whole and within the limits, and ends each of them once. Input: what is sent on one
 * connection. */
#include "base/mem.h"
#include "fuzz.h"
#include "httpd/httpd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_BYTES_MAX ((size_t)4096)
#define TURNS_MAX 10000

static struct httpd *server;
static char path[64];
static int under_way;

static void answer(struct httpd_request *q, int status) {
    struct httpd_response *r = httpd_response_new(status, S("ok"), NULL, NULL);
    httpd_respond(q, r);
    httpd_response_free(r);
}

static bool see_argument(void *ctx, struct str name, struct str value) {
    (void)ctx;
    ASSERT(name.p != NULL && value.p != NULL);
    return true;
}

static void on_request(void *ctx, struct httpd_request *q) {
    (void)ctx;
    under_way++;
    ASSERT(q->method != NULL && q->path != NULL && q->body != NULL);
    ASSERT(q->body->n <= BODY_BYTES_MAX && !sbuf_overflowed(q->body));
    ASSERT(httpd_header(q, "content-length").p == NULL ||
           httpd_header(q, "transfer-encoding").p == NULL);
    httpd_query_each(q, see_argument, NULL);
    if (q->path[0] == '/' && q->path[1] == 's') {
        struct httpd_response *r = httpd_stream_new(q, 200);
        httpd_respond(q, r);
        httpd_response_free(r);
        ASSERT(httpd_write(q, S("bit by bit")));
        httpd_end(q);
    } else {
        answer(q, 200);
    }
}

static void on_refuse(void *ctx, struct httpd_request *q, int status, const char *reason) {
    (void)ctx;
    under_way++;
    ASSERT(status >= 400 && reason != NULL && q->body->n == 0);
    answer(q, status);
}

static void on_over(void *ctx, struct httpd_request *q, bool whole) {
    const bool *seen = q->state;
    (void)ctx, (void)whole, (void)seen;
    under_way -= under_way > 0 ? 1 : 0; /* one that was only begun is over, too */
}

static const struct httpd_handler handler = {
    .request = on_request, .refuse = on_refuse, .over = on_over};

static void stop(void) {
    httpd_free(server);
    (void)unlink(path);
}

static void start(void) {
    (void)snprintf(path, sizeof path, "/tmp/stumper-fuzz-%d", (int)getpid());
    const struct httpd_options options = {.listen = {.unix_path = path, .fd = -1},
                                          .handler = &handler,
                                          .state_bytes = sizeof(bool),
                                          .body_bytes_max = BODY_BYTES_MAX,
                                          .stream_bytes_max = 100};
    ASSERT(httpd_new(&options, &server, NULL) == ERR_OK);
    ASSERT(atexit(stop) == 0);
}

static int dial(void) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    memcpy(to.sun_path, path, sizeof path);
    ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char reply[4096];
    size_t sent = 0;
    bool closed = false;
    if (server == NULL) {
        start();
    }
    int fd = dial();
    for (int turn = 0; !closed; turn++) {
        ASSERT(turn < TURNS_MAX);
        ssize_t n = sent < size ? send(fd, data + sent, size - sent, MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (size_t)n : 0;
        if (sent == size || (n < 0 && errno != EAGAIN)) {
            (void)shutdown(fd, SHUT_WR);
        }
        httpd_turn(server);
        ssize_t got = recv(fd, reply, sizeof reply, 0);
        closed = got == 0 || (got < 0 && errno != EAGAIN);
    }
    (void)close(fd);
    httpd_turn(server);
    ASSERT(under_way == 0 && httpd_connections(server) == 0);
    return 0;
}
