/* Promises of sim/format_*.c and sim/trouble.h: each provider's requests are read and refused as it
 * does, its answers, streams and errors have its shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/format.h"
#include "json/node.h"

#include <stdio.h>
#include <string.h>

static const struct format *const formats[] = {&format_chat, &format_responses, &format_messages,
                                               &format_gemini};

static bool reads(const struct format *f, const char *text, struct sim_request *q,
                  struct sim_error *e) {
    static char copy[4096]; /* what is read points into it */
    struct sbuf body = {.p = copy, .n = strlen(text), .capacity = sizeof copy};
    assert_true(body.n < sizeof copy);
    memcpy(copy, text, body.n + 1);
    return f->read(&body, q, e);
}

/* The same question in each format, with everything that all of them know. */
static const char *const questions[] = {
    "{\"model\":\"target\",\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":"
    "\"user\",\"content\":\"a\\n\"},{\"role\":\"assistant\",\"content\":\"b\"},{\"role\":\"user\","
    "\"content\":[{\"type\":\"text\",\"text\":\"c\"},{\"type\":\"text\",\"text\":\"d\"}]}],"
    "\"max_completion_tokens\":99,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
    "\"name\":\"x\",\"schema\":{}}}}",
    "{\"model\":\"target\",\"input\":[{\"role\":\"user\",\"content\":\"a\\n\"},{\"type\":"
    "\"reasoning\",\"summary\":[]},{\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
    "\"text\":\"b\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"cd\"}]}]"
    ",\"instructions\":\"be brief\",\"max_output_tokens\":99,\"text\":{\"format\":{\"type\":"
    "\"json_schema\",\"name\":\"x\",\"schema\":{},\"strict\":true}},\"store\":false}",
    "{\"model\":\"target\",\"max_tokens\":99,\"system\":[{\"type\":\"text\",\"text\":\"be brief\"}]"
    ",\"messages\":[{\"role\":\"user\",\"content\":\"a\\n\"},{\"role\":\"assistant\",\"content\":"
    "\"b\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"cd\"}]}],"
    "\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\",\"schema\":{}}}}",
    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\\n\"}]},{\"role\":\"model\","
    "\"parts\":[{\"text\":\"b\"}]},{\"parts\":[{\"text\":\"c\"},{\"text\":\"d\"}]}],"
    "\"systemInstruction\":{\"parts\":[{\"text\":\"be brief\"}]},\"generationConfig\":{"
    "\"maxOutputTokens\":99,\"responseMimeType\":\"application/json\",\"responseSchema\":{}}}",
};

static void test_the_same_question_is_read_alike_in_every_format(void **state) {
    (void)state;
    static const struct {
        const char *role, *content;
    } want[] = {{"system", "be brief"}, {"user", "a\n"}, {"assistant", "b"}, {"user", "cd"}};
    for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
        struct sim_request q;
        struct sim_error e = {0};
        if (!reads(formats[f], questions[f], &q, &e)) {
            fail_msg("format %zu: %s", f, e.message);
        }
        assert_int_equal(q.messages_n, ARRAY_LEN(want));
        for (size_t i = 0; i < ARRAY_LEN(want); i++) {
            assert_true(str_eq(q.messages[i].role, str_of(want[i].role)));
            assert_true(str_eq(q.messages[i].content, str_of(want[i].content)));
        }
        assert_int_equal(q.output_tokens_max, 99);
        assert_int_equal(q.form, SIM_FORM_JSON_SCHEMA);
        assert_false(q.sampled || q.stream || q.old_token_limit);
    }
}

