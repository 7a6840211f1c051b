/* server_rig.h - real servers for tests: on a loopback port, in a folder of their own under /tmp,
 * without systemd, as whoever runs the test. They die with it. */
#ifndef TESTS_SERVER_RIG_H
#define TESTS_SERVER_RIG_H

#include "base/defs.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct server {
    pid_t pid;    /* 0: does not run */
    pid_t helper; /* that it wants beside it; 0: none */
    int port;     /* the same after a restart */
    int helper_port, more_port;
    char dir[64];
};

/** A folder and a free port. */
void server_init(struct server *s);

/** Run redis-server until it answers. @more: further arguments, NULL at the end, or NULL. With
 * "--tls-port" in them it listens there instead. */
void server_start_redis(struct server *s, const char *const *more);

/** Run rabbitmq-server until it answers (some seconds). @more: lines of its configuration,
 * likewise; with "listeners.ssl.1 = 127.0.0.1:PORT" it listens there alone. */
void server_start_rabbit(struct server *s, const char *const *more);

/** Delete / empty the queues of the fleet @name. */
void server_delete_queues(const struct server *s, const char *name);
void server_purge_queues(const struct server *s, const char *name);

/** Put @n messages with that body into the queue. */
void server_put_messages(const struct server *s, const char *queue, const char *body, int n);

/** Ask it by redisCommand(): the answer if it is a number, how many parts it has, or -1 for an
 * error. */
long long server_redis(const struct server *s, const char *format, ...);

/** Run PostgreSQL until it answers, with the superuser "stumper" and the database "postgres".
 * @more: settings ("ssl=on"), likewise. */
void server_start_postgres(struct server *s, const char *const *more);

/** Its address for @user, who may come with a password ("USER:PASSWORD"). */
void server_postgres_url(const struct server *s, const char *user, char *ret, size_t size);

/** Ask it: the number that is the answer, or 0. */
PRINTF(2, 3) long long server_postgres(const struct server *s, const char *format, ...);

/** kill(2) it and its children, without waiting. */
void server_signal(const struct server *s, int signum);

/** kill(2), and wait for the end. */
void server_stop(struct server *s, int signum);

/** Stop it, and delete the folder. */
void server_release(struct server *s);

/** Make a certificate for @who ("IP:127.0.0.1", "DNS:localhost") and its key: DIR/cert.pem,
 * DIR/key.pem. */
void server_make_certificate(const struct server *s, const char *who);

#endif
