/* The texts of the display. A line of the picture is made of parts; a part that would not fit is
 * left out whole, so that a narrow terminal shows less and never wraps. */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PROGRESS_BAR_MIN 8
#define PROGRESS_BAR_MAX 40
#define PROGRESS_TROUBLE "no answers: "

enum progress_style { STYLE_PLAIN, STYLE_DIM, STYLE_GOOD, STYLE_WARN };

static const char *const progress_sgr[] = {[STYLE_PLAIN] = "",
                                           [STYLE_DIM] = "\x1b[2m",
                                           [STYLE_GOOD] = "\x1b[32m",
                                           [STYLE_WARN] = "\x1b[33m"};

/* One line being put together. */
struct progress_row {
    struct sbuf *out;
    const struct term *term;
    int used; /* columns */
    bool full;
};

static void progress_row_begin(struct progress_row *r, struct sbuf *out, const struct term *term) {
    *r = (struct progress_row){.out = out, .term = term};
}

static int progress_row_room(const struct progress_row *r) {
    return r->term->width - 1 -
           r->used; /* the last column is left free: some terminals wrap there */
}

static void progress_put(struct progress_row *r, enum progress_style style, struct str text) {
    bool styled = r->term->colour && style != STYLE_PLAIN;
    sbuf_add_cstr(r->out, styled ? progress_sgr[style] : "");
    sbuf_add(r->out, text);
    sbuf_add_cstr(r->out, styled ? "\x1b[0m" : "");
    r->used += term_columns(text);
}

/* Add a part, two spaces after the one before. Once one did not fit, nothing follows. */
PRINTF(3, 4)
static void progress_part(struct progress_row *r, enum progress_style style, const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    r->full = r->full || term_columns(str_of(text)) + 2 > progress_row_room(r);
    if (!r->full) {
        progress_put(r, STYLE_PLAIN, S("  "));
        progress_put(r, style, str_of(text));
    }
}

static void progress_row_end(struct progress_row *r) {
    sbuf_add_char(r->out, '\n');
}

static int64_t progress_accepted(const struct progress_facts *f) {
    return f->view.sched.outcomes[OUTCOME_ACCEPTED];
}

static void progress_bar(struct progress_row *r, int64_t accepted, int64_t wanted, int columns) {
    const char *full = r->term->utf8 ? "\xE2\x94\x81" : "#";  /* ━ */
    const char *empty = r->term->utf8 ? "\xE2\x94\x80" : "-"; /* ─ */
    int done = wanted > 0 ? (int)(MIN(accepted, wanted) * columns / wanted) : 0;
    struct sbuf bar;
    sbuf_init(&bar, PROGRESS_BAR_MAX * 4);
    for (int i = 0; i < done; i++) {
        sbuf_add_cstr(&bar, full);
    }
    progress_put(r, STYLE_PLAIN, S("  "));
    progress_put(r, STYLE_GOOD, sbuf_str(&bar));
    sbuf_clear(&bar);
    for (int i = done; i < columns; i++) {
        sbuf_add_cstr(&bar, empty);
    }
    progress_put(r, STYLE_DIM, sbuf_str(&bar));
    sbuf_release(&bar);
}

static struct term_text progress_rate(double per_minute) {
    struct term_text t = {.s = "-/min"};
    if (per_minute >= 0) {
        (void)snprintf(t.s, sizeof t.s, "%.*f/min", per_minute < 99.95 ? 1 : 0, per_minute);
    }
    return t;
}

/* "37/50 accepted  ━━━━━━━────  74%  12.3/min  ETA 1m 04s": the bar takes what the rest leaves. */
static void progress_row_bar(const struct progress_facts *f, const struct term *term,
                             struct sbuf *out) {
    int64_t accepted = progress_accepted(f), wanted = f->view.sched.wanted;
    struct progress_row r;
    char tail[96];
    int n = snprintf(tail, sizeof tail, "%3d%%  %s  ETA %s",
                     wanted > 0 ? (int)(MIN(accepted, wanted) * 100 / wanted) : 0,
                     progress_rate(f->per_minute).s,
                     f->eta_ms < 0 ? "-" : term_duration(MAX(f->eta_ms / 1000 * 1000, 0)).s);
    progress_row_begin(&r, out, term);
    progress_part(&r, STYLE_PLAIN, "%s/%s accepted", term_count(accepted).s, term_count(wanted).s);
    int columns = MIN(progress_row_room(&r) - 2 - (n + 2), PROGRESS_BAR_MAX);
    if (columns >= PROGRESS_BAR_MIN) {
        progress_bar(&r, accepted, wanted, columns);
    }
    progress_part(&r, STYLE_PLAIN, "%s", tail);
    progress_row_end(&r);
}

