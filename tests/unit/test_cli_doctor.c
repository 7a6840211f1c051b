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

static void assert_clue(enum err e, enum call_clue clue, const char *detail, const char *sentence) {
    struct sbuf out;
    sbuf_init(&out, 4096);
    doctor_diagnose(&(struct call_answer){.err = e, .detail = detail, .clue = clue}, &lab,
                    S("our-model"), NULL, &out);
    assert_string_equal(sbuf_str(&out).p, sentence);
    sbuf_release(&out);
}

static void assert_diagnosis(enum err e, const char *detail, const char *sentence) {
    assert_clue(e, CALL_CLUE_NONE, detail, sentence);
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
                     "(ca-certificates, SSL_CERT_FILE, the clock)");
    assert_diagnosis(ERR_NETWORK, "lab:8000: Recv failure",
                     "the connection broke (lab:8000: Recv failure). Try again; if it stays, look "
                     "at the network between here and http://lab:8000/v1");
}

static void test_answers_that_refuse_name_key_model_and_account(void **state) {
    (void)state;
    assert_diagnosis(ERR_AUTH, "Incorrect API key provided",
                     "the key in LAB_API_KEY is not accepted (Incorrect API key provided). Check "
                     "that it is whole, still valid, and allowed to use this model");
    assert_clue(ERR_NOT_FOUND, CALL_CLUE_NO_MODEL, "no such model",
                "there is no model our-model at http://lab:8000/v1 (no such model). Check its "
                "name; stumper models lab lists those that are there");
    assert_clue(ERR_NOT_FOUND, CALL_CLUE_NO_PATH, "HTTP 404",
                "the server is there, but not this API (HTTP 404). Check the path of base_url "
                "(http://lab:8000/v1): it is what stands before the operation, and mostly ends in "
                "/v1");
    assert_clue(ERR_AUTH, CALL_CLUE_SPEAKS_ANTHROPIC, "x-api-key is required",
                "that endpoint speaks Anthropic's format, not openai-chat (x-api-key is required). "
                "Say type: anthropic under providers: lab: in stumper.yaml, or correct base_url "
                "(http://lab:8000/v1)");
    assert_clue(ERR_PROTOCOL, CALL_CLUE_WEB_PAGE, "a web page",
                "a web page answers there, not an API (a web page). Check base_url "
                "(http://lab:8000/v1): host, port and path, and that no login page stands before "
                "it");
    assert_diagnosis(ERR_QUOTA, NULL,
                     "the account is out of quota or money (account is out of quota or money). Add "
                     "credit or raise its limit");
}

static void test_every_error_has_a_diagnosis(void **state) {
    (void)state;
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        struct sbuf out;
        sbuf_init(&out, 4096);
        doctor_diagnose(&(struct call_answer){.err = (enum err)e, .detail = "the cause"}, &lab,
                        S("our-model"), NULL, &out);
        assert_true(str_find(sbuf_str(&out), S("the cause). ")) != STR_NPOS);
        sbuf_release(&out);
    }
}

static const char *variables[][2] = {{"https_proxy", "http://user:secret@proxy:3128/"},
                                     {"NO_PROXY", "localhost, .lan"}};

static const char *get_variable(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (str_eq(str_of(variables[i][0]), str_of(name))) {
            return variables[i][1];
        }
    }
    return NULL;
}

static void test_the_proxy_is_the_one_that_a_url_goes_through(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 16);
    assert_string_equal(doctor_proxy("https://api.openai.com/v1", get_variable, &a), "proxy:3128");
    assert_null(doctor_proxy("http://api.openai.com/v1", get_variable, &a));
    assert_null(doctor_proxy("https://gpu.lan:8000/v1", get_variable, &a));
    struct sbuf out;
    sbuf_init(&out, 4096);
    doctor_diagnose(&(struct call_answer){.err = ERR_NETWORK, .detail = "Failed to connect to x"},
                    &lab, S("m"), "proxy:3128", &out);
    assert_true(str_find(sbuf_str(&out), S("the proxy proxy:3128 does not")) != STR_NPOS);
    sbuf_release(&out);
    arena_release(&a);
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
        cmocka_unit_test(test_the_proxy_is_the_one_that_a_url_goes_through),
        cmocka_unit_test(test_the_model_to_try_is_the_cheapest_of_the_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
