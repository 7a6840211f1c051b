/* Promises of the wire formats beside OpenAI Chat Completions (test_llm_wire.c): what each asks,
 * and what its answers and errors become. The replies are those that the providers document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llm/wire.h"

#include <stdio.h>
#include <string.h>

static struct arena arena;

static int set_up(void **state) {
    (void)state;
    arena_init(&arena, 64 << 20);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

static const struct call_schema schema = {.name = "problem", .json = {"{\"a\":1}", 7}};
static const struct llm_provider provider = {.name = "p", .base_url = "http://h"};
static const struct llm_manner plain;
static const struct llm_manner told = {
    .effort = "high", .thinking_tokens = 4096, .temperature = {true, 0.5}, .top_p = {true, 0.25}};

static struct str asked_model = {"m", 1};

/* The request in compact JSON. */
static const char *written(const struct wire *wire, const struct llm_manner *manner,
                           unsigned quirks, const struct call_schema *s) {
    struct call_spec spec = {.messages = {{CALL_SYSTEM, S("be terse")},
                                          {CALL_USER, S("2+2?")},
                                          {CALL_ASSISTANT, S("5")},
                                          {CALL_USER, S("sure?")}},
                             .messages_n = 4,
                             .schema = s,
                             .output_tokens_max = 8000};
    struct sbuf body;
    sbuf_init(&body, 1 << 20);
    wire_body(wire,
              &(struct wire_ask){.provider = &provider,
                                 .manner = manner,
                                 .spec = &spec,
                                 .model = asked_model,
                                 .output_tokens_max = spec.output_tokens_max,
                                 .quirks = quirks},
              &body);
    const char *text = str_cstr(&arena, sbuf_str(&body));
    sbuf_release(&body);
    return text;
}

static void assert_has(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fail_msg("no %s in %s", part, text);
    }
}

static void assert_lacks(const char *text, const char *part) {
    if (strstr(text, part) != NULL) {
        fail_msg("%s in %s", part, text);
    }
}

static struct wire_result read_reply(const struct wire *wire, int status, const char *body) {
    static const struct call_spec spec = {.schema = &schema};
    const struct wire_ask ask = {.provider = &provider, .manner = &told, .spec = &spec};
    struct http_reply reply = {
        .status = status, .headers = S("request-id: req_7\r\n"), .body = str_of(body)};
    struct wire_result result;
    unsigned known = 0;
    wire_read(wire, &ask, &reply, &known, &arena, &result);
    return result;
}

static void assert_str(struct str s, const char *expected) {
    assert_string_equal(str_cstr(&arena, s), expected);
}

/* --- requests -------------------------------------------------------------------------------- */

static void test_responses_asks_in_its_own_words(void **state) {
    (void)state;
    assert_string_equal(
        written(&wire_openai_responses, &plain, 0, &schema),
        "{\"model\":\"m\",\"instructions\":\"be terse\",\"input\":["
        "{\"type\":\"message\",\"role\":\"user\",\"content\":\"2+2?\"},"
        "{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"5\"},"
        "{\"type\":\"message\",\"role\":\"user\",\"content\":\"sure?\"}],"
        "\"max_output_tokens\":8000,\"store\":false,\"text\":{\"format\":{\"type\":\"json_schema\","
        "\"name\":\"problem\",\"strict\":true,\"schema\":{\"a\":1}}}}");
    const char *text = written(&wire_openai_responses, &told, WIRE_NO_SCHEMA, &schema);
    assert_has(text, "\"reasoning\":{\"effort\":\"high\"},\"temperature\":0.5,\"top_p\":0.25");
    assert_has(text, "\"text\":{\"format\":{\"type\":\"json_object\"}}");
}

static void test_perplexity_asks_for_a_schema_as_chat_does(void **state) {
    (void)state;
    asked_model = S("openai/gpt-5.5");
    assert_has(written(&wire_perplexity, &plain, 0, NULL), "{\"model\":\"openai/gpt-5.5\",");
    asked_model = S("m");
    const char *text = written(&wire_perplexity, &plain, 0, &schema);
    assert_has(text, "{\"model\":\"perplexity/m\",");
    assert_has(text, "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"
                     "\"problem\",\"schema\":{\"a\":1}}}");
    assert_lacks(text, "\"store\"");
    assert_lacks(text, "\"text\":");
    assert_lacks(written(&wire_perplexity, &plain, WIRE_NO_SCHEMA, &schema), "response_format");
}

