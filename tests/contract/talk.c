#include "contract/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TALK_MS 10000
#define TALK_REQUEST_BYTES 65536

int talk_dial(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

int talk_dial_unix(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void talk_say(int fd, const char *bytes) {
    size_t n = strlen(bytes);
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

static bool talk_readable(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0;
}

/* One recv(); false if nothing more will come. */
static bool talk_more(int fd, int ms, struct talk_reply *r) {
    if (r->closed || r->n == sizeof r->bytes - 1 || !talk_readable(fd, ms)) {
        return false;
    }
    ssize_t n = recv(fd, r->bytes + r->n, sizeof r->bytes - 1 - r->n, 0);
    r->closed = n <= 0;
    r->errnum = n < 0 ? errno : 0;
    r->n += n > 0 ? (size_t)n : 0;
    r->bytes[r->n] = '\0';
    return !r->closed;
}

/* Put the chunks at @body together, in place; true if the last one is there. */
static bool talk_unchunk(char *body, size_t *ret_n) {
    char *from = body, *to = body;
    for (;;) {
        char *end;
        size_t n = strtoul(from, &end, 16);
        if (end == from || strncmp(end, "\r\n", 2) != 0 || strlen(end + 2) < n + 2) {
            return false;
        }
        if (n == 0) {
            *to = '\0';
            *ret_n = (size_t)(to - body);
            return true;
        }
        memmove(to, end + 2, n);
        to += n;
        from = end + 2 + n + 2;
    }
}

static bool talk_whole(struct talk_reply *r) {
    char *end = strstr(r->bytes, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    const char *length = talk_header(r, "content-length");
    r->status = atoi(r->bytes + strlen("HTTP/1.1 "));
    r->body = end + 4;
    r->body_n = (size_t)(r->bytes + r->n - r->body);
    if (talk_header(r, "transfer-encoding") != NULL) {
        return strstr(end, "\r\n0\r\n\r\n") != NULL && talk_unchunk(end + 4, &r->body_n);
    }
    return length == NULL || r->body_n >= strtoul(length, NULL, 10);
}

const struct talk_reply *talk_hear(int fd, int ms) {
    static struct talk_reply r;
    r.n = 0;
    r.status = 0;
    r.body = "";
    r.closed = false;
    r.bytes[0] = '\0';
    while (!talk_whole(&r) && talk_more(fd, ms, &r)) {
    }
    return &r;
}

bool talk_until(int fd, const char *text, int ms, struct talk_reply *ret) {
    while (strstr(ret->bytes, text) == NULL) {
        if (!talk_more(fd, ms, ret)) {
            return false;
        }
    }
    return true;
}

const struct talk_reply *talk(int port, const char *method, const char *path, const char *headers,
                              const char *body) {
    char request[TALK_REQUEST_BYTES], length[64] = "";
    if (body != NULL) {
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    }
    int n = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s",
                     method, path, headers, length, body != NULL ? body : "");
    assert_true(n > 0 && (size_t)n < sizeof request);
    int fd = talk_dial(port);
    talk_say(fd, request);
    const struct talk_reply *r = talk_hear(fd, TALK_MS);
    (void)close(fd);
    return r;
}

const char *talk_header(const struct talk_reply *r, const char *name) {
    static char value[1024];
    const char *head_end = strstr(r->bytes, "\r\n\r\n"), *line = strstr(r->bytes, "\r\n");
    size_t n = strlen(name);
    while (line != NULL && head_end != NULL && line < head_end) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(line + n + 2, "\r"),
                           line + n + 2);
            return value;
        }
        line = strstr(line, "\r\n");
    }
    return NULL;
}
