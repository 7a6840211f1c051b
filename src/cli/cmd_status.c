/* stumper status: where a job stands and what it has cost, from its store. Works beside a running
 * job. */
#include "base/clock.h"
#include "cli/cmd.h"
#include "cli/summary.h"

#include <stdio.h>

#define STATUS_ARENA_BYTES_MAX ((size_t)4 << 30) /* a spec may hold seeds by the million */
#define STATUS_BYTES_MAX ((size_t)1024 * 1024)

struct status {
    const char *path;
    struct job_row job;
    struct spend_row *spend;
    size_t spend_n;
};

static enum err status_read(struct status *s, struct arena *a, struct errinfo *reterr) {
    struct store_reader *reader;
    enum err e = store_reader_open(s->path, &reader, reterr);
    if (e != ERR_OK) {
        return e;
    }
    e = store_read_job(reader, NULL, a, &s->job, reterr);
    if (e == ERR_OK) {
        e = store_read_spend(reader, s->job.id, a, &s->spend, &s->spend_n, reterr);
    }
    store_reader_close(reader);
    return e;
}

static void status_json_int(struct jwrite *w, const char *key, int64_t v) {
    jwrite_key(w, key);
    jwrite_int(w, v);
}

static void status_json_time(struct jwrite *w, const char *key, int64_t wall_ms) {
    char when[CLOCK_RFC3339_BYTES];
    jwrite_key(w, key);
    if (wall_ms > 0) {
        clock_rfc3339(wall_ms, when);
        jwrite_cstr(w, when);
    } else {
        jwrite_null(w);
    }
}

static void status_json_spend(const struct status *s, struct jwrite *w) {
    jwrite_key(w, "spend");
    jwrite_array(w);
    for (size_t i = 0; i < s->spend_n; i++) {
        const struct spend_row *r = &s->spend[i];
        jwrite_object(w);
        jwrite_key(w, "role");
        jwrite_cstr(w, role_name(r->usage.role));
        jwrite_key(w, "model");
        jwrite_str(w, r->usage.model);
        status_json_int(w, "calls", r->usage.calls);
        status_json_int(w, "calls_reused", r->calls_reused);
        status_json_int(w, "input_tokens", r->usage.input_tokens);
        status_json_int(w, "cached_tokens", r->usage.cached_tokens);
        status_json_int(w, "cache_write_tokens", r->cache_write_tokens);
        status_json_int(w, "output_tokens", r->usage.output_tokens);
        status_json_int(w, "reasoning_tokens", r->usage.reasoning_tokens);
        jwrite_key(w, "cost_usd");
        jwrite_usd(w, money_told(r->usage.cost_nusd, r->usage.calls_unpriced));
        status_json_int(w, "calls_unpriced", r->usage.calls_unpriced);
        jwrite_key(w, "wasted_usd");
        jwrite_usd(w, money_told(r->wasted_nusd, r->usage.calls_unpriced));
        status_json_int(w, "p50_ms", r->p50_ms);
        status_json_int(w, "p95_ms", r->p95_ms);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void status_json(const struct status *s, struct sbuf *out) {
    const struct job_row *job = &s->job;
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    jwrite_key(&w, "job_id");
    jwrite_cstr(&w, job->id);
    jwrite_key(&w, "state");
    jwrite_cstr(&w, job_state_name(job->state));
    jwrite_key(&w, "reason");
    if (job->reason.n > 0) {
        jwrite_str(&w, job->reason);
    } else {
        jwrite_null(&w);
    }
    status_json_int(&w, "wanted", job->wanted);
    status_json_int(&w, "attempts", job->attempts);
    status_json_int(&w, "leased", job->leased);
    jwrite_key(&w, "outcomes");
    jwrite_object(&w);
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        status_json_int(&w, outcome_name((enum outcome)o), job->outcomes[o]);
    }
    jwrite_end(&w);
    status_json_int(&w, "calls", job->calls);
    status_json_int(&w, "input_tokens", job->input_tokens);
    status_json_int(&w, "output_tokens", job->output_tokens);
    jwrite_key(&w, "cost_usd");
    jwrite_usd(&w, money_told(job->cost_nusd, job->calls_unpriced));
    status_json_int(&w, "calls_unpriced", job->calls_unpriced);
    status_json_int(&w, "tries_lost", job->tries_lost);
    jwrite_key(&w, "lost_usd_max");
    jwrite_usd(&w, money_told(job->lost_nusd, job->tries_lost));
    status_json_time(&w, "created_at", job->created_ms);
    status_json_time(&w, "ended_at", job->ended_ms);
    status_json_spend(s, &w);
    jwrite_end(&w);
    sbuf_add_char(out, '\n');
}

static void status_text(const struct status *s, struct arena *a, struct sbuf *out) {
    const struct job_row *job = &s->job;
    struct summary summary = {
        .job = job, .spend = s->spend, .spend_n = s->spend_n, .elapsed_ms = -1, .state = s->path};
    char when[CLOCK_RFC3339_BYTES];
    clock_rfc3339(job->created_ms, when);
    sbuf_addf(out, "%s: %s, begun %s", job->id, job_state_name(job->state), when);
    if (job->ended_ms > 0) {
        sbuf_addf(out, ", ended %s later", term_duration(job->ended_ms - job->created_ms).s);
    }
    if (job->leased > 0) {
        sbuf_addf(out, ", %s attempt%s under way", term_count(job->leased).s,
                  job->leased == 1 ? "" : "s");
    }
    sbuf_add_char(out, '\n');
    summary_stop_of_job(&summary, a);
    summary_text(&summary, a, out);
}

int cmd_status(int argc, char **argv) {
    bool json = false;
    const struct opt rows[] = {
        {.name = "json",
         .kind = OPT_FLAG,
         .to = &json,
         .argv_only = true,
         .help = "as one JSON object"},
    };
    const struct opt_command command = {
        .name = "status",
        .summary = "where a job stands and what it has cost",
        .args = "FILE.db",
        .about = "FILE.db is the state that `stumper generate -o FILE` keeps beside its output. It "
                 "can be read while the job is running.",
        .examples = "  stumper status problems.jsonl.db\n"
                    "  stumper status problems.jsonl.db --json | jq .cost_usd\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_min = 1,
        .args_max = 1,
    };
    struct arena a;
    struct opt_result options;
    int code = EXIT_DONE;
    arena_init(&a, STATUS_ARENA_BYTES_MAX);
    if (cmd_options(&command, argc, argv, &a, &options, &code)) {
        struct status s = {.path = options.args[0]};
        struct errinfo why = {0};
        struct sbuf out;
        enum err e = status_read(&s, &a, &why);
        sbuf_init(&out, STATUS_BYTES_MAX);
        if (e != ERR_OK) {
            code = cmd_fail("status", EXIT_FAILED, "%s", errinfo_text(&why, e));
        } else if (json) {
            status_json(&s, &out);
        } else {
            status_text(&s, &a, &out);
        }
        (void)fputs(sbuf_str(&out).p, stdout);
        sbuf_release(&out);
    }
    arena_release(&a);
    return code;
}
