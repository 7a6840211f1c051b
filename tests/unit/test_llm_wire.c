/* Promises of llm/wire.h, shown with OpenAI Chat Completions: what is asked, what every shape of
 * answer and error becomes, and what a 400 teaches. The replies are those that servers really send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sbuf.h"
#include "llm/wire.h"
#include "json/node.h"

#include <stdio.h>
#include <stdlib.h>
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

static const struct call_schema schema = {
    .name = "problem", .json = {"{\"type\":\"object\"}", sizeof "{\"type\":\"object\"}" - 1}};
static const struct call_spec structured = {.schema = &schema};
static const struct llm_provider provider = {.name = "p", .base_url = "http://h/v1"};
static const struct llm_manner plain;

static struct wire_result read_with(int status, const char *headers, const char *body,
                                    unsigned asked, unsigned *known) {
    const struct wire_ask ask = {.provider = &provider,
                                 .manner = &plain,
                                 .spec = &structured,
                                 .output_tokens_max = 100000,
                                 .quirks = asked};
    struct http_reply reply = {
        .status = status, .headers = str_of(headers), .body = str_of(body), .sent = true};
    struct wire_result result;
    wire_read(&wire_openai_chat, &ask, &reply, known, &arena, &result);
    return result;
}

static struct wire_result read_reply(int status, const char *body) {
    unsigned known = 0;
    return read_with(status, "x-request-id: req_1\r\n", body, 0, &known);
}

static void assert_str(struct str s, const char *expected) {
    char text[512];
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(s));
    assert_string_equal(text, expected);
}

/* --- what is asked --------------------------------------------------------------------------- */

static const struct jnode *written(unsigned quirks, const struct call_schema *s) {
    struct call_spec spec = {
        .messages = {{CALL_SYSTEM, S("be terse")}, {CALL_USER, S("2+2? \"\n")}},
        .messages_n = 2,
        .schema = s,
        .output_tokens_max = 800};
    struct sbuf body;
    const struct jnode *doc;
    sbuf_init(&body, 1 << 20);
    wire_body(&wire_openai_chat,
              &(struct wire_ask){.provider = &provider,
                                 .manner = &plain,
                                 .spec = &spec,
                                 .model = S("gpt-5.4-mini"),
                                 .output_tokens_max = spec.output_tokens_max,
                                 .quirks = quirks},
              &body);
    assert_int_equal(jnode_parse(str_dup(&arena, sbuf_str(&body)), &arena, &doc, NULL), ERR_OK);
    sbuf_release(&body);
    return doc;
}

static void test_a_request_has_the_specified_members_and_no_others(void **state) {
    (void)state;
    const struct jnode *doc = written(0, NULL);
    assert_str(jnode_text(doc, &arena),
               "{\"model\":\"gpt-5.4-mini\",\"messages\":["
               "{\"role\":\"system\",\"content\":\"be terse\"},"
               "{\"role\":\"user\",\"content\":\"2+2? \\\"\\n\"}],\"max_completion_tokens\":800}");
}

static void test_a_schema_is_asked_for_strictly_and_under_its_name(void **state) {
    (void)state;
    const struct jnode *format = jnode_get(written(0, &schema), "response_format");
    assert_str(jnode_text(format, &arena),
               "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"problem\",\"strict\":true,"
               "\"schema\":{\"type\":\"object\"}}}");
}

static void test_quirks_change_what_is_asked(void **state) {
    (void)state;
    unsigned quirks = WIRE_NO_SCHEMA | WIRE_OLD_CAP | WIRE_DEVELOPER;
    const struct jnode *doc = written(quirks, &schema);
    assert_str(jnode_text(jnode_get(doc, "response_format"), &arena), "{\"type\":\"json_object\"}");
    assert_int_equal(jnode_get_int(doc, "max_tokens", 0), 800);
    assert_null(jnode_get(doc, "max_completion_tokens"));
    assert_str(jnode_get_str(jnode_at(jnode_get(doc, "messages"), 0), "role"), "developer");
    quirks |= WIRE_NO_JSON_OBJECT;
    assert_null(jnode_get(written(quirks, &schema), "response_format"));
}

