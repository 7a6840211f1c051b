/* What a broker over Redis leaves behind in it, and how it is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/log.h"
#include "broker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY(of) "{stumper:stumper}:" of
#define PASSWORD "not-a-%2Fword" /* as in a URL */
#define PASSWORD_PLAIN "not-a-/word"

static const struct backend *const redis = &backends[1];
/* A server of its own for each test. */
static int set_up(void **state) {
    (void)state;
    rig_start(redis, NULL);
    rig.b = backend_open(redis, &rig.server, "stumper");
    eater_begin(&rig.one, rig.b);
    return 0;
}

static int tear_down(void **state) {
    (void)rig_tear_down(state);
    rig_stop();
    return 0;
}

/* Ask until the answer is @n. */
#define assert_soon(n, ...)                                                                        \
    do {                                                                                           \
        int64_t until_ms = clock_mono_ms() + LONG_MS;                                              \
        while (server_redis(&rig.server, __VA_ARGS__) != (n) && clock_mono_ms() < until_ms) {      \
            pause_ms(5);                                                                           \
        }                                                                                          \
        assert_int_equal(server_redis(&rig.server, __VA_ARGS__), n);                               \
    } while (0)

static void test_what_is_acknowledged_leaves_nothing_behind(void **state) {
    char id[BROKER_JOB_ID_BYTES];
    (void)state;
    broker_want(rig.one.consumer, 600);
    for (int i = 0; i < 600; i++) {
        (void)snprintf(id, sizeof id, "job%d", i);
        publish(rig.b, id, i % 3 - 1);
    }
    eater_run(&rig.one, 600, LONG_MS);
    assert_int_equal(rig.one.n, 600);
    static const char *const streams[] = {KEY("high"), KEY("normal"), KEY("low")};
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        assert_soon(0, "XLEN %s", streams[i]);
        assert_int_equal(server_redis(&rig.server, "XPENDING %s stumper - + 10", streams[i]), 0);
    }
    assert_int_equal(server_redis(&rig.server, "HLEN %s", KEY("waiting")), 0);
}

static void test_the_token_of_a_process_that_died_is_given_to_another(void **state) {
    (void)state;
    publish(rig.b, "orphan", 0);
    assert_soon(1, "HLEN %s", KEY("waiting"));
    /* as take.lua does, by somebody who is not heard of again since a minute */
    (void)server_redis(&rig.server, "XGROUP CREATE %s stumper 0", KEY("normal"));
    assert_int_equal(server_redis(&rig.server, "XREADGROUP GROUP stumper dead COUNT 1 STREAMS %s >",
                                  KEY("normal")),
                     1);
    assert_int_equal(server_redis(&rig.server, "HDEL %s orphan", KEY("waiting")), 1);
    assert_int_equal(
        server_redis(&rig.server, "EVAL %s 1 %s",
                     "local p = redis.call('XPENDING', KEYS[1], 'stumper', '-', '+', 1)"
                     "return #redis.call('XCLAIM', KEYS[1], 'stumper', 'dead', 0, "
                     "p[1][1], 'IDLE', 60000)",
                     KEY("normal")),
        1);
    broker_want(rig.one.consumer, 5);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    assert_string_equal(rig.one.seen[0], "orphan");
    assert_soon(0, "XLEN %s", KEY("normal"));
}

static void test_what_others_write_there_is_dropped(void **state) {
    char id[BROKER_JOB_ID_BYTES * 2];
    (void)state;
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    for (int i = 0; i < 300; i++) {
        (void)server_redis(&rig.server, "XADD %s * song la", KEY("normal"));
    }
    (void)server_redis(&rig.server, "XADD %s * job %s tenant 1 priority 0", KEY("high"), id);
    (void)server_redis(&rig.server, "XADD %s * job %b tenant 1 priority 0", KEY("high"), "a\0b",
                       (size_t)3);
    (void)server_redis(&rig.server, "XADD %s * job good tenant one priority 0", KEY("high"));
    (void)server_redis(&rig.server, "HSET %s job nonsense", KEY("waiting"));
    static char large[6 << 20];
    (void)server_redis(&rig.server, "XADD %s * job good tenant 1 priority %b", KEY("high"), large,
                       sizeof large);
    publish(rig.b, "job", 0);
    broker_want(rig.one.consumer, 1);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    assert_string_equal(rig.one.seen[0], "job");
    assert_soon(0, "XLEN %s", KEY("normal"));
    assert_soon(0, "XLEN %s", KEY("high"));
    assert_null(broker_degraded(rig.b));
}

static void test_a_key_of_another_type_is_an_outage_and_heals(void **state) {
    (void)state;
    (void)server_redis(&rig.server, "DEL %s", KEY("waiting"));
    (void)server_redis(&rig.server, "SET %s mine", KEY("waiting"));
    await_broker(rig.b, is_degraded);
    broker_want(rig.one.consumer, 1);
    publish(rig.b, "near", 0);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    (void)server_redis(&rig.server, "DEL %s", KEY("waiting"));
    await_broker(rig.b, is_well);
}

static void test_fleets_with_names_of_their_own_do_not_meet(void **state) {
    struct broker *another;
    char url[96];
    (void)state;
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d/0?name=other.fleet", rig.server.port);
    assert_int_equal(broker_redis_new(url, NULL, &another, NULL), ERR_OK);
    await_broker(another, is_well);
    publish(another, "theirs", 0);
    broker_want(rig.one.consumer, 1);
    eater_run(&rig.one, 1, 200);
    assert_int_equal(rig.one.n, 0);
    assert_soon(1, "HLEN %s", "{stumper:other.fleet}:waiting");
    broker_free(another);
}

