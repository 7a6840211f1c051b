/* What is PostgreSQL's own of a broker over it: its table, and who is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "broker_rig.h"
#include "postgres_rig.h"
#include "store/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSWORD "not-a-%2Fword" /* as in a URL */
#define PASSWORD_PLAIN "not-a-/word"
#define URL "postgresql://stumper@127.0.0.1"

static const struct backend *const postgres = &backends[3];

static int start_server(void **state) {
    (void)state;
    rig_start(postgres, NULL);
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    rig_stop();
    return 0;
}

/* Ask until the answer is @n. */
#define assert_soon(n, ...)                                                                        \
    do {                                                                                           \
        int64_t until_ms = clock_mono_ms() + LONG_MS;                                              \
        while (server_postgres(&rig.server, __VA_ARGS__) != (n) && clock_mono_ms() < until_ms) {   \
            pause_ms(20);                                                                          \
        }                                                                                          \
        assert_int_equal(server_postgres(&rig.server, __VA_ARGS__), n);                            \
    } while (0)

#define COUNT "SELECT count(*) FROM stumper_broker.tokens WHERE fleet = '%s'"

static void eat_one(const char *job) {
    int n = rig.one.n;
    broker_want(rig.one.consumer, 1);
    eater_run(&rig.one, n + 1, LONG_MS);
    assert_int_equal(rig.one.n, n + 1);
    assert_string_equal(rig.one.seen[n], job);
}

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
    assert_soon(0, COUNT, rig.fleet);
}

static void test_the_token_of_a_process_that_died_is_given_to_another_after_15_s(void **state) {
    (void)state;
    (void)server_postgres(&rig.server,
                          "INSERT INTO stumper_broker.tokens (fleet, job, tenant, priority, given)"
                          " SELECT '%s', job, 1, 0, (extract(epoch FROM now()) - age) * 1000000"
                          " FROM (VALUES ('orphan', 15), ('young', -3600)) AS v (job, age)",
                          rig.fleet);
    broker_want(rig.one.consumer, 5);
    eater_run(&rig.one, 1, LONG_MS);
    assert_string_equal(rig.one.seen[0], "orphan");
    eater_run(&rig.one, 2, 1500);
    assert_int_equal(rig.one.n, 1);
    assert_soon(1, COUNT, rig.fleet);
}

static void test_who_was_silent_for_too_long_acknowledges_nothing_of_anothers(void **state) {
    (void)state;
    rig.one.silent = true;
    publish(rig.b, "slow", 0);
    eat_one("slow");
    (void)server_postgres(&rig.server,
                          "UPDATE stumper_broker.tokens SET given = given + 1 WHERE fleet = '%s'",
                          rig.fleet); /* as if it had been given again */
    broker_ack(rig.one.consumer, "slow");
    publish(rig.b, "next", 0); /* its turn comes after that of the acknowledgement */
    eat_one("next");
    assert_int_equal(server_postgres(&rig.server, COUNT " AND job = 'slow'", rig.fleet), 1);
}

static void test_what_is_put_without_a_word_is_found_within_a_second(void **state) {
    (void)state;
    broker_want(rig.one.consumer, 1);
    eater_run(&rig.one, 1, 200); /* it has looked, and found nothing */
    (void)server_postgres(&rig.server,
                          "INSERT INTO stumper_broker.tokens (fleet, job, tenant, priority)"
                          " VALUES ('%s', 'quiet', 1, 0)",
                          rig.fleet);
    eater_run(&rig.one, 1, LONG_MS);
    assert_string_equal(rig.one.seen[0], "quiet");
}

static void test_what_others_write_there_is_dropped(void **state) {
    (void)state;
    (void)server_postgres(&rig.server,
                          "INSERT INTO stumper_broker.tokens (fleet, job, tenant, priority)"
                          " SELECT '%s', job, 1, 1 FROM (VALUES (''), ('a b'), (repeat('x', 48)),"
                          " (U&'\\00fc'), ('\"\\{},')) AS v (job)",
                          rig.fleet);
    publish(rig.b, "job", 0);
    broker_want(rig.one.consumer, 2);
    eater_run(&rig.one, 2, LONG_MS);
    assert_string_equal(rig.one.seen[0], "\"\\{},"); /* it may be a name */
    assert_string_equal(rig.one.seen[1], "job");
    assert_soon(0, COUNT, rig.fleet);
    publish(rig.b, "\"\\{},", 0); /* and is put as one */
    eat_one("\"\\{},");
}

static void test_a_table_that_is_dropped_is_made_again(void **state) {
    (void)state;
    (void)server_postgres(&rig.server, "DROP SCHEMA stumper_broker CASCADE");
    await_broker(rig.b, is_degraded);
    await_broker(rig.b, is_well);
    publish(rig.b, "job", 0);
    eat_one("job");
}