static void test_a_key_goes_out_as_a_bearer(void **state) {
    (void)state;
    const struct llm_key key = {.value = "sk-key"};
    assert_string_equal(wire_openai_chat.headers[0], "Content-Type: application/json");
    assert_string_equal(wire_openai_chat.auth(&key, &arena), "Authorization: Bearer sk-key");
    assert_str(wire_openai_chat.url(&provider, S("m"), false, &arena),
               "http://h/v1/chat/completions");
}

/* --- answers --------------------------------------------------------------------------------- */

static void test_a_whole_answer_gives_text_usage_and_ids(void **state) {
    (void)state;
    struct wire_result r = read_reply(
        200,
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"gpt-5.4-mini-2026\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"4\","
        "\"refusal\":null},\"finish_reason\":\"stop\"}],\"error\":null,"
        "\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":12,\"total_tokens\":32,"
        "\"prompt_tokens_details\":{\"cached_tokens\":8},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":10}}}");
    assert_int_equal(r.err, ERR_OK);
    assert_str(r.answer.text, "4");
    assert_int_equal(r.answer.finish, CALL_FINISH_STOP);
    assert_int_equal(r.answer.usage.input_tokens, 20);
    assert_int_equal(r.answer.usage.cached_tokens, 8);
    assert_int_equal(r.answer.usage.output_tokens, 12);
    assert_int_equal(r.answer.usage.reasoning_tokens, 10);
    assert_str(r.answer.model_id, "gpt-5.4-mini-2026");
    assert_str(r.answer.request_id, "req_1");
}

static struct wire_result read_choice(const char *choice) {
    struct str body = str_fmt(&arena, "{\"choices\":[%s]}", choice);
    return read_reply(200, body.p);
}

static void test_every_finish_reason_is_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *reason;
        enum call_finish finish;
    } cases[] = {{"\"stop\"", CALL_FINISH_STOP},
                 {"\"length\"", CALL_FINISH_LENGTH},
                 {"\"content_filter\"", CALL_FINISH_REFUSAL},
                 {"\"tool_calls\"", CALL_FINISH_OTHER},
                 {"\"something new\"", CALL_FINISH_OTHER},
                 {"null", CALL_FINISH_STOP}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str choice = str_fmt(
            &arena, "{\"message\":{\"content\":\"x\"},\"finish_reason\":%s}", cases[i].reason);
        struct wire_result r = read_choice(choice.p);
        assert_int_equal(r.err, ERR_OK);
        assert_int_equal(r.answer.finish, cases[i].finish);
    }
}

static void test_a_refusal_is_a_paid_answer_with_its_words(void **state) {
    (void)state;
    struct wire_result r = read_choice("{\"message\":{\"content\":null,\"refusal\":\"I can't.\"},"
                                       "\"finish_reason\":\"stop\"}");
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.answer.finish, CALL_FINISH_REFUSAL);
    assert_str(r.answer.text, "I can't.");
}

static void test_an_empty_answer_is_told_empty_and_without_usage_nothing_is_made_up(void **state) {
    (void)state;
    struct wire_result r =
        read_choice("{\"message\":{\"content\":null,\"reasoning_content\":\"hm\"},"
                    "\"finish_reason\":\"stop\"}");
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.answer.text.n, 0);
    assert_int_equal(r.answer.usage.input_tokens, -1);
    assert_int_equal(r.answer.usage.output_tokens, -1);
    assert_int_equal(r.answer.cost_nusd, MONEY_UNKNOWN);
}

static void test_content_in_parts_is_joined(void **state) {
    (void)state;
    struct wire_result r =
        read_choice("{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"one \"},"
                    "{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"two\"}]},"
                    "\"finish_reason\":\"stop\"}");
    assert_str(r.answer.text, "one two");
}

static void test_a_hundred_thousand_parts_take_linear_memory(void **state) {
    (void)state;
    struct sbuf b;
    sbuf_init(&b, 16 << 20);
    sbuf_add_cstr(&b, "{\"choices\":[{\"message\":{\"content\":[");
    for (int i = 0; i < 100000; i++) {
        sbuf_add_cstr(&b, i == 0 ? "{\"text\":\"a\"}" : ",{\"text\":\"a\"}");
    }
    sbuf_add_cstr(&b, "]}}]}");
    struct wire_result r = read_reply(200, b.p);
    assert_int_equal(r.answer.text.n, 100000);
    sbuf_release(&b);
}

