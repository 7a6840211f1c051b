#include "free_port.h"

#include "base/rng.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_MIN 20000
#define PORTS 12000

/* Below those that the system gives to clients: one that tries to connect to such a port while
 * nobody listens there may meet itself, and then has it. */
int free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    do {
        uint16_t random;
        rng_os(&random, sizeof random);
        a.sin_port = htons((uint16_t)(PORT_MIN + random % PORTS));
    } while (bind(fd, (struct sockaddr *)&a, sizeof a) != 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}
