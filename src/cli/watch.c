/* A status asked for again and again becomes the view that the display of `generate` takes. */
#include "cli/watch.h"

#include "base/clock.h"
#include "cli/cmd.h"
#include "store/store.h"

#include <signal.h>

#define WATCH_EVERY_MS 250
#define WATCH_REPLY_BYTES_MAX ((size_t)1024 * 1024 * 1024)

/* A request under way is awaited: it is short. */
static void watch_on_signal(void *ctx, int signum) {
    struct client *c = ctx;
    (void)signum;
    c->interrupted = true;
}

static void watch_slept(void *ctx) {
    struct client *c = ctx;
    loop_stop(c->loop);
}

static void watch_sleep(struct client *c) {
    struct loop_timer timer = {0};
    loop_timer_start(c->loop, &timer, WATCH_EVERY_MS, watch_slept, c);
    loop_run(c->loop);
}

int watch_exit_code(struct str state) {
    switch (job_state_from_name(state)) {
    case JOB_SUCCEEDED:
        return EXIT_DONE;
    case JOB_PARTIAL:
    case JOB_CANCELLED:
        return EXIT_SHORT;
    case JOB_FAILED:
    case JOB_STATES:
        return EXIT_FAILED;
    case JOB_QUEUED:
    case JOB_RUNNING:
    case JOB_PAUSED:
    case JOB_CANCELLING:
        break;
    }
    return EXIT_DONE;
}

static void watch_read_view(const struct jnode *job, struct work_view *v) {
    const struct jnode *counts = jnode_get(job, "counts"), *usage = jnode_get(job, "usage");
    *v = (struct work_view){.calls = jnode_get_int(usage, "calls", 0),
                            .reused = jnode_get_int(usage, "calls_reused", 0),
                            .input_tokens = jnode_get_int(usage, "input_tokens", 0),
                            .output_tokens = jnode_get_int(usage, "output_tokens", 0),
                            .calls_unpriced = jnode_get_int(usage, "calls_unpriced", 0)};
    v->sched.wanted = jnode_get_int(counts, "wanted", 0);
    v->sched.launched = jnode_get_int(counts, "attempts", 0);
    v->sched.in_stage[ATTEMPT_STAGE_ENGINEER] = jnode_get_int(counts, "in_flight", 0);
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        v->sched.outcomes[o] = jnode_get_int(counts, outcome_name((enum outcome)o), 0);
    }
    double cost_usd = jnode_real(jnode_get(usage, "cost_usd"), 0);
    budget_init(&v->budget, MONEY_UNKNOWN, (int64_t)(cost_usd * (double)NUSD_PER_USD));
}

enum err watch_job(struct client *c, const char *job_id, struct progress *p, int *ret,
                   struct errinfo *reterr) {
    const struct llm_stats no_stats = {0};
    struct arena *all = c->a, one;
    struct work_view view;
    enum err e = ERR_OK;
    bool ended = false;
    arena_init(&one, WATCH_REPLY_BYTES_MAX);
    c->a = &one; /* a reply is of no use once it is shown */
    loop_on_signal(c->loop, SIGINT, watch_on_signal, c);
    while (e == ERR_OK && !ended && !c->interrupted) {
        struct client_reply reply;
        e = client_ask(c, "GET", str_fmt(&one, "/status/%s", job_id).p, S(""), &reply, reterr);
        if (e == ERR_OK) {
            struct str state = jnode_get_str(reply.json, "status");
            watch_read_view(reply.json, &view);
            ended = job_state_is_final(job_state_from_name(state));
            progress_update(p, &view, &no_stats, clock_mono_ms());
            *ret = watch_exit_code(state);
        }
        arena_reset(&one);
        if (e == ERR_OK && !ended) {
            watch_sleep(c);
        }
    }
    progress_end(p);
    c->a = all;
    arena_release(&one);
    if (c->interrupted) {
        *ret = EXIT_INTERRUPTED;
    }
    return e;
}
