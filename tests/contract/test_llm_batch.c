/* Promises of batches against a server that loses replies, has others' batches in its list, refuses
 * and cancels: a batch is made once, its answers reach their calls, models stand in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "llm/llm.h"
#include "tiny_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 4096
#define CALLS 2

/* What the server does; the requests it has seen, "METHOD PATH" a line. */
struct fixture {
    pthread_mutex_t lock;
    struct tiny_server *server;
    bool lose_order, cancels, refuses_first_model, cannot_make, answers_at_length;
    int looks_until_listed; /* OpenAI: b1 is not in the list before it was asked for so often */
    bool crowded;           /* OpenAI: too much is in batches already */
    int looks_until_seen;   /* OpenAI: nor is it there before */
    int garbled;            /* OpenAI: so many lists and results are a proxy's page, or half */
    const char *foreign;    /* Anthropic: somebody else's batch of the same size; or NULL */
    int looks_until_ended;  /* Anthropic: b1 is at work until the list was asked for so often */
    bool ended;
    char seen[TEXT_BYTES], mark[64], ids[CALLS][80];
    /* the client */
    struct loop *loop;
    struct arena arena;
    struct llm_config config;
    char base_url[128];
    struct llm *llm;
    struct llm_chain chain;
    struct call_spec spec;
    struct llm_book book;
    struct {
        struct loop_timer timer;
        llm_noted_fn *done;
        void *ctx;
    } noting;
    char noted[TEXT_BYTES]; /* what the book was told */
    char own_mark[64];      /* of the last batch that was noted */
    struct loop_timer watch;
    int answers;
    char told[CALLS][128]; /* how each call ended */
    char detail[256];      /* of the last one */
};

/* --- the server */

/* The value after @key in @text, up to a quote. */
static void take_value(struct str text, const char *key, char *to, size_t bytes) {
    size_t at = str_find(text, str_of(key));
    struct str rest = at == STR_NPOS ? S("") : str_skip(text, at + strlen(key));
    (void)snprintf(to, bytes, "%.*s", STR_ARG(str_take(rest, str_find_char(rest, '"'))));
}

static void take_ids(struct fixture *f, struct str body) {
    for (int i = 0; i < CALLS; i++) {
        size_t at = str_find(body, S("\"custom_id\":\""));
        if (at == STR_NPOS) {
            return;
        }
        take_value(body, "\"custom_id\":\"", f->ids[i], sizeof f->ids[i]);
        body = str_skip(body, at + 1);
    }
}

static int object(const struct fixture *f, char *to, size_t bytes) {
    if (f->crowded) {
        return snprintf(to, bytes,
                        "{\"id\":\"b1\",\"status\":\"failed\",\"errors\":{\"data\":[{\"code\":"
                        "\"token_limit_exceeded\"}]}}");
    }
    return snprintf(to, bytes,
                    "{\"id\":\"b1\",\"status\":\"%s\",\"output_file_id\":%s,"
                    "\"metadata\":{\"stumper\":\"%s\"}}",
                    f->ended ? "completed" : "in_progress", f->ended ? "\"o1\"" : "null", f->mark);
}

#define CHAT                                                                                       \
    "{\"model\":\"m-1\",\"choices\":[{\"message\":{\"content\":\"four\"},\"finish_reason\":"       \
    "\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20}}"