static void progress_row_outcomes(const struct progress_facts *f, const struct term *term,
                                  struct sbuf *out) {
    static const enum outcome order[] = {OUTCOME_SOLVED, OUTCOME_REJECTED, OUTCOME_DUPLICATE,
                                         OUTCOME_FAILED, OUTCOME_SURPLUS};
    struct progress_row r;
    progress_row_begin(&r, out, term);
    if (f->stats.batched > 0) {
        progress_part(&r, STYLE_PLAIN, "%s in flight (%s in %s batch%s, %s gathering)",
                      term_count(sched_in_flight(&f->view.sched)).s, term_count(f->stats.batched).s,
                      term_count(f->stats.batches).s, f->stats.batches == 1 ? "" : "es",
                      term_count(f->stats.waiting).s);
    } else if (f->stats.waiting > 0) {
        progress_part(&r, STYLE_PLAIN, "%s in flight (%s waiting)",
                      term_count(sched_in_flight(&f->view.sched)).s,
                      term_count(f->stats.waiting).s);
    } else {
        progress_part(&r, STYLE_PLAIN, "%s in flight",
                      term_count(sched_in_flight(&f->view.sched)).s);
    }
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        int64_t n = f->view.sched.outcomes[order[i]];
        if (n > 0 || order[i] == OUTCOME_SOLVED || order[i] == OUTCOME_REJECTED) {
            progress_part(&r, order[i] == OUTCOME_FAILED ? STYLE_WARN : STYLE_PLAIN, "%s %s",
                          term_count(n).s, outcome_name(order[i]));
        }
    }
    progress_row_end(&r);
}

void progress_money(int64_t nusd, int64_t calls_unpriced, struct sbuf *out) {
    if (calls_unpriced == 0) {
        sbuf_add_cstr(out, term_money(nusd).s);
    } else if (money_told(nusd, calls_unpriced) == MONEY_UNKNOWN) {
        sbuf_add_cstr(out, "unknown");
    } else {
        sbuf_addf(out, "%s + %s unpriced call%s", term_money(nusd).s, term_count(calls_unpriced).s,
                  calls_unpriced == 1 ? "" : "s");
    }
}

static void progress_row_spend(const struct progress_facts *f, const struct term *term,
                               struct sbuf *out) {
    const struct work_view *v = &f->view;
    struct progress_row r;
    struct sbuf money;
    sbuf_init(&money, 128);
    progress_money(v->budget.spent_nusd, v->calls_unpriced, &money);
    if (v->budget.max_nusd != MONEY_UNKNOWN) {
        sbuf_addf(&money, " of %s", term_money(v->budget.max_nusd).s);
    }
    progress_row_begin(&r, out, term);
    progress_part(&r, STYLE_PLAIN, "%s elapsed", term_duration(f->elapsed_ms / 1000 * 1000).s);
    progress_part(&r, STYLE_PLAIN, "money %s", sbuf_str(&money).p);
    progress_part(&r, STYLE_PLAIN, "tokens %s in, %s out", term_count(v->input_tokens).s,
                  term_count(v->output_tokens).s);
    progress_part(&r, STYLE_PLAIN, "%s calls", term_count(v->calls).s);
    progress_row_end(&r);
    sbuf_release(&money);
}

/* @what, and as much of @text as the row still takes. */
static void progress_part_cut(struct progress_row *r, const char *what, const char *text) {
    int room = progress_row_room(r) - 2 - (int)strlen(what);
    struct str shown = term_take(str_of(text), MAX(room, 0));
    progress_part(r, STYLE_WARN, "%s%.*s", what, STR_ARG(shown));
}