static void test_who_leaves_a_token_behind_wakes_the_next(void **state) {
    static struct eater other;
    struct broker *there = backend_open(redis, &rig.server, "stumper");
    (void)state;
    eater_begin(&other, there);
    int64_t start_ms = clock_mono_ms();
    broker_want(rig.one.consumer, 1);
    broker_want(other.consumer, 1);
    assert_soon(2, "EVAL %s 0", /* both wait for the bell */
                "return tonumber(string.match(redis.call('INFO', 'clients'), "
                "'blocked_clients:(%d+)'))");
    assert_int_equal(server_redis(&rig.server, "EVAL %s 3 %s %s %s",
                                  "for _, job in ipairs({'a', 'b'}) do "
                                  "local id = redis.call('XADD', KEYS[1], '*', 'job', job, "
                                  "'tenant', 0, 'priority', 0) "
                                  "redis.call('HSET', KEYS[2], job, '4 ' .. id) end "
                                  "return redis.call('LPUSH', KEYS[3], 'token')",
                                  KEY("normal"), KEY("waiting"), KEY("bell")),
                     1);
    while (rig.one.n + other.n < 2 && clock_mono_ms() - start_ms < LONG_MS) {
        eater_run(&rig.one, 1, 10);
        eater_run(&other, 1, 10);
    }
    assert_int_equal(rig.one.n, 1);
    assert_int_equal(other.n, 1);
    /* and not when it looks in any case, which is 5 s after it began to wait */
    assert_true(clock_mono_ms() - start_ms < 4900);
    eater_end(&other);
    broker_free(there);
}

/* --- being let in */

static void come_with_passwords(void) {
    struct server s;
    server_init(&s);
    server_start_redis(&s, (const char *const[]){"--requirepass", PASSWORD_PLAIN, NULL});
    stay_out(open_url(redis, "redis://127.0.0.1", s.port, ""));
    stay_out(open_url(redis, "redis://:wrong-" PASSWORD "@127.0.0.1", s.port, ""));
    come_in(open_url(redis, "redis://:" PASSWORD "@127.0.0.1", s.port, "/3"));
    come_in(open_url(redis, "redis://default:" PASSWORD "@127.0.0.1", s.port, ""));
    server_release(&s);
}

static void test_a_password_is_asked_for_and_never_told(void **state) {
    char log[4096];
    (void)state;
    log_of(come_with_passwords, log, sizeof log);
    assert_non_null(strstr(log, "NOAUTH"));
    assert_non_null(strstr(log, "WRONGPASS"));
    assert_null(strstr(log, PASSWORD_PLAIN));
    assert_null(strstr(log, PASSWORD));
}

static void come_with_tls(void) {
    struct server s;
    char port[8], ca[128];
    server_init(&s);
    server_make_certificate(&s, "IP:127.0.0.1");
    (void)snprintf(port, sizeof port, "%d", s.port);
    server_start_redis(&s, (const char *const[]){"--tls-port", port, "--tls-cert-file", "cert.pem",
                                                 "--tls-key-file", "key.pem", "--tls-ca-cert-file",
                                                 "cert.pem", "--tls-auth-clients", "no", NULL});
    stay_out(open_url(redis, "redis://127.0.0.1", s.port, ""));
    stay_out(open_url(redis, "rediss://127.0.0.1", s.port, "")); /* nobody vouches for it */
    (void)snprintf(ca, sizeof ca, "?ca=%s/cert.pem", s.dir);
    stay_out(open_url(redis, "rediss://localhost", s.port, ca)); /* somebody else's certificate */
    come_in(open_url(redis, "rediss://127.0.0.1", s.port, ca));
    (void)setenv("SSL_CERT_FILE", ca + strlen("?ca="), 1);
    come_in(open_url(redis, "rediss://127.0.0.1", s.port, ""));
    (void)unsetenv("SSL_CERT_FILE");
    server_release(&s);
}

static void test_over_tls_the_server_must_show_a_good_certificate(void **state) {
    char log[4096];
    (void)state;
    log_of(come_with_tls, log, sizeof log);
    assert_non_null(strstr(log, "self-signed certificate"));
    assert_non_null(strstr(log, "hostname mismatch"));
}

static void test_a_wrong_url_is_refused_without_being_repeated(void **state) {
    static const char *const urls[] = {
        "http://:secret@h",  "redis://",           "redis://:secret@",       "redis://:secret@h:0",
        "redis://h:66000",   "redis://:se%zz@h",   "redis://:secret@[::1",   "redis://h?secret=1",
        "redis://h?ca=x",    "redis://h?name=a/b", "redis://:secret@h/name", "secret",
        "redis://:se/cret@h"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct errinfo why = {0};
        struct broker *never;
        assert_int_equal(broker_redis_new(urls[i], NULL, &never, &why), ERR_USAGE);
        assert_int_not_equal(why.text[0], '\0');
        assert_null(strstr(why.text, "secret"));
        assert_null(strstr(why.text, "cret@"));
    }
}

#define with_server(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_server(test_what_is_acknowledged_leaves_nothing_behind),
        with_server(test_the_token_of_a_process_that_died_is_given_to_another),
        with_server(test_what_others_write_there_is_dropped),
        with_server(test_a_key_of_another_type_is_an_outage_and_heals),
        with_server(test_who_leaves_a_token_behind_wakes_the_next),
        with_server(test_fleets_with_names_of_their_own_do_not_meet),
        cmocka_unit_test(test_a_password_is_asked_for_and_never_told),
        cmocka_unit_test(test_over_tls_the_server_must_show_a_good_certificate),
        cmocka_unit_test(test_a_wrong_url_is_refused_without_being_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