static void serve_openai(struct fixture *f, struct str line, const struct tiny_request *request,
                         char *reply, size_t bytes) {
    if (str_starts(line, S("POST /v1/files"))) {
        take_ids(f, request->body);
        (void)snprintf(reply, bytes, "{\"id\":\"i1\"}");
    } else if (str_starts(line, S("POST /v1/batches/b1/cancel"))) {
        f->ended = true;
        (void)object(f, reply, bytes);
    } else if (str_starts(line, S("POST /v1/batches"))) {
        take_value(request->body, "\"stumper\":\"", f->mark, sizeof f->mark);
        (void)object(f, reply, bytes);
    } else if (str_starts(line, S("GET /v1/batches?"))) {
        char one[512];
        bool listed = f->mark[0] != '\0' && f->looks_until_listed-- <= 0;
        (void)object(f, one, sizeof one);
        (void)snprintf(reply, bytes, "{\"data\":[{\"id\":\"b0\",\"metadata\":null}%s%s]}",
                       listed ? "," : "", listed ? one : "");
    } else if (str_starts(line, S("GET /v1/batches/b1"))) {
        f->ended = f->ended || !f->cancels;
        (void)object(f, reply, bytes);
    } else if (f->cancels) {
        (void)snprintf(reply, bytes, "\n");
    } else {
        (void)snprintf(
            reply, bytes,
            "{\"custom_id\":\"%s\",\"response\":{\"status_code\":200,\"body\":" CHAT "}}\n"
            "{\"custom_id\":\"%s\",\"response\":{\"status_code\":200,\"body\":" CHAT "}}\n",
            f->ids[1], f->ids[0]);
    }
}

#define MESSAGE                                                                                    \
    "{\"model\":\"m-1\",\"content\":[{\"type\":\"text\",\"text\":\"four\"}],\"stop_reason\":"      \
    "\"end_turn\",\"usage\":{\"input_tokens\":100,\"output_tokens\":20}}"
#define MESSAGE_BATCH                                                                              \
    "{\"id\":\"%s\",\"processing_status\":\"%s\",\"created_at\":\"%s\",\"request_counts\":"        \
    "{\"succeeded\":2}}"

static void serve_anthropic(struct fixture *f, struct str line, const struct tiny_request *request,
                            char *reply, size_t bytes) {
    char time[CLOCK_RFC3339_BYTES];
    const char *state = f->looks_until_ended > 0 ? "in_progress" : "ended";
    clock_rfc3339(clock_wall_ms(), time);
    if (str_starts(line, S("POST "))) {
        take_ids(f, request->body);
        (void)snprintf(reply, bytes, MESSAGE_BATCH, "b1", state, time);
    } else if (str_starts(line, S("GET /v1/messages/batches?"))) {
        f->looks_until_ended--;
        (void)snprintf(reply, bytes, "{\"data\":[" MESSAGE_BATCH "," MESSAGE_BATCH "]}", f->foreign,
                       state, time, "b1", state, time);
    } else if (str_find(line, S("/results")) == STR_NPOS) {
        (void)snprintf(reply, bytes, MESSAGE_BATCH,
                       str_find(line, str_of(f->foreign)) != STR_NPOS ? f->foreign : "b1", state,
                       time);
    } else {
        bool own = str_find(line, S("/b1/")) != STR_NPOS;
        (void)snprintf(
            reply, bytes,
            "{\"custom_id\":\"%s\",\"result\":{\"type\":\"succeeded\",\"message\":" MESSAGE
            "}}\n{\"custom_id\":\"%s\",\"result\":{\"type\":\"succeeded\",\"message\":" MESSAGE
            "}}",
            own ? f->ids[0] : "else-1", own ? f->ids[1] : "else-2");
    }
}

/* The second answer has more text than any may have. */
static void serve_at_length(struct fixture *f, struct tiny_reply *ret) {
    struct sbuf lines;
    sbuf_init(&lines, (size_t)8 << 20);
    sbuf_addf(&lines,
              "{\"custom_id\":\"%s\",\"response\":{\"status_code\":200,\"body\":" CHAT "}}\n"
              "{\"custom_id\":\"%s\",\"response\":{\"status_code\":200,\"body\":{\"choices\":"
              "[{\"message\":{\"content\":\"",
              f->ids[0], f->ids[1]);
    for (int i = 0; i < 3 << 20; i++) {
        sbuf_add_char(&lines, 'x');
    }
    sbuf_add_cstr(&lines, "\"}}]}}}\n");
    tiny_reply_set(ret, 200, "", sbuf_str(&lines));
    sbuf_release(&lines);
}

