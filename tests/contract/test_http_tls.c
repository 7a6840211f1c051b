/* Promise of io/http.h over TLS, against OpenSSL's own server: a certificate is checked, and
 * SSL_CERT_FILE says whom to trust. Skipped where there is no openssl command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/http.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPAWN_ARGS_MAX 20

struct fixture {
    char dir[32], certificate[96], key[96], url[96];
    pid_t server;
    struct loop *loop;
    struct http_client *client;
};

static pid_t spawn(const char *const *args, int out_fd) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *argv[SPAWN_ARGS_MAX + 1] = {0};
        for (size_t i = 0; args[i] != NULL && i < SPAWN_ARGS_MAX; i++) {
            argv[i] = strdup(args[i]);
        }
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(out_fd >= 0 ? out_fd : null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static int run(const char *const *args) {
    int status;
    pid_t pid = spawn(args, -1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Start the server on a port that it chooses ("ACCEPT 0.0.0.0:34567"). */
static void start_server(struct fixture *f) {
    const char *const args[] = {"openssl", "s_server",     "-4",   "-accept", "0", "-www",
                                "-cert",   f->certificate, "-key", f->key,    NULL};
    int fds[2];
    char text[4096] = "";
    size_t n = 0;
    assert_int_equal(pipe(fds), 0);
    f->server = spawn(args, fds[1]);
    (void)close(fds[1]);
    const char *port = NULL;
    while (port == NULL || strchr(port, '\n') == NULL) {
        ssize_t got = read(fds[0], text + n, sizeof text - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
        port = strstr(text, "ACCEPT ");
    }
    struct str line = str_of(port);
    line = str_split(&line, '\n');
    struct str colon_port = str_skip(line, str_rfind(line, S(":")));
    (void)snprintf(f->url, sizeof f->url, "https://localhost%.*s/", STR_ARG(colon_port));
    (void)close(fds[0]);
}

static int set_up(void **state) {
    const char *const version[] = {"openssl", "version", NULL};
    *state = NULL;
    if (run(version) != 0) {
        return 0;
    }
    struct fixture *f = mem_new(sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/stumper-tls-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->certificate, sizeof f->certificate, "%s/cert.pem", f->dir);
    (void)snprintf(f->key, sizeof f->key, "%s/key.pem", f->dir);
    const char *const make[] = {"openssl",  "req",    "-x509",   "-newkey",
                                "rsa:2048", "-nodes", "-subj",   "/CN=localhost",
                                "-days",    "1",      "-addext", "subjectAltName=DNS:localhost",
                                "-keyout",  f->key,   "-out",    f->certificate,
                                NULL};
    assert_int_equal(run(make), 0);
    start_server(f);
    f->loop = loop_new();
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    if (f == NULL) {
        return 0;
    }
    (void)kill(f->server, SIGTERM);
    (void)waitpid(f->server, NULL, 0);
    loop_free(f->loop);
    (void)unlink(f->certificate);
    (void)unlink(f->key);
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

struct outcome {
    enum err err;
    int status;
    char detail[ERRINFO_BYTES];
};

static void note(void *ctx, const struct http_reply *reply) {
    struct outcome *o = ctx;
    o->err = reply->err;
    o->status = reply->status;
    (void)snprintf(o->detail, sizeof o->detail, "%s", reply->detail.text);
}

static struct outcome get(struct fixture *f) {
    const struct http_request request = {.method = "GET",
                                         .url = f->url,
                                         .connect_ms = 5000,
                                         .first_byte_ms = 5000,
                                         .total_ms = 5000,
                                         .body_bytes_max = 100000};
    const struct http_client_options options = {.in_flight_max = 4, .user_agent = "x"};
    struct outcome o = {0};
    struct http_transfer *t;
    struct http_client *c = http_new(f->loop, &options);
    assert_int_equal(http_send(c, &request, note, &o, &t), ERR_OK);
    loop_run(f->loop);
    http_free(c);
    return o;
}

static void test_a_certificate_that_nobody_vouches_for_is_refused(void **state) {
    struct fixture *f = *state;
    if (f == NULL) {
        skip();
    }
    (void)unsetenv("SSL_CERT_FILE");
    struct outcome o = get(f);
    assert_int_equal(o.err, ERR_NETWORK);
    assert_non_null(strstr(o.detail, "certificate"));
}

static void test_ssl_cert_file_says_whom_to_trust(void **state) {
    struct fixture *f = *state;
    if (f == NULL) {
        skip();
    }
    assert_int_equal(setenv("SSL_CERT_FILE", f->certificate, 1), 0);
    struct outcome o = get(f);
    (void)unsetenv("SSL_CERT_FILE");
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.status, 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_certificate_that_nobody_vouches_for_is_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ssl_cert_file_says_whom_to_trust, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
