/* Promises of llm/llm.h against a real server: what is retried and what is not, how long is waited,
 * that a storm of 429 becomes an orderly queue, what an answer costs, and that no key shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm/llm.h"
#include "tiny_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "sk-contract-0123456789abcdef"
#define ANSWER                                                                                     \
    "{\"model\":\"m-1\",\"choices\":[{\"message\":{\"content\":\"four\"},"                         \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20}}"

/* What the server does with each of its requests, in the order in which they come; the last step
 * is for all that follow. */
struct step {
    int status;
    const char *headers;
    const char *body;
    int64_t delay_ms;
    enum tiny_then then;
};

#define STEPS_MAX 16

struct fixture {
    struct loop *loop;
    struct tiny_server *server;
    struct step steps[STEPS_MAX];
    size_t steps_n;
    char last_head[2048], last_body[4096];
    struct arena arena;
    struct price_table *prices;
    struct llm_config config;
    char base_url[128];
    struct llm *llm;
    struct llm_chain chain;
};

static void serve(void *ctx, const struct tiny_request *request, struct tiny_reply *ret) {
    struct fixture *f = ctx;
    const struct step *s = &f->steps[MIN((size_t)request->no, f->steps_n - 1)];
    (void)snprintf(f->last_head, sizeof f->last_head, "%.*s", STR_ARG(request->head));
    (void)snprintf(f->last_body, sizeof f->last_body, "%.*s", STR_ARG(request->body));
    ret->delay_ms = s->delay_ms;
    ret->then = s->then;
    if (s->status != 0) {
        tiny_reply_set(ret, s->status, s->headers != NULL ? s->headers : "",
                       str_of(s->body != NULL ? s->body : ""));
    }
}

static int set_up(void **state) {
    struct fixture *f = mem_new(sizeof *f);
    struct jcheck check;
    const struct jnode *doc;
    f->loop = loop_new();
    f->server = tiny_server_start(serve, f);
    arena_init(&f->arena, 1 << 24);
    jcheck_init(&check, &f->arena);
    assert_int_equal(
        jnode_parse(S("{\"lab/m\": {\"input\": 2, \"output\": 10}}"), &f->arena, &doc, NULL),
        ERR_OK);
    assert_true(price_table_read(&check, doc, &f->arena, &f->prices));
    (void)snprintf(f->base_url, sizeof f->base_url, "%s/v1", tiny_server_url(f->server));
    log_add_secret(S(KEY));
    llm_config_init(&f->config);
    f->config.providers[f->config.providers_n++] =
        (struct llm_provider){.name = "lab",
                              .type = "openai-chat",
                              .base_url = f->base_url,
                              .key_env = "LAB_API_KEY",
                              .keys = {{.env = "LAB_API_KEY", .value = KEY}},
                              .keys_n = 1};
    f->config.prices = f->prices;
    f->config.first_byte_ms = f->config.total_ms = 5000;
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    if (f->llm != NULL) {
        llm_free(f->llm);
    }
    loop_free(f->loop);
    tiny_server_stop(f->server);
    arena_release(&f->arena);
    free(f);
    return 0;
}

/* Start the client once the configuration and the steps are as the test wants them. */
static void start(struct fixture *f, const struct step *steps, size_t steps_n) {
    const struct model_name name = {.provider = S("lab"), .model = S("m")};
    memcpy(f->steps, steps, steps_n * sizeof *steps);
    f->steps_n = steps_n;
    f->llm = llm_new(f->loop, &f->config);
    assert_int_equal(llm_resolve(f->llm, &name, &f->chain.models[0], NULL), ERR_OK);
    f->chain.n = 1;
}

/* Steps, and the usual ones. */
#define GOOD                                                                                       \
    { .status = 200, .body = ANSWER }
#define SOON(status_, body_)                                                                       \
    { .status = (status_), .headers = "retry-after-ms: 1\r\n", .body = (body_) }
#define START(f, ...)                                                                              \
    start((f), (const struct step[]){__VA_ARGS__}, ARRAY_LEN(((const struct step[]){__VA_ARGS__})))

struct outcome {
    int calls;
    enum err err;
    char detail[ERRINFO_BYTES], text[64], model_id[64];
    struct call_usage usage;
    int64_t cost_nusd, tries, lost, lost_nusd, at_ms;
    char model[64];
};

