/* Promises of the interface's small parts: keys, rates, routes, signatures, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/auth.h"
#include "api/digest.h"
#include "api/events.h"
#include "api/key.h"
#include "api/routes.h"
#include "api/signature.h"
#include "io/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000)

static void test_a_key_is_long_random_and_stored_as_its_sha256(void **state) {
    (void)state;
    char a[KEY_TEXT_BYTES], b[KEY_TEXT_BYTES], hash[STORE_KEY_HASH_BYTES];
    key_new(a);
    key_new(b);
    assert_int_equal(strlen(a), strlen("sk-stumper-") + 43);
    assert_true(str_starts(str_of(a), S("sk-stumper-")));
    assert_string_not_equal(a, b);
    key_hash(S("abc"), hash); /* FIPS 180-2, appendix B.1 */
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_only_a_good_key_is_found(void **state) {
    (void)state;
    struct auth auth = {.any = false};
    struct key_row rows[2] = {{.number = 1}, {.number = 2, .revoked_ms = 5}};
    key_hash(S("sk-stumper-good"), rows[0].hash);
    key_hash(S("sk-stumper-gone"), rows[1].hash);
    auth_take(&auth, rows, 2);
    assert_true(auth.any);
    assert_int_equal(auth_find(&auth, S("Bearer sk-stumper-good"))->row.number, 1);
    assert_int_equal(auth_find(&auth, S("bearer  sk-stumper-good "))->row.number, 1);
    assert_null(auth_find(&auth, S("Bearer sk-stumper-gone")));
    assert_null(auth_find(&auth, S("Bearer sk-stumper-goo")));
    assert_null(auth_find(&auth, S("Basic sk-stumper-good")));
    assert_null(auth_find(&auth, (struct str){0}));
    rows[0].revoked_ms = 7;
    auth_take(&auth, rows, 1);
    assert_null(auth_find(&auth, S("Bearer sk-stumper-good")));
    auth_release(&auth);
}

static void test_a_revoked_key_stays_so_whatever_is_read(void **state) {
    (void)state;
    struct auth auth = {.any = false};
    struct key_row rows[2] = {{.number = 1, .id = "key_1"}, {.number = 2, .id = "key_2"}};
    key_hash(S("sk-stumper-one"), rows[0].hash);
    key_hash(S("sk-stumper-two"), rows[1].hash);
    auth_take(&auth, rows, 2);
    auth_revoke(&auth, S("key_1"), 7);
    assert_null(auth_find(&auth, S("Bearer sk-stumper-one")));
    assert_non_null(auth_find(&auth, S("Bearer sk-stumper-two")));
    auth_take(&auth, rows, 2); /* read before it was revoked */
    assert_null(auth_find(&auth, S("Bearer sk-stumper-one")));
    assert_non_null(auth_find(&auth, S("Bearer sk-stumper-two")));
    auth_release(&auth);
}

static void
test_requests_are_counted_that_the_store_has_given_and_more_are_asked_for(void **state) {
    (void)state;
    struct key key = {.row = {.requests_per_minute = 60}};
    int64_t now_us = 1000 * SECOND;
    assert_true(auth_count(&key, now_us).ask);
    assert_int_equal(auth_want(&key, 1), 3);
    assert_int_equal(auth_want(&key, 7), 7);
    auth_give(&key, 3, 3 * SECOND, now_us);
    for (int i = 0; i < 3; i++) {
        struct auth_rate r = auth_count(&key, now_us);
        assert_true(r.retry_s == 0 && !r.ask);
        assert_int_equal(r.remaining, 59 - i);
        assert_int_equal(r.reset_s, 1 + i);
    }
    assert_true(auth_count(&key, now_us).ask);
    auth_give(&key, 3, 30 * SECOND, now_us);
    assert_true(auth_count(&key, now_us + 61 * SECOND).ask); /* they were not used in time */
}

static void test_a_key_whose_minute_is_used_up_is_refused_without_asking(void **state) {
    (void)state;
    struct key key = {.row = {.requests_per_minute = 60}};
    int64_t now_us = 1000 * SECOND;
    auth_give(&key, 0, 60 * SECOND, now_us);
    assert_int_equal(auth_count(&key, now_us).retry_s, 1);
    assert_int_equal(auth_count(&key, now_us + SECOND / 2).retry_s, 1);
    assert_true(auth_count(&key, now_us + SECOND).ask);
}

static void test_a_path_finds_its_route_or_the_methods_it_has(void **state) {
    (void)state;
    char id[STORE_ID_BYTES], allow[ROUTE_ALLOW_BYTES], longer[STORE_ID_BYTES + 16] = "/jobs/";
    assert_ptr_equal(route_find("GET", "/jobs/job_7/results", id, allow)->run, results_run);
    assert_string_equal(id, "job_7");
    assert_ptr_equal(route_find("HEAD", "/status/job_7", id, allow)->run, status_run);
    assert_ptr_equal(route_find("GET", "/jobs", id, allow)->run, jobs_list);
    assert_null(route_find("POST", "/jobs/job_7", id, allow));
    assert_string_equal(allow, "GET, HEAD, DELETE");
    assert_null(route_find("GET", "/jobs/", id, allow));
    assert_string_equal(allow, "");
    assert_null(route_find("GET", "/jobs/a/b", id, allow));
    assert_null(route_find("GET", "/jobs/job_7/results/", id, allow));
    memset(longer + 6, 'x', STORE_ID_BYTES);
    assert_null(route_find("GET", longer, id, allow));
}