/* What holds it up, if anything does. */
static void progress_row_trouble(const struct progress_facts *f, const struct term *term,
                                 struct sbuf *out) {
    const struct sched *s = &f->view.sched;
    bool limited = f->stats.waiting > 0 && f->stats.rate_limited > 0;
    bool out_of_reach = f->stats.trouble[0] != '\0';
    struct progress_row r;
    if (!limited && !out_of_reach && s->cause[0] == '\0') {
        return;
    }
    progress_row_begin(&r, out, term);
    if (limited) {
        progress_part(&r, STYLE_WARN, "%s rate limits so far", term_count(f->stats.rate_limited).s);
    }
    if (out_of_reach) {
        progress_part_cut(&r, PROGRESS_TROUBLE, f->stats.trouble);
    } else if (s->cause[0] != '\0') {
        char what[64];
        (void)snprintf(what, sizeof what,
                       "last error (%s in a row): ", term_count(s->errors_in_row).s);
        progress_part_cut(&r, what, s->cause);
    }
    progress_row_end(&r);
}

static const char *progress_stop_text(enum stop stop) {
    switch (stop) {
    case STOP_NOT_YET:
    case STOP_DONE:
    case STOP_COUNT:
        break;
    case STOP_MAX_ATTEMPTS:
        return "--max-attempts reached: finishing what is in flight";
    case STOP_MAX_COST:
        return "--max-cost reached: ending";
    case STOP_DEADLINE:
        return "--deadline reached: ending";
    case STOP_STALLED:
        return "no progress: ending";
    case STOP_ERRORS:
        return "one error again and again: ending";
    case STOP_CANCELLED:
        return "cancelled: waiting for the answers that are paid for";
    case STOP_INTERRUPTED:
        return "interrupted: finishing what is in flight (Ctrl-C again stops now)";
    }
    return NULL;
}

static void progress_row_stop(const struct progress_facts *f, const struct term *term,
                              struct sbuf *out) {
    enum stop stop = f->view.sched.stop;
    struct progress_row r;
    if (f->view.fatal == ERR_OK && progress_stop_text(stop) == NULL) {
        return;
    }
    progress_row_begin(&r, out, term);
    if (f->view.fatal != ERR_OK) {
        struct str shown = term_take(str_of(f->view.fatal_detail), progress_row_room(&r) - 2);
        progress_part(&r, STYLE_WARN, "%.*s", STR_ARG(shown));
    } else {
        progress_part(&r, STYLE_WARN, "%s", progress_stop_text(stop));
    }
    progress_row_end(&r);
}

void progress_picture(const struct progress_facts *f, const struct term *term, struct sbuf *out) {
    progress_row_bar(f, term, out);
    progress_row_outcomes(f, term, out);
    progress_row_spend(f, term, out);
    progress_row_trouble(f, term, out);
    progress_row_stop(f, term, out);
}

void progress_line(const struct progress_facts *f, struct sbuf *out) {
    const struct sched *s = &f->view.sched;
    sbuf_addf(out, "%s/%s accepted", term_count(progress_accepted(f)).s, term_count(s->wanted).s);
    if (f->per_minute >= 0) {
        sbuf_addf(out, ", %s", progress_rate(f->per_minute).s);
    }
    sbuf_addf(out, ", %s in flight", term_count(sched_in_flight(s)).s);
    for (int o = OUTCOME_ACCEPTED + 1; o < OUTCOME_COUNT; o++) {
        if (s->outcomes[o] > 0) {
            sbuf_addf(out, ", %s %s", term_count(s->outcomes[o]).s, outcome_name((enum outcome)o));
        }
    }
    sbuf_add_cstr(out, ", money ");
    progress_money(f->view.budget.spent_nusd, f->view.calls_unpriced, out);
    if (f->stats.batched > 0) {
        sbuf_addf(out, ", %s in %s batch%s", term_count(f->stats.batched).s,
                  term_count(f->stats.batches).s, f->stats.batches == 1 ? "" : "es");
    }
    if (f->stats.waiting > 0) {
        sbuf_addf(out, ", %s %s", term_count(f->stats.waiting).s,
                  f->stats.batched > 0 ? "gathering" : "waiting");
    }
    if (f->stats.trouble[0] != '\0') {
        sbuf_addf(out, ", " PROGRESS_TROUBLE "%s", f->stats.trouble);
    }
    if (s->errors_in_row > 0) {
        sbuf_addf(out, ", last error: %s (%s in a row)", s->cause, term_count(s->errors_in_row).s);
    }
    if (f->eta_ms > 0) {
        sbuf_addf(out, ", ETA %s", term_duration(f->eta_ms / 1000 * 1000).s);
    }
    if (progress_stop_text(s->stop) != NULL) {
        sbuf_addf(out, "; %s", progress_stop_text(s->stop));
    }
}

