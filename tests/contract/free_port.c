#include "free_port.h"

#include "base/rng.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_MIN 20000
#define PORTS 12000

/* It is this process's until it ends, so that no other test's server gets it before ours has it: a
 * name that only one can have at a time stands for it. */
static bool reserve(uint16_t port) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "stumper-test-port-%d", port);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    bool mine = bind(fd, (struct sockaddr *)&a, size) == 0;
    if (!mine) {
        (void)close(fd);
    }
    return mine;
}

/* Below those that the system gives to clients: one that tries to connect to such a port while
 * nobody listens there may meet itself, and then has it. */
int free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    do {
        uint16_t random;
        rng_os(&random, sizeof random);
        a.sin_port = htons((uint16_t)(PORT_MIN + random % PORTS));
    } while (!reserve(ntohs(a.sin_port)) || bind(fd, (struct sockaddr *)&a, sizeof a) != 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}
