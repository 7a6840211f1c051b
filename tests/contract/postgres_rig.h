/* postgres_rig.h - a real PostgreSQL for tests: on a loopback port, in a folder of its own under
 * /tmp, without systemd. It runs as "nobody" where the test is root's, and dies with the test. */
#ifndef STUMPER_TESTS_POSTGRES_RIG_H
#define STUMPER_TESTS_POSTGRES_RIG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct postgres_rig {
    pid_t pid; /* 0: does not run */
    int port;  /* the same after a restart */
    char dir[64];
};

/** The server of this program, made and started at the first call; it goes at exit. */
struct postgres_rig *postgres_rig(void);

/** Another one, whose folder and port are given: make it if it was not, and start it, with @more
 * settings ("ssl=on"), NULL at the end, or NULL. */
void postgres_rig_run(struct postgres_rig *p, const char *const *more);

/** SIGTERM waits for clients, SIGINT ends them, SIGQUIT is a crash. / Start it again. */
void postgres_rig_stop(struct postgres_rig *p, int signum);
void postgres_rig_start(struct postgres_rig *p);

/** The address of the schema @schema; NULL: of the server's own. */
void postgres_rig_url(const struct postgres_rig *p, const char *schema, char *ret, size_t size);

/** Start a real pgbouncer that pools transactions before the schema @schema, with few sessions for
 * all; its address is @ret. It dies with the test, or by kill() and waitpid(). */
pid_t postgres_rig_pooler(const struct postgres_rig *p, const char *schema, char *ret, size_t size);

/** Run @text at @url: the number that it asks for, or 0. */
int64_t postgres_rig_ask(const char *url, const char *text);

#endif