static void note(void *ctx, const struct call_answer *answer) {
    struct outcome *o = ctx;
    o->calls++;
    o->err = answer->err;
    o->usage = answer->usage;
    o->cost_nusd = answer->cost_nusd;
    o->tries = answer->tries;
    o->lost = answer->lost;
    o->lost_nusd = answer->lost_nusd;
    o->at_ms = clock_mono_ms();
    (void)snprintf(o->model, sizeof o->model, "%.*s", STR_ARG(answer->model));
    (void)snprintf(o->detail, sizeof o->detail, "%s", answer->detail != NULL ? answer->detail : "");
    (void)snprintf(o->text, sizeof o->text, "%.*s", STR_ARG(answer->text));
    (void)snprintf(o->model_id, sizeof o->model_id, "%.*s", STR_ARG(answer->model_id));
    assert_null(strstr(o->detail, "sk-contract"));
}

static const struct call_schema schema = {
    .name = "s", .json = {"{\"type\":\"object\"}", sizeof "{\"type\":\"object\"}" - 1}};
static const struct call_spec spec = {.role = ROLE_TARGET,
                                      .messages = {{CALL_USER, {"2+2? JSON", 9}}},
                                      .messages_n = 1,
                                      .schema = &schema,
                                      .output_tokens_max = 50};

static void call_with(struct fixture *f, const char *tag, struct outcome *o,
                      struct llm_call **ret) {
    llm_call(f->llm,
             &(struct llm_request){
                 .chain = &f->chain, .spec = &spec, .tag = tag, .done = note, .ctx = o},
             ret);
}

static struct outcome ask(struct fixture *f) {
    struct outcome o = {0};
    struct llm_call *call;
    call_with(f, "job_1/7/2", &o, &call);
    assert_int_equal(o.calls, 0);
    loop_run(f->loop);
    assert_int_equal(o.calls, 1);
    assert_int_equal(llm_stats(f->llm).in_flight, 0);
    assert_int_equal(llm_stats(f->llm).waiting, 0);
    return o;
}

static void test_an_answer_has_text_usage_price_and_its_tag(void **state) {
    struct fixture *f = *state;
    START(f, GOOD);
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_OK);
    assert_string_equal(o.text, "four");
    assert_string_equal(o.model_id, "m-1");
    assert_int_equal(o.cost_nusd, 100 * 2000 + 20 * 10000);
    assert_int_equal(o.tries, 1);
    assert_non_null(strstr(f->last_head, "POST /v1/chat/completions HTTP/1.1\r\n"));
    assert_non_null(strstr(f->last_head, "Authorization: Bearer " KEY "\r\n"));
    assert_non_null(strstr(f->last_head, "X-Client-Request-Id: job_1/7/2"));
    assert_non_null(strstr(f->last_head, "User-Agent: stumper/"));
    assert_non_null(strstr(f->last_body, "\"json_schema\""));
}

static void test_keys_are_used_in_turn(void **state) {
    static const char *const expected[] = {KEY, KEY "-2", KEY};
    struct fixture *f = *state;
    struct llm_provider *lab = &f->config.providers[0];
    log_add_secret(S(KEY "-2"));
    lab->keys[lab->keys_n++] = (struct llm_key){.env = "LAB_2", .value = KEY "-2"};
    START(f, GOOD);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        char header[128];
        (void)snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", expected[i]);
        (void)ask(f);
        assert_non_null(strstr(f->last_head, header));
    }
}

static void test_another_key_takes_over_from_one_that_is_of_no_use(void **state) {
    struct fixture *f = *state;
    struct llm_provider *lab = &f->config.providers[0];
    log_add_secret(S(KEY "-2"));
    lab->keys[lab->keys_n++] = (struct llm_key){.env = "LAB_2", .value = KEY "-2"};
    START(f, {.status = 401, .body = "{}"}, GOOD);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ask(f).err, ERR_OK);
        assert_non_null(strstr(f->last_head, "Authorization: Bearer " KEY "-2\r\n"));
    }
    assert_int_equal(tiny_server_requests(f->server), 4);
}

static void test_what_is_unavailable_is_tried_again(void **state) {
    struct fixture *f = *state;
    START(f, SOON(503, ""), SOON(500, "oops"), GOOD);
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.tries, 3);
    assert_int_equal(llm_stats(f->llm).retries, 2);
}