static void test_anthropic_asks_in_its_own_words(void **state) {
    (void)state;
    assert_string_equal(
        written(&wire_anthropic, &plain, 0, &schema),
        "{\"model\":\"m\",\"max_tokens\":8000,\"system\":\"be terse\",\"messages\":["
        "{\"role\":\"user\",\"content\":\"2+2?\"},{\"role\":\"assistant\",\"content\":\"5\"},"
        "{\"role\":\"user\",\"content\":\"sure?\"}],"
        "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"a\":1}}}}");
    const char *text = written(&wire_anthropic, &told, 0, NULL);
    assert_has(text, "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":4096},"
                     "\"output_config\":{\"effort\":\"high\"},\"temperature\":0.5");
    text = written(&wire_anthropic, &told, WIRE_NO_BUDGET | WIRE_NO_SAMPLING, NULL);
    assert_has(text, "\"thinking\":{\"type\":\"adaptive\"},");
    assert_lacks(text, "temperature");
    const struct llm_manner off = {.effort = "none"};
    assert_has(written(&wire_anthropic, &off, 0, NULL), "\"thinking\":{\"type\":\"disabled\"}}");
    assert_lacks(written(&wire_anthropic, &told, WIRE_NO_EFFORT, NULL), "thinking");
}

static void test_gemini_asks_in_its_own_words(void **state) {
    (void)state;
    assert_string_equal(
        written(&wire_gemini, &plain, 0, &schema),
        "{\"systemInstruction\":{\"parts\":[{\"text\":\"be terse\"}]},\"contents\":["
        "{\"role\":\"user\",\"parts\":[{\"text\":\"2+2?\"}]},"
        "{\"role\":\"model\",\"parts\":[{\"text\":\"5\"}]},"
        "{\"role\":\"user\",\"parts\":[{\"text\":\"sure?\"}]}],"
        "\"generationConfig\":{\"maxOutputTokens\":8000,\"responseMimeType\":\"application/json\","
        "\"responseJsonSchema\":{\"a\":1}}}");
    assert_has(written(&wire_gemini, &told, 0, NULL),
               "\"temperature\":0.5,\"topP\":0.25,\"thinkingConfig\":{\"thinkingBudget\":4096}");
    assert_has(written(&wire_gemini, &told, WIRE_NO_BUDGET, NULL), "{\"thinkingLevel\":\"HIGH\"}");
    const struct llm_manner off = {.effort = "none"};
    assert_has(written(&wire_gemini, &off, 0, NULL), "{\"thinkingBudget\":0}");
    assert_lacks(written(&wire_gemini, &plain, WIRE_NO_SCHEMA, &schema), "responseJsonSchema");
}

static void test_thoughts_leave_a_quarter_of_the_cap_to_the_answer(void **state) {
    (void)state;
    const struct llm_manner deep = {.thinking_tokens = 50000};
    assert_has(written(&wire_anthropic, &deep, 0, NULL), "\"budget_tokens\":6000");
    assert_has(written(&wire_gemini, &deep, 0, NULL), "\"thinkingBudget\":6000");
}

static void test_gemini_models_that_know_numbers_only_get_one_for_an_effort(void **state) {
    (void)state;
    const struct llm_manner low = {.effort = "low"}, high = {.effort = "high"};
    asked_model = S("gemini-2.5-flash");
    assert_has(written(&wire_gemini, &low, 0, NULL), "{\"thinkingBudget\":1024}");
    assert_has(written(&wire_gemini, &high, 0, NULL), "{\"thinkingBudget\":6000}");
    asked_model = S("gemini-3.5-flash");
    assert_has(written(&wire_gemini, &low, 0, NULL), "{\"thinkingLevel\":\"LOW\"}");
    asked_model = S("m");
}