static void test_blank_lines_before_the_answer_are_skipped(void **state) {
    (void)state;
    struct wire_result r = read_reply(
        200,
        "\n\n\n{\"choices\":[{\"message\":{\"content\":\"late\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1,\"prompt_cache_hit_tokens\":7}}");
    assert_str(r.answer.text, "late");
    assert_int_equal(r.answer.usage.cached_tokens, 7);
}

static void test_a_200_that_is_no_answer_is_an_error(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum err err;
    } cases[] = {
        {"", ERR_PROTOCOL},
        {"<html>welcome</html>", ERR_PROTOCOL},
        {"{\"choices\":[]}", ERR_PROTOCOL},
        {"{\"choices\":[{\"message\":\"4\"}]}", ERR_PROTOCOL},
        {"[]", ERR_PROTOCOL},
        {"{\"choices\":[{\"message\":{\"content\":\"\"},"
         "\"finish_reason\":\"insufficient_system_resource\"}]}",
         ERR_UNAVAILABLE},
        {"{\"choices\":[{\"message\":{\"content\":\"4\"},\"finish_reason\":\"error\"}]}",
         ERR_UNAVAILABLE},
        {"{\"error\":{\"code\":429,\"message\":\"slow\"}}", ERR_RATE_LIMIT},
        {"{\"error\":{\"code\":402,\"message\":\"no credits\"}}", ERR_QUOTA},
        {"{\"error\":{\"message\":\"upstream\"}}", ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(read_reply(200, cases[i].body).err, cases[i].err);
    }
}

static void test_an_answer_that_cannot_be_read_was_paid_for(void **state) {
    (void)state;
    struct wire_result r = read_reply(200, "{\"choices\":[{\"message\":{\"content\":\"4\"}");
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.answer.finish, CALL_FINISH_OTHER);
    assert_str(r.answer.text, "");
    assert_int_equal(r.answer.usage.output_tokens, -1);
    assert_int_equal(r.answer.cost_nusd, MONEY_UNKNOWN);
}

/* --- errors ---------------------------------------------------------------------------------- */

static void test_every_error_status_has_its_class(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum err err;
    } cases[] = {
        {400, "{\"error\":{\"message\":\"bad\",\"code\":\"context_length_exceeded\"}}",
         ERR_REJECTED},
        {401, "{\"error\":{\"message\":\"Incorrect API key\"}}", ERR_AUTH},
        {402, "{\"error\":{\"message\":\"Insufficient Balance\"}}", ERR_QUOTA},
        {403, "{\"error\":{\"message\":\"moderation\"}}", ERR_AUTH},
        {404, "{\"error\":{\"message\":\"no such model\"}}", ERR_NOT_FOUND},
        {404, "404 page not found", ERR_NOT_FOUND},
        {408, "", ERR_UNAVAILABLE},
        {409, "", ERR_UNAVAILABLE},
        {413, "", ERR_REJECTED},
        {422, "", ERR_REJECTED},
        {429, "", ERR_RATE_LIMIT},
        {429, "{\"error\":{\"message\":\"x\",\"code\":\"rate_limit_exceeded\"}}", ERR_RATE_LIMIT},
        {429, "{\"error\":{\"message\":\"x\",\"code\":\"slow_down\"}}", ERR_RATE_LIMIT},
        {429, "{\"error\":{\"message\":\"x\",\"code\":\"insufficient_quota\"}}", ERR_QUOTA},
        {429, "{\"error\":{\"message\":\"x\",\"type\":\"insufficient_quota\",\"code\":null}}",
         ERR_QUOTA},
        {429, "{\"error\":{\"message\":\"x\",\"code\":\"credit_balance_exhausted\"}}", ERR_QUOTA},
        {429, "{\"error\":{\"message\":\"x\",\"code\":\"organization_usage_limit_exceeded\"}}",
         ERR_QUOTA},
        {429, "{\"error\":{\"message\":\"x\",\"code\":\"project_spend_limit_exceeded\"}}",
         ERR_QUOTA},
        {500, "oops", ERR_UNAVAILABLE},
        {503, "{\"error\":{\"code\":\"server_is_overloaded\"}}", ERR_UNAVAILABLE},
        {529, "", ERR_UNAVAILABLE},
        {301, "", ERR_REJECTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_result r = read_reply(cases[i].status, cases[i].body);
        assert_int_equal(r.err, cases[i].err);
        assert_false(r.learned);
        assert_non_null(strstr(r.detail.text, "HTTP "));
    }
}

