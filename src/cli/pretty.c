#include "cli/pretty.h"

#include "core/money.h"

#include <math.h>
#include <stdio.h>

#define PRETTY_WIDTH_MIN 40
#define PRETTY_WIDTH_MAX 100
#define PRETTY_INDENT 2
#define PRETTY_FIELD_BYTES_MAX ((size_t)1024 * 1024)

struct pretty {
    const struct jnode *j;
    struct term term;
    struct arena *a;
    struct sbuf *out;
};

static const char *pretty_sgr(const struct pretty *p, const char *code) {
    return p->term.colour ? code : "";
}

/* @text made harmless for a terminal. */
static struct str pretty_clean(const struct pretty *p, struct str text) {
    struct sbuf clean;
    sbuf_init(&clean, PRETTY_FIELD_BYTES_MAX);
    term_clean(&clean, str_take_utf8(text, PRETTY_FIELD_BYTES_MAX / 4), p->term.utf8);
    struct str copy = str_dup(p->a, sbuf_str(&clean));
    sbuf_release(&clean);
    return copy;
}

/* A heading and its text below it. */
static void pretty_section(const struct pretty *p, const char *heading, struct str text) {
    if (text.n > 0) {
        sbuf_addf(p->out, "\n%s%s%s\n%*s", pretty_sgr(p, "\x1b[1m"), heading,
                  pretty_sgr(p, "\x1b[0m"), PRETTY_INDENT, "");
        term_wrap(p->out, pretty_clean(p, str_trim(text)), PRETTY_INDENT, PRETTY_INDENT,
                  p->term.width);
        sbuf_add_char(p->out, '\n');
    }
}

/* "── accepted · Algebra / Quadratics · hard ─────────" */
static void pretty_rule(const struct pretty *p) {
    const char *line = p->term.utf8 ? "\xE2\x94\x80" : "-", *dot = p->term.utf8 ? "\xC2\xB7" : "|";
    struct str subject = jnode_get_str(p->j, "subject"), topic = jnode_get_str(p->j, "topic");
    struct str level = jnode_get_str(p->j, "difficulty");
    struct str title =
        str_fmt(p->a, "%.*s%s%s%s%.*s%s%.*s%s%s%s%.*s", STR_ARG(jnode_get_str(p->j, "status")),
                subject.n > 0 ? " " : "", subject.n > 0 ? dot : "", subject.n > 0 ? " " : "",
                STR_ARG(subject), topic.n > 0 ? " / " : "", STR_ARG(topic), level.n > 0 ? " " : "",
                level.n > 0 ? dot : "", level.n > 0 ? " " : "", STR_ARG(level));
    title = term_take(pretty_clean(p, title), p->term.width - 6);
    int rest = p->term.width - 4 - term_columns(title);
    sbuf_addf(p->out, "%s%s%s %.*s ", pretty_sgr(p, "\x1b[36m"), line, line, STR_ARG(title));
    for (int i = 0; i < rest; i++) {
        sbuf_add_cstr(p->out, line);
    }
    sbuf_addf(p->out, "%s\n%.*s\n", pretty_sgr(p, "\x1b[0m"),
              STR_ARG(pretty_clean(p, jnode_get_str(p->j, "id"))));
}

static void pretty_hints(const struct pretty *p) {
    const struct jnode *hints = jnode_get(p->j, "hints"), *value;
    struct str key;
    if (jnode_len(hints) == 0) {
        return;
    }
    sbuf_addf(p->out, "\n%sHints%s%s\n", pretty_sgr(p, "\x1b[1m"), pretty_sgr(p, "\x1b[0m"),
              jnode_bool(jnode_get(p->j, "hints_were_corrected"), false)
                  ? " (corrected by the checker)"
                  : "");
    for (void *i = jnode_next(hints, NULL, &key, &value); i != NULL;
         i = jnode_next(hints, i, &key, &value)) {
        struct str head = str_fmt(p->a, "%*s%.*s  ", PRETTY_INDENT, "",
                                  STR_ARG(pretty_clean(p, str_take_utf8(key, 12))));
        int at = term_columns(head);
        sbuf_add(p->out, head);
        term_wrap(p->out, pretty_clean(p, str_trim(jnode_str(value))), at, at, p->term.width);
        sbuf_add_char(p->out, '\n');
    }
}

static void pretty_verdict(const struct pretty *p) {
    const struct jnode *verdict = jnode_get(p->j, "verdict");
    double confidence = jnode_real(jnode_get(verdict, "confidence"), (double)NAN);
    char heading[96] = "Verdict";
    if (jnode_type(verdict) != JNODE_OBJECT) {
        return;
    }
    const char *same =
        jnode_bool(jnode_get(verdict, "equivalent"), false) ? "the same answer" : "another answer";
    if (isfinite(confidence)) {
        (void)snprintf(heading, sizeof heading, "Verdict: %s (confidence %.2f)", same, confidence);
    } else {
        (void)snprintf(heading, sizeof heading, "Verdict: %s", same);
    }
    struct str reason = jnode_get_str(verdict, "reason");
    if (reason.n > 0) {
        pretty_section(p, heading, reason);
    } else {
        sbuf_addf(p->out, "\n%s%s%s\n", pretty_sgr(p, "\x1b[1m"), heading,
                  pretty_sgr(p, "\x1b[0m"));
    }
}

/* "$0.0123 · 4,567 tokens · attempt 12 · 2026-11-23T21:58:00.123Z", as far as it is there. */
static void pretty_foot(const struct pretty *p) {
    const char *dot = p->term.utf8 ? " \xC2\xB7 " : " | ";
    double usd = jnode_real(jnode_get(p->j, "cost_usd"), -1);
    int64_t attempt = jnode_get_int(p->j, "attempt", -1);
    struct str when = jnode_get_str(p->j, "created_at");
    sbuf_addf(p->out, "\n%scost %s", pretty_sgr(p, "\x1b[2m"),
              term_money(usd < 0 ? MONEY_UNKNOWN : llround(usd * (double)NUSD_PER_USD)).s);
    if (attempt >= 0) {
        sbuf_addf(p->out, "%sattempt %s", dot, term_count(attempt).s);
    }
    if (when.n > 0) {
        sbuf_addf(p->out, "%s%.*s", dot, STR_ARG(pretty_clean(p, when)));
    }
    sbuf_addf(p->out, "%s\n", pretty_sgr(p, "\x1b[0m"));
}

void pretty_problem(const struct jnode *j, const struct term *term, struct arena *a,
                    struct sbuf *out) {
    struct pretty p = {.j = j, .term = *term, .a = a, .out = out};
    p.term.width = MIN(MAX(term->width, PRETTY_WIDTH_MIN), PRETTY_WIDTH_MAX);
    pretty_rule(&p);
    pretty_section(&p, "Problem", jnode_get_str(j, "problem"));
    pretty_section(&p, "Answer", jnode_get_str(j, "answer"));
    pretty_section(&p, "The target's answer", jnode_get_str(j, "target_model_answer"));
    pretty_verdict(&p);
    pretty_section(&p, "Why it was not kept", jnode_get_str(j, "rejection_reason"));
    pretty_section(&p, "Error", jnode_get_str(jnode_get(j, "error"), "cause"));
    pretty_hints(&p);
    pretty_foot(&p);
}