static void test_urls_have_their_version_once(void **state) {
    (void)state;
    static const struct {
        const struct wire *wire;
        const char *base, *url, *models_url;
    } cases[] = {
        {&wire_openai_responses, "http://h/v1", "http://h/v1/responses", "http://h/v1/models"},
        {&wire_perplexity, "http://h", "http://h/v1/responses", "http://h/v1/models"},
        {&wire_anthropic, "http://h", "http://h/v1/messages", "http://h/v1/models?limit=1000"},
        {&wire_anthropic, "http://h/v1", "http://h/v1/messages", "http://h/v1/models?limit=1000"},
        {&wire_gemini, "http://h", "http://h/v1beta/models/g%20x:generateContent",
         "http://h/v1beta/models?pageSize=1000"},
        {&wire_gemini, "http://h/v1beta", "http://h/v1beta/models/g%20x:generateContent",
         "http://h/v1beta/models?pageSize=1000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct llm_provider p = {.base_url = cases[i].base};
        assert_str(cases[i].wire->url(&p, S("g x"), false, &arena), cases[i].url);
        assert_str(cases[i].wire->models_url(&p, &arena), cases[i].models_url);
    }
    assert_str(wire_gemini.url(&provider, S("tunedModels/x"), true, &arena),
               "http://h/v1beta/tunedModels/x:streamGenerateContent?alt=sse");
}

static void test_keys_go_into_the_formats_own_header(void **state) {
    (void)state;
    const struct llm_key key = {.value = "k"}, token = {.value = "t", .bearer = true};
    assert_string_equal(wire_anthropic.auth(&key, &arena), "x-api-key: k");
    assert_string_equal(wire_anthropic.auth(&token, &arena), "Authorization: Bearer t");
    assert_string_equal(wire_gemini.auth(&key, &arena), "x-goog-api-key: k");
    assert_string_equal(wire_perplexity.auth(&key, &arena), "Authorization: Bearer k");
    assert_string_equal(wire_anthropic.headers[1], "anthropic-version: 2023-06-01");
}

static void test_chat_dialects_differ_in_how_they_reason(void **state) {
    (void)state;
    static const struct {
        enum llm_dialect dialect;
        const char *has;
    } cases[] = {
        {LLM_DIALECT_PLAIN, ",\"reasoning_effort\":\"high\",\"temperature\""},
        {LLM_DIALECT_OPENROUTER, "\"reasoning\":{\"max_tokens\":4096}"},
        {LLM_DIALECT_DEEPSEEK, "\"thinking\":{\"type\":\"enabled\"},\"reasoning_effort\":\"high\""},
        {LLM_DIALECT_VLLM, "\"reasoning_effort\":\"high\",\"thinking_token_budget\":4096"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct llm_provider p = {.dialect = cases[i].dialect};
        struct call_spec spec = {.output_tokens_max = 8};
        struct sbuf body;
        sbuf_init(&body, 1 << 20);
        wire_body(&wire_openai_chat,
                  &(struct wire_ask){
                      .provider = &p, .manner = &told, .spec = &spec, .output_tokens_max = 8000},
                  &body);
        assert_has(sbuf_str(&body).p, cases[i].has);
        sbuf_release(&body);
    }
}

static void test_extra_members_go_over_those_of_the_request(void **state) {
    (void)state;
    const struct jnode *extra;
    assert_int_equal(
        jnode_parse(S("{\"seed\":7,\"store\":true,\"input\":null}"), &arena, &extra, NULL), ERR_OK);
    const struct llm_manner manner = {.extra_body = extra};
    assert_string_equal(written(&wire_openai_responses, &manner, 0, NULL),
                        "{\"model\":\"m\",\"instructions\":\"be terse\",\"max_output_tokens\":8000,"
                        "\"seed\":7,\"store\":true}");
}

static void test_an_extra_object_adds_to_that_of_the_request(void **state) {
    (void)state;
    const struct jnode *extra;
    assert_int_equal(
        jnode_parse(
            S("{\"generationConfig\":{\"topK\":40,\"maxOutputTokens\":null,\"a\":{\"b\":1}}}"),
            &arena, &extra, NULL),
        ERR_OK);
    const struct llm_manner manner = {.extra_body = extra};
    assert_has(written(&wire_gemini, &manner, 0, &schema),
               "\"generationConfig\":{\"responseMimeType\":\"application/json\","
               "\"responseJsonSchema\":{\"a\":1},\"topK\":40,\"a\":{\"b\":1}}}");
}

static void test_what_models_are_known_to_refuse_is_not_sent(void **state) {
    (void)state;
    const struct llm_manner none = {.effort = "none"};
    static const struct llm_provider old = {.legacy_max_tokens = true};
    static const struct llm_provider deepseek = {.dialect = LLM_DIALECT_DEEPSEEK};
    static const struct {
        const struct llm_provider *provider;
        const char *model;
        unsigned quirks;
    } cases[] = {
        {&provider, "gpt-4.1", 0},
        {&provider, "gpt-5.4-mini", WIRE_DEVELOPER | WIRE_NO_SAMPLING},
        {&provider, "openai/o4-mini", WIRE_DEVELOPER | WIRE_NO_SAMPLING},
        {&provider, "gpt-5-chat-latest", 0},
        {&provider, "gpt-oss-120b", 0},
        {&provider, "olmo-3", 0},
        {&old, "qwen", WIRE_OLD_CAP},
        {&deepseek, "deepseek-flash", WIRE_NO_SCHEMA},
        {&provider, "claude-sonnet-4-6", 0},
        {&provider, "claude-opus-4-8", WIRE_NO_SAMPLING},
        {&provider, "anthropic/claude-sonnet-5-5", WIRE_NO_SAMPLING | WIRE_NO_BUDGET},
        {&provider, "gemini-3-pro", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(wire_model_quirks(cases[i].provider, &plain, str_of(cases[i].model)),
                         cases[i].quirks);
    }
    assert_int_equal(wire_model_quirks(&provider, &none, S("gpt-5.4")), WIRE_DEVELOPER);
    assert_int_equal(wire_model_quirks(&provider, &none, S("gpt-6-sol")),
                     WIRE_DEVELOPER | WIRE_NO_SAMPLING);
}

/* --- answers --------------------------------------------------------------------------------- */

static void test_a_responses_answer_is_the_text_of_its_messages(void **state) {
    (void)state;
    struct wire_result r = read_reply(
        &wire_openai_responses, 200,
        "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"error\":null,"
        "\"incomplete_details\":null,\"model\":\"gpt-5.4\",\"output\":["
        "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}]},"
        "{\"type\":\"message\",\"role\":\"assistant\",\"content\":["
        "{\"type\":\"output_text\",\"text\":\"fo\",\"annotations\":[]},"
        "{\"type\":\"output_text\",\"text\":\"ur\"}]}],"
        "\"usage\":{\"input_tokens\":20,\"input_tokens_details\":{\"cached_tokens\":8,"
        "\"cache_write_tokens\":4},\"output_tokens\":12,"
        "\"output_tokens_details\":{\"reasoning_tokens\":10},\"total_tokens\":32}}");
    assert_int_equal(r.err, ERR_OK);
    assert_str(r.answer.text, "four");
    assert_int_equal(r.answer.finish, CALL_FINISH_STOP);
    assert_int_equal(r.answer.usage.input_tokens, 20);
    assert_int_equal(r.answer.usage.cached_tokens, 8);
    assert_int_equal(r.answer.usage.cache_write_tokens, 4);
    assert_int_equal(r.answer.usage.output_tokens, 12);
    assert_int_equal(r.answer.usage.reasoning_tokens, 10);
    assert_int_equal(r.answer.cost_nusd, MONEY_UNKNOWN);
    assert_str(r.answer.model_id, "gpt-5.4");
    assert_str(r.answer.request_id, "req_7");
}

static void test_perplexity_tells_what_a_call_cost(void **state) {
    (void)state;
    struct wire_result r = read_reply(
        &wire_perplexity, 200,
        "{\"status\":\"completed\",\"model\":\"perplexity/sonar\",\"output\":["
        "{\"type\":\"search_results\",\"results\":[]},"
        "{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"4\"}]}],"
        "\"usage\":{\"input_tokens\":9,\"output_tokens\":3,\"input_tokens_details\":"
        "{\"cache_read_input_tokens\":2,\"cache_creation_input_tokens\":1},"
        "\"cost\":{\"currency\":\"USD\",\"input_cost\":0.001,\"total_cost\":0.005123}}}");
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.answer.cost_nusd, 5123000);
    assert_int_equal(r.answer.usage.cached_tokens, 2);
    assert_int_equal(r.answer.usage.cache_write_tokens, 1);
}

static void test_an_anthropic_answer_has_the_sum_of_three_inputs(void **state) {
    (void)state;
    struct wire_result r = read_reply(
        &wire_anthropic, 200,
        "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\","
        "\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"x\"},"
        "{\"type\":\"text\",\"text\":\"fo\"},{\"type\":\"text\",\"text\":\"ur\"}],"
        "\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":10,"
        "\"cache_creation_input_tokens\":20,\"cache_read_input_tokens\":30,\"output_tokens\":12,"
        "\"output_tokens_details\":{\"thinking_tokens\":7}}}");
    assert_int_equal(r.err, ERR_OK);
    assert_str(r.answer.text, "four");
    assert_int_equal(r.answer.usage.input_tokens, 60);
    assert_int_equal(r.answer.usage.cached_tokens, 30);
    assert_int_equal(r.answer.usage.cache_write_tokens, 20);
    assert_int_equal(r.answer.usage.output_tokens, 12);
    assert_int_equal(r.answer.usage.reasoning_tokens, 7);
    assert_str(r.answer.request_id, "req_7");
}

static void test_a_gemini_answer_counts_its_thoughts_as_output(void **state) {
    (void)state;
    struct wire_result r = read_reply(
        &wire_gemini, 200,
        "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":["
        "{\"text\":\"hm\",\"thought\":true},{\"text\":\"fo\"},{\"text\":\"ur\"}]},"
        "\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":20,"
        "\"cachedContentTokenCount\":8,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":7,"
        "\"totalTokenCount\":32},\"modelVersion\":\"gemini-3\",\"responseId\":\"abc\"}");
    assert_int_equal(r.err, ERR_OK);
    assert_str(r.answer.text, "four");
    assert_int_equal(r.answer.usage.input_tokens, 20);
    assert_int_equal(r.answer.usage.cached_tokens, 8);
    assert_int_equal(r.answer.usage.output_tokens, 12);
    assert_int_equal(r.answer.usage.reasoning_tokens, 7);
    assert_str(r.answer.model_id, "gemini-3");
}

static const struct ending {
    const struct wire *wire;
    const char *body;
    enum call_finish finish;
    const char *text;
} endings[] = {
    {&wire_openai_responses,
     "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
     "\"output\":[{\"type\":\"message\",\"content\":[{\"text\":\"fo\"}]}]}",
     CALL_FINISH_LENGTH, "fo"},
    {&wire_openai_responses,
     "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},"
     "\"output\":[]}",
     CALL_FINISH_REFUSAL, ""},
    {&wire_openai_responses,
     "{\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":"
     "[{\"type\":\"refusal\",\"refusal\":\"I can't.\"}]}]}",
     CALL_FINISH_REFUSAL, "I can't."},
    {&wire_anthropic, "{\"content\":[{\"text\":\"fo\"}],\"stop_reason\":\"max_tokens\"}",
     CALL_FINISH_LENGTH, "fo"},
    {&wire_anthropic,
     "{\"content\":[{\"text\":\"fo\"}],\"stop_reason\":\"model_context_window_exceeded\"}",
     CALL_FINISH_LENGTH, "fo"},
    {&wire_anthropic,
     "{\"content\":[],\"stop_reason\":\"refusal\",\"stop_details\":{\"type\":\"refusal\","
     "\"category\":\"cyber\",\"explanation\":\"I can't.\"}}",
     CALL_FINISH_REFUSAL, "I can't."},
    {&wire_anthropic, "{\"content\":[],\"stop_reason\":\"pause_turn\"}", CALL_FINISH_OTHER, ""},
    {&wire_gemini,
     "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"fo\"}]},"
     "\"finishReason\":\"MAX_TOKENS\"}]}",
     CALL_FINISH_LENGTH, "fo"},
    {&wire_gemini, "{\"candidates\":[{\"finishReason\":\"SAFETY\"}]}", CALL_FINISH_REFUSAL, ""},
    {&wire_gemini, "{\"candidates\":[{\"finishReason\":\"RECITATION\"}]}", CALL_FINISH_REFUSAL, ""},
    {&wire_gemini, "{\"candidates\":[{\"finishReason\":\"MALFORMED_RESPONSE\"}]}",
     CALL_FINISH_OTHER, ""},
    {&wire_gemini,
     "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},"
     "\"usageMetadata\":{\"promptTokenCount\":4}}",
     CALL_FINISH_REFUSAL, "PROHIBITED_CONTENT"},
};

static void test_refusals_and_truncations_are_answers_of_their_own_kind(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        struct wire_result r = read_reply(endings[i].wire, 200, endings[i].body);
        assert_int_equal(r.err, ERR_OK);
        assert_int_equal(r.answer.finish, endings[i].finish);
        assert_str(r.answer.text, endings[i].text);
    }
}

static void test_a_hundred_thousand_messages_take_linear_memory(void **state) {
    (void)state;
    struct sbuf b;
    sbuf_init(&b, 16 << 20);
    sbuf_add_cstr(&b, "{\"status\":\"completed\",\"output\":[");
    for (int i = 0; i < 100000; i++) {
        sbuf_addf(&b, "%s{\"type\":\"message\",\"content\":[{\"text\":\"a\"}]}", i > 0 ? "," : "");
    }
    sbuf_add_cstr(&b, "]}");
    assert_int_equal(read_reply(&wire_openai_responses, 200, b.p).answer.text.n, 100000);
    sbuf_release(&b);
}

/* --- errors ---------------------------------------------------------------------------------- */

#define ANTHROPIC(type) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"m\"}}"
#define GEMINI(code, status, details)                                                              \
    "{\"error\":{\"code\":" code ",\"message\":\"m\",\"status\":\"" status                         \
    "\",\"details\":[" details "]}}"

static const struct failure {
    const struct wire *wire;
    int status;
    const char *body;
    enum err err;
    int64_t retry_after_ms;
} failures[] = {
    {&wire_anthropic, 400, ANTHROPIC("invalid_request_error"), ERR_REJECTED, -1},
    {&wire_anthropic, 401, ANTHROPIC("authentication_error"), ERR_AUTH, -1},
    {&wire_anthropic, 402, ANTHROPIC("billing_error"), ERR_QUOTA, -1},
    {&wire_anthropic, 403, ANTHROPIC("permission_error"), ERR_AUTH, -1},
    {&wire_anthropic, 404, ANTHROPIC("not_found_error"), ERR_NOT_FOUND, -1},
    {&wire_anthropic, 409, ANTHROPIC("conflict_error"), ERR_UNAVAILABLE, -1},
    {&wire_anthropic, 413, ANTHROPIC("request_too_large"), ERR_REJECTED, -1},
    {&wire_anthropic, 429, ANTHROPIC("rate_limit_error"), ERR_RATE_LIMIT, -1},
    {&wire_anthropic, 429, ANTHROPIC("enforced_spend_limit_reached"), ERR_QUOTA, -1},
    {&wire_anthropic, 500, ANTHROPIC("api_error"), ERR_UNAVAILABLE, -1},
    {&wire_anthropic, 504, ANTHROPIC("timeout_error"), ERR_UNAVAILABLE, -1},
    {&wire_anthropic, 529, ANTHROPIC("overloaded_error"), ERR_UNAVAILABLE, -1},
    {&wire_anthropic, 200, ANTHROPIC("overloaded_error"), ERR_UNAVAILABLE, -1},
    {&wire_anthropic, 200, ANTHROPIC("rate_limit_error"), ERR_RATE_LIMIT, -1},
    {&wire_anthropic, 200, "{\"type\":\"message\"}", ERR_PROTOCOL, -1},
    {&wire_gemini, 400, GEMINI("400", "INVALID_ARGUMENT", ""), ERR_REJECTED, -1},
    {&wire_gemini, 400, GEMINI("400", "INVALID_ARGUMENT", "{\"reason\":\"API_KEY_INVALID\"}"),
     ERR_AUTH, -1},
    {&wire_gemini, 403, GEMINI("403", "PERMISSION_DENIED", ""), ERR_AUTH, -1},
    {&wire_gemini, 404, GEMINI("404", "NOT_FOUND", ""), ERR_NOT_FOUND, -1},
    {&wire_gemini, 429,
     GEMINI("429", "RESOURCE_EXHAUSTED",
            "{\"violations\":[{\"quotaId\":\"GenerateRequestsPerMinutePerProject\"}]},"
            "{\"retryDelay\":\"22s\"}"),
     ERR_RATE_LIMIT, 22000},
    {&wire_gemini, 429,
     "[" GEMINI("429", "RESOURCE_EXHAUSTED",
                "{\"violations\":[{\"quotaId\":\"GenerateRequestsPerDayPerProject\"}]}") "]",
     ERR_QUOTA, -1},
    {&wire_gemini, 503, GEMINI("503", "UNAVAILABLE", ""), ERR_UNAVAILABLE, -1},
    {&wire_gemini, 200, GEMINI("503", "UNAVAILABLE", ""), ERR_UNAVAILABLE, -1},
    {&wire_gemini, 200, "{}", ERR_PROTOCOL, -1},
    {&wire_openai_responses, 429,
     "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":null}}", ERR_QUOTA,
     -1},
    {&wire_openai_responses, 200,
     "{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}",
     ERR_UNAVAILABLE, -1},
    {&wire_openai_responses, 200,
     "{\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}}",
     ERR_RATE_LIMIT, -1},
    {&wire_openai_responses, 200,
     "{\"status\":\"failed\",\"error\":{\"code\":\"invalid_prompt\",\"message\":\"m\"}}",
     ERR_REJECTED, -1},
    {&wire_openai_responses, 200, "{\"status\":\"queued\"}", ERR_UNAVAILABLE, -1},
    {&wire_openai_responses, 200, "{\"status\":\"completed\"}", ERR_PROTOCOL, -1},
    {&wire_perplexity, 401, "{\"error\":{\"message\":\"m\",\"type\":\"x\",\"code\":401}}", ERR_AUTH,
     -1},
    {&wire_openai_chat, 403,
     "{\"error\":{\"code\":403,\"message\":\"m\",\"metadata\":{\"flagged_input\":\"…\"}}}",
     ERR_REJECTED, -1},
};

