/* server_rig.h - real servers for tests: on a loopback port, in a folder of their own under /tmp,
 * without systemd, as whoever runs the test. They die with it. */
#ifndef TESTS_SERVER_RIG_H
#define TESTS_SERVER_RIG_H

#include <stdbool.h>
#include <sys/types.h>

struct server {
    pid_t pid; /* 0: does not run */
    int port;  /* the same after a restart */
    char dir[64];
};

/** A folder and a free port. */
void server_init(struct server *s);

/** Run redis-server until it answers. @more: further arguments, NULL at the end, or NULL. With
 * "--tls-port" in them it listens there instead. */
void server_start_redis(struct server *s, const char *const *more);

/** Ask it by redisCommand(): the answer if it is a number, how many parts it has, or -1 for an
 * error. */
long long server_redis(const struct server *s, const char *format, ...);

/** kill(2), and wait for the end. */
void server_stop(struct server *s, int signum);

/** Stop it, and delete the folder. */
void server_release(struct server *s);

/** Make a certificate for 127.0.0.1 and its key: DIR/cert.pem, DIR/key.pem. */
void server_make_certificate(const struct server *s);

#endif
