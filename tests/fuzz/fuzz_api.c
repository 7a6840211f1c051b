/* Whatever a client sends to the service, head and body, nobody dies of it: each answer is one of
 * HTTP's that tells of no fault of ours, the service goes on, and so does its store. Input: what is
 * sent on one connection. */
#include "api/api.h"
#include "contract/store_rig.h"
#include "fuzz.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_BYTES_MAX ((size_t)65536)
#define QUIET_MS 300    /* a stream or a client's wish to wait: then we leave */
#define ANSWER_MS 20000 /* for who has asked for nothing of that kind */

static struct rig rig;
static struct api *api;
static char path[sizeof((struct sockaddr_un *)NULL)->sun_path];

static void stop(void) {
    api_stop(api);
    (void)unlink(path);
    rig_release(&rig);
}

static int dial(void) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(to.sun_path, path, sizeof path);
    ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* Send all of it, but read meanwhile; what came first is in *@ret. @leave: say then that no more
 * will come, upon which who still waits for an answer counts as gone. */
static void talk(int fd, const uint8_t *data, size_t size, bool leave, char *ret, size_t n) {
    size_t sent = 0, got = 0;
    char more[4096];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (sent < size ? POLLOUT : 0))};
        int ready = poll(&p, 1, leave ? QUIET_MS : ANSWER_MS);
        if (ready == 0) {
            break;
        }
        if (ready < 0) {
            ASSERT(errno == EINTR); /* the fuzzer's clock */
        } else if ((p.revents & POLLOUT) != 0) {
            ssize_t out = send(fd, data + sent, MIN(size - sent, (size_t)4096), MSG_DONTWAIT);
            sent = out > 0 ? sent + (size_t)out : size;
            if (leave && sent == size) {
                (void)shutdown(fd, SHUT_WR);
            }
        } else {
            ssize_t in = recv(fd, more, sizeof more, 0);
            if (in <= 0) {
                break;
            }
            size_t kept = MIN((size_t)in, n - 1 - got);
            memcpy(ret + got, more, kept);
            got += kept;
        }
    }
    ret[got] = '\0';
}

static void expect_life(void) {
    static const char look[] = "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    char reply[1024];
    int fd = dial();
    talk(fd, (const uint8_t *)look, sizeof look - 1, false, reply, sizeof reply);
    ASSERT(strncmp(reply, "HTTP/1.1 200", 12) == 0);
    (void)close(fd);
}

static void submit_once(void) {
    static const char body[] = "{\"num_problems\":1,\"engineer_model\":\"a/b\","
                               "\"checker_model\":\"a/b\",\"target_model\":\"a/b\"}";
    char ask[512], reply[1024];
    int n = snprintf(ask, sizeof ask,
                     "POST /generate HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
                     "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                     sizeof body - 1, body);
    int fd = dial();
    talk(fd, (const uint8_t *)ask, (size_t)n, false, reply, sizeof reply);
    ASSERT(strncmp(reply, "HTTP/1.1 202", 12) == 0);
    (void)close(fd);
}

/* A service with a job in it, of the id that the seeds ask about. */
static void start(void) {
    rig_init(&rig);
    ASSERT(rig_open(&rig) == ERR_OK && rig_submit(&rig, 2) == ERR_OK);
    ASSERT(rig_finish(&rig, rig_claim_one(&rig), OUTCOME_ACCEPTED, NULL) == ERR_OK);
    (void)snprintf(path, sizeof path, "%s.sock", rig.folder);
    const struct api_options options = {.store = rig.store,
                                        .listen = {.unix_path = path, .fd = -1},
                                        .body_bytes_max = BODY_BYTES_MAX};
    ASSERT(api_start(&options, &api, NULL) == ERR_OK);
    (void)signal(SIGPIPE, SIG_IGN);
    submit_once();
    ASSERT(atexit(stop) == 0); /* after OpenSSL's own, so that ours comes first */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char reply[4096];
    if (api == NULL) {
        start();
    }
    int fd = dial();
    talk(fd, data, size, true, reply, sizeof reply);
    (void)close(fd);
    if (reply[0] != '\0') {
        ASSERT(strncmp(reply, "HTTP/1.", 7) == 0 && strncmp(reply + 8, " 500", 4) != 0);
    }
    expect_life();
    return 0;
}
