/* Promises of llm/sse.h and llm/stream.h: events are found wherever the bytes were cut, each
 * format's stream gives the answer that its whole reply would, and what is no whole answer is a
 * classified failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llm/stream.h"

#include <string.h>

static struct arena arena;
static struct wire_stream stream;

static int set_up(void **state) {
    (void)state;
    arena_init(&arena, 64 << 20);
    wire_stream_init(&stream, 4096);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    wire_stream_release(&stream);
    arena_release(&arena);
    return 0;
}

/* --- events ---------------------------------------------------------------------------------- */

static bool note(void *ctx, struct str data) {
    struct sbuf *seen = ctx;
    sbuf_addf(seen, "[%.*s]", STR_ARG(data));
    return !str_eq(data, S("stop"));
}

/* The events of @bytes fed in pieces of @step. */
static const char *split(const char *bytes, size_t step, enum err *ret) {
    struct sse s;
    struct sbuf seen;
    struct str rest = str_of(bytes);
    sse_init(&s, 64);
    sbuf_init(&seen, 4096);
    *ret = ERR_OK;
    while (rest.n > 0 && *ret == ERR_OK) {
        *ret = sse_feed(&s, str_take(rest, step), note, &seen);
        rest = str_skip(rest, step);
    }
    const char *text = str_cstr(&arena, sbuf_str(&seen));
    sse_release(&s);
    sbuf_release(&seen);
    return text;
}

static void test_events_are_found_wherever_the_bytes_are_cut(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *events;
    } cases[] = {
        {"data: one\n\ndata: two\n\n", "[one][two]"},
        {"data:one\r\n\r\ndata:  two\r\n\r\n", "[one][ two]"},
        {"data: one\r\rdata: two\r\r", "[one][two]"},
        {"\xEF\xBB\xBF"
         "data: one\n\n",
         "[one]"},
        {": keep-alive\n\n\n: again\ndata: one\n\n", "[one]"},
        {"event: delta\nid: 7\nretry: 9\ndata: one\n\nevent: lone\n\n", "[one]"},
        {"data: a\ndata: b\n\n", "[a\nb]"},
        {"data\n\n", "[]"},
        {"data: \xC3\xA9\xE2\x82\xAC\n\n", "[\xC3\xA9\xE2\x82\xAC]"},
        {"data: never ended\n", ""},
        {"data: stop\n\ndata: unread\n\n", "[stop]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].bytes); step++) {
            enum err e;
            assert_string_equal(split(cases[i].bytes, step, &e), cases[i].events);
            assert_int_equal(e, strstr(cases[i].bytes, "stop") ? ERR_CANCELED : ERR_OK);
        }
    }
}

static void test_lines_and_events_have_a_limit(void **state) {
    (void)state;
    enum err e;
    struct str line = str_fmt(&arena, "data: %0100d\n\n", 1);
    (void)split(line.p, 7, &e);
    assert_int_equal(e, ERR_TOO_BIG);
    struct str lines = str_fmt(&arena, "data: %040d\ndata: %040d\n\n", 1, 2);
    (void)split(lines.p, 1000, &e);
    assert_int_equal(e, ERR_TOO_BIG);
}

static void test_a_stream_that_is_not_allowed_is_a_lesson(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"Your organization must be verified to stream this model.\","
        "\"param\":\"stream\",\"code\":\"unsupported_value\"}}",
        "{\"error\":{\"message\":\"Streaming is not supported\"}}"};
    static const struct call_spec spec;
    static const struct llm_manner manner;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct http_reply reply = {.status = 400, .body = str_of(bodies[i])};
        const struct wire_ask ask = {.manner = &manner, .spec = &spec, .stream = true};
        struct wire_result r;
        unsigned known = 0;
        wire_read(&wire_openai_chat, &ask, &reply, &known, &arena, &r);
        assert_true(r.learned && known == WIRE_NO_STREAM);
    }
}

/* --- answers --------------------------------------------------------------------------------- */