static struct {
    const struct llm *llm;
    int gone, back;
    char why[LLM_TROUBLE_BYTES];
} trouble;

static void on_trouble(struct str model, const char *why) {
    assert_true(str_eq(model, S("lab/m")));
    trouble.gone += why != NULL;
    trouble.back += why == NULL;
    assert_string_equal(llm_stats(trouble.llm).trouble, why != NULL ? why : "");
    if (why != NULL) {
        (void)snprintf(trouble.why, sizeof trouble.why, "%s", why);
    }
}

static void
test_a_model_that_answers_nobody_is_told_of_once_and_once_when_it_is_back(void **state) {
    struct fixture *f = *state;
    struct outcome o[12] = {0};
    struct llm_call *calls[ARRAY_LEN(o)];
    const struct step down = SOON(503, "{\"error\":{\"message\":\"down, " KEY "\"}}");
    START(f, down, down, down, down, down, down, down, down, down, down, down, down, GOOD);
    f->config.tries_max = 20;
    f->config.on_trouble = on_trouble;
    trouble.llm = f->llm;
    trouble.gone = trouble.back = 0;
    for (size_t i = 0; i < ARRAY_LEN(o); i++) {
        call_with(f, "t", &o[i], &calls[i]);
    }
    loop_run(f->loop);
    assert_int_equal(o[11].err, ERR_OK);
    assert_int_equal(trouble.gone, 1);
    assert_int_equal(trouble.back, 1);
    assert_non_null(strstr(trouble.why, "lab/m: "));
    assert_non_null(strstr(trouble.why, "down, ***"));
    assert_null(strstr(trouble.why, KEY));
    assert_string_equal(llm_stats(f->llm).trouble, "");
}

/* Ask @model until the server's failures have closed its circuit. */
static void ask_until_out(struct fixture *f, const char *model) {
    const struct model_name name = {.provider = S("lab"), .model = str_of(model)};
    struct outcome o[10] = {0};
    struct llm_call *calls[ARRAY_LEN(o)];
    struct llm_chain all = f->chain;
    assert_int_equal(llm_resolve(f->llm, &name, &f->chain.models[0], NULL), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(o); i++) {
        call_with(f, "t", &o[i], &calls[i]);
    }
    loop_run(f->loop);
    f->chain = all;
}

static void test_the_trouble_of_one_model_is_told_until_it_is_over(void **state) {
    struct fixture *f = *state;
    struct outcome o;
    START(f, {.status = 503});
    f->config.tries_max = 1;
    ask_until_out(f, "other");
    assert_non_null(strstr(llm_stats(f->llm).trouble, "lab/other: "));
    ask_until_out(f, "m");
    f->config.tries_max = 6;
    f->steps[0] = (struct step)GOOD;
    o = ask(f); /* the probe */
    assert_int_equal(o.err, ERR_OK);
    assert_non_null(strstr(llm_stats(f->llm).trouble, "lab/other: "));
}

static void test_lost_connections_and_garbage_are_tried_again(void **state) {
    struct fixture *f = *state;
    START(f, {.then = TINY_RESET}, {.status = 200, .body = "<html>"}, GOOD);
    f->config.tries_max = 3;
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.tries, 3);
}

static void test_retry_after_is_waited_for(void **state) {
    struct fixture *f = *state;
    START(f, {.status = 429, .headers = "retry-after-ms: 120\r\n"}, GOOD);
    int64_t from_ms = clock_mono_ms();
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.tries, 2);
    assert_true(o.at_ms - from_ms >= 120);
    assert_int_equal(llm_stats(f->llm).rate_limited, 1);
}

static void test_a_wait_longer_than_allowed_fails_the_call_and_says_so(void **state) {
    struct fixture *f = *state;
    START(f, {.status = 429, .headers = "retry-after: 3600\r\n"});
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_RATE_LIMIT);
    assert_non_null(strstr(o.detail, "3600 s"));
    assert_int_equal(tiny_server_requests(f->server), 1);
}

static void test_tries_end_and_the_last_error_is_told(void **state) {
    struct fixture *f = *state;
    f->config.tries_max = 3;
    START(f, SOON(503, "{\"error\":{\"message\":\"overloaded, sorry\"}}"));
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_UNAVAILABLE);
    assert_int_equal(o.tries, 3);
    assert_int_equal(tiny_server_requests(f->server), 3);
    assert_non_null(strstr(o.detail, "lab/m"));
    assert_non_null(strstr(o.detail, "HTTP 503"));
    assert_non_null(strstr(o.detail, "overloaded, sorry"));
    assert_int_equal(o.cost_nusd, MONEY_UNKNOWN);
}