static void test_what_a_provider_refuses_is_refused(void **state) {
    (void)state;
    static const struct {
        const struct format *format;
        const char *body, *message;
    } cases[] = {
        {&format_responses, "{\"model\":\"target\"}", "'input'"},
        {&format_responses, "{\"input\":\"x\"}", "'model'"},
        {&format_responses, "{\"model\":\"target\",\"input\":\"x\",\"max_output_tokens\":15}",
         ">= 16"},
        {&format_responses, "{\"model\":\"target\",\"input\":\"x\",\"max_tokens\":99}",
         "Unknown parameter: 'max_tokens'"},
        {&format_responses,
         "{\"model\":\"target\",\"input\":\"x\",\"text\":{\"format\":{\"type\":"
         "\"json_schema\"}}}",
         "text.format.schema"},
        {&format_messages,
         "{\"model\":\"target\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
         "max_tokens: Field required"},
        {&format_messages, "{\"model\":\"target\",\"max_tokens\":9}", "at least one message"},
        {&format_messages,
         "{\"model\":\"target\",\"max_tokens\":9,\"messages\":[{\"role\":"
         "\"system\",\"content\":\"x\"}]}",
         "top-level `system`"},
        {&format_messages,
         "{\"model\":\"target\",\"max_tokens\":9,\"messages\":[{\"role\":"
         "\"user\",\"content\":\"x\"}],\"seed\":1}",
         "seed: Extra inputs are not permitted"},
        {&format_gemini, "{}", "contents is not specified"},
        {&format_gemini, "{\"contents\":[{\"role\":\"assistant\",\"parts\":[]}]}",
         "valid role: user, model"},
        {&format_gemini, "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}],\"messages\":[]}",
         "Unknown name \"messages\": Cannot find field"},
        {&format_gemini,
         "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}],\"generationConfig\":{"
         "\"maxTokens\":1}}",
         "Unknown name \"maxTokens\" at 'generation_config'"},
        {&format_gemini,
         "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}],\"generationConfig\":{"
         "\"responseSchema\":{}}}",
         "mime type"},
        {&format_gemini, "{\"contents\":", "could not parse the JSON"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sim_request q;
        struct sim_error e = {0};
        if (reads(cases[i].format, cases[i].body, &q, &e)) {
            fail_msg("taken: %s", cases[i].body);
        }
        assert_int_equal(sim_error_status(&e, cases[i].format->dialect), 400);
        if (strstr(e.message, cases[i].message) == NULL) {
            fail_msg("%s\nfor: %s", e.message, cases[i].body);
        }
    }
}

static void test_every_garbled_request_is_read_or_refused(void **state) {
    (void)state;
    struct rng r;
    static const char noise[] = "{}[]\",:\\0123456789.eE+-tfnu \n\x01\x80\xC3";
    rng_init(&r, 12);
    for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
        for (int round = 0; round < 3000; round++) {
            char text[4096];
            size_t n = strlen(questions[f]);
            struct sim_request q;
            struct sim_error e = {0};
            memcpy(text, questions[f], n + 1);
            for (uint64_t k = rng_below(&r, 4) + 1; k > 0; k--) {
                text[rng_below(&r, n)] = noise[rng_below(&r, sizeof noise - 1)];
            }
            text[rng_chance(&r, 0.2) ? rng_below(&r, n) : n] = '\0';
            if (!reads(formats[f], text, &q, &e)) {
                assert_true(e.message[0] != '\0' && sim_error_status(&e, DIALECT_GEMINI) == 400);
            }
        }
    }
}

/* A text of some length with usage of every kind. */
static struct said said(void) {
    return (struct said){.reply = {.role = ROLE_TARGET,
                                   .request_hash = 7,
                                   .luck = 8,
                                   .input_tokens = 100,
                                   .cached_tokens = 40,
                                   .output_tokens = 60,
                                   .reasoning_tokens = 20},
                         .model = S("target"),
                         .text = S("The \"answer\" is\n$\\boxed{\xC3\xA9}$."),
                         .created_s = 1800000000,
                         .usage_asked = true};
}

/* The stream of @s in pieces of @bytes. */
static void stream(const struct format *f, struct said *s, size_t bytes, struct sbuf *out) {
    struct str rest = s->text;
    f->events(s, SAID_BEGIN, S(""), out);
    while (rest.n > 0) {
        struct str piece = str_take_utf8(rest, bytes);
        f->events(s, SAID_PIECE, piece, out);
        rest = str_skip(rest, piece.n);
    }
    f->events(s, SAID_END, S(""), out);
}

