/* Promises of llm_config_providers(): built-in providers, the variables that move them, and
 * stumper.yaml over both; what is wrong is named with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llm/llm.h"
#include "json/yaml.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct arena arena;
    struct llm_config config;
    struct jcheck check;
};

static struct fixture fixture;
static const char *const *environment; /* name, value, name, value …, NULL */

static const char *get_variable(const char *name) {
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i += 2) {
        if (strcmp(environment[i], name) == 0) {
            return environment[i + 1];
        }
    }
    return NULL;
}

static int set_up(void **state) {
    (void)state;
    environment = NULL;
    arena_init(&fixture.arena, 1 << 24);
    jcheck_init(&fixture.check, &fixture.arena);
    llm_config_init(&fixture.config);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_release(&fixture.arena);
    return 0;
}

/* Configure from @yaml ("" for none); returns the errors as text. */
static const char *configure(const char *yaml) {
    const struct jnode *doc = NULL;
    assert_int_equal(yaml_parse(str_of(yaml), &fixture.arena, &doc, NULL), ERR_OK);
    llm_config_providers(&fixture.config, jnode_get(doc, "providers"), &fixture.check, get_variable,
                         &fixture.arena);
    return str_cstr(&fixture.arena, jcheck_text(&fixture.check, &fixture.arena));
}

static const struct llm_provider *provider(const char *name) {
    const struct llm_provider *p = llm_config_find(&fixture.config, str_of(name));
    assert_non_null(p);
    return p;
}

static void test_the_builtin_providers_are_there_without_any_configuration(void **state) {
    (void)state;
    static const char *const names[] = {"openai",  "deepseek", "openrouter", "together", "groq",
                                        "mistral", "xai",      "fireworks",  "ollama",   "vllm",
                                        "sglang",  "lmstudio", "llamacpp"};
    assert_string_equal(configure(""), "");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(strncmp(provider(names[i])->base_url, "http", 4), 0);
        assert_int_equal(provider(names[i])->keys_n, 0);
    }
    assert_null(llm_config_find(&fixture.config, S("nobody")));
}

static void test_keys_come_from_their_variables_and_an_empty_one_is_none(void **state) {
    (void)state;
    static const char *const env[] = {"OPENAI_API_KEY",
                                      "sk-from-a-file\n",
                                      "GROQ_API_KEY",
                                      "",
                                      "OPENROUTER_API_KEY",
                                      "or-key",
                                      NULL};
    environment = env;
    assert_string_equal(configure(""), "");
    assert_string_equal(provider("openai")->keys[0].value, "sk-from-a-file");
    assert_string_equal(provider("openrouter")->keys[0].value, "or-key");
    assert_int_equal(provider("groq")->keys_n, 0);
}

static void test_a_key_with_a_line_break_inside_is_refused_and_not_shown(void **state) {
    (void)state;
    static const char *const env[] = {"OPENAI_API_KEY", "sk-one\r\nX-Evil: 1", NULL};
    environment = env;
    const char *errors = configure("");
    assert_non_null(strstr(errors, "OPENAI_API_KEY"));
    assert_null(strstr(errors, "sk-one"));
    assert_int_equal(provider("openai")->keys_n, 0);
}

static void test_base_url_variables_move_a_builtin_provider(void **state) {
    (void)state;
    static const char *const env[] = {"OPENAI_BASE_URL", "http://proxy:9/v1/", "GROQ_BASE_URL", "",
                                      NULL};
    environment = env;
    assert_string_equal(configure(""), "");
    assert_string_equal(provider("openai")->base_url, "http://proxy:9/v1");
    assert_string_equal(provider("groq")->base_url, "https://api.groq.com/openai/v1");
}

static void test_a_base_url_variable_that_is_no_url_is_named(void **state) {
    (void)state;
    static const char *const env[] = {"OPENAI_BASE_URL", "proxy:9/v1", NULL};
    environment = env;
    const char *errors = configure("");
    assert_non_null(strstr(errors, "/providers/openai/base_url"));
    assert_non_null(strstr(errors, "OPENAI_BASE_URL"));
}

