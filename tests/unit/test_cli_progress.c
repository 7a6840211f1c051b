/* Promises of cli/progress: the texts are as shown here, no line is wider than the terminal, the
 * picture is redrawn in place and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct progress_facts facts(void) {
    struct progress_facts f = {.elapsed_ms = 180000, .per_minute = 12.34, .eta_ms = 63210};
    f.view.sched.wanted = 50;
    f.view.sched.launched = 158;
    f.view.sched.outcomes[OUTCOME_ACCEPTED] = 37;
    f.view.sched.outcomes[OUTCOME_SOLVED] = 41;
    f.view.sched.outcomes[OUTCOME_REJECTED] = 12;
    f.view.sched.outcomes[OUTCOME_FAILED] = 4;
    f.view.sched.in_stage[ATTEMPT_STAGE_ENGINEER] = 40;
    f.view.sched.in_stage[ATTEMPT_STAGE_TARGET] = 24;
    f.view.calls = 1234;
    f.view.calls_in_flight = 58;
    f.view.input_tokens = 1234567;
    f.view.output_tokens = 45678;
    f.view.budget.spent_nusd = 12300000;
    f.view.budget.max_nusd = INT64_C(5000000000);
    f.stats.requests = 1300;
    f.stats.retries = 7;
    return f;
}

static void assert_picture(const struct progress_facts *f, struct term term, const char *expected) {
    struct sbuf out;
    sbuf_init(&out, 1 << 16);
    progress_picture(f, &term, &out);
    assert_string_equal(sbuf_str(&out).p, expected);
    sbuf_release(&out);
}

static void test_the_picture_shows_the_run_on_three_lines(void **state) {
    (void)state;
    struct progress_facts f = facts();
    assert_picture(&f, (struct term){.utf8 = true, .width = 80},
                   "  37/50 accepted  ━━━━━━━━━━━━━━━━━━━━━━━━─────────   74%  12.3/min  "
                   "ETA 1m 03s\n"
                   "  64 in flight  41 solved  12 rejected  4 failed\n"
                   "  3m 00s elapsed  money $0.0123 of $5.00  tokens 1.23M in, 45,678 out\n");
}

static void test_without_utf8_the_picture_is_ascii(void **state) {
    (void)state;
    struct progress_facts f = facts();
    f.view.budget.max_nusd = MONEY_UNKNOWN;
    f.view.calls_unpriced = 3;
    f.per_minute = -1;
    f.eta_ms = -1;
    assert_picture(&f, (struct term){.utf8 = false, .width = 60},
                   "  37/50 accepted  ###############------   74%  -/min  ETA -\n"
                   "  64 in flight  41 solved  12 rejected  4 failed\n"
                   "  3m 00s elapsed  money $0.0123 + 3 unpriced calls\n");
}

static void test_what_holds_it_up_is_told(void **state) {
    (void)state;
    struct progress_facts f = facts();
    f.stats.waiting = 12;
    f.stats.rate_limited = 37;
    f.view.sched.errors_in_row = 3;
    (void)snprintf(f.view.sched.cause, sizeof f.view.sched.cause, "checker: malformed");
    f.view.sched.stop = STOP_INTERRUPTED;
    assert_picture(&f, (struct term){.utf8 = true, .width = 90},
                   "  37/50 accepted  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━─────"
                   "──────   74%  12.3/min  ETA 1m 03s\n"
                   "  64 in flight (12 waiting)  41 solved  12 rejected  4 failed\n"
                   "  3m 00s elapsed  money $0.0123 of $5.00  tokens 1.23M in, 45,678 out  1,234 "
                   "calls\n"
                   "  37 rate limits so far  last error (3 in a row): checker: malformed\n"
                   "  interrupted: finishing what is in flight (Ctrl-C again stops now)\n");
}

static void test_a_model_that_does_not_answer_is_named_before_the_last_error(void **state) {
    (void)state;
    struct progress_facts f = facts();
    struct sbuf out;
    f.stats.waiting = 12;
    f.view.sched.errors_in_row = 3;
    (void)snprintf(f.view.sched.cause, sizeof f.view.sched.cause, "engineer: network");
    (void)snprintf(f.stats.trouble, sizeof f.stats.trouble, "lab/m: no route");
    assert_picture(&f, (struct term){.utf8 = false, .width = 60},
                   "  37/50 accepted  #########----   74%  12.3/min  ETA 1m 03s\n"
                   "  64 in flight (12 waiting)  41 solved  12 rejected\n"
                   "  3m 00s elapsed  money $0.0123 of $5.00\n"
                   "  no answers: lab/m: no route\n");
    sbuf_init(&out, 1 << 16);
    progress_line(&f, &out);
    assert_non_null(strstr(sbuf_str(&out).p, "12 waiting, no answers: lab/m: no route, last"));
    sbuf_clear(&out);
    progress_json(&f, "progress", &out);
    assert_non_null(strstr(sbuf_str(&out).p, "\"trouble\":\"lab/m: no route\""));
    sbuf_release(&out);
}

static void test_batches_are_told_with_what_waits_for_them(void **state) {
    (void)state;
    struct progress_facts f = facts();
    struct sbuf out;
    f.stats.batches = 2;
    f.stats.batched = 50;
    f.stats.waiting = 14;
    assert_picture(&f, (struct term){.utf8 = false, .width = 60},
                   "  37/50 accepted  #########----   74%  12.3/min  ETA 1m 03s\n"
                   "  64 in flight (50 in 2 batches, 14 gathering)  41 solved\n"
                   "  3m 00s elapsed  money $0.0123 of $5.00\n");
    sbuf_init(&out, 1 << 16);
    progress_line(&f, &out);
    assert_non_null(strstr(sbuf_str(&out).p, ", 50 in 2 batches, 14 gathering"));
    sbuf_clear(&out);
    progress_json(&f, "progress", &out);
    assert_non_null(strstr(sbuf_str(&out).p, "\"batches\":2,\"batched\":50,"));
    sbuf_release(&out);
}

static void test_no_line_is_as_wide_as_the_terminal(void **state) {
    (void)state;
    struct progress_facts f = facts();
    f.stats.waiting = 1000;
    memset(f.stats.trouble, 't', sizeof f.stats.trouble - 1);
    f.view.sched.stop = STOP_INTERRUPTED;
    memset(f.view.sched.cause, 'e', sizeof f.view.sched.cause - 1);
    struct sbuf out;
    sbuf_init(&out, 1 << 16);
    for (int width = 1; width < 200; width++) {
        struct term term = {.utf8 = true, .width = width};
        int lines = 0;
        sbuf_clear(&out);
        progress_picture(&f, &term, &out);
        for (struct str rest = sbuf_str(&out); rest.n > 0; lines++) {
            assert_true(term_columns(str_split(&rest, '\n')) < width);
        }
        assert_true(lines >= 3 && lines <= PROGRESS_LINES_MAX);
    }
    sbuf_release(&out);
}

static void test_colours_add_no_width(void **state) {
    (void)state;
    struct progress_facts f = facts();
    f.view.sched.outcomes[OUTCOME_ACCEPTED] = 0;
    assert_picture(&f, (struct term){.utf8 = false, .colour = true, .width = 60},
                   "  0/50 accepted  \x1b[32m\x1b[0m\x1b[2m--------------\x1b[0m    0%  12.3/min  "
                   "ETA 1m 03s\n"
                   "  64 in flight  41 solved  12 rejected  \x1b[33m4 failed\x1b[0m\n"
                   "  3m 00s elapsed  money $0.0123 of $5.00\n");
}

static void test_a_plain_line_tells_the_same(void **state) {
    (void)state;
    struct progress_facts f = facts();
    struct sbuf out;
    sbuf_init(&out, 1 << 16);
    f.view.sched.stop = STOP_MAX_COST;
    progress_line(&f, &out);
    assert_string_equal(sbuf_str(&out).p,
                        "37/50 accepted, 12.3/min, 64 in flight, 12 rejected, 41 solved, 4 failed, "
                        "money $0.0123, ETA 1m 03s; --max-cost reached: ending");
    sbuf_release(&out);
}

static void test_the_json_object_has_the_documented_fields(void **state) {
    (void)state;
    struct progress_facts f = facts();
    struct sbuf out;
    sbuf_init(&out, 1 << 16);
    f.eta_ms = -1;
    progress_json(&f, "progress", &out);
    assert_string_equal(
        sbuf_str(&out).p,
        "{\"event\":\"progress\",\"elapsed_ms\":180000,\"wanted\":50,\"accepted\":37,"
        "\"per_minute\":12.34,\"eta_ms\":null,\"in_flight\":64,\"calls_in_flight\":58,"
        "\"launched\":158,\"outcomes\":{\"accepted\":37,\"rejected\":12,\"solved\":41,"
        "\"duplicate\":0,\"surplus\":0,\"failed\":4},\"calls\":1234,\"calls_unpriced\":0,"
        "\"replayed\":0,\"input_tokens\":1234567,\"output_tokens\":45678,\"cost_usd\":0.0123,"
        "\"max_cost_usd\":5.0,\"requests\":1300,\"retries\":7,\"rate_limited\":0,\"waiting\":0,"
        "\"batches\":0,\"batched\":0,\"trouble\":null,\"errors_in_row\":0,\"cause\":null,\"stop\":"
        "null}\n");
    sbuf_release(&out);
}

static void test_pace_is_that_of_the_last_minute(void **state) {
    (void)state;
    struct pace p = {0};
    assert_true(pace_per_minute(&p, 0, 0) < 0);
    for (int64_t s = 0; s <= 600; s++) { /* one a second for five minutes, then two */
        pace_add(&p, s * 1000, s <= 300 ? s : 300 + (s - 300) * 2);
    }
    assert_true(pace_per_minute(&p, 600000, 900) > 119 && pace_per_minute(&p, 600000, 900) < 121);
    assert_int_equal(pace_eta_ms(120, 1000, 900), 50000);
    assert_int_equal(pace_eta_ms(-1, 1000, 900), -1);
    assert_int_equal(pace_eta_ms(-1, 900, 900), 0);
    struct pace slow = {0};
    pace_add(&slow, 0, 10); /* an earlier run's do not count */
    pace_add(&slow, 600000, 12);
    assert_true(pace_per_minute(&slow, 600000, 12) == 0.2);
}