static void test_the_providers_words_are_in_the_detail_whatever_their_shape(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"the words\"}}",   "{\"error\":\"the words\"}",
        "[{\"error\":{\"message\":\"the words\"}}]", "{\"message\":\"the words\"}",
        "{\"detail\":[{\"msg\":\"the words\"}]}",    "the words",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        assert_non_null(strstr(read_reply(500, bodies[i]).detail.text, "the words"));
    }
}

static void test_a_key_that_a_provider_repeats_is_not_in_the_detail(void **state) {
    (void)state;
    char body[600];
    log_add_secret(S("sk-repeated-by-the-provider-0123456789"));
    /* Also where the text is cut: no half of it may stay. */
    for (int at = 0; at < 260; at += 5) {
        (void)snprintf(body, sizeof body,
                       "{\"error\":{\"message\":\"%*s sk-repeated-by-the-provider-0123456789\"}}",
                       at, "x");
        assert_null(strstr(read_reply(401, body).detail.text, "sk-rep"));
    }
}

static void test_x_should_retry_is_obeyed(void **state) {
    (void)state;
    unsigned known = 0;
    assert_int_equal(read_with(400, "x-should-retry: true\r\n", "", 0, &known).err,
                     ERR_UNAVAILABLE);
    assert_int_equal(err_class(read_with(503, "X-Should-Retry: false\r\n", "", 0, &known).err),
                     ERR_CLASS_PERMANENT);
}

/* --- waits ----------------------------------------------------------------------------------- */

static int64_t wait_of(const char *headers) {
    const struct http_reply reply = {.headers = str_of(headers)};
    /* 1994-11-06 08:49:37 UTC */
    return wire_retry_after_ms(&reply, INT64_C(784111777000));
}

static void test_retry_after_is_read_in_every_form(void **state) {
    (void)state;
    assert_int_equal(wait_of("retry-after: 7\r\n"), 7000);
    assert_int_equal(wait_of("Retry-After: 1.5\r\n"), 1500);
    assert_int_equal(wait_of("retry-after-ms: 250.5\r\nretry-after: 7\r\n"), 250);
    assert_int_equal(wait_of("retry-after: Sun, 06 Nov 1994 08:50:37 GMT\r\n"), 60000);
    assert_int_equal(wait_of("retry-after: Sun, 06 Nov 1994 08:00:00 GMT\r\n"), 0);
    assert_int_equal(wait_of("retry-after: 0\r\n"), 0);
}

static void test_a_date_to_retry_after_goes_by_the_clock_of_who_sent_it(void **state) {
    (void)state;
    assert_int_equal(wait_of("date: Mon, 07 Nov 1994 10:00:00 GMT\r\n"
                             "retry-after: Mon, 07 Nov 1994 10:00:20 GMT\r\n"),
                     20000); /* ours is a day behind */
    assert_int_equal(wait_of("date: Sat, 05 Nov 1994 10:00:00 GMT\r\n"
                             "retry-after: Sat, 05 Nov 1994 10:00:20 GMT\r\n"),
                     20000);
    assert_int_equal(wait_of("date: now\r\nretry-after: Sun, 06 Nov 1994 08:50:37 GMT\r\n"), 60000);
}

static void test_an_unreadable_retry_after_is_none(void **state) {
    (void)state;
    static const char *const headers[] = {"",
                                          "retry-after: soon\r\n",
                                          "retry-after: -3\r\n",
                                          "retry-after: nan\r\n",
                                          "retry-after: 1e300\r\n",
                                          "retry-after: \r\n",
                                          "retry-after: Sun, 06 Nov\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        assert_int_equal(wait_of(headers[i]), -1);
    }
}

/* --- lessons --------------------------------------------------------------------------------- */

#define REFUSES_SCHEMA                                                                             \
    "{\"error\":{\"message\":\"Invalid parameter: 'response_format' of type 'json_schema' is not " \
    "supported with this model.\",\"param\":\"response_format\"}}"
