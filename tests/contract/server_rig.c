#include "server_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVER_ARGS_MAX 48
#define SERVER_UP_MS 30000

void server_init(struct server *s) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *s = (struct server){0};
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    (void)close(fd);
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/stumper-server-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
}

/* The child of the test: its output goes to DIR/out, and it is killed when the test ends. */
static pid_t server_spawn(const struct server *s, const char *const *args) {
    pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *argv[SERVER_ARGS_MAX + 1] = {0};
        for (size_t i = 0; args[i] != NULL && i < SERVER_ARGS_MAX; i++) {
            argv[i] = strdup(args[i]);
        }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int out = chdir(s->dir) == 0 ? open("out", O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
        if (getppid() != parent || out < 0) {
            _exit(126);
        }
        (void)dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
        (void)dup2(out, STDOUT_FILENO);
        (void)dup2(out, STDERR_FILENO);
        execvp(argv[0], argv);
        dprintf(STDERR_FILENO, "cannot run %s\n", argv[0]);
        _exit(127);
    }
    return pid;
}

static bool server_listens(const struct server *s) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)s->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool up = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    (void)close(fd);
    return up;
}

static void server_await(struct server *s) {
    int64_t until_ms = clock_mono_ms() + SERVER_UP_MS;
    while (!server_listens(s)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        if (clock_mono_ms() > until_ms || waitpid(s->pid, NULL, WNOHANG) == s->pid) {
            fail_msg("the server did not come up, see %s/out (scripts/install-deps check installs "
                     "what the tests need)",
                     s->dir);
        }
    }
}

void server_start_redis(struct server *s, const char *const *more) {
    char port[8];
    const char *args[SERVER_ARGS_MAX + 1] = {
        "redis-server", "--bind", "127.0.0.1",          "--dir",     s->dir,
        "--save",       "",       "--maxmemory-policy", "noeviction"};
    size_t n = 9;
    bool tls = false;
    (void)snprintf(port, sizeof port, "%d", s->port);
    for (; more != NULL && *more != NULL; more++) {
        tls = tls || strcmp(*more, "--tls-port") == 0;
        args[n++] = *more;
    }
    args[n++] = "--port";
    args[n++] = tls ? "0" : port;
    s->pid = server_spawn(s, args);
    server_await(s);
}

long long server_redis(const struct server *s, const char *format, ...) {
    va_list args;
    redisContext *c = redisConnect("127.0.0.1", s->port);
    assert_true(c != NULL && c->err == 0);
    va_start(args, format);
    redisReply *reply = redisvCommand(c, format, args);
    va_end(args);
    assert_non_null(reply);
    long long n = reply->type == REDIS_REPLY_INTEGER ? reply->integer
                  : reply->type == REDIS_REPLY_ERROR ? -1
                                                     : (long long)reply->elements;
    freeReplyObject(reply);
    redisFree(c);
    return n;
}

void server_stop(struct server *s, int signum) {
    if (s->pid > 0) {
        (void)kill(s->pid, signum);
        (void)waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

static void server_run(const struct server *s, const char *const *args) {
    int status = -1;
    pid_t pid = server_spawn(s, args);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

void server_release(struct server *s) {
    char dir[sizeof s->dir];
    server_stop(s, SIGKILL);
    (void)snprintf(dir, sizeof dir, "%s", s->dir);
    server_run(s, (const char *const[]){"rm", "-rf", dir, NULL});
}

void server_make_certificate(const struct server *s) {
    server_run(s, (const char *const[]){"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                                        "-days", "2", "-subj", "/CN=a test", "-addext",
                                        "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out",
                                        "cert.pem", NULL});
}