static void test_what_waiting_does_not_mend_is_not_tried_again(void **state) {
    static const struct {
        int status;
        const char *body;
        enum err err;
    } cases[] = {
        {400, "{\"error\":{\"message\":\"bad\"}}", ERR_REJECTED},
        {403, "{\"error\":{\"message\":\"not for " KEY ".\"}}", ERR_AUTH},
        {404, "{\"error\":{\"message\":\"no such model\"}}", ERR_NOT_FOUND},
    };
    struct fixture *f = *state;
    struct step steps[ARRAY_LEN(cases)];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        steps[i] = (struct step){.status = cases[i].status, .body = cases[i].body};
    }
    start(f, steps, ARRAY_LEN(steps));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct outcome o = ask(f);
        assert_int_equal(o.err, cases[i].err);
        assert_int_equal(o.tries, 1);
        assert_non_null(strstr(o.detail, "lab/m"));
    }
    assert_int_equal(tiny_server_requests(f->server), ARRAY_LEN(cases));
}

static void stops_at_once(struct fixture *f, int status, const char *body, enum err err,
                          const char *word) {
    START(f, {.status = status, .body = body});
    struct outcome outcomes[20] = {0};
    struct llm_call *call;
    f->config.in_flight_max = 1;
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        call_with(f, "t", &outcomes[i], &call);
    }
    loop_run(f->loop);
    struct outcome later = ask(f);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(outcomes[i].err, err);
        assert_non_null(strstr(outcomes[i].detail, word));
    }
    assert_int_equal(later.err, err);
    assert_non_null(strstr(later.detail, word));
    assert_true(tiny_server_requests(f->server) <= 4); /* those that were under way */
}

static void test_no_quota_stops_the_endpoint_at_once_with_the_reason(void **state) {
    stops_at_once(*state, 429,
                  "{\"error\":{\"message\":\"pay first\",\"code\":\"insufficient_quota\"}}",
                  ERR_QUOTA, "pay first");
}

static void test_a_wrong_key_stops_the_endpoint_at_once_with_the_reason(void **state) {
    stops_at_once(*state, 401, "{\"error\":{\"message\":\"Incorrect API key provided: " KEY ".\"}}",
                  ERR_AUTH, "Incorrect API key");
}

static void test_a_paid_but_useless_answer_goes_up_as_it_is(void **state) {
    struct fixture *f = *state;
    START(f,
          {.status = 200,
           .body = "{\"choices\":[{\"message\":{\"content\":null},\"finish_reason\":\"length\"}],"
                   "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":50}}"});
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_OK);
    assert_string_equal(o.text, "");
    assert_int_equal(o.usage.output_tokens, 50);
    assert_int_equal(tiny_server_requests(f->server), 1);
}

static void test_a_hang_is_a_timeout_that_is_named(void **state) {
    struct fixture *f = *state;
    f->config.first_byte_ms = 60;
    f->config.tries_max = 2;
    START(f, {.status = 200, .delay_ms = 3600000});
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_TIMEOUT);
    assert_int_equal(o.tries, 2);
    assert_non_null(strstr(o.detail, "no first byte of an answer within 60 ms"));
}

static void test_a_refused_schema_is_learned_by_all_and_costs_no_try(void **state) {
    struct fixture *f = *state;
    struct outcome outcomes[20] = {0};
    struct llm_call *call;
    f->config.tries_max = 1;
    f->config.limits.per_minute[LIMIT_REQUESTS] = 1000000; /* all go at once */
    struct step steps[STEPS_MAX];
    for (size_t i = 0; i < STEPS_MAX; i++) {
        steps[i] = (struct step){.status = 400,
                                 .body = "{\"error\":{\"message\":\"json_schema is not supported\","
                                         "\"param\":\"response_format\"}}",
                                 .delay_ms = 30};
    }
    steps[STEPS_MAX - 1] = (struct step){.status = 200, .body = ANSWER};
    start(f, steps, STEPS_MAX);
    for (size_t i = 0; i < STEPS_MAX - 1; i++) {
        call_with(f, "t", &outcomes[i], &call);
    }
    loop_run(f->loop);
    for (size_t i = 0; i < STEPS_MAX - 1; i++) {
        assert_int_equal(outcomes[i].err, ERR_OK);
    }
    assert_int_equal(tiny_server_requests(f->server), 2 * (STEPS_MAX - 1));
    assert_non_null(strstr(f->last_body, "\"json_object\""));
    assert_int_equal(ask(f).tries, 1);
    assert_non_null(strstr(f->last_body, "\"json_object\""));
}

