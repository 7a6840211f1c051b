/* Promises of llm/embed.h against a real server: what is asked, vectors in either form and any
 * order, and errors of the same classes as any call's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "llm/embed.h"
#include "tiny_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct loop *loop;
    struct tiny_server *server;
    struct llm_config config;
    struct llm *llm;
    int status;
    const char *reply;
    char base_url[128], head[1024], body[1024];
};

static void serve(void *ctx, const struct tiny_request *request, struct tiny_reply *ret) {
    struct fixture *f = ctx;
    (void)snprintf(f->head, sizeof f->head, "%.*s", STR_ARG(request->head));
    (void)snprintf(f->body, sizeof f->body, "%.*s", STR_ARG(request->body));
    tiny_reply_set(ret, f->status, "", str_of(f->reply));
}

static int set_up(void **state) {
    struct fixture *f = mem_new(sizeof *f);
    f->loop = loop_new();
    f->server = tiny_server_start(serve, f);
    (void)snprintf(f->base_url, sizeof f->base_url, "%s/v1", tiny_server_url(f->server));
    llm_config_init(&f->config);
    f->config.first_byte_ms = 5000;
    f->config.providers[f->config.providers_n++] =
        (struct llm_provider){.name = "lab",
                              .type = "openai-chat",
                              .base_url = f->base_url,
                              .keys = {{.env = "LAB_API_KEY", .value = "sk-lab-key"}},
                              .keys_n = 1};
    f->llm = llm_new(f->loop, &f->config);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    llm_free(f->llm);
    loop_free(f->loop);
    tiny_server_stop(f->server);
    free(f);
    return 0;
}

struct outcome {
    int calls;
    enum err err;
    char detail[ERRINFO_BYTES];
    float values[4];
    size_t dimensions;
    int64_t input_tokens;
};

static void note(void *ctx, const struct llm_embedding *e) {
    struct outcome *o = ctx;
    o->calls++;
    o->err = e->err;
    o->dimensions = e->dimensions;
    o->input_tokens = e->input_tokens;
    (void)snprintf(o->detail, sizeof o->detail, "%s", e->detail);
    if (e->err == ERR_OK) {
        memcpy(o->values, e->values, 2 * e->dimensions * sizeof(float));
    }
}

static struct outcome ask(struct fixture *f, int status, const char *reply) {
    const struct str texts[] = {S("one"), S("two \"2\"")};
    struct outcome o = {0};
    f->status = status;
    f->reply = reply;
    assert_int_equal(llm_embed(f->llm,
                               &(struct llm_embed_request){.provider = &f->config.providers[0],
                                                           .model = S("small"),
                                                           .texts = texts,
                                                           .texts_n = 2,
                                                           .dimensions = 2},
                               note, &o),
                     ERR_OK);
    assert_int_equal(o.calls, 0);
    loop_run(f->loop);
    assert_int_equal(o.calls, 1);
    return o;
}

static void assert_vectors(const struct outcome *o) {
    static const float expected[] = {1.0F, -2.0F, 0.5F, 3.0F};
    assert_int_equal(o->err, ERR_OK);
    assert_int_equal(o->dimensions, 2);
    assert_int_equal(o->input_tokens, 7);
    assert_memory_equal(o->values, expected, sizeof expected);
}

/* [1, -2] and [0.5, 3] as little-endian float32 */
#define ONE "AACAPwAAAMA="
#define TWO "AAAAPwAAQEA="
#define USAGE "\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}"

static void test_vectors_come_in_the_order_of_the_texts(void **state) {
    struct fixture *f = *state;
    struct outcome o = ask(f, 200,
                           "{\"object\":\"list\",\"data\":[{\"index\":1,\"embedding\":\"" TWO
                           "\"},{\"index\":0,\"embedding\":\"" ONE "\"}]," USAGE "}");
    assert_vectors(&o);
    assert_non_null(strstr(f->head, "POST /v1/embeddings HTTP/1.1\r\n"));
    assert_non_null(strstr(f->head, "Authorization: Bearer sk-lab-key\r\n"));
    assert_string_equal(f->body, "{\"model\":\"small\",\"input\":[\"one\",\"two \\\"2\\\"\"],"
                                 "\"encoding_format\":\"base64\",\"dimensions\":2}");
}

