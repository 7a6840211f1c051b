/* Promises of cli/doctor: each kind of failure gets a diagnosis that names its cause and a cure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/doctor.h"

static const struct llm_provider lab = {.name = "lab",
                                        .type = "openai-chat",
                                        .base_url = "http://lab:8000/v1",
                                        .key_env = "LAB_API_KEY"};

static void assert_diagnosis(enum err e, const char *detail, const char *sentence) {
    struct sbuf out;
    sbuf_init(&out, 4096);
    doctor_diagnose(e, detail, &lab, S("our-model"), &out);
    assert_string_equal(sbuf_str(&out).p, sentence);
    sbuf_release(&out);
}

static void test_connections_that_fail_are_told_apart(void **state) {
    (void)state;
    assert_diagnosis(ERR_NETWORK, "lab/our-model: lab: Could not resolve host: lab",
                     "the name of the host is not known (lab: Could not resolve host: lab). Check "
                     "the spelling of base_url (http://lab:8000/v1) and this machine's DNS or "
                     "proxy");
    assert_diagnosis(ERR_NETWORK, "lab:8000: Failed to connect to lab port 8000",
                     "nothing answers there (lab:8000: Failed to connect to lab port 8000). Start "
                     "the server, or check host and port of base_url (http://lab:8000/v1) and the "
                     "firewall");
    assert_diagnosis(ERR_NETWORK, "lab:8000: SSL certificate problem: self-signed certificate",
                     "no secure connection (lab:8000: SSL certificate problem: self-signed "
                     "certificate). Check that base_url (http://lab:8000/v1) has the right scheme, "
                     "http:// or https://, and that the server's certificate is valid here "
                     "(ca-certificates, the clock)");
    assert_diagnosis(ERR_NETWORK, "lab:8000: Recv failure",
                     "the connection broke (lab:8000: Recv failure). Try again; if it stays, look "
                     "at the network between here and http://lab:8000/v1");
}

static void test_answers_that_refuse_name_key_model_and_account(void **state) {
    (void)state;
    assert_diagnosis(ERR_AUTH, "Incorrect API key provided",
                     "the key in LAB_API_KEY is not accepted (Incorrect API key provided). Check "
                     "that it is whole, still valid, and allowed to use this model");
    assert_diagnosis(
        ERR_NOT_FOUND, "the model does not exist",
        "there is no model our-model, or no chat API at http://lab:8000/v1 (the model "
        "does not exist). Check the model's name, and that base_url is the part before "
        "/chat/completions (it mostly ends in /v1)");
    assert_diagnosis(ERR_QUOTA, NULL,
                     "the account is out of quota or money (account is out of quota or money). Add "
                     "credit or raise its limit");
}

static void test_every_error_has_a_diagnosis(void **state) {
    (void)state;
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        struct sbuf out;
        sbuf_init(&out, 4096);
        doctor_diagnose((enum err)e, "the cause", &lab, S("our-model"), &out);
        assert_true(str_find(sbuf_str(&out), S("the cause). ")) != STR_NPOS);
        sbuf_release(&out);
    }
}

static void test_the_model_to_try_is_the_cheapest_of_the_provider(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 22);
    struct str model = doctor_cheapest_model(S("openai"), &a);
    assert_true(model.n > 0 && str_find_char(model, '/') == STR_NPOS);
    assert_int_equal(doctor_cheapest_model(S("sim"), &a).n, 0); /* its price is for any */
    assert_int_equal(doctor_cheapest_model(S("nobody"), &a).n, 0);
    arena_release(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_that_fail_are_told_apart),
        cmocka_unit_test(test_answers_that_refuse_name_key_model_and_account),
        cmocka_unit_test(test_every_error_has_a_diagnosis),
        cmocka_unit_test(test_the_model_to_try_is_the_cheapest_of_the_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