#define WANTS_NEW_CAP                                                                              \
    "{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens' is not supported with this "    \
    "model. Use 'max_completion_tokens' instead.\",\"param\":\"max_tokens\","                      \
    "\"code\":\"unsupported_parameter\"}}"
#define REFUSES_NEW_CAP                                                                            \
    "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"max_completion_tokens\"]}]}"

static void test_a_refused_schema_falls_back_step_by_step(void **state) {
    (void)state;
    unsigned known = 0;
    struct wire_result r = read_with(400, "", REFUSES_SCHEMA, known, &known);
    assert_true(r.learned && known == WIRE_NO_SCHEMA);
    r = read_with(400, "", "{\"error\":{\"message\":\"response_format is unavailable now\"}}",
                  known, &known);
    assert_true(r.learned && known == (WIRE_NO_SCHEMA | WIRE_NO_JSON_OBJECT));
    r = read_with(400, "", REFUSES_SCHEMA, known, &known);
    assert_false(r.learned);
    assert_int_equal(r.err, ERR_REJECTED);
}

static void test_requests_that_were_under_way_together_learn_one_lesson(void **state) {
    (void)state;
    unsigned known = 0;
    for (int i = 0; i < 10; i++) {
        struct wire_result r = read_with(400, "", REFUSES_SCHEMA, 0, &known);
        assert_true(r.learned);
        assert_int_equal(known, WIRE_NO_SCHEMA);
    }
}

static void test_the_name_of_the_cap_is_learned_both_ways_but_once(void **state) {
    (void)state;
    unsigned known = WIRE_OLD_CAP;
    assert_true(read_with(400, "", WANTS_NEW_CAP, known, &known).learned);
    assert_false(known & WIRE_OLD_CAP);
    assert_false(read_with(422, "", REFUSES_NEW_CAP, known, &known).learned);

    known = 0;
    assert_true(read_with(422, "", REFUSES_NEW_CAP, known, &known).learned);
    assert_true(known & WIRE_OLD_CAP);
    assert_false(read_with(400, "", WANTS_NEW_CAP, known, &known).learned);
}

static void test_a_cap_that_is_too_large_teaches_the_largest_that_is_not(void **state) {
    (void)state;
    static const struct {
        const char *message;
        int64_t cap;
    } cases[] = {
        {"max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
         16384},
        {"max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for "
         "claude-sonnet-4-5",
         64000},
        {"Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192},
        {"it has a maxOutputTokens value of 100000 but the supported range is from 1 (inclusive) "
         "to 65537 (exclusive).",
         65536},
        {"'max_tokens' or 'max_completion_tokens' is too large: 100000. This model's maximum "
         "context length is 4096 tokens and your request has 53 input tokens",
         2048},
        {"This model's maximum context length is 4096 tokens. However, you requested 100053 tokens "
         "(53 in the messages, 100000 in the completion). Please reduce the length of the messages "
         "or completion.",
         2048},
        {"Requested token count exceeds the model's maximum context length of 4096 tokens. You "
         "requested a total of 100053 tokens: 53 tokens from the input messages and 100000 tokens "
         "for the completion.",
         2048},
        {"This endpoint's maximum context length is 4096 tokens. However, you requested about "
         "100053 tokens (53 of text input, 100000 in the output).",
         2048},
        {"`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 53 `inputs` tokens and 100000 "
         "`max_new_tokens`",
         4096},
        {"max_tokens must be at least 1", 0},
        {"max_tokens is too large: 100000", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str body = str_fmt(&arena, "{\"error\":{\"message\":\"%s\"}}", cases[i].message);
        unsigned known = 0;
        struct wire_result r = read_with(400, "", body.p, 0, &known);
        assert_int_equal(r.cap, cases[i].cap);
        assert_int_equal(r.learned, cases[i].cap > 0);
        assert_int_equal(known, cases[i].cap > 0 ? WIRE_CAPPED : 0);
        assert_false(read_with(400, "", body.p, WIRE_CAPPED, &known).learned); /* once */
    }
}

static void test_a_refused_system_role_becomes_developer(void **state) {
    (void)state;
    unsigned known = 0;
    const char *body = "{\"error\":{\"message\":\"Unsupported value: 'messages[0].role' does not "
                       "support 'system' with this model.\",\"param\":\"messages[0].role\"}}";
    assert_true(read_with(400, "", body, known, &known).learned);
    assert_true(known & WIRE_DEVELOPER);
    assert_false(read_with(400, "", body, known, &known).learned);
}

static void test_only_a_400_or_422_teaches(void **state) {
    (void)state;
    unsigned known = 0;
    assert_false(read_with(500, "", REFUSES_SCHEMA, known, &known).learned);
    assert_false(read_with(429, "", REFUSES_SCHEMA, known, &known).learned);
    assert_int_equal(known, 0);
}

static void test_an_answer_that_cannot_be_read_costs_what_it_says_was_used(void **state) {
    (void)state;
    /* An escape that JSON does not have, as some proxies let through. */
    struct wire_result r = read_reply(
        200, "{\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"\\q \\\"usage\\\": {\"}}],"
             "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9,"
             "\"completion_tokens_details\":{\"reasoning_tokens\":4}},\"id\":\"\\q\"}");
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.answer.finish, CALL_FINISH_OTHER);
    assert_int_equal(r.answer.text.n, 0);
    assert_int_equal(r.answer.usage.input_tokens, 7);
    assert_int_equal(r.answer.usage.output_tokens, 9);
    assert_int_equal(r.answer.usage.reasoning_tokens, 4);
    /* Cut off before it came to that: nobody knows. */
    r = read_reply(200, "{\"choices\":[{\"message\":{\"content\":\"4\"}}],\"usage\":{\"prompt_to");
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.answer.usage.output_tokens, -1);
    assert_int_equal(r.answer.cost_nusd, MONEY_UNKNOWN);
    /* Whole, without an answer, yet something was written. */
    r = read_reply(200, "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9}}");
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.answer.usage.output_tokens, 9);
    r = read_reply(200, "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":0}}");
    assert_int_equal(r.err, ERR_PROTOCOL);
}