/* --- the drawing, on a real pseudo-terminal and a small screen that understands what we send ---
 */

#define SCREEN_ROWS 30
#define SCREEN_COLUMNS 70

struct screen {
    char cells[SCREEN_ROWS][SCREEN_COLUMNS + 1];
    int row, column;
    bool cursor;
};

static void screen_clear_from(struct screen *s, int row, int column) {
    for (int r = row; r < SCREEN_ROWS; r++) {
        memset(s->cells[r] + (r == row ? column : 0), ' ',
               (size_t)(SCREEN_COLUMNS - (r == row ? column : 0)));
    }
}

static size_t screen_escape(struct screen *s, const char *p) {
    int n = 0;
    size_t used = 2 + (p[2] == '?');
    while (p[used] >= '0' && p[used] <= '9') {
        n = n * 10 + p[used++] - '0';
    }
    switch (p[used]) {
    case 'A':
        s->row -= n;
        assert_true(s->row >= 0);
        break;
    case 'K':
        memset(s->cells[s->row] + s->column, ' ', (size_t)(SCREEN_COLUMNS - s->column));
        break;
    case 'J':
        screen_clear_from(s, s->row, s->column);
        break;
    case 'h':
    case 'l':
        s->cursor = p[used] == 'h';
        break;
    case 'm':
        break;
    default:
        fail_msg("unexpected escape %c", p[used]);
    }
    return used + 1;
}