/* Where each format has the text of an event. */
static struct str event_text(const struct format *f, const struct jnode *j) {
    if (f == &format_chat) {
        return jnode_get_str(jnode_get(jnode_at(jnode_get(j, "choices"), 0), "delta"), "content");
    }
    if (f == &format_responses) {
        bool delta = str_eq(jnode_get_str(j, "type"), S("response.output_text.delta"));
        return delta ? jnode_get_str(j, "delta") : S("");
    }
    if (f == &format_messages) {
        return jnode_get_str(jnode_get(j, "delta"), "text");
    }
    j = jnode_get(jnode_at(jnode_get(j, "candidates"), 0), "content");
    return jnode_get_str(jnode_at(jnode_get(j, "parts"), 0), "text");
}

static void test_the_pieces_of_a_stream_make_the_text(void **state) {
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
        struct arena a;
        struct sbuf out, text;
        struct said s = said();
        arena_init(&a, (size_t)1 << 20);
        sbuf_init(&out, 65536);
        sbuf_init(&text, 65536);
        stream(formats[f], &s, 5, &out);
        struct str rest = sbuf_str(&out);
        while (rest.n > 0) {
            struct str line = str_split(&rest, '\n');
            const struct jnode *j;
            if (!str_starts(line, S("data: {"))) {
                assert_true(line.n == 0 || str_starts(line, S("event: ")) ||
                            str_eq(line, S("data: [DONE]")));
                continue;
            }
            assert_int_equal(jnode_parse(str_skip(line, 6), &a, &j, NULL), ERR_OK);
            sbuf_add(&text, event_text(formats[f], j));
        }
        assert_true(str_eq(sbuf_str(&text), s.text));
        sbuf_release(&out);
        sbuf_release(&text);
        arena_release(&a);
    }
}

/* @pointer is a path of keys and indices without escapes: "choices/0/message". */
static const struct jnode *at(const struct jnode *j, const char *pointer) {
    struct str rest = str_of(pointer);
    while (rest.n > 0 && j != NULL) {
        char key[64];
        struct str part = str_split(&rest, '/');
        (void)snprintf(key, sizeof key, "%.*s", STR_ARG(part));
        j = jnode_type(j) == JNODE_ARRAY ? jnode_at(j, (size_t)(key[0] - '0')) : jnode_get(j, key);
    }
    return j;
}

static void test_usage_stands_where_each_provider_has_it(void **state) {
    (void)state;
    static const struct {
        size_t format;
        const char *where;
        int64_t tokens;
    } cases[] = {
        {0, "usage/prompt_tokens", 100},
        {0, "usage/prompt_tokens_details/cached_tokens", 40},
        {0, "usage/completion_tokens", 60},
        {0, "usage/completion_tokens_details/reasoning_tokens", 20},
        {1, "usage/input_tokens", 100},
        {1, "usage/input_tokens_details/cached_tokens", 40},
        {1, "usage/output_tokens", 60},
        {1, "usage/output_tokens_details/reasoning_tokens", 20},
        {2, "usage/input_tokens", 60}, /* without the cached ones */
        {2, "usage/cache_read_input_tokens", 40},
        {2, "usage/output_tokens", 60},
        {3, "usageMetadata/promptTokenCount", 100},
        {3, "usageMetadata/cachedContentTokenCount", 40},
        {3, "usageMetadata/candidatesTokenCount", 40}, /* without thoughts */
        {3, "usageMetadata/thoughtsTokenCount", 20},
    };
    struct arena a;
    struct sbuf out;
    arena_init(&a, (size_t)1 << 20);
    sbuf_init(&out, 65536);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct jnode *j;
        struct said s = said();
        sbuf_clear(&out);
        formats[cases[i].format]->whole(&s, &out);
        assert_int_equal(jnode_parse(sbuf_str(&out), &a, &j, NULL), ERR_OK);
        assert_int_equal(jnode_int(at(j, cases[i].where), -1), cases[i].tokens);
    }
    sbuf_release(&out);
    arena_release(&a);
}