#define WIRE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WIRE_TEST(test_an_answer_that_cannot_be_read_costs_what_it_says_was_used),
        WIRE_TEST(test_a_request_has_the_specified_members_and_no_others),
        WIRE_TEST(test_a_schema_is_asked_for_strictly_and_under_its_name),
        WIRE_TEST(test_quirks_change_what_is_asked),
        WIRE_TEST(test_a_key_goes_out_as_a_bearer),
        WIRE_TEST(test_a_whole_answer_gives_text_usage_and_ids),
        WIRE_TEST(test_every_finish_reason_is_told_apart),
        WIRE_TEST(test_a_refusal_is_a_paid_answer_with_its_words),
        WIRE_TEST(test_an_empty_answer_is_told_empty_and_without_usage_nothing_is_made_up),
        WIRE_TEST(test_content_in_parts_is_joined),
        WIRE_TEST(test_a_hundred_thousand_parts_take_linear_memory),
        WIRE_TEST(test_blank_lines_before_the_answer_are_skipped),
        WIRE_TEST(test_a_200_that_is_no_answer_is_an_error),
        WIRE_TEST(test_an_answer_that_cannot_be_read_was_paid_for),
        WIRE_TEST(test_every_error_status_has_its_class),
        WIRE_TEST(test_the_providers_words_are_in_the_detail_whatever_their_shape),
        WIRE_TEST(test_a_key_that_a_provider_repeats_is_not_in_the_detail),
        WIRE_TEST(test_x_should_retry_is_obeyed),
        WIRE_TEST(test_retry_after_is_read_in_every_form),
        WIRE_TEST(test_a_date_to_retry_after_goes_by_the_clock_of_who_sent_it),
        WIRE_TEST(test_an_unreadable_retry_after_is_none),
        WIRE_TEST(test_a_refused_schema_falls_back_step_by_step),
        WIRE_TEST(test_requests_that_were_under_way_together_learn_one_lesson),
        WIRE_TEST(test_the_name_of_the_cap_is_learned_both_ways_but_once),
        WIRE_TEST(test_a_cap_that_is_too_large_teaches_the_largest_that_is_not),
        WIRE_TEST(test_a_refused_system_role_becomes_developer),
        WIRE_TEST(test_only_a_400_or_422_teaches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
