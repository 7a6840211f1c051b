/* When to write, and where the cursor goes.
 *
 * The picture stands at the bottom of what was printed, the cursor on the line below it. To draw
 * anew: go up over what is drawn, write every line and clear what is left of the old one behind it,
 * clear below. After a resize the terminal may have broken our lines into several; how many follows
 * from their widths. Each frame is one write(), so that nothing gets in between. */
#include "cli/progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRESS_BYTES_MAX ((size_t)16 * 1024)
#define PROGRESS_JSON_MS 1000

enum progress_mode progress_mode_for(bool quiet, bool json, int fd,
                                     const char *(*getenv_fn)(const char *name)) {
    return json                              ? PROGRESS_JSON
           : quiet                           ? PROGRESS_QUIET
           : term_look(fd, getenv_fn).redraw ? PROGRESS_LIVE
                                             : PROGRESS_LINES;
}

void progress_init(struct progress *p, enum progress_mode mode, int fd,
                   const char *(*getenv_fn)(const char *name), int64_t now_ms) {
    *p = (struct progress){.mode = mode,
                           .fd = fd,
                           .getenv_fn = getenv_fn,
                           .term = term_look(fd, getenv_fn),
                           .began_ms = now_ms,
                           .told_ms = now_ms,
                           .facts = {.per_minute = -1, .eta_ms = -1}};
}

/* A display that cannot be written is not a reason to end a run. */
static void progress_write(const struct progress *p, struct sbuf *out) {
    struct str rest = sbuf_str(out);
    while (rest.n > 0) {
        ssize_t put = write(p->fd, rest.p, rest.n);
        if (put < 0 && errno != EINTR) {
            break;
        }
        rest = str_skip(rest, put > 0 ? (size_t)put : 0);
    }
    sbuf_release(out);
}

/* Move to the first column of the first drawn line. */
static void progress_go_up(struct progress *p, struct sbuf *out) {
    int rows = 0;
    for (int i = 0; i < p->drawn_n; i++) {
        rows += MAX(1, (p->drawn[i] + p->term.width - 1) / MAX(p->term.width, 1));
    }
    sbuf_add_char(out, '\r');
    if (rows > 0) {
        sbuf_addf(out, "\x1b[%dA", rows);
    }
}

static int progress_plain_columns(struct str line) {
    int columns = 0;
    while (line.n > 0) {
        size_t escape = str_find_char(line, '\x1b');
        columns += term_columns(str_take(line, escape));
        line = str_skip(line, escape);
        size_t end = str_find_char(line, 'm');
        line = str_skip(line, end == STR_NPOS ? line.n : end + 1);
    }
    return columns;
}

static void progress_draw(struct progress *p, struct sbuf *out) {
    struct sbuf picture;
    sbuf_init(&picture, PROGRESS_BYTES_MAX);
    p->term.width = term_width(p->fd, p->getenv_fn);
    progress_picture(&p->facts, &p->term, &picture);
    if (!p->cursor_hidden) {
        sbuf_add_cstr(out, "\x1b[?25l");
        p->cursor_hidden = true;
    }
    progress_go_up(p, out);
    p->drawn_n = 0;
    for (struct str rest = sbuf_str(&picture); rest.n > 0 && p->drawn_n < PROGRESS_LINES_MAX;) {
        struct str line = str_split(&rest, '\n');
        sbuf_add(out, line);
        sbuf_add_cstr(out, "\x1b[K\n");
        p->drawn[p->drawn_n++] = progress_plain_columns(line);
    }
    sbuf_add_cstr(out, "\x1b[J");
    sbuf_release(&picture);
}

static void progress_wipe(struct progress *p, struct sbuf *out) {
    if (p->drawn_n > 0) {
        p->term.width = term_width(p->fd, p->getenv_fn);
        progress_go_up(p, out);
        sbuf_add_cstr(out, "\x1b[J");
        p->drawn_n = 0;
    }
}

/* Rarer as time goes by, so that the log of a long run stays readable. */
static int64_t progress_line_every_ms(int64_t elapsed_ms) {
    return elapsed_ms < 60000 ? 5000 : elapsed_ms < 600000 ? 15000 : 60000;
}

