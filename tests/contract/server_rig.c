#include "server_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "free_port.h"
#include "postgres_rig.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
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
#define SERVER_UP_MS 90000

void server_init(struct server *s) {
    *s = (struct server){.port = free_port()};
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/stumper-server-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
}

/* The child of the test: its output goes to DIR/out, and it is killed when the test ends. */
static pid_t server_spawn(const struct server *s, const char *const *args,
                          void (*prepare)(const struct server *s)) {
    pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *argv[SERVER_ARGS_MAX + 1] = {0};
        for (size_t i = 0; args[i] != NULL && i < SERVER_ARGS_MAX; i++) {
            argv[i] = strdup(args[i]);
        }
        if (prepare != NULL) {
            prepare(s);
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
    s->pid = server_spawn(s, args, NULL);
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

/* --- RabbitMQ */

/* The environment of a node of its own: everything in DIR, distribution on loopback alone, and no
 * process between it and us. */
static void rabbit_environment(const struct server *s) {
    char text[160];
    const struct {
        const char *name, *path;
    } paths[] = {{"HOME", ""},
                 {"RABBITMQ_BASE", ""},
                 {"RABBITMQ_MNESIA_BASE", "/mnesia"},
                 {"RABBITMQ_LOG_BASE", "/log"},
                 {"RABBITMQ_CONFIG_FILE", "/rabbitmq.conf"},
                 {"RABBITMQ_ENABLED_PLUGINS_FILE", "/enabled_plugins"},
                 {"RABBITMQ_CONF_ENV_FILE", "/none"}};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        (void)snprintf(text, sizeof text, "%s%s", s->dir, paths[i].path);
        (void)setenv(paths[i].name, text, 1);
    }
    (void)snprintf(text, sizeof text, "r%d@localhost", s->port);
    (void)setenv("RABBITMQ_NODENAME", text, 1);
    (void)snprintf(text, sizeof text, "%d", s->helper_port);
    (void)setenv("ERL_EPMD_PORT", text, 1);
    (void)snprintf(text, sizeof text, "%d", s->more_port);
    (void)setenv("RABBITMQ_DIST_PORT", text, 1);
    (void)setenv("ERL_EPMD_ADDRESS", "127.0.0.1", 1);
    (void)setenv("RABBITMQ_ALLOW_INPUT", "1", 1);
    (void)setenv("RABBITMQ_SERVER_START_ARGS", "-noinput", 1);
    (void)setenv("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                 "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none", 1);
}

static void rabbit_configure(const struct server *s, const char *const *more) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/enabled_plugins", s->dir);
    FILE *f = fopen(path, "w");
    assert_true(f != NULL && fputs("[].\n", f) >= 0 && fclose(f) == 0);
    (void)snprintf(path, sizeof path, "%s/rabbitmq.conf", s->dir);
    f = fopen(path, "w");
    assert_non_null(f);
    for (; more != NULL && *more != NULL; more++) {
        (void)fprintf(f, "%s\n", *more);
    }
    (void)fprintf(f, "listeners.tcp.1 = 127.0.0.1:%d\n", s->port);
    (void)fprintf(f, "disk_free_limit.absolute = 16MB\nlog.file.level = warning\n");
    assert_int_equal(fclose(f), 0);
}

void server_start_rabbit(struct server *s, const char *const *more) {
    static const char *const args[] = {"/usr/lib/rabbitmq/bin/rabbitmq-server", NULL};
    char port[8];
    if (s->helper_port == 0) {
        s->helper_port = free_port();
        s->more_port = free_port();
    }
    (void)snprintf(port, sizeof port, "%d", s->helper_port);
    s->helper =
        server_spawn(s, (const char *const[]){"epmd", "-port", port, NULL}, rabbit_environment);
    rabbit_configure(s, more);
    s->pid = server_spawn(s, args, rabbit_environment);
    server_await(s);
}

static amqp_connection_state_t rabbit_connect(const struct server *s) {
    amqp_connection_state_t c = amqp_new_connection();
    assert_int_equal(amqp_socket_open(amqp_tcp_socket_new(c), "127.0.0.1", s->port), 0);
    assert_int_equal(
        amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type,
        AMQP_RESPONSE_NORMAL);
    assert_non_null(amqp_channel_open(c, 1));
    return c;
}

static void rabbit_leave(amqp_connection_state_t c) {
    (void)amqp_connection_close(c, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(c);
}

static void rabbit_each_queue(const struct server *s, const char *name, bool delete) {
    static const char *const bands[] = {"high", "normal", "low"};
    amqp_connection_state_t c = rabbit_connect(s);
    for (size_t i = 0; i < ARRAY_LEN(bands); i++) {
        char queue[64];
        (void)snprintf(queue, sizeof queue, "stumper.%s.%s", name, bands[i]);
        if (delete) {
            (void)amqp_queue_delete(c, 1, amqp_cstring_bytes(queue), 0, 0);
        } else {
            (void)amqp_queue_purge(c, 1, amqp_cstring_bytes(queue));
        }
    }
    rabbit_leave(c);
}

void server_delete_queues(const struct server *s, const char *name) {
    rabbit_each_queue(s, name, true);
}

void server_purge_queues(const struct server *s, const char *name) {
    rabbit_each_queue(s, name, false);
}

void server_put_messages(const struct server *s, const char *queue, const char *body, int n) {
    amqp_connection_state_t c = rabbit_connect(s);
    for (int i = 0; i < n; i++) {
        assert_int_equal(amqp_basic_publish(c, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 0, 0,
                                            NULL, amqp_cstring_bytes(body)),
                         0);
    }
    rabbit_leave(c);
}

/* --- PostgreSQL */

void server_start_postgres(struct server *s, const char *const *more) {
    struct postgres_rig p = {.port = s->port};
    (void)snprintf(p.dir, sizeof p.dir, "%s", s->dir);
    postgres_rig_run(&p, more);
    s->pid = p.pid;
}

void server_postgres_url(const struct server *s, const char *user, char *ret, size_t size) {
    (void)snprintf(ret, size, "postgresql://%s@127.0.0.1:%d/postgres", user, s->port);
}

long long server_postgres(const struct server *s, const char *format, ...) {
    char url[64], text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    server_postgres_url(s, "stumper", url, sizeof url);
    return postgres_rig_ask(url, text);
}

/* --- any */

void server_signal(const struct server *s, int signum) {
    char path[64], children[4096] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", s->pid, s->pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    (void)fread(children, 1, sizeof children - 1, f);
    (void)fclose(f);
    assert_int_equal(kill(s->pid, signum), 0);
    for (char *at = children, *end; strtol(at, &end, 10) > 0; at = end) {
        (void)kill((pid_t)strtol(at, NULL, 10), signum); /* it may be gone */
    }
}

void server_stop(struct server *s, int signum) {
    if (s->pid > 0) {
        (void)kill(s->pid, signum);
        (void)waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
    if (s->helper > 0) {
        (void)kill(s->helper, SIGKILL);
        (void)waitpid(s->helper, NULL, 0);
        s->helper = 0;
    }
}

static void server_run(const struct server *s, const char *const *args) {
    int status = -1;
    pid_t pid = server_spawn(s, args, NULL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

void server_release(struct server *s) {
    char dir[sizeof s->dir];
    server_stop(s, SIGKILL);
    (void)snprintf(dir, sizeof dir, "%s", s->dir);
    server_run(s, (const char *const[]){"rm", "-rf", dir, NULL});
}

void server_make_certificate(const struct server *s, const char *who) {
    char names[64];
    (void)snprintf(names, sizeof names, "subjectAltName=%s", who);
    server_run(s, (const char *const[]){"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                                        "-days", "2", "-subj", "/CN=a test", "-addext", names,
                                        "-keyout", "key.pem", "-out", "cert.pem", NULL});
}