static void test_every_error_has_its_class_in_every_format(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        const struct failure *f = &failures[i];
        struct wire_result r = read_reply(f->wire, f->status, f->body);
        if (r.err != f->err || r.retry_after_ms != f->retry_after_ms || r.learned) {
            fail_msg("%d %s: %s", f->status, f->body, err_name(r.err));
        }
    }
}

static void test_the_limit_that_a_refusal_is_for_is_read(void **state) {
    (void)state;
    struct wire_result r = read_reply(
        &wire_gemini, 429,
        GEMINI("429", "RESOURCE_EXHAUSTED",
               "{\"violations\":[{\"quotaMetric\":\"m\",\"quotaId\":"
               "\"GenerateRequestsPerMinutePerProjectPerModel\",\"quotaValue\":\"15\"},"
               "{\"quotaId\":\"GenerateContentInputTokensPerModelPerMinute\",\"quotaValue\":"
               "\"250000\"}]},{\"retryDelay\":\"1.5s\"}"));
    assert_int_equal(r.err, ERR_RATE_LIMIT);
    assert_int_equal(r.retry_after_ms, 1500);
    assert_int_equal(r.words.per_minute[LIMIT_REQUESTS], 15);
    assert_int_equal(r.words.per_minute[LIMIT_INPUT], 250000);
    r = read_reply(&wire_openai_chat, 429,
                   "{\"error\":{\"message\":\"Rate limit reached on tokens per min (TPM): Limit "
                   "30000, Used 29000, Requested 2000.\"}}");
    assert_int_equal(r.words.per_minute[LIMIT_TOKENS], 30000);
    assert_false(r.words.slow_down);
    r = read_reply(&wire_anthropic, 429, ANTHROPIC("rate_limit_error"));
    assert_false(r.words.slow_down);
}