static void test_a_queue_stands_before_the_http_client(void **state) {
    struct fixture *f = *state;
    struct outcome outcomes[60] = {0};
    struct llm_call *call;
    f->config.in_flight_max = 4;
    START(f, {.status = 200, .body = ANSWER, .delay_ms = 2});
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        call_with(f, "t", &outcomes[i], &call);
    }
    assert_int_equal(llm_stats(f->llm).in_flight, 4);
    assert_int_equal(llm_stats(f->llm).waiting, 56);
    loop_run(f->loop);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(outcomes[i].err, ERR_OK);
        assert_int_equal(outcomes[i].tries, 1);
    }
    assert_true(tiny_server_connections(f->server) <= 4);
}

/* --- streams --- */

#define STREAM_TYPE "Content-Type: text/event-stream\r\n"
#define STREAM_BEGIN                                                                               \
    "data: {\"model\":\"m-1\",\"choices\":[{\"delta\":{\"content\":\"four\"}}]}\n\n"
#define STREAM_WHOLE                                                                               \
    STREAM_BEGIN "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"             \
                 "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,"                         \
                 "\"completion_tokens\":20}}\n\ndata: [DONE]\n\n"

static void test_a_streamed_answer_is_like_any_other(void **state) {
    struct fixture *f = *state;
    f->config.providers[0].stream = LLM_STREAM_ALWAYS;
    START(f, {.status = 200, .headers = STREAM_TYPE, .body = STREAM_WHOLE});
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_OK);
    assert_string_equal(o.text, "four");
    assert_string_equal(o.model_id, "m-1");
    assert_int_equal(o.cost_nusd, 100 * 2000 + 20 * 10000);
    assert_non_null(
        strstr(f->last_body, "\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
}

static void test_streams_that_end_too_soon_are_asked_for_again(void **state) {
    struct fixture *f = *state;
    f->config.providers[0].stream = LLM_STREAM_ALWAYS;
    START(f, {.status = 200, .headers = STREAM_TYPE, .body = STREAM_BEGIN},
          {.status = 200,
           .headers = STREAM_TYPE,
           .body = STREAM_BEGIN "data: {\"error\":{\"code\":503,\"message\":\"busy\"}}\n\n"},
          {.status = 200, .headers = STREAM_TYPE, .body = STREAM_WHOLE});
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.tries, 3);
    assert_int_equal(o.lost, 2); /* what they had begun may be on the bill */
    assert_true(o.lost_nusd > 2 * o.cost_nusd);
    assert_string_equal(o.text, "four");
}

static void test_a_stream_is_known_without_its_type(void **state) {
    struct fixture *f = *state;
    f->config.providers[0].stream = LLM_STREAM_ALWAYS;
    START(f, {.status = 200, .headers = "Content-Type: text/plain\r\n", .body = STREAM_WHOLE});
    struct outcome o = ask(f);
    assert_int_equal(o.err, ERR_OK);
    assert_string_equal(o.text, "four");
}

static void test_a_refused_stream_is_learned_and_costs_no_try(void **state) {
    struct fixture *f = *state;
    f->config.providers[0].stream = LLM_STREAM_ALWAYS;
    f->config.tries_max = 1;
    START(f,
          {.status = 400,
           .body = "{\"error\":{\"message\":\"stream is not supported\",\"param\":\"stream\"}}"},
          GOOD);
    assert_int_equal(ask(f).err, ERR_OK);
    assert_null(strstr(f->last_body, "\"stream\""));
}