/* Feed @bytes in small pieces, then end as @reply tells. */
static struct wire_result read_stream(const struct wire *wire, const char *bytes,
                                      const struct http_reply *reply) {
    static const struct call_spec spec;
    static const struct llm_manner manner;
    static const struct llm_provider provider = {.name = "p"};
    static const struct wire_ask ask = {
        .provider = &provider, .manner = &manner, .spec = &spec, .stream = true};
    struct str rest = str_of(bytes);
    struct wire_result r;
    unsigned known = 0;
    wire_stream_start(&stream, wire, &ask, &known);
    while (rest.n > 0 && wire_stream_feed(&stream, str_take(rest, 11)) != HTTP_TAKE_NO) {
        rest = str_skip(rest, 11);
    }
    wire_stream_end(&stream, reply, &arena, &r);
    return r;
}

static const struct http_reply orderly = {.status = 200, .headers = {"x-request-id: r\r\n", 17}};

static void assert_str(struct str s, const char *expected) {
    assert_string_equal(str_cstr(&arena, s), expected);
}

#define CHAT                                                                                       \
    "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"        \
    "\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n"                 \
    ": keep-alive\n\n"                                                                             \
    "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"                         \
    "data: {\"choices\":[{\"delta\":{\"content\":\"fo\"}}]}\n\n"                                   \
    "data: {\"choices\":[{\"delta\":{\"content\":\"ur\"}}]}\n\n"
#define CHAT_END "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define CHAT_USAGE                                                                                 \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":12,"              \
    "\"completion_tokens_details\":{\"reasoning_tokens\":9}}}\n\n"
#define RESPONSES                                                                                  \
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\"}}"  \
    "\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","       \
    "\"delta\":\"four\"}\n\n"
#define RESPONSES_END                                                                              \
    "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"status\":\"completed\"," \
    "\"model\":\"m-1\",\"output\":[],\"usage\":{\"input_tokens\":20,\"output_tokens\":12}}}\n\n"
#define ANTHROPIC                                                                                  \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a1\","          \
    "\"model\":\"m-1\",\"content\":[],\"usage\":{\"input_tokens\":5,"                              \
    "\"cache_read_input_tokens\":15,\"output_tokens\":1}}}\n\n"                                    \
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"                                                   \
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\"" \
    ",\"thinking\":\"\"}}\n\n"                                                                     \
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\","              \
    "\"thinking\":\"hm\"}}\n\n"                                                                    \
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":"         \
    "\"four\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
#define ANTHROPIC_END                                                                              \
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"        \
    "{\"output_tokens\":12}}\n\ndata: {\"type\":\"message_stop\"}\n\n"
#define GEMINI                                                                                     \
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}],"      \
    "\"modelVersion\":\"m-1\",\"responseId\":\"g1\"}\r\n\r\n"                                      \
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"fo\"}]}}]}\r\n\r\n"
#define GEMINI_END                                                                                 \
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"ur\"}]},\"finishReason\":"        \
    "\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":20,\"candidatesTokenCount\":3,"            \
    "\"thoughtsTokenCount\":9}}\r\n\r\n"

static const struct whole {
    const struct wire *wire;
    const char *bytes;
} wholes[] = {
    {&wire_openai_chat, CHAT CHAT_END CHAT_USAGE "data: [DONE]\n\n"},
    {&wire_openai_chat, CHAT CHAT_END CHAT_USAGE}, /* some close instead */
    {&wire_openai_responses, RESPONSES RESPONSES_END},
    {&wire_openai_responses, RESPONSES RESPONSES_END "data: [DONE]\n\n"},
    {&wire_perplexity, RESPONSES RESPONSES_END},
    {&wire_anthropic, ANTHROPIC ANTHROPIC_END},
    {&wire_gemini, GEMINI GEMINI_END},
};