static bool progress_is_notable(struct progress *p) {
    const struct sched *s = &p->facts.view.sched;
    bool first = !p->told_first && s->outcomes[OUTCOME_ACCEPTED] > 0;
    bool stopped = s->stop != p->told_stop;
    p->told_first = p->told_first || first;
    p->told_stop = s->stop;
    return first || stopped;
}

static void progress_tell(struct progress *p, struct sbuf *out, int64_t now_ms) {
    bool json = p->mode == PROGRESS_JSON;
    int64_t every_ms = json ? PROGRESS_JSON_MS : progress_line_every_ms(p->facts.elapsed_ms);
    if (!progress_is_notable(p) && now_ms - p->told_ms < every_ms) {
        return;
    }
    p->told_ms = now_ms;
    if (json) {
        progress_json(&p->facts, "progress", out);
    } else {
        sbuf_add_cstr(out, "stumper: ");
        progress_line(&p->facts, out);
        sbuf_add_char(out, '\n');
    }
}

void progress_update(struct progress *p, const struct work_view *view,
                     const struct llm_stats *stats, int64_t now_ms) {
    int64_t accepted = view->sched.outcomes[OUTCOME_ACCEPTED];
    struct sbuf out;
    pace_add(&p->pace, now_ms, accepted);
    p->facts.view = *view;
    p->facts.stats = *stats;
    p->facts.elapsed_ms = now_ms - p->began_ms;
    p->facts.per_minute = pace_per_minute(&p->pace, now_ms, accepted);
    p->facts.eta_ms = pace_eta_ms(p->facts.per_minute, view->sched.wanted, accepted);
    sbuf_init(&out, PROGRESS_BYTES_MAX);
    if (p->mode == PROGRESS_LIVE) {
        progress_draw(p, &out);
    } else if (p->mode != PROGRESS_QUIET) {
        progress_tell(p, &out, now_ms);
    }
    progress_write(p, &out);
}

void progress_note(struct progress *p, const char *fmt, ...) {
    char text[1024];
    struct sbuf out;
    va_list args;
    if (p->mode == PROGRESS_QUIET) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    sbuf_init(&out, PROGRESS_BYTES_MAX);
    if (p->mode == PROGRESS_JSON) {
        struct jwrite w;
        jwrite_init(&w, &out);
        jwrite_object(&w);
        jwrite_key(&w, "event");
        jwrite_cstr(&w, "note");
        jwrite_key(&w, "text");
        jwrite_cstr(&w, text);
        jwrite_end(&w);
        sbuf_add_char(&out, '\n');
    } else {
        bool drawn = p->drawn_n > 0;
        progress_wipe(p, &out);
        sbuf_addf(&out, "stumper: %s\n", text);
        if (drawn) {
            progress_draw(p, &out);
        }
    }
    progress_write(p, &out);
}

void progress_interrupted(struct progress *p, const struct work_view *view, bool batches) {
    int64_t n = sched_in_flight(&view->sched);
    const struct llm_stats *stats = &p->facts.stats;
    if (batches) {
        progress_note(p,
                      "interrupted: %s call%s in %s batch%s go on at their providers, and are kept "
                      "there for you; the same command collects them and goes on",
                      term_count(stats->batched).s, stats->batched == 1 ? "" : "s",
                      term_count(stats->batches).s, stats->batches == 1 ? "" : "es");
        return;
    }
    progress_note(p,
                  "interrupted: nothing more is started; %s attempt%s in flight will be finished. "
                  "Ctrl-C again stops at once; either way the same command goes on later",
                  term_count(n).s, n == 1 ? "" : "s");
}

void progress_end(struct progress *p) {
    struct sbuf out;
    sbuf_init(&out, PROGRESS_BYTES_MAX);
    progress_wipe(p, &out);
    if (p->cursor_hidden) {
        sbuf_add_cstr(&out, "\x1b[?25h");
        p->cursor_hidden = false;
    }
    if (p->mode == PROGRESS_JSON) {
        progress_json(&p->facts, "end", &out);
    }
    p->mode = PROGRESS_QUIET;
    progress_write(p, &out);
}