static void test_a_smaller_cap_is_learned_and_costs_no_try(void **state) {
    static const struct call_spec greedy = {.role = ROLE_TARGET,
                                            .messages = {{CALL_USER, {"2+2?", 4}}},
                                            .messages_n = 1,
                                            .output_tokens_max = 32000};
    struct fixture *f = *state;
    struct outcome o = {0};
    struct llm_call *call;
    f->config.tries_max = 1;
    START(f,
          {.status = 400,
           .body = "{\"error\":{\"message\":\"max_tokens is too large: 32000. This model supports "
                   "at most 16384 completion tokens\"}}"},
          GOOD);
    llm_call(f->llm,
             &(struct llm_request){
                 .chain = &f->chain, .spec = &greedy, .tag = "t", .done = note, .ctx = &o},
             &call);
    loop_run(f->loop);
    assert_int_equal(o.err, ERR_OK);
    assert_non_null(strstr(f->last_body, "\"max_completion_tokens\":16384"));
    assert_int_equal(ask(f).tries, 1); /* of 50 tokens: as asked */
    assert_non_null(strstr(f->last_body, "\"max_completion_tokens\":50"));
}

static void test_an_alias_has_a_manner_of_its_own(void **state) {
    static const struct llm_alias aliases[] = {
        {.name = "m", .model = "real-name", .manner = {.effort = "high"}}};
    struct fixture *f = *state;
    f->config.providers[0].aliases = aliases;
    f->config.providers[0].aliases_n = ARRAY_LEN(aliases);
    START(f, GOOD);
    struct outcome o = ask(f);
    assert_string_equal(o.model, "lab/m");
    assert_int_equal(o.cost_nusd, 100 * 2000 + 20 * 10000);
    assert_non_null(strstr(f->last_body, "\"model\":\"real-name\""));
    assert_non_null(strstr(f->last_body, "\"reasoning_effort\":\"high\""));
}

/* A provider that allows LIMIT requests at once and answers the others with 429. */
#define LIMIT 5

struct meter {
    struct fixture *f;
    int64_t busy_until_ms[LIMIT];
    int64_t limited;
};

static void serve_limited(void *ctx, const struct tiny_request *request, struct tiny_reply *ret) {
    struct meter *m = ctx;
    (void)request;
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < LIMIT; i++) {
        if (m->busy_until_ms[i] <= now_ms) {
            m->busy_until_ms[i] = now_ms + 10;
            tiny_reply_set(ret, 200, "", S(ANSWER));
            ret->delay_ms = 9;
            return;
        }
    }
    m->limited++;
    tiny_reply_set(ret, 429, "retry-after-ms: 20\r\n", S("{\"error\":{\"message\":\"slow\"}}"));
}

static void test_a_storm_of_429_becomes_an_orderly_queue(void **state) {
    struct fixture *f = *state;
    struct meter m = {.f = f};
    struct outcome outcomes[200] = {0};
    struct llm_call *call;
    tiny_server_stop(f->server);
    f->server = tiny_server_start(serve_limited, &m);
    (void)snprintf(f->base_url, sizeof f->base_url, "%s/v1", tiny_server_url(f->server));
    START(f, GOOD);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        call_with(f, "t", &outcomes[i], &call);
    }
    loop_run(f->loop);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(outcomes[i].err, ERR_OK);
    }
    /* 200 want to go; those who are turned away must not come back again and again. */
    assert_true(m.limited > 0 && m.limited < 200);
}

static void test_what_one_model_cannot_answer_the_next_one_does(void **state) {
    struct fixture *f = *state;
    f->config.tries_max = 2;
    START(f, {.status = 404, .body = "{}"}, SOON(503, ""), SOON(503, ""), GOOD, {.status = 400});
    assert_int_equal(
        llm_resolve(f->llm, &(struct model_name){S("lab"), S("second")}, &f->chain.models[1], NULL),
        ERR_OK);
    assert_int_equal(
        llm_resolve(f->llm, &(struct model_name){S("lab"), S("third")}, &f->chain.models[2], NULL),
        ERR_OK);
    f->chain.n = 3;
    struct outcome o = ask(f); /* the first is not there, the second does not get up */
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.tries, 4);
    assert_string_equal(o.model, "lab/third");
    assert_non_null(strstr(f->last_body, "\"third\""));
    o = ask(f);
    assert_int_equal(o.err, ERR_REJECTED); /* the last one's word */
    assert_string_equal(o.model, "lab/third");
    assert_non_null(strstr(o.detail, "lab/third"));
}