static void test_a_stream_gives_the_answer_that_a_whole_reply_would(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
        struct wire_result r = read_stream(wholes[i].wire, wholes[i].bytes, &orderly);
        assert_int_equal(r.err, ERR_OK);
        assert_str(r.answer.text, "four");
        assert_int_equal(r.answer.finish, CALL_FINISH_STOP);
        assert_int_equal(r.answer.usage.input_tokens, 20);
        assert_int_equal(r.answer.usage.output_tokens, 12);
        assert_str(r.answer.model_id, "m-1");
        assert_str(r.answer.request_id, "r");
    }
}

static const struct http_reply cut = {.err = ERR_NETWORK, .detail = {"h: reset"}};

static void test_a_connection_that_breaks_after_the_last_event_breaks_nothing(void **state) {
    (void)state;
    static const struct whole told[] = {
        {&wire_openai_chat, CHAT CHAT_END CHAT_USAGE "data: [DONE]\n\n"},
        {&wire_openai_responses, RESPONSES RESPONSES_END},
        {&wire_anthropic, ANTHROPIC ANTHROPIC_END},
    };
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        assert_int_equal(read_stream(told[i].wire, told[i].bytes, &cut).err, ERR_OK);
    }
}

static void test_a_stream_that_just_ends_is_a_failure(void **state) {
    (void)state;
    static const struct whole parts[] = {
        {&wire_openai_chat, CHAT},     {&wire_openai_chat, CHAT "data: [DONE]\n\n"},
        {&wire_openai_chat, ""},       {&wire_openai_responses, RESPONSES},
        {&wire_anthropic, ANTHROPIC},  {&wire_gemini, GEMINI},
        {&wire_perplexity, RESPONSES},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct wire_result r = read_stream(parts[i].wire, parts[i].bytes, &orderly);
        assert_int_equal(r.err, ERR_PROTOCOL);
        assert_non_null(strstr(r.detail.text, "ended before"));
        r = read_stream(parts[i].wire, parts[i].bytes, &cut);
        assert_int_equal(r.err, ERR_NETWORK);
        assert_string_equal(r.detail.text, "h: reset");
    }
}

static void test_an_answer_with_a_hole_is_paid_for_and_empty(void **state) {
    (void)state;
    static const struct whole told[] = {
        {&wire_openai_chat,
         CHAT "data: {\"choices\":[{\n\n" CHAT_END CHAT_USAGE "data: [DONE]\n\n"},
        {&wire_anthropic, ANTHROPIC "data: {\n\n" ANTHROPIC_END},
        {&wire_openai_responses, RESPONSES "data: {\n\n" RESPONSES_END},
    };
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        struct wire_result r = read_stream(told[i].wire, told[i].bytes, &orderly);
        assert_int_equal(r.err, ERR_OK);
        assert_int_equal(r.answer.finish, CALL_FINISH_OTHER);
        assert_str(r.answer.text, "");
        assert_int_equal(r.answer.usage.output_tokens, 12);
    }
}