/* Feed what the program wrote to @slave; a byte is a column (the test draws in ASCII). A terminal
 * hands it over in pieces of its own: all is there when the bell behind it is. */
static void screen_feed(struct screen *s, int master, int slave) {
    static char text[1 << 16];
    size_t at = 0;
    assert_int_equal(write(slave, "\a", 1), 1);
    do {
        ssize_t n = read(master, text + at, sizeof text - at);
        assert_true(n > 0);
        at += (size_t)n;
    } while (text[at - 1] != '\a');
    text[at - 1] = '\0';
    for (const char *p = text; *p != '\0';) {
        if (*p == '\x1b') {
            p += screen_escape(s, p);
        } else if (*p == '\r') {
            s->column = 0;
            p++;
        } else if (*p == '\n') {
            assert_true(++s->row < SCREEN_ROWS);
            p++;
        } else {
            assert_true(s->column < SCREEN_COLUMNS); /* else the line wrapped */
            s->cells[s->row][s->column++] = *p++;
        }
    }
}

static void assert_row(const struct screen *s, int row, const char *begins) {
    assert_memory_equal(s->cells[row], begins, strlen(begins));
}

static const char *plain_getenv(const char *name) {
    return strcmp(name, "TERM") == 0 ? "xterm" : strcmp(name, "NO_COLOR") == 0 ? "1" : NULL;
}