static void test_what_was_paid_for_goes_before_what_is_new(void **state) {
    struct fixture *f = *state;
    struct outcome first = {0}, begun[3] = {0}, paid[3] = {0};
    struct llm_call *call;
    f->config.in_flight_max = 1;
    START(f, {.status = 200, .body = ANSWER, .delay_ms = 20});
    call_with(f, "t", &first, &call);
    for (size_t i = 0; i < ARRAY_LEN(begun); i++) {
        call_with(f, "t", &begun[i], &call);
    }
    for (size_t i = 0; i < ARRAY_LEN(paid); i++) {
        llm_call(f->llm,
                 &(struct llm_request){.chain = &f->chain,
                                       .spec = &spec,
                                       .tag = "t",
                                       .priority = 1,
                                       .done = note,
                                       .ctx = &paid[i]},
                 &call);
    }
    loop_run(f->loop);
    assert_true(paid[0].at_ms <= paid[1].at_ms && paid[1].at_ms <= paid[2].at_ms);
    assert_true(paid[2].at_ms < begun[0].at_ms);
    assert_true(begun[0].at_ms <= begun[1].at_ms && begun[1].at_ms <= begun[2].at_ms);
}

/* Others are being answered, it only takes them long: who is turned away meanwhile does not fail.
 */
static void serve_few_slowly(void *ctx, const struct tiny_request *request,
                             struct tiny_reply *ret) {
    struct meter *m = ctx;
    (void)request;
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < LIMIT; i++) {
        if (m->busy_until_ms[i] <= now_ms) {
            m->busy_until_ms[i] = now_ms + 500;
            tiny_reply_set(ret, 200, "", S(ANSWER));
            ret->delay_ms = 490;
            return;
        }
    }
    m->limited++;
    tiny_reply_set(ret, 429, "retry-after: 0\r\n", S("{\"error\":{\"message\":\"busy\"}}"));
}

static void test_who_is_turned_away_while_others_are_answered_does_not_fail(void **state) {
    struct fixture *f = *state;
    struct meter m = {.f = f};
    struct outcome outcomes[20] = {0};
    struct llm_call *call;
    tiny_server_stop(f->server);
    f->server = tiny_server_start(serve_few_slowly, &m);
    (void)snprintf(f->base_url, sizeof f->base_url, "%s/v1", tiny_server_url(f->server));
    f->config.tries_max = 3;
    f->config.limits.per_minute[LIMIT_REQUESTS] = 1000000; /* all go at once */
    START(f, GOOD);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        call_with(f, "t", &outcomes[i], &call);
    }
    loop_run(f->loop);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(outcomes[i].err, ERR_OK);
    }
    assert_true(m.limited > 0 && m.limited < 200);
}

static void test_a_canceled_call_is_told_once_wherever_it_is(void **state) {
    struct fixture *f = *state;
    struct outcome sent = {0}, waiting = {0}, backing_off = {0};
    struct llm_call *a, *b, *c;
    f->config.in_flight_max = 1;
    START(f, {.status = 503, .headers = "retry-after: 30\r\n"},
          {.status = 200, .delay_ms = 3600000});
    struct loop_timer stop = {0};
    call_with(f, "t", &backing_off, &c);
    loop_timer_start(f->loop, &stop, 60, (void (*)(void *))loop_stop, f->loop);
    loop_run(f->loop);
    call_with(f, "t", &sent, &a);
    call_with(f, "t", &waiting, &b);
    loop_timer_start(f->loop, &stop, 60, (void (*)(void *))loop_stop, f->loop);
    loop_run(f->loop);
    assert_int_equal(llm_stats(f->llm).in_flight, 1);
    assert_int_equal(llm_stats(f->llm).waiting, 2);
    llm_cancel(b);
    llm_cancel(c);
    llm_cancel(a);
    assert_int_equal(sent.calls + waiting.calls + backing_off.calls, 0);
    loop_run(f->loop);
    assert_int_equal(sent.calls, 1);
    assert_int_equal(waiting.calls, 1);
    assert_int_equal(backing_off.calls, 1);
    assert_int_equal(sent.err, ERR_CANCELED);
    assert_int_equal(waiting.err, ERR_CANCELED);
    assert_int_equal(backing_off.err, ERR_CANCELED);
    assert_int_equal(llm_stats(f->llm).waiting, 0);
}