static void test_an_error_inside_a_stream_is_the_error(void **state) {
    (void)state;
    static const struct {
        const struct wire *wire;
        const char *bytes;
        enum err err;
    } cases[] = {
        {&wire_openai_chat, CHAT "data: {\"error\":{\"code\":429,\"message\":\"slow\"}}\n\n",
         ERR_RATE_LIMIT},
        {&wire_openai_chat,
         CHAT "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n",
         ERR_UNAVAILABLE},
        {&wire_openai_chat, CHAT "data: {\"choices\":[{\n\n", ERR_PROTOCOL},
        {&wire_openai_responses,
         RESPONSES
         "data: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}\n\n",
         ERR_RATE_LIMIT},
        {&wire_openai_responses,
         RESPONSES "data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\","
                   "\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}}\n\n",
         ERR_UNAVAILABLE},
        {&wire_anthropic,
         ANTHROPIC "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                   "\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
         ERR_UNAVAILABLE},
        {&wire_anthropic,
         "data: {\"type\":\"error\",\"error\":{\"type\":\"authentication_error\"}}\n\n", ERR_AUTH},
        {&wire_gemini,
         GEMINI "data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\",\"message\":\"m\"}}\n\n",
         ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_result r = read_stream(cases[i].wire, cases[i].bytes, &orderly);
        if (r.err != cases[i].err) {
            fail_msg("%s: %s", cases[i].bytes, err_name(r.err));
        }
    }
}

static void test_refusals_and_truncations_are_told_by_streams_too(void **state) {
    (void)state;
    static const struct {
        const struct wire *wire;
        const char *bytes;
        enum call_finish finish;
        const char *text;
    } cases[] = {
        {&wire_openai_chat,
         CHAT "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
         CALL_FINISH_LENGTH, "four"},
        {&wire_openai_chat,
         CHAT "data: {\"choices\":[{\"delta\":{\"refusal\":\"No.\"}}]}\n\n" CHAT_END,
         CALL_FINISH_REFUSAL, "No."},
        {&wire_openai_responses,
         RESPONSES
         "data: {\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\","
         "\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":[]}}\n\n",
         CALL_FINISH_LENGTH, "four"},
        {&wire_openai_responses,
         "data: {\"type\":\"response.refusal.delta\",\"delta\":\"No.\"}\n\n" RESPONSES_END,
         CALL_FINISH_REFUSAL, "No."},
        {&wire_anthropic,
         ANTHROPIC
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n"
         "data: {\"type\":\"message_stop\"}\n\n",
         CALL_FINISH_LENGTH, "four"},
        {&wire_anthropic,
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\","
         "\"stop_details\":{\"explanation\":\"No.\"}}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
         CALL_FINISH_REFUSAL, "No."},
        {&wire_gemini, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n",
         CALL_FINISH_REFUSAL, "SAFETY"},
        {&wire_gemini, "data: {\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}]}\n\n",
         CALL_FINISH_LENGTH, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_result r = read_stream(cases[i].wire, cases[i].bytes, &orderly);
        assert_int_equal(r.err, ERR_OK);
        assert_int_equal(r.answer.finish, cases[i].finish);
        assert_str(r.answer.text, cases[i].text);
    }
}

static void test_a_stream_is_quiet_until_the_first_token_and_bounded(void **state) {
    (void)state;
    static const char *const quiet[] = {": OPENROUTER PROCESSING\n\n",
                                        "data: {\"type\":\"message_start\",\"message\":{}}\n\n",
                                        "data: {\"type\":\"ping\"}\n\n"};
    static const struct wire_ask ask = {.stream = true};
    unsigned known = 0;
    wire_stream_start(&stream, &wire_anthropic, &ask, &known);
    for (size_t i = 0; i < ARRAY_LEN(quiet); i++) {
        assert_int_equal(wire_stream_feed(&stream, str_of(quiet[i])), HTTP_TAKE_QUIET);
    }
    const char *delta =
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"0123456789\"}}\n\n";
    enum http_take take = wire_stream_feed(&stream, str_of(delta));
    assert_int_equal(take, HTTP_TAKE_MORE);
    for (int i = 0; i < 1000 && take == HTTP_TAKE_MORE; i++) {
        take = wire_stream_feed(&stream, str_of(delta));
    }
    assert_int_equal(take, HTTP_TAKE_NO);
    assert_int_equal(stream.failure.err, ERR_TOO_BIG);
}

#define STREAM_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        STREAM_TEST(test_events_are_found_wherever_the_bytes_are_cut),
        STREAM_TEST(test_lines_and_events_have_a_limit),
        STREAM_TEST(test_a_stream_that_is_not_allowed_is_a_lesson),
        STREAM_TEST(test_a_stream_gives_the_answer_that_a_whole_reply_would),
        STREAM_TEST(test_a_connection_that_breaks_after_the_last_event_breaks_nothing),
        STREAM_TEST(test_a_stream_that_just_ends_is_a_failure),
        STREAM_TEST(test_an_error_inside_a_stream_is_the_error),
        STREAM_TEST(test_an_answer_with_a_hole_is_paid_for_and_empty),
        STREAM_TEST(test_refusals_and_truncations_are_told_by_streams_too),
        STREAM_TEST(test_a_stream_is_quiet_until_the_first_token_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