static void test_a_connection_that_is_killed_is_made_again(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        publish(rig.b, "job", 0);
        (void)server_postgres(&rig.server,
                              "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                              " WHERE application_name = 'stumper-broker'");
        eat_one("job");
        await_broker(rig.b, is_well);
    }
}

static void test_a_flood_that_is_worked_off_leaves_the_table_small(void **state) {
    char id[BROKER_JOB_ID_BYTES];
    (void)state;
    for (int i = 0; i < 10; i++) {
        broker_want(rig.one.consumer, 1000);
        for (int k = 0; k < 1000; k++) {
            (void)snprintf(id, sizeof id, "job%d", k);
            publish(rig.b, id, 0);
        }
        eater_run(&rig.one, 1000 * (i + 1), LONG_MS);
        assert_int_equal(rig.one.n, 1000 * (i + 1));
    }
    assert_soon(0, COUNT, rig.fleet);
    assert_in_range(
        server_postgres(&rig.server, "SELECT pg_total_relation_size('stumper_broker.tokens')"), 0,
        16 << 20);
}

static void *open_one(void *arg) {
    struct broker **ret = arg;
    *ret = open_url(postgres, URL, rig.server.port, "/postgres?name=first");
    await_broker(*ret, is_well);
    return NULL;
}

static void test_many_that_start_at_once_make_one_table(void **state) {
    struct broker *brokers[8];
    pthread_t threads[ARRAY_LEN(brokers)];
    (void)state;
    (void)server_postgres(&rig.server, "DROP SCHEMA IF EXISTS stumper_broker CASCADE");
    for (size_t i = 0; i < ARRAY_LEN(brokers); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, open_one, &brokers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(brokers); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        broker_free(brokers[i]);
    }
}

/* At the same address, whoever comes first; the tables of a store in another schema go with the
 * tokens of another fleet. */
static void test_a_store_of_the_same_database_is_left_alone(void **state) {
    char url[128];
    (void)state;
    (void)server_postgres(&rig.server, "CREATE SCHEMA elsewhere");
    static const char *const places[] = {"", "?options=-csearch_path%3Delsewhere"};
    struct broker *brokers[ARRAY_LEN(places)];
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct store *s;
        (void)snprintf(url, sizeof url, URL ":%d/postgres%s", rig.server.port, places[i]);
        assert_int_equal(broker_postgres_new(url, NULL, &brokers[i], NULL), ERR_OK);
        await_broker(brokers[i], is_well);
        assert_int_equal(store_open(url, NULL, &s, NULL), ERR_OK);
        store_close(s);
        publish(brokers[i], "job", 0);
    }
    assert_soon(1, COUNT, "public");
    assert_soon(1, COUNT, "elsewhere");
    broker_free(brokers[0]);
    broker_free(brokers[1]);
}

