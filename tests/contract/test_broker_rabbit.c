/* What is RabbitMQ's own of a broker over it: what queues do, and who is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/mem.h"
#include "broker_rig.h"
#include "free_port.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSWORD "not-a-%2Fword"
#define PASSWORD_PLAIN "not-a-/word"

static const struct backend *const rabbit = &backends[2];
static int tls_port;

static int start_server(void **state) {
    char listener[64], certificate[128], key[128], ca[128];
    (void)state;
    rig.backend = rabbit;
    server_init(&rig.server);
    server_make_certificate(&rig.server, "DNS:localhost");
    tls_port = free_port();
    (void)snprintf(listener, sizeof listener, "listeners.ssl.1 = 127.0.0.1:%d", tls_port);
    (void)snprintf(ca, sizeof ca, "ssl_options.cacertfile = %s/cert.pem", rig.server.dir);
    (void)snprintf(certificate, sizeof certificate, "ssl_options.certfile = %s/cert.pem",
                   rig.server.dir);
    (void)snprintf(key, sizeof key, "ssl_options.keyfile = %s/key.pem", rig.server.dir);
    server_start_rabbit(&rig.server, (const char *const[]){listener, certificate, key, ca, NULL});
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    rig_stop();
    return 0;
}

static void test_what_waits_is_not_put_again_and_what_was_taken_is(void **state) {
    static struct eater other;
    (void)state;
    for (int i = 0; i < 20; i++) {
        publish(rig.b, "again", 0);
        pause_ms(20);
    }
    assert_waiting(1);
    pause_ms(1200); /* it is counted anew */
    assert_int_equal(broker_waiting(rig.b), 1);

    struct broker *there = backend_open(rabbit, &rig.server, rig.fleet);
    eater_begin(&other, there);
    broker_want(other.consumer, 1);
    eater_run(&other, 1, LONG_MS);
    assert_int_equal(other.n, 1);
    pause_ms(100);
    publish(rig.b, "again", 0); /* not known here to have been taken */
    broker_want(other.consumer, 1);
    eater_run(&other, 2, LONG_MS);
    assert_int_equal(other.n, 2);
    eater_end(&other);
    broker_free(there);
}

static void test_what_others_write_there_is_dropped(void **state) {
    char queue[64], text[1000];
    (void)state;
    (void)snprintf(queue, sizeof queue, "stumper.%s.normal", rig.fleet);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    server_put_messages(&rig.server, queue, "la", 300);
    server_put_messages(&rig.server, queue, text, 1);
    server_put_messages(&rig.server, queue, "job 1", 1);
    server_put_messages(&rig.server, queue, "job one 0", 1);
    server_put_messages(&rig.server, queue, "", 1);
    publish(rig.b, "job", 0);
    broker_want(rig.one.consumer, 1);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    assert_string_equal(rig.one.seen[0], "job");
    assert_waiting(0);
}

static void test_queues_that_are_deleted_are_made_again(void **state) {
    (void)state;
    server_delete_queues(&rig.server, rig.fleet);
    broker_want(rig.one.consumer, 1);
    publish(rig.b, "job", 0);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    await_broker(rig.b, is_well);
    publish(rig.b, "next", 0);
    broker_want(rig.one.consumer, 1);
    eater_run(&rig.one, 2, LONG_MS);
    assert_int_equal(rig.one.n, 2);
}

/* What `test_broker_rabbit hold PORT FLEET` does: take a token, say so, do nothing more. */
static int hold(int port, const char *name) {
    static struct eater e;
    const struct server s = {.port = port};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    eater_begin(&e, backend_open(rabbit, &s, name));
    e.silent = true;
    broker_want(e.consumer, 1);
    eater_run(&e, 1, LONG_MS);
    (void)puts(e.seen[0]);
    (void)fflush(stdout);
    pause_ms(LONG_MS);
    return 1;
}

static void test_the_token_of_a_process_that_was_killed_is_given_to_another(void **state) {
    char port[8], text[64] = "";
    int fds[2];
    (void)state;
    (void)snprintf(port, sizeof port, "%d", rig.server.port);
    assert_int_equal(pipe(fds), 0);
    publish(rig.b, "orphan", 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)execl("/proc/self/exe", "test", "hold", port, rig.fleet, (char *)NULL);
        _exit(127);
    }
    assert_true(read(fds[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "orphan\n");
    broker_want(rig.one.consumer, 1);
    eater_run(&rig.one, 1, 200);
    assert_int_equal(rig.one.n, 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    assert_string_equal(rig.one.seen[0], "orphan");
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* --- being let in */

static void come_with_passwords(void) {
    stay_out(open_url(rabbit, "amqp://guest:" PASSWORD "@127.0.0.1", rig.server.port, ""));
    stay_out(open_url(rabbit, "amqp://127.0.0.1", rig.server.port, "/nowhere"));
    come_in(open_url(rabbit, "amqp://guest:guest@127.0.0.1", rig.server.port, "/%2F"));
}

static void test_a_password_is_asked_for_and_never_told(void **state) {
    char log[4096];
    (void)state;
    log_of(come_with_passwords, log, sizeof log);
    assert_non_null(strstr(log, "ACCESS_REFUSED"));
    assert_non_null(strstr(log, "nowhere"));
    assert_null(strstr(log, PASSWORD_PLAIN));
    assert_null(strstr(log, PASSWORD));
}

static void come_with_tls(void) {
    char ca[128];
    stay_out(open_url(rabbit, "amqps://localhost", tls_port, "")); /* nobody vouches for it */
    (void)snprintf(ca, sizeof ca, "?ca=%s/cert.pem", rig.server.dir);
    stay_out(open_url(rabbit, "amqps://127.0.0.1", tls_port, ca)); /* it is localhost's */
    come_in(open_url(rabbit, "amqps://localhost", tls_port, ca));
    (void)setenv("SSL_CERT_FILE", ca + strlen("?ca="), 1);
    come_in(open_url(rabbit, "amqps://localhost", tls_port, ""));
    (void)unsetenv("SSL_CERT_FILE");
}

static void test_over_tls_the_server_must_show_a_good_certificate(void **state) {
    char log[4096];
    (void)state;
    log_of(come_with_tls, log, sizeof log);
    assert_non_null(strstr(log, " cert"));
    assert_non_null(strstr(log, "hostname"));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        with_rig(test_what_waits_is_not_put_again_and_what_was_taken_is),
        with_rig(test_what_others_write_there_is_dropped),
        with_rig(test_queues_that_are_deleted_are_made_again),
        with_rig(test_the_token_of_a_process_that_was_killed_is_given_to_another),
        cmocka_unit_test(test_a_password_is_asked_for_and_never_told),
        cmocka_unit_test(test_over_tls_the_server_must_show_a_good_certificate),
    };
    if (argc == 4 && strcmp(argv[1], "hold") == 0) {
        return hold(atoi(argv[2]), argv[3]);
    }
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