static void test_a_day_that_is_used_up_is_seen_behind_a_minute_that_is(void **state) {
    (void)state;
    struct wire_result r = read_reply(
        &wire_gemini, 429,
        GEMINI("429", "RESOURCE_EXHAUSTED",
               "{\"violations\":[{\"quotaId\":\"GenerateRequestsPerMinutePerProjectPerModel\"},"
               "{\"quotaId\":\"GenerateRequestsPerDayPerProjectPerModel\"}]}"));
    assert_int_equal(r.err, ERR_QUOTA);
}

static void test_who_is_told_to_slow_down_is_not_broken(void **state) {
    (void)state;
    static const struct {
        const struct wire *wire;
        int status;
        const char *body;
    } cases[] = {
        {&wire_openai_chat, 429, "{\"error\":{\"message\":\"m\",\"code\":\"slow_down\"}}"},
        {&wire_openai_responses, 503,
         "{\"error\":{\"message\":\"m\",\"type\":\"x\",\"code\":\"slow_down\"}}"},
        {&wire_anthropic, 429,
         "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"… maximum "
         "usage "
         "increase rate for input tokens per minute.\"}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_result r = read_reply(cases[i].wire, cases[i].status, cases[i].body);
        assert_int_equal(r.err, ERR_RATE_LIMIT);
        assert_true(r.words.slow_down);
    }
}

static void test_refused_parameters_are_learned_in_every_format(void **state) {
    (void)state;
    static const struct {
        const struct wire *wire;
        const char *message;
    } cases[] = {
        {&wire_anthropic, "temperature: Extra inputs are not permitted"},
        {&wire_anthropic, "thinking.type: \\\"enabled\\\" is not supported by this model"},
        {&wire_anthropic, "The compiled grammar is too large"},
        {&wire_anthropic, "output_config.effort: Extra inputs are not permitted"},
        {&wire_gemini, "Invalid JSON payload received. Unknown name \\\"thinkingLevel\\\""},
        {&wire_gemini, "Thinking level is not supported for this model."},
        {&wire_gemini, "Unknown name \\\"responseJsonSchema\\\" at 'generation_config'"},
        {&wire_openai_responses, "Unsupported parameter: 'reasoning.effort' is not supported"},
        {&wire_openai_responses, "Unsupported parameter: 'top_p' is not supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str body = str_fmt(&arena, "{\"error\":{\"message\":\"%s\"}}", cases[i].message);
        if (!read_reply(cases[i].wire, 400, body.p).learned) {
            fail_msg("nothing learned from: %s", cases[i].message);
        }
    }
}

static void test_the_shape_of_an_error_tells_whose_it_is(void **state) {
    (void)state;
    const char *openai = "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null}}";
    const char *gemini = GEMINI("404", "NOT_FOUND", "");
    static const char *const page = "<!DOCTYPE html><html>";
#define CLUE(wire, status, body) read_reply(&(wire), (status), (body)).answer.clue
    assert_int_equal(CLUE(wire_openai_chat, 404, ANTHROPIC("not_found_error")),
                     CALL_CLUE_SPEAKS_ANTHROPIC);
    assert_int_equal(CLUE(wire_openai_chat, 404, gemini), CALL_CLUE_SPEAKS_GEMINI);
    assert_int_equal(CLUE(wire_anthropic, 404, openai), CALL_CLUE_SPEAKS_OPENAI);
    assert_int_equal(CLUE(wire_anthropic, 404, "{\"error\":{\"message\":\"model: x\"}}"),
                     CALL_CLUE_NO_MODEL);
    assert_int_equal(CLUE(wire_openai_chat, 404, "404 page not found"), CALL_CLUE_NO_PATH);
    assert_int_equal(CLUE(wire_openai_chat, 404, page), CALL_CLUE_WEB_PAGE);
    assert_int_equal(CLUE(wire_openai_chat, 200, page), CALL_CLUE_WEB_PAGE);
    assert_int_equal(CLUE(wire_openai_chat, 401, openai), CALL_CLUE_NONE);
}

static void test_lists_of_models_are_read_in_every_shape(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "{\"object\":\"list\",\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}",
        "{\"models\":[{\"name\":\"models/a\"},{\"name\":\"models/b\"}]}",
        "[{\"id\":\"a\"},{\"id\":\"b\"}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct http_reply reply = {.status = 200, .body = str_of(bodies[i])};
        const struct str *names;
        struct wire_result r;
        size_t n;
        wire_read_models(&wire_gemini, &reply, &arena, &r, &names, &n);
        assert_int_equal(r.err, ERR_OK);
        assert_int_equal(n, 2);
        assert_str(names[0], "a");
        assert_str(names[1], "b");
    }
}

static void test_what_is_no_list_of_models_is_an_error(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum err err;
        enum call_clue clue;
    } cases[] = {
        {200, "<html>", ERR_PROTOCOL, CALL_CLUE_WEB_PAGE},
        {200, "{}", ERR_PROTOCOL, CALL_CLUE_NONE},
        {200, "{\"error\":{\"message\":\"m\"}}", ERR_UNAVAILABLE, CALL_CLUE_NONE},
        {401, "{\"error\":{\"message\":\"m\"}}", ERR_AUTH, CALL_CLUE_NONE},
        {404, "not found", ERR_NOT_FOUND, CALL_CLUE_NO_PATH},
        {404, ANTHROPIC("not_found_error"), ERR_NOT_FOUND, CALL_CLUE_SPEAKS_ANTHROPIC},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct http_reply reply = {.status = cases[i].status, .body = str_of(cases[i].body)};
        const struct str *names;
        struct wire_result r;
        size_t n;
        wire_read_models(&wire_openai_chat, &reply, &arena, &r, &names, &n);
        assert_int_equal(r.err, cases[i].err);
        assert_int_equal(r.answer.clue, cases[i].clue);
    }
}

