/* Sockets that listen: TCP, unix, inherited. */
#include "httpd/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 16384
#define LISTEN_TYPE (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static bool listen_address(const struct httpd_listen *l, struct sockaddr_storage *ret) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, l->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)l->port);
        return true;
    }
    if (inet_pton(AF_INET6, l->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)l->port);
        return true;
    }
    return false;
}

static enum err listen_failed(int fd, const struct httpd_listen *l, struct errinfo *reterr) {
    int no = errno;
    enum err e = no == EADDRINUSE ? ERR_BUSY : ERR_IO;
    const char *mend = no == EADDRINUSE ? "; stop what listens there, or choose another" : "";
    if (fd >= 0) {
        (void)close(fd);
    }
    return l->unix_path != NULL ? errinfo_set(reterr, e, "cannot listen on unix:%s: %s%s",
                                              l->unix_path, strerror(no), mend)
                                : errinfo_set(reterr, e, "cannot listen on %s port %d: %s%s",
                                              l->address, l->port, strerror(no), mend);
}

/* The port that a bound TCP socket has; 0 for others. */
static int listen_port(int fd) {
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
        return 0;
    }
    return a.ss_family == AF_INET    ? ntohs(((struct sockaddr_in *)&a)->sin_port)
           : a.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&a)->sin6_port)
                                     : 0;
}

static enum err listen_tcp(const struct httpd_listen *l, int *ret_fd, struct errinfo *reterr) {
    struct sockaddr_storage a;
    const int on = 1;
    if (l->address == NULL || !listen_address(l, &a)) {
        return errinfo_set(reterr, ERR_USAGE, "'%s' is not an IP address to listen on",
                           l->address != NULL ? l->address : "");
    }
    int fd = socket(a.ss_family, LISTEN_TYPE, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (a.ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, (struct sockaddr *)&a,
             a.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) !=
            0 ||
        listen(fd, LISTEN_BACKLOG) != 0) {
        return listen_failed(fd, l, reterr);
    }
    *ret_fd = fd;
    return ERR_OK;
}

/* Nobody answers there: what is left of a server that was killed may be removed. */
static bool listen_is_dead(const struct sockaddr_un *a) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool dead =
        fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof *a) != 0 && errno == ECONNREFUSED;
    if (fd >= 0) {
        (void)close(fd);
    }
    return dead;
}

static enum err listen_unix(const struct httpd_listen *l, int *ret_fd, struct errinfo *reterr) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(l->unix_path);
    if (n == 0 || n >= sizeof a.sun_path) {
        return errinfo_set(reterr, ERR_USAGE, "a unix socket's path has 1 to %zu bytes",
                           sizeof a.sun_path - 1);
    }
    memcpy(a.sun_path, l->unix_path, n);
    int fd = socket(AF_UNIX, LISTEN_TYPE, 0);
    if (fd < 0) {
        return listen_failed(fd, l, reterr);
    }
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 &&
        (errno != EADDRINUSE || !listen_is_dead(&a) || unlink(a.sun_path) != 0 ||
         bind(fd, (struct sockaddr *)&a, sizeof a) != 0)) {
        return listen_failed(fd, l, reterr);
    }
    /* Nobody can connect before listen(). */
    if (chmod(a.sun_path, S_IRUSR | S_IWUSR) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        return listen_failed(fd, l, reterr);
    }
    *ret_fd = fd;
    return ERR_OK;
}

static enum err listen_inherited(int fd, struct errinfo *reterr) {
    int listens = 0;
    socklen_t n = sizeof listens;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) != 0 || !listens ||
        fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return errinfo_set(reterr, ERR_USAGE, "descriptor %d is not a socket that listens", fd);
    }
    return ERR_OK;
}

enum err listen_open(const struct httpd_listen *l, int *ret_fd, int *ret_port,
                     struct errinfo *reterr) {
    int fd = l->fd;
    enum err e = fd >= 0                ? listen_inherited(fd, reterr)
                 : l->unix_path != NULL ? listen_unix(l, &fd, reterr)
                                        : listen_tcp(l, &fd, reterr);
    if (e == ERR_OK) {
        *ret_fd = fd;
        *ret_port = listen_port(fd);
    }
    return e;
}