static void serve(void *ctx, const struct tiny_request *request, struct tiny_reply *ret) {
    struct fixture *f = ctx;
    struct str head = request->head, line = str_split(&head, '\r');
    bool order = str_starts(line, S("POST /v1/batches ")) ||
                 str_starts(line, S("POST /v1/messages/batches "));
    char reply[TEXT_BYTES];
    (void)pthread_mutex_lock(&f->lock);
    size_t n = strlen(f->seen);
    (void)snprintf(f->seen + n, sizeof f->seen - n, "%.*s\n",
                   STR_ARG(str_take(line, str_rfind(line, S(" HTTP")))));
    if (f->refuses_first_model && str_find(request->body, S("\"model\":\"m\"")) != STR_NPOS) {
        tiny_reply_set(ret, 403, "", S("{\"error\":{\"message\":\"not for you\"}}"));
    } else if (order && f->cannot_make) {
        tiny_reply_set(ret, 500, "", S("{\"error\":{\"message\":\"no idea\"}}"));
    } else if (f->looks_until_seen > 0 && str_starts(line, S("GET /v1/batches/b1"))) {
        f->looks_until_seen--;
        tiny_reply_set(ret, 404, "retry-after: 0\r\n",
                       S("{\"error\":{\"message\":\"no such batch\"}}"));
    } else if (f->garbled > 0 && str_starts(line, S("GET /v1/batches?"))) {
        tiny_reply_set(ret, 200, "", f->garbled-- == 2 ? S("{\"data\":[{\"id\":") : S("{}"));
    } else if (f->garbled > 0 && str_starts(line, S("GET /v1/files"))) {
        f->garbled--;
        tiny_reply_set(ret, 200, "", S("<html>\nMaintenance"));
    } else if (f->answers_at_length && str_starts(line, S("GET /v1/files"))) {
        serve_at_length(f, ret);
    } else {
        bool openai = str_eq(str_of(f->config.providers[0].type), S("openai-chat"));
        (openai ? serve_openai : serve_anthropic)(f, line, request, reply, sizeof reply);
        tiny_reply_set(ret, 200, "", str_of(reply));
    }
    if (order && f->lose_order) {
        f->lose_order = false;
        free(ret->bytes);
        *ret = (struct tiny_reply){.then = TINY_RESET};
    }
    (void)pthread_mutex_unlock(&f->lock);
}