#define WIRE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WIRE_TEST(test_responses_asks_in_its_own_words),
        WIRE_TEST(test_perplexity_asks_for_a_schema_as_chat_does),
        WIRE_TEST(test_anthropic_asks_in_its_own_words),
        WIRE_TEST(test_gemini_asks_in_its_own_words),
        WIRE_TEST(test_thoughts_leave_a_quarter_of_the_cap_to_the_answer),
        WIRE_TEST(test_gemini_models_that_know_numbers_only_get_one_for_an_effort),
        WIRE_TEST(test_urls_have_their_version_once),
        WIRE_TEST(test_keys_go_into_the_formats_own_header),
        WIRE_TEST(test_chat_dialects_differ_in_how_they_reason),
        WIRE_TEST(test_extra_members_go_over_those_of_the_request),
        WIRE_TEST(test_an_extra_object_adds_to_that_of_the_request),
        WIRE_TEST(test_what_models_are_known_to_refuse_is_not_sent),
        WIRE_TEST(test_a_responses_answer_is_the_text_of_its_messages),
        WIRE_TEST(test_perplexity_tells_what_a_call_cost),
        WIRE_TEST(test_an_anthropic_answer_has_the_sum_of_three_inputs),
        WIRE_TEST(test_a_gemini_answer_counts_its_thoughts_as_output),
        WIRE_TEST(test_refusals_and_truncations_are_answers_of_their_own_kind),
        WIRE_TEST(test_a_hundred_thousand_messages_take_linear_memory),
        WIRE_TEST(test_every_error_has_its_class_in_every_format),
        WIRE_TEST(test_the_limit_that_a_refusal_is_for_is_read),
        WIRE_TEST(test_a_day_that_is_used_up_is_seen_behind_a_minute_that_is),
        WIRE_TEST(test_who_is_told_to_slow_down_is_not_broken),
        WIRE_TEST(test_refused_parameters_are_learned_in_every_format),
        WIRE_TEST(test_the_shape_of_an_error_tells_whose_it_is),
        WIRE_TEST(test_lists_of_models_are_read_in_every_shape),
        WIRE_TEST(test_what_is_no_list_of_models_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
