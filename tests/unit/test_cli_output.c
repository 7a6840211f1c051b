/* Promises of cli/output, cli/sink and cli/pretty: what is written reads back the same in every
 * format, a file appears as a whole or not at all, and a page shows what a problem has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/output.h"
#include "cli/pretty.h"
#include "cli/sink.h"
#include "store/store_job.h"
#include "store/store_work.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct arena a;
    struct sbuf out;
    struct errinfo why;
    char folder[32];
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->a, (size_t)64 << 20);
    sbuf_init(&f->out, 1 << 20);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/stumper-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(chdir(f->folder), 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    sbuf_release(&f->out);
    arena_release(&f->a);
    free(f);
    return 0;
}

static const char *contents(struct fixture *f, const char *path) {
    struct str text;
    assert_int_equal(file_read(path, 1 << 20, &f->a, &text, NULL), ERR_OK);
    return str_cstr(&f->a, text);
}

static void test_csv_fields_are_quoted_when_they_must_be(void **state) {
    struct fixture *f = *state;
    const char *const fields[] = {"plain", "", "a,b", "say \"x\"", "two\nlines", "\"", "$x^2$ = 4"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        sbuf_add_cstr(&f->out, i > 0 ? "|" : "");
        output_csv_field(str_of(fields[i]), &f->out);
    }
    assert_string_equal(sbuf_str(&f->out).p,
                        "plain||\"a,b\"|\"say \"\"x\"\"\"|\"two\nlines\"|\"\"\"\"|$x^2$ = 4");
}

static const char line[] =
    "{\"id\":\"prob_1\",\"status\":\"accepted\",\"subject\":\"Algebra\",\"topic\":\"Quadratics\","
    "\"problem\":\"Find $x$.\",\"answer\":\"\\\\frac{1}{2}\",\"hints\":{\"0\":\"a\",\"1\":\"b\"},"
    "\"hints_were_corrected\":true,\"target_model_answer\":\"2\",\"verdict\":{\"equivalent\":false,"
    "\"confidence\":0.9,\"reason\":\"differs\"},\"cost_usd\":0.0123,\"similar\":null}";

static void test_a_csv_line_has_a_cell_for_every_column(void **state) {
    struct fixture *f = *state;
    int header = 0, cells = 0;
    output_csv_header(&f->out);
    for (const char *p = sbuf_str(&f->out).p; *p != '\0'; p++) {
        header += *p == ',';
    }
    sbuf_clear(&f->out);
    assert_int_equal(output_line(OUTPUT_CSV, str_of(line), &f->a, &f->out), ERR_OK);
    bool quoted = false;
    for (const char *p = sbuf_str(&f->out).p; *p != '\0'; p++) {
        quoted = quoted != (*p == '"');
        cells += *p == ',' && !quoted;
    }
    assert_int_equal(cells, header);
    assert_true(str_starts(sbuf_str(&f->out),
                           S("prob_1,,,accepted,Algebra,Quadratics,,Find $x$.,\\frac{1}{2},"
                             "\"{\"\"0\"\":\"\"a\"\",\"\"1\"\":\"\"b\"\"}\",true,2,")));
    assert_true(str_ends(sbuf_str(&f->out), S("\r\n")));
}

static void test_a_chat_line_has_messages_and_the_rest_as_metadata(void **state) {
    struct fixture *f = *state;
    assert_int_equal(output_line(OUTPUT_CHAT, str_of(line), &f->a, &f->out), ERR_OK);
    assert_true(str_starts(
        sbuf_str(&f->out),
        S("{\"messages\":[{\"role\":\"user\",\"content\":\"Find $x$.\"},{\"role\":\"assistant\","
          "\"content\":\"\\\\frac{1}{2}\"}],\"metadata\":{\"id\":\"prob_1\",\"status\":"
          "\"accepted\",")));
    assert_null(strstr(sbuf_str(&f->out).p, "\"answer\":"));
    assert_non_null(
        strstr(sbuf_str(&f->out).p, "\"cost_usd\":0.0123,")); /* not 0.012300000000000…1 */
    sbuf_clear(&f->out);
    assert_int_equal(output_line(OUTPUT_CHAT, S("{\"problem\":null}"), &f->a, &f->out), ERR_OK);
    assert_int_equal(f->out.n, 0);
    assert_int_equal(output_line(OUTPUT_CHAT, S("[]"), &f->a, &f->out), ERR_CORRUPT);
}