/* How many requests began so. */
static int seen(struct fixture *f, const char *begin) {
    int n = 0;
    (void)pthread_mutex_lock(&f->lock);
    for (struct str rest = str_of(f->seen); rest.n > 0;) {
        n += str_starts(str_split(&rest, '\n'), str_of(begin));
    }
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

/* --- the book */

static void book_tell(void *ctx) {
    struct fixture *f = ctx;
    f->noting.done(f->noting.ctx, ERR_OK, &(struct errinfo){0});
}

static void book_answer(struct fixture *f, llm_noted_fn *done, void *ctx) {
    f->noting.done = done;
    f->noting.ctx = ctx;
    loop_timer_start(f->loop, &f->noting.timer, 0, book_tell, f);
}

static void book_intend(void *ctx, const struct llm_note *note, llm_noted_fn *done,
                        void *done_ctx) {
    struct fixture *f = ctx;
    size_t n = strlen(f->noted);
    (void)snprintf(f->noted + n, sizeof f->noted - n, "%zu of %.*s;", note->n,
                   STR_ARG(note->model));
    (void)snprintf(f->own_mark, sizeof f->own_mark, "%s", note->mark);
    book_answer(f, done, done_ctx);
}

static void book_made(void *ctx, const char *mark, struct str id, llm_noted_fn *done,
                      void *done_ctx) {
    struct fixture *f = ctx;
    size_t n = strlen(f->noted);
    (void)mark;
    (void)snprintf(f->noted + n, sizeof f->noted - n, "made %.*s;", STR_ARG(id));
    book_answer(f, done, done_ctx);
}

/* --- the client */

static int set_up(void **state) {
    struct fixture *f = mem_new(sizeof *f);
    (void)pthread_mutex_init(&f->lock, NULL);
    f->loop = loop_new();
    f->server = tiny_server_start(serve, f);
    arena_init(&f->arena, 1 << 24);
    (void)snprintf(f->base_url, sizeof f->base_url, "%s/v1", tiny_server_url(f->server));
    llm_config_init(&f->config);
    f->config.providers[f->config.providers_n++] = (struct llm_provider){
        .name = "lab", .type = "openai-chat", .base_url = f->base_url, .batches = true};
    f->config.first_byte_ms = f->config.total_ms = 5000;
    f->book = (struct llm_book){.ctx = f, .intend = book_intend, .made = book_made};
    f->spec = (struct call_spec){
        .messages = {{CALL_USER, S("What is 2 + 2?")}}, .messages_n = 1, .output_tokens_max = 50};
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    llm_free(f->llm);
    loop_timer_stop(&f->noting.timer);
    loop_free(f->loop);
    tiny_server_stop(f->server);
    arena_release(&f->arena);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

static void note_end(void *ctx, const struct call_answer *answer) {
    struct fixture *f = ctx;
    (void)snprintf(f->told[f->answers++], sizeof f->told[0], "%s %.*s %.*s", err_name(answer->err),
                   STR_ARG(answer->model), STR_ARG(answer->text));
    (void)snprintf(f->detail, sizeof f->detail, "%s", answer->detail != NULL ? answer->detail : "");
    if (f->answers == CALLS) {
        loop_stop(f->loop);
    }
}

static void begin(struct fixture *f) {
    static const char *const names[] = {"m", "stand-in"};
    f->llm = llm_new(f->loop, &f->config);
    f->chain.n = f->refuses_first_model ? 2 : 1;
    for (size_t i = 0; i < f->chain.n; i++) {
        const struct model_name name = {S("lab"), str_of(names[i])};
        assert_int_equal(llm_resolve(f->llm, &name, &f->chain.models[i], NULL), ERR_OK);
    }
}

static const char *const tags[CALLS] = {"job_1/1/0", "job_1/2/0"};

static void ask(struct fixture *f, struct llm_call *ret[CALLS]) {
    for (int i = 0; i < CALLS; i++) {
        llm_call(f->llm,
                 &(struct llm_request){.chain = &f->chain,
                                       .spec = &f->spec,
                                       .book = &f->book,
                                       .tag = tags[i],
                                       .done = note_end,
                                       .ctx = f},
                 &ret[i]);
    }
}

static void ask_and_wait(struct fixture *f) {
    struct llm_call *calls[CALLS];
    ask(f, calls);
    loop_run(f->loop);
    assert_int_equal(f->answers, CALLS);
}

/* What an earlier process noted a minute ago. */
static void adopt(struct fixture *f, const char *mark, const char *model, const char *id,
                  const char *const calls[CALLS]) {
    assert_int_equal(llm_adopt(f->llm, &f->book,
                               &(struct llm_note){.mark = mark,
                                                  .model = str_of(model),
                                                  .id = str_of(id),
                                                  .created_ms = clock_wall_ms() - 60000,
                                                  .tags = calls,
                                                  .n = CALLS},
                               NULL),
                     ERR_OK);
}

static void stop(void *ctx) {
    struct fixture *f = ctx;
    loop_stop(f->loop);
}

/* Let some time pass. */
static void tick(struct fixture *f) {
    loop_timer_start(f->loop, &f->watch, 20, stop, f);
    loop_run(f->loop);
}

static void assert_all_told(const struct fixture *f, const char *expected) {
    for (int i = 0; i < CALLS; i++) {
        assert_string_equal(f->told[i], expected);
    }
}

/* --- tests */

static void test_calls_go_in_one_batch_and_are_noted_first(void **state) {
    struct fixture *f = *state;
    begin(f);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_string_equal(f->noted, "2 of lab/m;made b1;");
    assert_int_equal(seen(f, "POST /v1/batches"), 1);
    assert_int_equal(seen(f, "GET /v1/batches?"), 0);
}

static void test_a_batch_whose_making_was_not_answered_is_looked_for_not_made_again(void **state) {
    struct fixture *f = *state;
    f->lose_order = true;
    begin(f);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_int_equal(seen(f, "POST /v1/batches"), 1);
    assert_int_equal(seen(f, "GET /v1/batches?"), 1);
    assert_string_equal(f->noted, "2 of lab/m;made b1;");
}

static void test_a_batch_that_was_noted_and_never_made_is_made(void **state) {
    struct fixture *f = *state;
    begin(f);
    adopt(f, "batch_before", "lab/m", "", tags);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_int_equal(seen(f, "GET /v1/batches?"), 2); /* at once, and when it must be listed */
    assert_int_equal(seen(f, "POST /v1/batches"), 1);
}

static void test_a_batch_that_is_not_listed_yet_is_not_made_again(void **state) {
    struct fixture *f = *state;
    begin(f);
    (void)snprintf(f->mark, sizeof f->mark, "batch_before");
    (void)snprintf(f->ids[0], sizeof f->ids[0], "job_1-1-0-h_before");
    (void)snprintf(f->ids[1], sizeof f->ids[1], "job_1-2-0-h_before");
    f->looks_until_listed = 1;
    adopt(f, "batch_before", "lab/m", "", tags); /* and made just before it died */
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_int_equal(seen(f, "POST "), 0);
}

static void test_a_list_that_cannot_be_read_says_nothing_of_a_batch(void **state) {
    struct fixture *f = *state;
    f->lose_order = true;
    f->garbled = 2;
    begin(f);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_int_equal(seen(f, "POST /v1/batches"), 1);
    assert_int_equal(seen(f, "GET /v1/batches?"), 3);
}

static void test_results_that_cannot_be_read_are_fetched_again(void **state) {
    struct fixture *f = *state;
    f->garbled = 1;
    begin(f);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_int_equal(seen(f, "POST /v1/batches"), 1);
}

static void test_a_batch_that_is_not_there_yet_is_looked_for_at_leisure(void **state) {
    struct fixture *f = *state;
    int64_t begun_ms = clock_mono_ms();
    f->looks_until_seen = 2;
    begin(f);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_int_equal(seen(f, "POST /v1/batches"), 1);
    assert_true(clock_mono_ms() - begun_ms >= 1900); /* half a second in the wave, and each look */
}

static void test_calls_end_where_batches_cannot_be_made(void **state) {
    struct fixture *f = *state;
    f->cannot_make = true;
    f->config.tries_max = 1;
    begin(f);
    ask_and_wait(f);
    assert_all_told(f, "unavailable lab/m ");
    assert_non_null(strstr(f->detail, "no idea"));
    assert_int_equal(seen(f, "POST /v1/batches"), 1);
}

static void test_what_nobody_needs_is_not_made_after_all(void **state) {
    struct fixture *f = *state;
    struct llm_call *calls[CALLS];
    begin(f);
    adopt(f, "batch_before", "lab/m", "", tags);
    ask(f, calls);
    llm_relinquish(calls[0]);
    llm_relinquish(calls[1]);
    loop_run(f->loop);
    assert_all_told(f, "canceled lab/m ");
    assert_int_equal(seen(f, "POST "), 0);
}

static void test_an_answer_has_no_more_bytes_than_it_may(void **state) {
    struct fixture *f = *state;
    f->answers_at_length = true;
    begin(f);
    ask_and_wait(f);
    assert_string_equal(f->told[0], "ok lab/m four");
    assert_string_equal(f->told[1], "too_big lab/m ");
}

static void test_another_one_s_batch_of_the_same_size_is_found_out_by_its_results(void **state) {
    struct fixture *f = *state;
    f->config.providers[0].type = "anthropic";
    f->foreign = "foreign";
    f->lose_order = true;
    begin(f);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_int_equal(seen(f, "POST /v1/messages/batches"), 1);
    assert_int_equal(seen(f, "GET /v1/messages/batches/foreign/results"), 1);
    assert_int_equal(seen(f, "GET /v1/messages/batches/b1/results"), 1);
    assert_string_equal(f->noted, "2 of lab/m;made b1;"); /* sure by its results alone */
}

static void stop_when_made(void *ctx) {
    struct fixture *f = ctx;
    if (seen(f, "POST ") > 0) {
        loop_stop(f->loop);
    } else {
        loop_timer_start(f->loop, &f->watch, 10, stop_when_made, f);
    }
}

/* Of two that an earlier process noted, and that are alike from outside, one was made. */
static void test_a_batch_that_another_of_ours_claims_is_not_made_again_meanwhile(void **state) {
    static const char *const never_made[] = {"job_1/8/0", "job_1/9/0"};
    struct fixture *f = *state;
    struct llm_call *calls[CALLS];
    char mark[sizeof f->own_mark];
    f->config.providers[0].type = "anthropic";
    f->foreign = "b1";
    f->lose_order = true;
    begin(f);
    ask(f, calls);
    stop_when_made(f);
    loop_run(f->loop);
    llm_free(f->llm); /* the earlier process is gone */
    loop_run(f->loop);
    memcpy(mark, f->own_mark, sizeof mark);
    f->answers = 0;
    f->looks_until_ended = 3;
    begin(f);
    adopt(f, "batch_never_made", "lab/m", "", never_made);
    adopt(f, mark, "lab/m", "", tags);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/m four");
    assert_int_equal(seen(f, "POST "), 1);
}

static void test_a_batch_that_nobody_needs_is_cancelled(void **state) {
    struct fixture *f = *state;
    struct llm_call *calls[CALLS];
    f->cancels = true;
    begin(f);
    ask(f, calls);
    while (llm_stats(f->llm).batches == 0) {
        tick(f);
    }
    llm_relinquish(calls[0]);
    assert_int_equal(seen(f, "POST /v1/batches/b1/cancel"), 0); /* the other one is needed */
    llm_relinquish(calls[1]);
    loop_run(f->loop);
    assert_all_told(f, "canceled lab/m ");
    assert_true(seen(f, "POST /v1/batches/b1/cancel") >= 1);
}

static void test_nobody_waits_for_room_for_what_nobody_needs(void **state) {
    struct fixture *f = *state;
    struct llm_call *calls[CALLS];
    f->crowded = true;
    begin(f);
    ask(f, calls);
    while (seen(f, "GET /v1/batches/b1") == 0) {
        tick(f);
    }
    tick(f);
    llm_relinquish(calls[0]);
    llm_relinquish(calls[1]);
    loop_run(f->loop);
    assert_all_told(f, "canceled lab/m ");
}

static void test_a_wave_that_nobody_needs_does_not_leave(void **state) {
    struct fixture *f = *state;
    struct llm_call *calls[CALLS];
    begin(f);
    ask(f, calls);
    llm_relinquish(calls[0]);
    llm_relinquish(calls[1]);
    loop_run(f->loop);
    assert_all_told(f, "canceled lab/m ");
    assert_string_equal(f->noted, "");
}

static void test_a_model_stands_in_for_one_whose_batch_is_refused(void **state) {
    struct fixture *f = *state;
    f->refuses_first_model = true;
    begin(f);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/stand-in four");
    assert_string_equal(f->noted, "2 of lab/m;2 of lab/stand-in;made b1;");
}

static void test_what_went_to_a_stand_in_is_awaited_from_there(void **state) {
    struct fixture *f = *state;
    f->refuses_first_model = true;
    begin(f);
    (void)snprintf(f->ids[0], sizeof f->ids[0], "job_1-1-0-h_before");
    (void)snprintf(f->ids[1], sizeof f->ids[1], "job_1-2-0-h_before");
    adopt(f, "batch_before", "lab/stand-in", "b1", tags);
    ask_and_wait(f);
    assert_all_told(f, "ok lab/stand-in four");
    assert_int_equal(seen(f, "POST "), 0);
}

static void
test_a_batch_of_an_earlier_process_is_not_cancelled_before_it_is_asked_for(void **state) {
    struct fixture *f = *state;
    struct llm_call *calls[CALLS];
    f->cancels = true; /* it is at work until then */
    begin(f);
    adopt(f, "batch_before", "lab/m", "b1", tags);
    while (seen(f, "GET /v1/batches/b1") < 2) {
        tick(f);
    }
    assert_int_equal(seen(f, "POST "), 0);
    ask(f, calls);
    llm_relinquish(calls[0]);
    llm_relinquish(calls[1]);
    loop_run(f->loop);
    assert_all_told(f, "canceled lab/m ");
    assert_int_equal(seen(f, "POST /v1/batches/b1/cancel"), 1);
}

static void count_end(void *ctx, const struct call_answer *answer) {
    (void)ctx, (void)answer;
}

/* However many come in one tick. */
static void test_a_wave_takes_so_many_calls_and_no_more(void **state) {
    struct fixture *f = *state;
    begin(f);
    for (int i = 0; i < 10002; i++) {
        struct llm_call *call;
        char tag[64];
        (void)snprintf(tag, sizeof tag, "job_1/%d/0", i);
        llm_call(f->llm,
                 &(struct llm_request){.chain = &f->chain,
                                       .spec = &f->spec,
                                       .book = &f->book,
                                       .tag = tag,
                                       .done = count_end,
                                       .ctx = f},
                 &call);
    }
    tick(f);
    const char wave[] = "10000 of lab/m;"; /* on a slow machine it is made in the same tick */
    assert_memory_equal(f->noted, wave, sizeof wave - 1);
}

static void test_books_share_no_batch_and_one_is_given_up_alone(void **state) {
    struct fixture *f = *state;
    struct llm_call *calls[CALLS];
    struct llm_book other = f->book;
    begin(f);
    assert_int_equal(llm_adopt(f->llm, &other,
                               &(struct llm_note){.mark = "batch_other",
                                                  .model = S("lab/m"),
                                                  .id = S("b9"),
                                                  .created_ms = clock_wall_ms(),
                                                  .tags = tags,
                                                  .n = CALLS},
                               NULL),
                     ERR_OK);
    assert_true(llm_awaits(f->llm, &other, &f->chain, tags[0]));
    assert_false(llm_awaits(f->llm, &f->book, &f->chain, tags[0]));
    ask(f, calls);
    llm_abandon(f->llm, &other);
    assert_false(llm_awaits(f->llm, &other, &f->chain, tags[0]));
    loop_run(f->loop);
    assert_all_told(f, "ok lab/m four");
    assert_string_equal(f->noted, "2 of lab/m;made b1;");
}

#define BATCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        BATCH_TEST(test_calls_go_in_one_batch_and_are_noted_first),
        BATCH_TEST(test_a_batch_whose_making_was_not_answered_is_looked_for_not_made_again),
        BATCH_TEST(test_a_batch_that_was_noted_and_never_made_is_made),
        BATCH_TEST(test_a_batch_that_is_not_listed_yet_is_not_made_again),
        BATCH_TEST(test_a_list_that_cannot_be_read_says_nothing_of_a_batch),
        BATCH_TEST(test_results_that_cannot_be_read_are_fetched_again),
        BATCH_TEST(test_a_batch_that_is_not_there_yet_is_looked_for_at_leisure),
        BATCH_TEST(test_calls_end_where_batches_cannot_be_made),
        BATCH_TEST(test_what_nobody_needs_is_not_made_after_all),
        BATCH_TEST(test_an_answer_has_no_more_bytes_than_it_may),
        BATCH_TEST(test_another_one_s_batch_of_the_same_size_is_found_out_by_its_results),
        BATCH_TEST(test_a_batch_that_another_of_ours_claims_is_not_made_again_meanwhile),
        BATCH_TEST(test_a_batch_that_nobody_needs_is_cancelled),
        BATCH_TEST(test_nobody_waits_for_room_for_what_nobody_needs),
        BATCH_TEST(test_a_wave_that_nobody_needs_does_not_leave),
        BATCH_TEST(test_a_model_stands_in_for_one_whose_batch_is_refused),
        BATCH_TEST(test_what_went_to_a_stand_in_is_awaited_from_there),
        BATCH_TEST(test_a_batch_of_an_earlier_process_is_not_cancelled_before_it_is_asked_for),
        BATCH_TEST(test_books_share_no_batch_and_one_is_given_up_alone),
        BATCH_TEST(test_a_wave_takes_so_many_calls_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