static void test_freeing_the_client_ends_every_call(void **state) {
    struct fixture *f = *state;
    struct outcome outcomes[30] = {0};
    struct llm_call *call;
    f->config.in_flight_max = 10;
    START(f, {.status = 503, .headers = "retry-after: 30\r\n"},
          {.status = 200, .delay_ms = 3600000});
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        call_with(f, "t", &outcomes[i], &call);
    }
    struct loop_timer stop = {0};
    loop_timer_start(f->loop, &stop, 60, (void (*)(void *))loop_stop, f->loop);
    loop_run(f->loop);
    llm_free(f->llm);
    f->llm = NULL;
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].err, ERR_CANCELED);
    }
}

static void test_resolving_says_what_is_missing(void **state) {
    struct fixture *f = *state;
    struct errinfo info = {0};
    const struct llm_model *model;
    f->config.providers[f->config.providers_n++] = (struct llm_provider){.name = "keyless",
                                                                         .type = "openai-chat",
                                                                         .base_url = "http://h/v1",
                                                                         .key_env = "KEYLESS_KEY"};
    f->config.providers[f->config.providers_n++] =
        (struct llm_provider){.name = "odd", .type = "gopher", .base_url = "http://h/v1"};
    START(f, GOOD);
    assert_int_equal(llm_resolve(f->llm, &(struct model_name){S("lob"), S("m")}, &model, &info),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(info.text, "lab"));
    assert_int_equal(llm_resolve(f->llm, &(struct model_name){S("zzzzzz"), S("m")}, &model, &info),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(info.text, "stumper.yaml"));
    assert_int_equal(llm_resolve(f->llm, &(struct model_name){S("keyless"), S("m")}, &model, &info),
                     ERR_AUTH);
    assert_non_null(strstr(info.text, "KEYLESS_KEY"));
    assert_int_equal(llm_resolve(f->llm, &(struct model_name){S("odd"), S("m")}, &model, &info),
                     ERR_UNSUPPORTED);
    assert_int_equal(llm_chain_bound(&f->chain, &spec, PRICE_DIRECT) > 50 * 10000, true);
}

#define LLM_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LLM_TEST(test_an_answer_has_text_usage_price_and_its_tag),
        LLM_TEST(test_what_one_model_cannot_answer_the_next_one_does),
        LLM_TEST(test_what_was_paid_for_goes_before_what_is_new),
        LLM_TEST(test_keys_are_used_in_turn),
        LLM_TEST(test_another_key_takes_over_from_one_that_is_of_no_use),
        LLM_TEST(test_what_is_unavailable_is_tried_again),
        LLM_TEST(test_a_model_that_answers_nobody_is_told_of_once_and_once_when_it_is_back),
        LLM_TEST(test_the_trouble_of_one_model_is_told_until_it_is_over),
        LLM_TEST(test_lost_connections_and_garbage_are_tried_again),
        LLM_TEST(test_retry_after_is_waited_for),
        LLM_TEST(test_a_wait_longer_than_allowed_fails_the_call_and_says_so),
        LLM_TEST(test_tries_end_and_the_last_error_is_told),
        LLM_TEST(test_what_waiting_does_not_mend_is_not_tried_again),
        LLM_TEST(test_no_quota_stops_the_endpoint_at_once_with_the_reason),
        LLM_TEST(test_a_wrong_key_stops_the_endpoint_at_once_with_the_reason),
        LLM_TEST(test_a_paid_but_useless_answer_goes_up_as_it_is),
        LLM_TEST(test_a_hang_is_a_timeout_that_is_named),
        LLM_TEST(test_a_refused_schema_is_learned_by_all_and_costs_no_try),
        LLM_TEST(test_a_streamed_answer_is_like_any_other),
        LLM_TEST(test_streams_that_end_too_soon_are_asked_for_again),
        LLM_TEST(test_a_stream_is_known_without_its_type),
        LLM_TEST(test_a_refused_stream_is_learned_and_costs_no_try),
        LLM_TEST(test_a_smaller_cap_is_learned_and_costs_no_try),
        LLM_TEST(test_an_alias_has_a_manner_of_its_own),
        LLM_TEST(test_a_queue_stands_before_the_http_client),
        LLM_TEST(test_a_storm_of_429_becomes_an_orderly_queue),
        LLM_TEST(test_who_is_turned_away_while_others_are_answered_does_not_fail),
        LLM_TEST(test_a_canceled_call_is_told_once_wherever_it_is),
        LLM_TEST(test_freeing_the_client_ends_every_call),
        LLM_TEST(test_resolving_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