static void test_how_an_answer_ended_is_told(void **state) {
    (void)state;
    static const struct {
        const char *where, *stop, *cut, *refused;
    } cases[] = {
        {"choices/0/finish_reason", "stop", "length", "stop"},
        {"status", "completed", "incomplete", "completed"},
        {"stop_reason", "end_turn", "max_tokens", "refusal"},
        {"candidates/0/finishReason", "STOP", "MAX_TOKENS", "SAFETY"},
    };
    struct arena a;
    struct sbuf out;
    arena_init(&a, (size_t)1 << 20);
    sbuf_init(&out, 65536);
    for (size_t f = 0; f < ARRAY_LEN(cases); f++) {
        const char *const want[] = {cases[f].stop, cases[f].cut, cases[f].refused};
        for (int how = 0; how < 3; how++) {
            const struct jnode *j;
            struct said s = said();
            s.reply.cut = how == 1;
            s.reply.refused = how == 2;
            sbuf_clear(&out);
            formats[f]->whole(&s, &out);
            assert_int_equal(jnode_parse(sbuf_str(&out), &a, &j, NULL), ERR_OK);
            assert_true(str_eq(jnode_str(at(j, cases[f].where)), str_of(want[how])));
        }
    }
    sbuf_release(&out);
    arena_release(&a);
}

static void test_errors_have_each_providers_shape(void **state) {
    (void)state;
    static const struct {
        enum trouble what;
        enum dialect dialect;
        int status;
        const char *body;
    } cases[] = {
        {TROUBLE_MODEL, DIALECT_OPENAI, 404,
         "{\"error\":{\"message\":\"no \\\"x\\\"\",\"type\":\"invalid_request_error\",\"param\":"
         "null,\"code\":\"model_not_found\"}}"},
        {TROUBLE_SPEND, DIALECT_OPENAI, 429,
         "{\"error\":{\"message\":\"no \\\"x\\\"\",\"type\":\"insufficient_quota\",\"param\":null,"
         "\"code\":\"insufficient_quota\"}}"},
        {TROUBLE_BUSY, DIALECT_ANTHROPIC, 529,
         "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no "
         "\\\"x\\\"\"}"
         ",\"request_id\":\"req_1\"}"},
        {TROUBLE_INTERNAL, DIALECT_GEMINI, 500,
         "{\"error\":{\"code\":500,\"message\":\"no \\\"x\\\"\",\"status\":\"INTERNAL\"}}"},
        {TROUBLE_DAY, DIALECT_GEMINI, 429,
         "{\"error\":{\"code\":429,\"message\":\"no \\\"x\\\"\",\"status\":\"RESOURCE_EXHAUSTED\","
         "\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{"
         "\"quotaMetric\":\"generativelanguage.googleapis.com/"
         "generate_requests_per_model_per_day\","
         "\"quotaId\":\"GenerateRequestsPerDayPerProjectPerModel\"}]}]}}"},
    };
    struct sbuf out;
    sbuf_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sim_error e;
        sbuf_clear(&out);
        assert_false(sim_error_set(&e, cases[i].what, NULL, NULL, "no \"%s\"", "x"));
        assert_int_equal(sim_error_status(&e, cases[i].dialect), cases[i].status);
        sim_error_write(&e, cases[i].dialect, "req_1", &out);
        assert_string_equal(sbuf_str(&out).p, cases[i].body);
    }
    sbuf_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_question_is_read_alike_in_every_format),
        cmocka_unit_test(test_what_a_provider_refuses_is_refused),
        cmocka_unit_test(test_every_garbled_request_is_read_or_refused),
        cmocka_unit_test(test_the_pieces_of_a_stream_make_the_text),
        cmocka_unit_test(test_usage_stands_where_each_provider_has_it),
        cmocka_unit_test(test_how_an_answer_ended_is_told),
        cmocka_unit_test(test_errors_have_each_providers_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
