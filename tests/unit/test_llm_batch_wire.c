/* How batches are written and read: questions as each provider wants them, whatever it says of a
 * batch, each kind of result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llm/batch.h"

#include <string.h>

static const struct llm_provider openai = {.name = "openai", .base_url = "https://a.example/v1"};
static const struct llm_provider anthropic = {.name = "anthropic", .base_url = "https://b.example"};

static const struct jnode *parse(struct arena *a, const char *text) {
    const struct jnode *doc;
    assert_int_equal(jnode_parse(str_of(text), a, &doc, NULL), ERR_OK);
    return doc;
}

static void assert_written(const struct batch_wire *w, const char *expected) {
    struct sbuf out;
    sbuf_init(&out, 4096);
    w->open("batch_7", &out);
    w->add(w, "x-1", true, S("{\"n\":1}"), &out);
    w->add(w, "x-2", false, S("{\"n\":2}"), &out);
    w->close("batch_7", &out);
    assert_string_equal(sbuf_str(&out).p, expected);
    sbuf_release(&out);
}

static void test_questions_are_written_as_each_provider_wants_them(void **state) {
    (void)state;
    struct arena a;
    struct sbuf out;
    arena_init(&a, 1 << 16);
    assert_written(&batch_openai_responses,
                   "--batch_7\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
                   "--batch_7\r\nContent-Disposition: form-data; name=\"file\"; "
                   "filename=\"batch_7.jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n"
                   "{\"custom_id\":\"x-1\",\"method\":\"POST\",\"url\":\"/v1/responses\","
                   "\"body\":{\"n\":1}}\n"
                   "{\"custom_id\":\"x-2\",\"method\":\"POST\",\"url\":\"/v1/responses\","
                   "\"body\":{\"n\":2}}\n"
                   "\r\n--batch_7--\r\n");
    assert_written(&batch_anthropic, "{\"requests\":[{\"custom_id\":\"x-1\",\"params\":{\"n\":1}},"
                                     "{\"custom_id\":\"x-2\",\"params\":{\"n\":2}}]}");
    sbuf_init(&out, 4096);
    batch_openai_chat.order(&batch_openai_chat, "file-3", "batch_7", &out);
    assert_string_equal(sbuf_str(&out).p,
                        "{\"input_file_id\":\"file-3\",\"endpoint\":\"/v1/chat/completions\","
                        "\"completion_window\":\"24h\",\"metadata\":{\"stumper\":\"batch_7\"}}");
    sbuf_release(&out);
    assert_string_equal(batch_anthropic.list_url(&anthropic, "b1", &a).p,
                        "https://b.example/v1/messages/batches?limit=100&after_id=b1");
    arena_release(&a);
}

static void test_ids_are_what_every_provider_takes_and_differ_by_batch(void **state) {
    (void)state;
    char id[BATCH_CUSTOM_BYTES], other[BATCH_CUSTOM_BYTES];
    const char *tag = "job_0199f3a2000070008000000000000001/123456/12";
    batch_custom_id(tag, "batch_0000000012345678", id);
    assert_string_equal(id, "job_0199f3a2000070008000000000000001-123456-12-12345678");
    batch_custom_id(tag, "batch_0000000012345679", other);
    assert_string_not_equal(id, other);
    batch_custom_id("job_0199f3a2000070008000000000000001/1234567890123456789/1234567/é", "batch_1",
                    id);
    assert_true(strlen(id) < BATCH_CUSTOM_BYTES);
    assert_int_equal(strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz_-"), strlen(id));
}

static void test_an_id_that_could_change_a_url_is_none(void **state) {
    (void)state;
    static const char *const bad[] = {"", "a/b", "a?b", "..", ".", "a b", "a%2f", "é"};
    char id[BATCH_ID_BYTES];
    assert_true(batch_take_id(S("msgbatch_01-x.y"), id));
    assert_string_equal(id, "msgbatch_01-x.y");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(batch_take_id(str_of(bad[i]), id));
        assert_string_equal(id, "");
    }
}

static void test_what_openai_says_of_a_batch(void **state) {
    (void)state;
    static const struct {
        const char *status;
        enum batch_progress progress;
    } cases[] = {{"validating", BATCH_UNDER_WAY}, {"in_progress", BATCH_UNDER_WAY},
                 {"finalizing", BATCH_UNDER_WAY}, {"cancelling", BATCH_UNDER_WAY},
                 {"completed", BATCH_ENDED},      {"expired", BATCH_ENDED},
                 {"cancelled", BATCH_ENDED},      {"failed", BATCH_REFUSED}};
    struct arena a;
    struct batch_told told;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = str_fmt(
            &a,
            "{\"id\":\"batch_1\",\"status\":\"%s\",\"created_at\":1700000000,"
            "\"output_file_id\":\"file-o\",\"error_file_id\":null,\"request_counts\":{\"total\":3},"
            "\"metadata\":{\"stumper\":\"m\"},\"errors\":{\"data\":[{\"code\":"
            "\"token_limit_exceeded\",\"message\":\"Enqueued token limit reached\"}]}}",
            cases[i].status);
        assert_true(batch_openai_chat.told(&openai, parse(&a, text.p), &a, &told));
        assert_int_equal(told.progress, cases[i].progress);
        assert_string_equal(told.id, "batch_1");
        assert_true(str_eq(told.mark, S("m")));
        assert_int_equal(told.created_ms, 1700000000000);
        assert_int_equal(told.calls, 3);
        assert_true(told.crowded);
        assert_true(str_eq(told.reason, S("Enqueued token limit reached")));
        assert_true(str_eq(told.results[0], S("https://a.example/v1/files/file-o/content")));
        assert_int_equal(told.results[1].n, 0);
    }
    assert_false(batch_openai_chat.told(&openai, parse(&a, "{\"id\":\"../x\"}"), &a, &told));
    assert_false(batch_openai_chat.told(&openai, NULL, &a, &told));
    arena_release(&a);
}

static void test_what_anthropic_says_of_a_batch(void **state) {
    (void)state;
    struct arena a;
    struct batch_told told;
    arena_init(&a, 1 << 20);
    const char *text = "{\"id\":\"msgbatch_1\",\"processing_status\":\"ended\",\"created_at\":"
                       "\"2024-08-20T18:37:24.100435Z\",\"request_counts\":{\"processing\":1,"
                       "\"succeeded\":2,\"errored\":3,\"canceled\":4,\"expired\":5}}";
    assert_true(batch_anthropic.told(&anthropic, parse(&a, text), &a, &told));
    assert_int_equal(told.progress, BATCH_ENDED);
    assert_int_equal(told.calls, 15);
    assert_int_equal(told.created_ms, INT64_C(1724179044000));
    assert_true(
        str_eq(told.results[0], S("https://b.example/v1/messages/batches/msgbatch_1/results")));
    text = "{\"id\":\"msgbatch_1\",\"processing_status\":\"canceling\"}";
    assert_true(batch_anthropic.told(&anthropic, parse(&a, text), &a, &told));
    assert_int_equal(told.progress, BATCH_UNDER_WAY);
    assert_int_equal(told.created_ms, -1);
    arena_release(&a);
}

static void test_results_of_each_kind(void **state) {
    (void)state;
    static const struct {
        const struct batch_wire *wire;
        const char *line;
        bool answered;
        int status;
        const char *body, *reason;
    } cases[] = {
        {&batch_openai_chat,
         "{\"custom_id\":\"x\",\"response\":{\"status_code\":400,\"body\":{\"error\":1}},"
         "\"error\":null}",
         true, 400, "{\"error\":1}", ""},
        {&batch_openai_chat,
         "{\"custom_id\":\"x\",\"response\":null,\"error\":{\"code\":\"batch_expired\"}}", false, 0,
         "", "batch_expired"},
        {&batch_anthropic,
         "{\"custom_id\":\"x\",\"result\":{\"type\":\"succeeded\",\"message\":{\"a\":1}}}", true,
         200, "{\"a\":1}", "succeeded"},
        {&batch_anthropic,
         "{\"custom_id\":\"x\",\"result\":{\"type\":\"errored\",\"error\":{\"type\":\"error\"}}}",
         true, 200, "{\"type\":\"error\"}", "errored"},
        {&batch_anthropic, "{\"custom_id\":\"x\",\"result\":{\"type\":\"expired\"}}", false, 200,
         "", "expired"},
        {&batch_anthropic, "{\"custom_id\":\"x\",\"result\":{\"type\":\"canceled\"}}", false, 200,
         "", "canceled"},
    };
    struct arena a;
    struct batch_result r;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(cases[i].wire->result(parse(&a, cases[i].line), &a, &r));
        assert_true(str_eq(r.custom_id, S("x")));
        assert_int_equal(r.answered, cases[i].answered);
        assert_int_equal(r.status, cases[i].status);
        assert_true(str_eq(r.body, str_of(cases[i].body)));
        assert_true(str_eq(r.reason, str_of(cases[i].reason)));
    }
    assert_false(batch_anthropic.result(parse(&a, "{\"result\":{}}"), &a, &r));
    assert_false(batch_openai_chat.result(parse(&a, "[1]"), &a, &r));
    arena_release(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions_are_written_as_each_provider_wants_them),
        cmocka_unit_test(test_ids_are_what_every_provider_takes_and_differ_by_batch),
        cmocka_unit_test(test_an_id_that_could_change_a_url_is_none),
        cmocka_unit_test(test_what_openai_says_of_a_batch),
        cmocka_unit_test(test_what_anthropic_says_of_a_batch),
        cmocka_unit_test(test_results_of_each_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