static void test_arrays_of_numbers_are_vectors_too(void **state) {
    struct outcome o =
        ask(*state, 200, "{\"data\":[{\"embedding\":[1,-2.0]},{\"embedding\":[0.5,3]}]," USAGE "}");
    assert_vectors(&o);
}

static void test_what_is_no_vector_for_each_text_is_an_error(void **state) {
    static const char *const bodies[] = {
        "",
        "<html>",
        "{}",
        "{\"data\":[]}",
        "{\"data\":[{\"embedding\":\"" ONE "\"}]}",
        "{\"data\":[{\"embedding\":\"" ONE "\"},{\"embedding\":\"AACAPw==\"}]}",
        "{\"data\":[{\"embedding\":\"" ONE "\"},{\"embedding\":\"AACAPw!AAMA=\"}]}",
        "{\"data\":[{\"embedding\":\"" ONE "\"},{\"index\":0,\"embedding\":\"" ONE "\"}]}",
        "{\"data\":[{\"embedding\":\"" ONE "\"},{\"index\":2,\"embedding\":\"" ONE "\"}]}",
        "{\"data\":[{\"embedding\":[]},{\"embedding\":[]}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct outcome o = ask(*state, 200, bodies[i]);
        assert_int_equal(o.err, ERR_PROTOCOL);
        assert_true(o.detail[0] != '\0');
    }
}

static void test_errors_are_classified_as_those_of_any_call(void **state) {
    assert_int_equal(ask(*state, 401, "{\"error\":{\"message\":\"no\"}}").err, ERR_AUTH);
    assert_int_equal(ask(*state, 429, "{\"error\":{\"code\":\"insufficient_quota\"}}").err,
                     ERR_QUOTA);
    assert_int_equal(ask(*state, 503, "").err, ERR_UNAVAILABLE);
    assert_int_equal(ask(*state, 200, "{\"error\":{\"code\":429}}").err, ERR_RATE_LIMIT);
}

static void test_a_format_without_embeddings_is_refused_at_once(void **state) {
    struct fixture *f = *state;
    const struct str text = S("one");
    struct llm_provider other = {.name = "a", .type = "anthropic", .base_url = "http://h"};
    assert_int_equal(
        llm_embed(f->llm,
                  &(struct llm_embed_request){.provider = &other, .texts = &text, .texts_n = 1},
                  note, NULL),
        ERR_UNSUPPORTED);
}

#define EMBED_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

static void test_vectors_that_do_not_fit_are_an_error(void **state) {
    (void)state;
    struct arena docs, small;
    const struct jnode *doc;
    struct llm_embedding e;
    arena_init(&docs, 1 << 20);
    arena_init(&small, 1 << 10);
    char *text = ARENA_ARRAY(&docs, char, 5000);
    int n = snprintf(text, 5000, "{\"data\":[{\"embedding\":\"%04000d\"}]}", 0);
    assert_int_equal(jnode_parse((struct str){text, (size_t)n}, &docs, &doc, NULL), ERR_OK);
    assert_int_equal(llm_embed_read(doc, 1, &docs, &e, NULL), ERR_OK);
    assert_int_equal(e.dimensions, 750);
    assert_int_equal(llm_embed_read(doc, 1, &small, &e, NULL), ERR_TOO_BIG);
    arena_release(&docs);
    arena_release(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_that_do_not_fit_are_an_error),
        EMBED_TEST(test_vectors_come_in_the_order_of_the_texts),
        EMBED_TEST(test_arrays_of_numbers_are_vectors_too),
        EMBED_TEST(test_what_is_no_vector_for_each_text_is_an_error),
        EMBED_TEST(test_errors_are_classified_as_those_of_any_call),
        EMBED_TEST(test_a_format_without_embeddings_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