static void test_ollama_host_is_read_as_ollama_does(void **state) {
    (void)state;
    static const struct {
        const char *host, *url;
    } cases[] = {{"192.168.1.5", "http://192.168.1.5:11434/v1"},
                 {"box:8080", "http://box:8080/v1"},
                 {":8080", "http://127.0.0.1:8080/v1"},
                 {"0.0.0.0", "http://127.0.0.1:11434/v1"},
                 {"0.0.0.0:9", "http://127.0.0.1:9/v1"},
                 {"https://ollama.example/", "https://ollama.example/v1"},
                 {"http://box:1/v1", "http://box:1/v1"},
                 {"[::1]", "http://[::1]:11434/v1"},
                 {"[::1]:5", "http://[::1]:5/v1"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *env[] = {"OLLAMA_HOST", cases[i].host, NULL};
        environment = env;
        llm_config_init(&fixture.config);
        assert_string_equal(configure(""), "");
        assert_string_equal(provider("ollama")->base_url, cases[i].url);
    }
}

static void test_yaml_adds_providers_and_overrides_members_of_builtin_ones(void **state) {
    (void)state;
    static const char *const env[] = {
        "LAB_API_KEY", "lab-key", "OPENAI_BASE_URL", "http://moved/v1", "TEAM_KEY",
        "team-key",    NULL};
    environment = env;
    assert_string_equal(configure("providers:\n"
                                  "  lab:\n"
                                  "    type: openai-chat\n"
                                  "    base_url: http://127.0.0.1:8000/v1/\n"
                                  "    api_key_env: LAB_API_KEY\n"
                                  "    headers:\n"
                                  "      X-Team: maths\n"
                                  "  openai:\n"
                                  "    api_key_env: TEAM_KEY\n"),
                        "");
    assert_string_equal(provider("lab")->base_url, "http://127.0.0.1:8000/v1");
    assert_string_equal(provider("lab")->keys[0].value, "lab-key");
    assert_string_equal(provider("lab")->headers[0], "X-Team: maths");
    assert_null(provider("lab")->headers[1]);
    assert_string_equal(provider("openai")->base_url, "http://moved/v1");
    assert_string_equal(provider("openai")->keys[0].value, "team-key");
}

static void test_several_keys_are_kept_in_order_each_with_its_limits(void **state) {
    (void)state;
    static const char *const env[] = {"KEY_A", "a", "KEY_C", "c", "KEY_D", "", NULL};
    environment = env;
    assert_string_equal(configure("providers:\n"
                                  "  lab:\n"
                                  "    base_url: http://h/v1\n"
                                  "    limits: {rpm: 500, tpm: 200000}\n"
                                  "    api_key_env:\n"
                                  "    - KEY_A\n"
                                  "    - KEY_B\n"
                                  "    - {env: KEY_C, limits: {rpm: 60, concurrency: 4}}\n"
                                  "    - KEY_D\n"),
                        "");
    const struct llm_provider *lab = provider("lab");
    assert_int_equal(lab->keys_n, 2); /* those that are set */
    assert_string_equal(lab->keys[0].value, "a");
    assert_int_equal(lab->keys[0].limits.per_minute[LIMIT_REQUESTS], 500);
    assert_int_equal(lab->keys[0].limits.in_flight, 0);
    assert_string_equal(lab->keys[1].env, "KEY_C");
    assert_int_equal(lab->keys[1].limits.per_minute[LIMIT_REQUESTS], 60);
    assert_int_equal(lab->keys[1].limits.per_minute[LIMIT_TOKENS], 200000);
    assert_int_equal(lab->keys[1].limits.in_flight, 4);
    assert_string_equal(lab->key_env, "KEY_A or KEY_B or KEY_C or KEY_D");
}

static void test_the_providers_own_variables_are_honoured(void **state) {
    (void)state;
    static const char *const env[] = {"GOOGLE_API_KEY",
                                      "google",
                                      "GEMINI_API_KEY",
                                      "gemini",
                                      "GOOGLE_GEMINI_BASE_URL",
                                      "http://g:1",
                                      "ANTHROPIC_API_KEY",
                                      "",
                                      "ANTHROPIC_AUTH_TOKEN",
                                      "token",
                                      "ANTHROPIC_CUSTOM_HEADERS",
                                      "X-One: 1\n\nX-Two: 2\n",
                                      "OPENAI_ORG_ID",
                                      "org-1",
                                      "OPENAI_PROJECT_ID",
                                      "proj-1",
                                      NULL};
    environment = env;
    assert_string_equal(configure(""), "");
    const struct llm_provider *gemini = provider("gemini"), *claude = provider("anthropic");
    assert_int_equal(gemini->keys_n, 1); /* two names of one key: the first wins */
    assert_string_equal(gemini->keys[0].value, "google");
    assert_string_equal(gemini->base_url, "http://g:1");
    assert_string_equal(claude->keys[0].value, "token");
    assert_true(claude->keys[0].bearer);
    assert_string_equal(claude->key_env, "ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN");
    assert_string_equal(claude->headers[0], "X-One: 1");
    assert_string_equal(claude->headers[1], "X-Two: 2");
    assert_string_equal(provider("openai")->headers[0], "OpenAI-Organization: org-1");
    assert_string_equal(provider("openai")->headers[1], "OpenAI-Project: proj-1");
}

static void test_how_to_ask_is_told_per_provider_and_per_model(void **state) {
    (void)state;
    assert_string_equal(
        configure("providers:\n"
                  "  lab:\n"
                  "    preset: vllm\n"
                  "    base_url: http://gpu:8000/v1\n"
                  "    stream: true\n"
                  "    effort: low\n"
                  "    temperature: 0\n"
                  "    models:\n"
                  "      small: org/small-model\n"
                  "      deep: {model: org/big, effort: high, thinking_tokens: 9000,"
                  " top_p: 0.9, extra_body: {priority: 1}}\n"
                  "      same-name: {effort: none}\n"),
        "");
    const struct llm_provider *lab = provider("lab");
    assert_int_equal(lab->dialect, LLM_DIALECT_VLLM);
    assert_true(lab->key_optional);
    assert_string_equal(lab->base_url, "http://gpu:8000/v1");
    assert_int_equal(lab->stream, LLM_STREAM_ALWAYS);
    assert_int_equal(lab->aliases_n, 3);
    assert_string_equal(lab->aliases[0].model, "org/small-model");
    assert_string_equal(lab->aliases[0].manner.effort, "low");
    assert_true(lab->aliases[0].manner.temperature.told);
    assert_string_equal(lab->aliases[1].model, "org/big");
    assert_string_equal(lab->aliases[1].manner.effort, "high");
    assert_int_equal(lab->aliases[1].manner.thinking_tokens, 9000);
    assert_true(lab->aliases[1].manner.top_p.value > 0.8);
    assert_int_equal(jnode_get_int(lab->aliases[1].manner.extra_body, "priority", 0), 1);
    assert_string_equal(lab->aliases[2].model, "same-name");
    assert_string_equal(lab->aliases[2].manner.effort, "none");
}

static void test_an_alias_costs_what_its_model_costs_or_what_is_said_of_it(void **state) {
    (void)state;
    struct price_table *prices;
    const struct jnode *doc;
    const char *table = "{\"lab/big\": {\"input\": 1, \"output\": 2}, \"lab/deep\": {\"input\": 3, "
                        "\"output\": 4}}";
    assert_int_equal(jnode_parse(str_of(table), &fixture.arena, &doc, NULL), ERR_OK);
    assert_true(price_table_read(&fixture.check, doc, &fixture.arena, &prices));
    fixture.config.prices = prices;
    (void)configure("providers: {lab: {base_url: 'http://h', models: {quick: big, deep: big}}}");
    const struct model_name quick = {S("lab"), S("quick")}, deep = {S("lab"), S("deep")},
                            other = {S("lab"), S("other")};
    assert_ptr_equal(llm_config_price(&fixture.config, &quick),
                     price_find(prices, S("lab"), S("big")));
    assert_ptr_equal(llm_config_price(&fixture.config, &deep),
                     price_find(prices, S("lab"), S("deep")));
    assert_null(llm_config_price(&fixture.config, &other));
}

static void test_what_is_wrong_in_yaml_is_named_with_its_place(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *place, *word;
    } cases[] = {
        {"providers: [1]", "/providers", "object"},
        {"providers: {Lab: {base_url: 'http://h'}}", "/providers", "Lab"},
        {"providers: {lab: {}}", "/providers/lab", "base_url"},
        {"providers: {lab: {base_url: 'h:1'}}", "/providers/lab/base_url", "http://"},
        {"providers: {lab: {base_url: 'http://h/a b'}}", "/providers/lab/base_url", "blanks"},
        {"providers: {lab: {base_url: 'http:///v1'}}", "/providers/lab/base_url", "a host"},
        {"providers: {lab: {base_url: 'http://h/v1?a=b'}}", "/providers/lab/base_url", "?"},
        {"providers: {lab: {base_url: 'http://u:p@h/v1'}}", "/providers/lab/base_url", "headers"},
        {"providers: {lab: {base_url: 'http://h/v1/chat/completions/'}}", "/providers/lab/base_url",
         "before the path"},
        {"providers: {lab: {base_url: 'http://h', type: gopher}}", "/providers/lab/type", "gopher"},
        {"providers: {lab: {base_url: 'http://h', basurl: x}}", "/providers/lab", "basurl"},
        {"providers: {lab: {base_url: 'http://h', api_key: sk-1}}", "/providers/lab",
         "api_key_env"},
        {"providers: {lab: {base_url: 'http://h', api_key_env: []}}", "/providers/lab/api_key_env",
         "1 to 16"},
        {"providers: {lab: {base_url: 'http://h', api_key_env: [A, {}]}}",
         "/providers/lab/api_key_env/1", "variable"},
        {"providers: {lab: {base_url: 'http://h', api_key_env: [A, B, A]}}",
         "/providers/lab/api_key_env/2", "the same variable"},
        {"providers: {lab: {base_url: 'http://h', preset: vlm}}", "/providers/lab/preset",
         "'vlm' is not a built-in provider; there are openai, "},
        {"providers: {lab: {base_url: 'http://h', http2: 2}}", "/providers/lab/http2", "true"},
        {"providers: {lab: {base_url: 'http://h', prices: 3}}", "/providers/lab/prices", "object"},
        {"providers: {lab: {base_url: 'http://h', stream: maybe}}", "/providers/lab/stream",
         "auto"},
        {"providers: {lab: {base_url: 'http://h', effort: huge}}", "/providers/lab/effort",
         "xhigh"},
        {"providers: {lab: {base_url: 'http://h', models: {a: {thinking_tokens: 9}}}}",
         "/providers/lab", "openai-chat has no thinking_tokens but with preset: vllm"},
        {"providers: {lab: {base_url: 'http://h', extra_body: {stream: true}}}",
         "/providers/lab/extra_body/stream", "beside"},
        {"providers: {lab: {base_url: 'http://h', models: {a: {extra_body: {max_tokens: 9}}}}}",
         "/providers/lab/models/a/extra_body/max_tokens", "money is set aside"},
        {"providers: {lab: {base_url: 'http://h', extra_body: {generationConfig: "
         "{candidateCount: 2}}}}",
         "/providers/lab/extra_body/generationConfig/candidateCount", "one answer"},
        {"providers: {lab: {base_url: 'http://h', temperature: 3}}", "/providers/lab/temperature",
         "2"},
        {"providers: {lab: {base_url: 'http://h', models: {a: 7}}}", "/providers/lab/models/a",
         "NAME"},
        {"providers: {lab: {base_url: 'http://h', models: {a: {efort: low}}}}",
         "/providers/lab/models/a", "effort"},
        {"providers: {lab: {base_url: 'http://h', limits: {rpm: 0}}}", "/providers/lab/limits/rpm",
         "1"},
        {"providers: {lab: {base_url: 'http://h', limits: {rmp: 9}}}", "/providers/lab/limits",
         "rpm"},
        {"providers: {lab: {base_url: 'http://h', headers: {'A B': c}}}", "/providers/lab/headers",
         "A B"},
        {"providers: {lab: {base_url: 'http://h', headers: {A: \"c\\r\\nd\"}}}",
         "/providers/lab/headers", "one-line"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        jcheck_init(&fixture.check, &fixture.arena);
        llm_config_init(&fixture.config);
        const char *errors = configure(cases[i].yaml);
        if (strstr(errors, cases[i].place) == NULL || strstr(errors, cases[i].word) == NULL) {
            fail_msg("%s: '%s'", cases[i].yaml, errors);
        }
    }
}

static void test_a_key_in_the_place_of_its_variable_is_refused_and_not_shown(void **state) {
    (void)state;
    static const char *const keys[] = {"sk-proj-1234567", "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
                                       "0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        jcheck_init(&fixture.check, &fixture.arena);
        llm_config_init(&fixture.config);
        const char *errors = configure(str_fmt(&fixture.arena,
                                               "providers: {lab: {base_url: 'http://h', "
                                               "api_key_env: %s}}",
                                               keys[i])
                                           .p);
        assert_non_null(strstr(errors, "/providers/lab/api_key_env"));
        assert_non_null(strstr(errors, "must name a variable"));
        assert_null(strstr(errors, keys[i]));
    }
}

static void test_more_providers_than_fit_are_refused(void **state) {
    (void)state;
    struct str yaml = S("providers:\n");
    for (int i = 0; i < LLM_PROVIDERS_MAX; i++) {
        yaml = str_fmt(&fixture.arena, "%.*s  p%d: {base_url: 'http://h'}\n", STR_ARG(yaml), i);
    }
    assert_non_null(strstr(configure(yaml.p), "more than 64 providers"));
}

#define CONFIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

static void test_who_can_be_asked_in_batches_is_known_and_can_be_told(void **state) {
    (void)state;
    static const struct {
        const char *provider;
        enum err err;
        const char *why;
    } cases[] = {{"openai", ERR_OK, ""},
                 {"anthropic", ERR_OK, ""},
                 {"own", ERR_OK, ""},
                 {"gemini", ERR_UNSUPPORTED, "its wire format is gemini"},
                 {"groq", ERR_UNSUPPORTED, "batches: true under providers: groq:"},
                 {"nobody", ERR_NOT_FOUND, "there is no provider 'nobody'"}};
    assert_string_equal(
        configure("providers:\n  own: {base_url: \"http://127.0.0.1:1/v1\", batches: true}\n"), "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct model_name name = {str_of(cases[i].provider), S("m")};
        struct errinfo why = {0};
        assert_int_equal(llm_config_check_batches(&fixture.config, &name, &why), cases[i].err);
        assert_non_null(strstr(why.text, cases[i].why));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(test_the_builtin_providers_are_there_without_any_configuration),
        CONFIG_TEST(test_keys_come_from_their_variables_and_an_empty_one_is_none),
        CONFIG_TEST(test_a_key_with_a_line_break_inside_is_refused_and_not_shown),
        CONFIG_TEST(test_base_url_variables_move_a_builtin_provider),
        CONFIG_TEST(test_a_base_url_variable_that_is_no_url_is_named),
        CONFIG_TEST(test_ollama_host_is_read_as_ollama_does),
        CONFIG_TEST(test_yaml_adds_providers_and_overrides_members_of_builtin_ones),
        CONFIG_TEST(test_several_keys_are_kept_in_order_each_with_its_limits),
        CONFIG_TEST(test_the_providers_own_variables_are_honoured),
        CONFIG_TEST(test_how_to_ask_is_told_per_provider_and_per_model),
        CONFIG_TEST(test_a_key_in_the_place_of_its_variable_is_refused_and_not_shown),
        CONFIG_TEST(test_an_alias_costs_what_its_model_costs_or_what_is_said_of_it),
        CONFIG_TEST(test_what_is_wrong_in_yaml_is_named_with_its_place),
        CONFIG_TEST(test_who_can_be_asked_in_batches_is_known_and_can_be_told),
        CONFIG_TEST(test_more_providers_than_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