static void progress_json_int(struct jwrite *w, const char *key, int64_t v) {
    jwrite_key(w, key);
    jwrite_int(w, v);
}

static void progress_json_counts(const struct progress_facts *f, struct jwrite *w) {
    const struct work_view *v = &f->view;
    progress_json_int(w, "elapsed_ms", f->elapsed_ms);
    progress_json_int(w, "wanted", v->sched.wanted);
    progress_json_int(w, "accepted", progress_accepted(f));
    jwrite_key(w, "per_minute");
    if (f->per_minute >= 0) {
        jwrite_real(w, (double)(int64_t)(f->per_minute * 100) / 100);
    } else {
        jwrite_null(w);
    }
    jwrite_key(w, "eta_ms");
    if (f->eta_ms >= 0) {
        jwrite_int(w, f->eta_ms);
    } else {
        jwrite_null(w);
    }
    progress_json_int(w, "in_flight", sched_in_flight(&v->sched));
    progress_json_int(w, "calls_in_flight", v->calls_in_flight);
    progress_json_int(w, "launched", v->sched.launched);
    jwrite_key(w, "outcomes");
    jwrite_object(w);
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        progress_json_int(w, outcome_name((enum outcome)o), v->sched.outcomes[o]);
    }
    jwrite_end(w);
}

static void progress_json_spend(const struct progress_facts *f, struct jwrite *w) {
    const struct work_view *v = &f->view;
    progress_json_int(w, "calls", v->calls);
    progress_json_int(w, "calls_unpriced", v->calls_unpriced);
    progress_json_int(w, "replayed", v->replayed);
    progress_json_int(w, "input_tokens", v->input_tokens);
    progress_json_int(w, "output_tokens", v->output_tokens);
    jwrite_key(w, "cost_usd");
    jwrite_usd(w, money_told(v->budget.spent_nusd, v->calls_unpriced));
    jwrite_key(w, "max_cost_usd");
    jwrite_usd(w, v->budget.max_nusd); /* MONEY_UNKNOWN: null */
    progress_json_int(w, "requests", f->stats.requests);
    progress_json_int(w, "retries", f->stats.retries);
    progress_json_int(w, "rate_limited", f->stats.rate_limited);
    progress_json_int(w, "waiting", f->stats.waiting);
    progress_json_int(w, "batches", f->stats.batches);
    progress_json_int(w, "batched", f->stats.batched);
    jwrite_key(w, "trouble");
    jwrite_cstr(w, f->stats.trouble[0] != '\0' ? f->stats.trouble : NULL);
}

void progress_json(const struct progress_facts *f, const char *event, struct sbuf *out) {
    const struct sched *s = &f->view.sched;
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    jwrite_key(&w, "event");
    jwrite_cstr(&w, event);
    progress_json_counts(f, &w);
    progress_json_spend(f, &w);
    progress_json_int(&w, "errors_in_row", s->errors_in_row);
    jwrite_key(&w, "cause");
    jwrite_cstr(&w, s->cause[0] != '\0' ? s->cause : NULL);
    jwrite_key(&w, "stop");
    jwrite_cstr(&w, s->stop == STOP_NOT_YET ? NULL : stop_name(s->stop));
    jwrite_end(&w);
    sbuf_add_char(out, '\n');
}