/* The example of the Standard Webhooks specification. */
static void test_signatures_are_those_of_standard_webhooks(void **state) {
    (void)state;
    struct arena a;
    struct signature_secrets s;
    char signature[SIGNATURE_HEADER_BYTES];
    arena_init(&a, 1 << 20);
    assert_int_equal(signature_read(S("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &s, NULL), ERR_OK);
    signature_make(&s, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, S("{\"test\": 2432232314}"), &a,
                   signature);
    assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_int_equal(signature_read(S("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw "
                                      "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                                    &s, NULL),
                     ERR_OK);
    assert_int_equal(s.n, 2);
    signature_make(&s, "m", 1, S(""), &a, signature);
    assert_non_null(strstr(signature, "= v1,"));
    static const char *const bad[] = {"", "whsec_",
                                      "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!!"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(signature_read(str_of(bad[i]), &s, NULL), ERR_INVALID);
    }
    arena_release(&a);
}

static void test_tries_are_spread_over_days_and_end(void **state) {
    (void)state;
    assert_int_equal(signature_retry_s(1, 0), 5);
    assert_int_equal(signature_retry_s(2, 0), 300);
    assert_int_equal(signature_retry_s(9, 0), 86400);
    assert_int_equal(signature_retry_s(10, 0), -1);
    for (int64_t tries = 1; tries < 10; tries++) {
        int64_t s = signature_retry_s(tries, 0);
        assert_in_range(signature_retry_s(tries, 0.999), s, s + s / 10);
    }
}

static bool is_public(const char *text) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return address_is_public((struct sockaddr *)&v4, sizeof v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return address_is_public((struct sockaddr *)&v6, sizeof v6);
}

static void test_only_addresses_that_anybody_may_have_are_public(void **state) {
    (void)state;
    static const char *const open[] = {"1.1.1.1",         "9.255.255.255", "100.128.0.0",
                                       "172.32.0.1",      "192.169.0.0",   "223.255.255.255",
                                       "2606:4700::1111", "2a00:1450::1",  "::ffff:8.8.8.8"};
    static const char *const closed[] = {
        "0.0.0.0",         "10.1.2.3",     "100.64.0.1",  "127.0.0.1",       "169.254.169.254",
        "172.16.0.1",      "172.31.255.9", "192.168.1.1", "198.19.0.1",      "224.0.0.1",
        "255.255.255.255", "::",           "::1",         "::ffff:10.0.0.1", "64:ff9b::a00:1",
        "fe80::1",         "fc00::1",      "ff02::1",     "2001:db8::1",     "2002:a00:1::",
        "2001::1",         "192.0.2.1"};
    for (size_t i = 0; i < ARRAY_LEN(open); i++) {
        if (!is_public(open[i])) {
            fail_msg("%s is public", open[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
        if (is_public(closed[i])) {
            fail_msg("%s is not public", closed[i]);
        }
    }
    struct sockaddr unknown = {.sa_family = AF_UNIX};
    assert_false(address_is_public(&unknown, sizeof unknown));
}

static void test_an_event_id_that_is_not_ours_means_from_the_beginning(void **state) {
    (void)state;
    assert_int_equal(events_last_id(S("17")), 17);
    assert_int_equal(events_last_id(S(" 17 ")), 17);
    assert_int_equal(events_last_id(S("")), 0);
    assert_int_equal(events_last_id(S("-1")), 0);
    assert_int_equal(events_last_id(S("17a")), 0);
    assert_int_equal(events_last_id(S("99999999999999999999")), 0);
}

static void test_base64_goes_there_and_back(void **state) {
    (void)state;
    unsigned char bytes[64];
    char text[128];
    size_t n = 0;
    for (size_t length = 1; length <= 40; length++) {
        for (size_t i = 0; i < length; i++) {
            bytes[i] = (unsigned char)(i * 37 + length);
        }
        unsigned char back[64];
        digest_base64(bytes, length, text);
        assert_true(digest_unbase64(str_of(text), back, sizeof back, &n));
        assert_int_equal(n, length);
        assert_memory_equal(bytes, back, length);
    }
    assert_false(digest_unbase64(S("AAAA===="), bytes, sizeof bytes, &n));
    assert_false(digest_unbase64(S("AAA"), bytes, sizeof bytes, &n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_long_random_and_stored_as_its_sha256),
        cmocka_unit_test(test_only_a_good_key_is_found),
        cmocka_unit_test(test_a_revoked_key_stays_so_whatever_is_read),
        cmocka_unit_test(test_requests_are_counted_that_the_store_has_given_and_more_are_asked_for),
        cmocka_unit_test(test_a_key_whose_minute_is_used_up_is_refused_without_asking),
        cmocka_unit_test(test_a_path_finds_its_route_or_the_methods_it_has),
        cmocka_unit_test(test_signatures_are_those_of_standard_webhooks),
        cmocka_unit_test(test_tries_are_spread_over_days_and_end),
        cmocka_unit_test(test_only_addresses_that_anybody_may_have_are_public),
        cmocka_unit_test(test_an_event_id_that_is_not_ours_means_from_the_beginning),
        cmocka_unit_test(test_base64_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