static void test_the_picture_is_redrawn_in_place_and_wiped(void **state) {
    (void)state;
    struct screen screen = {.cursor = true};
    struct progress p;
    struct progress_facts f = facts();
    struct winsize size = {.ws_row = SCREEN_ROWS, .ws_col = SCREEN_COLUMNS};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_int_equal(grantpt(master) | unlockpt(master), 0);
    int fd = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_int_equal(ioctl(fd, TIOCSWINSZ, &size), 0);
    screen_clear_from(&screen, 0, 0);

    assert_int_equal(progress_mode_for(false, false, fd, plain_getenv), PROGRESS_LIVE);
    progress_init(&p, PROGRESS_LIVE, fd, plain_getenv, 1000);
    f.stats.waiting = 5;
    f.stats.rate_limited = 2;
    progress_update(&p, &f.view, &f.stats, 2000);
    screen_feed(&screen, master, fd);
    assert_false(screen.cursor);
    assert_row(&screen, 0, "  37/50 accepted  ###");
    assert_row(&screen, 1, "  64 in flight (5 waiting)  41 solved");
    assert_row(&screen, 3, "  2 rate limits so far");

    f.stats.waiting = 0; /* one line less */
    f.view.sched.outcomes[OUTCOME_ACCEPTED] = 38;
    progress_update(&p, &f.view, &f.stats, 2100);
    screen_feed(&screen, master, fd);
    assert_row(&screen, 0, "  38/50 accepted  ###");
    assert_row(&screen, 2, "  1s elapsed");
    assert_row(&screen, 3, "                                   ");

    progress_note(&p, "%s", "something notable");
    screen_feed(&screen, master, fd);
    assert_row(&screen, 0, "stumper: something notable   ");
    assert_row(&screen, 1, "  38/50 accepted  ###");
    assert_row(&screen, 4, "                                   ");

    progress_end(&p);
    screen_feed(&screen, master, fd);
    assert_true(screen.cursor);
    assert_row(&screen, 0, "stumper: something notable   ");
    assert_row(&screen, 1, "                                   ");
    assert_int_equal(screen.row, 1);
    assert_int_equal(screen.column, 0);
    (void)close(fd);
    (void)close(master);
}

static void test_lines_come_now_and_then_and_at_notable_things(void **state) {
    (void)state;
    int ends[2];
    char text[4096];
    struct progress p;
    struct progress_facts f = facts();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(progress_mode_for(false, false, ends[1], plain_getenv), PROGRESS_LINES);
    assert_int_equal(progress_mode_for(true, false, ends[1], plain_getenv), PROGRESS_QUIET);
    f.view.sched.outcomes[OUTCOME_ACCEPTED] = 0;
    progress_init(&p, PROGRESS_LINES, ends[1], plain_getenv, 0);
    for (int64_t ms = 0; ms <= 11000; ms += 100) {
        f.view.sched.outcomes[OUTCOME_ACCEPTED] = ms >= 6000; /* notable: the first one */
        f.view.sched.stop = ms >= 11000 ? STOP_DEADLINE : STOP_NOT_YET;
        progress_update(&p, &f.view, &f.stats, ms);
    }
    progress_end(&p);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(
        text,
        "stumper: 0/50 accepted, 64 in flight, 12 rejected, 41 solved, 4 failed, money $0.0123\n"
        "stumper: 1/50 accepted, 10.0/min, 64 in flight, 12 rejected, 41 solved, 4 failed, money "
        "$0.0123, ETA 4m 54s\n"
        "stumper: 1/50 accepted, 5.5/min, 64 in flight, 12 rejected, 41 solved, 4 failed, money "
        "$0.0123, ETA 8m 59s; --deadline reached: ending\n");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_picture_shows_the_run_on_three_lines),
        cmocka_unit_test(test_without_utf8_the_picture_is_ascii),
        cmocka_unit_test(test_what_holds_it_up_is_told),
        cmocka_unit_test(test_a_model_that_does_not_answer_is_named_before_the_last_error),
        cmocka_unit_test(test_batches_are_told_with_what_waits_for_them),
        cmocka_unit_test(test_no_line_is_as_wide_as_the_terminal),
        cmocka_unit_test(test_colours_add_no_width),
        cmocka_unit_test(test_a_plain_line_tells_the_same),
        cmocka_unit_test(test_the_json_object_has_the_documented_fields),
        cmocka_unit_test(test_pace_is_that_of_the_last_minute),
        cmocka_unit_test(test_the_picture_is_redrawn_in_place_and_wiped),
        cmocka_unit_test(test_lines_come_now_and_then_and_at_notable_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