/* Whether its address says so or not. */
static void test_behind_a_pooler_of_transactions_tokens_go_from_one_to_another(void **state) {
    struct postgres_rig p = {.port = rig.server.port};
    char url[128];
    (void)state;
    (void)snprintf(p.dir, sizeof p.dir, "%s", rig.server.dir);
    (void)server_postgres(&rig.server, "DELETE FROM stumper_broker.tokens");
    pid_t pid = postgres_rig_pooler(&p, "public", url, sizeof url);
    for (int said = 1; said >= 0; said--) {
        static struct eater there;
        struct broker *from, *to;
        assert_int_equal(broker_postgres_new(url, NULL, &from, NULL), ERR_OK);
        assert_int_equal(broker_postgres_new(url, NULL, &to, NULL), ERR_OK);
        await_broker(from, is_well);
        await_broker(to, is_well);
        eater_begin(&there, to);
        broker_want(there.consumer, 1);
        eater_run(&there, 1, 200);
        publish(from, "job", 0);
        eater_run(&there, 1, LONG_MS);
        assert_int_equal(there.n, 1);
        assert_null(broker_degraded(to));
        eater_end(&there);
        broker_free(from);
        come_in(to);
        url[strcspn(url, "?")] = '\0';
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* --- being let in */

static void come_with_passwords(void) {
    const char loaded[] = "SELECT extract(microseconds FROM pg_conf_load_time())::bigint";
    long long before = server_postgres(&rig.server, loaded);
    (void)server_postgres(&rig.server, "CREATE ROLE guest LOGIN PASSWORD '" PASSWORD_PLAIN "'");
    (void)server_postgres(&rig.server, "CREATE ROLE owner LOGIN PASSWORD '" PASSWORD_PLAIN "'");
    (void)server_postgres(&rig.server, "DROP SCHEMA IF EXISTS stumper_broker CASCADE");
    char path[128];
    (void)snprintf(path, sizeof path, "%s/data/pg_hba.conf", rig.server.dir);
    FILE *f = fopen(path, "w");
    assert_true(f != NULL &&
                fputs("host all stumper 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 "
                      "scram-sha-256\n",
                      f) >= 0 &&
                fclose(f) == 0);
    (void)server_postgres(&rig.server, "SELECT pg_reload_conf()::int");
    while (server_postgres(&rig.server, loaded) == before) {
        pause_ms(10);
    }
    int port = rig.server.port;
    stay_out(open_url(postgres, "postgresql://guest@127.0.0.1", port, "/postgres"));
    stay_out(
        open_url(postgres, "postgresql://guest:wrong-" PASSWORD "@127.0.0.1", port, "/postgres"));
    stay_out(open_url(postgres, "postgresql://guest:" PASSWORD "@127.0.0.1", port, "/postgres"));
    (void)server_postgres(&rig.server, "CREATE SCHEMA stumper_broker AUTHORIZATION owner");
    come_in(open_url(postgres, "postgres://owner:" PASSWORD "@127.0.0.1", port, "/postgres"));
}

static void test_a_password_is_asked_for_and_never_told(void **state) {
    char log[4096];
    (void)state;
    log_of(come_with_passwords, log, sizeof log);
    assert_non_null(strstr(log, "no password supplied"));
    assert_non_null(strstr(log, "password authentication failed"));
    assert_non_null(strstr(log, "CREATE SCHEMA stumper_broker AUTHORIZATION"));
    assert_null(strstr(log, PASSWORD_PLAIN));
    assert_null(strstr(log, PASSWORD));
}

static void come_with_tls(void) {
    struct server s;
    char ca[160];
    server_init(&s);
    server_make_certificate(&s, "DNS:localhost");
    server_start_postgres(&s, (const char *const[]){"ssl=on", "ssl_cert_file=../cert.pem",
                                                    "ssl_key_file=../key.pem", NULL});
    stay_out(open_url(postgres, "postgresql://stumper@localhost", s.port,
                      "/postgres?sslmode=verify-full&sslrootcert=/dev/null"));
    (void)snprintf(ca, sizeof ca, "/postgres?sslmode=verify-full&sslrootcert=%s/cert.pem", s.dir);
    stay_out(open_url(postgres, URL, s.port, ca)); /* it is localhost's */
    come_in(open_url(postgres, "postgresql://stumper@localhost", s.port, ca));
    server_release(&s);
}

static void test_over_tls_the_server_must_show_a_good_certificate(void **state) {
    char log[4096];
    (void)state;
    log_of(come_with_tls, log, sizeof log);
    assert_non_null(strstr(log, "certificate"));
    assert_non_null(strstr(log, "does not match host name"));
}

static void test_a_wrong_url_is_refused_without_being_repeated(void **state) {
    static const char *const urls[] = {"postgresql://u:se/cret@h/x",
                                       "postgresql://u:s@cret@h/x",
                                       "postgresql://u:secret@h:port/x",
                                       "postgresql://u:secret@h/x?secret=1",
                                       "postgresql://u:secret@h/x?name=a/b",
                                       "postgresql://u:secret@h/x?name=",
                                       "postgresql://u:se%zz@h/x"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct errinfo why = {0};
        struct broker *never;
        assert_int_equal(broker_postgres_new(urls[i], NULL, &never, &why), ERR_USAGE);
        assert_int_not_equal(why.text[0], '\0');
        assert_null(strstr(why.text, "cret"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        with_rig(test_what_is_acknowledged_leaves_nothing_behind),
        with_rig(test_the_token_of_a_process_that_died_is_given_to_another_after_15_s),
        with_rig(test_who_was_silent_for_too_long_acknowledges_nothing_of_anothers),
        with_rig(test_what_is_put_without_a_word_is_found_within_a_second),
        with_rig(test_what_others_write_there_is_dropped),
        with_rig(test_a_table_that_is_dropped_is_made_again),
        with_rig(test_a_connection_that_is_killed_is_made_again),
        with_rig(test_a_flood_that_is_worked_off_leaves_the_table_small),
        cmocka_unit_test(test_many_that_start_at_once_make_one_table),
        cmocka_unit_test(test_a_store_of_the_same_database_is_left_alone),
        cmocka_unit_test(test_behind_a_pooler_of_transactions_tokens_go_from_one_to_another),
        cmocka_unit_test(test_a_password_is_asked_for_and_never_told),
        cmocka_unit_test(test_over_tls_the_server_must_show_a_good_certificate),
        cmocka_unit_test(test_a_wrong_url_is_refused_without_being_repeated),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