static void test_a_dropped_sink_leaves_the_old_file(void **state) {
    struct fixture *f = *state;
    struct sink s;
    struct stat st;
    assert_int_equal(file_replace("out", S("old"), NULL), ERR_OK);
    assert_int_equal(chmod("out", 0600) | symlink("out", "link"), 0);
    assert_int_equal(sink_open(&s, "link", &f->why), ERR_OK);
    assert_int_equal(sink_write(&s, S("new"), &f->why), ERR_OK);
    sink_drop(&s);
    assert_string_equal(contents(f, "out"), "old");
    assert_int_equal(sink_open(&s, "link", &f->why), ERR_OK);
    assert_int_equal(sink_write(&s, S("new"), &f->why), ERR_OK);
    assert_int_equal(sink_commit(&s, &f->why), ERR_OK);
    assert_string_equal(contents(f, "out"), "new");
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode)); /* a link stays one */
    assert_int_equal(stat("out", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(system("test $(ls | wc -l) = 2"), 0); /* nothing temporary is left */
}

static void test_errors_of_writing_name_the_file_and_the_cause(void **state) {
    struct fixture *f = *state;
    struct sink s;
    assert_int_equal(sink_open(&s, "none/out", &f->why), ERR_NOT_FOUND);
    assert_string_equal(f->why.text, "cannot write none/out: No such file or directory");
    assert_int_equal(sink_open(&s, ".", &f->why), ERR_IO);
    assert_string_equal(f->why.text, "cannot write .: Is a directory");
    assert_int_equal(sink_open(&s, "/dev/full", &f->why), ERR_OK);
    assert_int_equal(sink_write(&s, S("x"), &f->why), ERR_OK); /* buffered */
    assert_int_equal(sink_commit(&s, &f->why), ERR_DISK_FULL);
    assert_string_equal(f->why.text, "cannot write /dev/full: No space left on device");
}

static void test_a_page_shows_what_a_problem_has(void **state) {
    struct fixture *f = *state;
    const struct jnode *j;
    struct term term = {.width = 60};
    assert_int_equal(jnode_parse(str_of(line), &f->a, &j, NULL), ERR_OK);
    pretty_problem(j, &term, &f->a, &f->out);
    assert_string_equal(sbuf_str(&f->out).p,
                        "-- accepted | Algebra / Quadratics -------------------------\n"
                        "prob_1\n"
                        "\n"
                        "Problem\n"
                        "  Find $x$.\n"
                        "\n"
                        "Answer\n"
                        "  \\frac{1}{2}\n"
                        "\n"
                        "The target's answer\n"
                        "  2\n"
                        "\n"
                        "Verdict: another answer (confidence 0.90)\n"
                        "  differs\n"
                        "\n"
                        "Hints (corrected by the checker)\n"
                        "  0  a\n"
                        "  1  b\n"
                        "\n"
                        "cost $0.0123\n");
}

/* --- a real store with one job: accepted, rejected, accepted --- */

struct story {
    struct loop *loop;
    struct store *store;
    struct lease leases[3];
};

static struct loop *story_loop;

static void story_done(struct store_op *op) {
    assert_int_equal(op->err, ERR_OK);
    loop_stop(story_loop);
}

static void story_finish(struct story *s, int i, enum outcome outcome, const char *id) {
    struct problem p = {.outcome = outcome,
                        .subject = S("Algebra"),
                        .topic = S("Quadratics"),
                        .problem = S("Find $x$, \"now\"."),
                        .answer = S("2"),
                        .verdict = {.confidence = (double)NAN},
                        .hash = (uint64_t)i + 1};
    struct store_finish o = {
        .op = {.loop = s->loop, .done = story_done},
        .job_id = "job_1",
        .lease = s->leases[i],
        .problem = &p,
        .ids = {.id = id, .job_id = "job_1", .attempt = s->leases[i].attempt_no}};
    store_finish(s->store, &o);
    loop_run(s->loop);
}

static void story_tell(const char *path) {
    struct story s = {.loop = loop_new()};
    story_loop = s.loop;
    assert_int_equal(store_open(path, NULL, &s.store, NULL), ERR_OK);
    struct store_submit submit = {.op = {.loop = s.loop, .done = story_done},
                                  .job_id = "job_1",
                                  .spec = S("{}"),
                                  .wanted = 2};
    store_submit(s.store, &submit);
    loop_run(s.loop);
    struct store_claim claim = {
        .op = {.loop = s.loop, .done = story_done}, .job_id = "job_1", .n = 3, .ret = s.leases};
    store_claim(s.store, &claim);
    loop_run(s.loop);
    assert_int_equal(claim.ret_n, 3);
    story_finish(&s, 0, OUTCOME_ACCEPTED, "prob_a");
    story_finish(&s, 1, OUTCOME_REJECTED, "prob_b");
    story_finish(&s, 2, OUTCOME_ACCEPTED, "prob_c");
    store_close(s.store);
    loop_free(s.loop);
}

static void write_all(struct fixture *f, struct store_reader *r, enum output_format format,
                      enum output_keep keep, int64_t expected) {
    int64_t n = -1;
    assert_int_equal(output_write(r, NULL, format, keep, "out", &n, &f->why), ERR_OK);
    assert_int_equal(n, expected);
}

static void test_problems_of_a_store_come_out_in_every_format(void **state) {
    struct fixture *f = *state;
    struct store_reader *r;
    const struct jnode *j;
    int64_t n;
    story_tell("state.db");
    assert_int_equal(store_reader_open("state.db", &r, &f->why), ERR_OK);
    write_all(f, r, OUTPUT_JSON, OUTPUT_ALL, 3);
    assert_int_equal(jnode_parse(str_of(contents(f, "out")), &f->a, &j, &f->why), ERR_OK);
    assert_int_equal(jnode_len(j), 3);
    assert_true(str_eq(jnode_get_str(jnode_at(j, 1), "status"), S("rejected")));
    assert_true(str_eq(jnode_get_str(jnode_at(j, 2), "problem"), S("Find $x$, \"now\".")));
    write_all(f, r, OUTPUT_JSONL, OUTPUT_ACCEPTED, 2);
    struct str rest = str_of(contents(f, "out"));
    assert_int_equal(jnode_parse(str_split(&rest, '\n'), &f->a, &j, &f->why), ERR_OK);
    assert_true(str_eq(jnode_get_str(j, "id"), S("prob_a")));
    assert_int_equal(jnode_parse(str_split(&rest, '\n'), &f->a, &j, &f->why), ERR_OK);
    assert_int_equal(rest.n, 0);
    write_all(f, r, OUTPUT_CSV, OUTPUT_ACCEPTED, 2);
    write_all(f, r, OUTPUT_CHAT, OUTPUT_ACCEPTED, 2);
    assert_int_equal(output_write(r, NULL, OUTPUT_JSONL, OUTPUT_ALL, "/dev/full", &n, &f->why),
                     ERR_DISK_FULL);
    store_reader_close(r);
}

#define OUTPUT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        OUTPUT_TEST(test_csv_fields_are_quoted_when_they_must_be),
        OUTPUT_TEST(test_a_csv_line_has_a_cell_for_every_column),
        OUTPUT_TEST(test_a_chat_line_has_messages_and_the_rest_as_metadata),
        OUTPUT_TEST(test_a_dropped_sink_leaves_the_old_file),
        OUTPUT_TEST(test_errors_of_writing_name_the_file_and_the_cause),
        OUTPUT_TEST(test_a_page_shows_what_a_problem_has),
        OUTPUT_TEST(test_problems_of_a_store_come_out_in_every_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
