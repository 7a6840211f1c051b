/* stumper sim: a provider that needs no key. The server is in sim/; here are its flags. */
#include "cli/cmd.h"
#include "core/builtin.h"
#include "core/price.h"
#include "sim/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SIM_ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define SIM_DEFAULT_LISTEN "127.0.0.1"

struct sim_wish {
    struct sim_options server;
    int64_t port, ready_fd, parent_pid, seed;
    const char *latency, *output_tokens;
    double fault_rate;
    bool accept_all;
};

#define SIM_RATE(flag, to_, default_, help_)                                                       \
    {                                                                                              \
        .name = (flag), .kind = OPT_RATE, .value = "RATE", .to = (to_), .otherwise = (default_),   \
        .help = (help_), .argv_only = true                                                         \
    }
#define SIM_FAULT(kind, help_)                                                                     \
    SIM_RATE("fault-" kind, &wish->server.brain.faults.of[fault_find(kind)], "0", help_)

static enum fault fault_find(const char *name) {
    int f = 0;
    while (strcmp(fault_name((enum fault)f), name) != 0) {
        f++;
        ASSERT(f < FAULT_COUNT);
    }
    return (enum fault)f;
}

static bool sim_spread(const char *flag, const char *text, struct spread *ret) {
    if (spread_read(str_of(text), ret)) {
        return true;
    }
    (void)cmd_fail("sim", EXIT_USAGE,
                   "--%s: '%s' is neither a number nor lognormal:MEAN,SIGMA (SIGMA at most %g)",
                   flag, text, SPREAD_SIGMA_MAX);
    return false;
}

static bool sim_faults(struct sim_wish *wish) {
    double sum = 0;
    fault_rates_spread(&wish->server.brain.faults, wish->fault_rate);
    for (int f = 0; f < FAULT_COUNT; f++) {
        sum += wish->server.brain.faults.of[f];
    }
    if (sum > 1) {
        (void)cmd_fail("sim", EXIT_USAGE, "the fault rates add up to %g, more than 1", sum);
    }
    return sum <= 1;
}

/* Signals come as something to read; a child ends with its parent. */
static bool sim_signals(struct sim_wish *wish) {
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    if (wish->parent_pid > 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != (pid_t)wish->parent_pid) {
            (void)cmd_fail("sim", EXIT_FAILED, "its parent %lld is gone",
                           (long long)wish->parent_pid);
            return false;
        }
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
        (wish->server.stop_fd = signalfd(-1, &set, SFD_CLOEXEC)) < 0) {
        (void)cmd_fail("sim", EXIT_FAILED, "cannot watch for signals: %s", strerror(errno));
        return false;
    }
    return true;
}

static bool sim_announce(const struct sim_wish *wish, int port) {
    bool v6 = strchr(wish->server.listen, ':') != NULL;
    (void)printf("listening on http://%s%s%s:%d\n", v6 ? "[" : "", wish->server.listen,
                 v6 ? "]" : "", port);
    bool told = fflush(stdout) == 0;
    if (wish->ready_fd >= 0) {
        told = dprintf((int)wish->ready_fd, "%d\n", port) > 0 && told;
        (void)close((int)wish->ready_fd); /* the reader sees the end */
    }
    return told;
}

static int sim_serve(struct sim_wish *wish) {
    struct sim_server *server;
    struct errinfo why = {0};
    wish->server.port = (int)wish->port;
    enum err e = sim_server_new(&wish->server, &server, &why);
    if (e != ERR_OK) {
        return cmd_fail("sim", e == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s",
                        errinfo_text(&why, e));
    }
    if (!sim_announce(wish, sim_server_port(server))) {
        sim_server_free(server);
        return cmd_fail("sim", EXIT_FAILED, "cannot tell the port: %s", strerror(errno));
    }
    sim_server_run(server);
    sim_server_free(server);
    return EXIT_DONE;
}

static const struct price_table *sim_prices(struct arena *a) {
    struct price_table *prices = NULL;
    const struct jnode *doc;
    struct jcheck check;
    jcheck_init(&check, a);
    ASSERT(jnode_parse(builtin_prices(), a, &doc, NULL) == ERR_OK);
    ASSERT(price_table_read(&check, doc, a, &prices));
    return prices;
}

static int sim_run(struct sim_wish *wish, struct arena *a) {
    struct sim_options *o = &wish->server;
    o->brain.seed = (uint64_t)wish->seed;
    o->prices = sim_prices(a);
    if (!sim_spread("latency", wish->latency, &o->latency_ms) ||
        !sim_spread("output-tokens", wish->output_tokens, &o->brain.output_tokens) ||
        !sim_faults(wish)) {
        return EXIT_USAGE;
    }
    if (!sim_signals(wish)) {
        return EXIT_FAILED;
    }
    int code = sim_serve(wish);
    (void)close(o->stop_fd);
    return code;
}

/* The rows are one long table. */
int cmd_sim(int argc, char **argv) {
    struct sim_wish wishes = {0}, *wish = &wishes;
    struct brain_options *b = &wish->server.brain;
    struct opt rows[] = {
        {.group = "Server",
         .name = "port",
         .kind = OPT_INT,
         .value = "PORT",
         .to = &wish->port,
         .max = 65535,
         .otherwise = "0",
         .argv_only = true,
         .help = "port to listen on; 0: any free one, printed on standard output"},
        {.name = "listen",
         .kind = OPT_STR,
         .value = "ADDRESS",
         .to = &wish->server.listen,
         .otherwise = SIM_DEFAULT_LISTEN,
         .argv_only = true,
         .help = "IP address to listen on"},
        {.name = "require-key",
         .kind = OPT_STR,
         .value = "KEY",
         .to = &wish->server.key,
         .argv_only = true,
         .help = "answer 401 unless this bearer key comes with a request"},
        {.name = "reasoning",
         .kind = OPT_FLAG,
         .to = &wish->server.reasoning,
         .argv_only = true,
         .help = "refuse max_tokens, temperature and top_p, as reasoning models do"},
        {.name = "latency",
         .kind = OPT_STR,
         .value = "MS",
         .to = &wish->latency,
         .otherwise = "0",
         .argv_only = true,
         .help = "milliseconds, or lognormal:MEAN,SIGMA"},
        {.name = "output-tokens",
         .kind = OPT_STR,
         .value = "N",
         .to = &wish->output_tokens,
         .otherwise = "lognormal:350,0.5",
         .argv_only = true,
         .help = "length of the target's answers, a number or lognormal:MEAN,SIGMA"},
        {.name = "ready-fd",
         .kind = OPT_INT,
         .value = "FD",
         .to = &wish->ready_fd,
         .min = -1,
         .max = 1 << 20,
         .otherwise = "-1",
         .argv_only = true,
         .help = "write the port to this descriptor, too, and close it"},
        {.name = "parent-pid",
         .kind = OPT_INT,
         .value = "PID",
         .to = &wish->parent_pid,
         .max = INT64_C(1) << 22,
         .otherwise = "0",
         .argv_only = true,
         .help = "end when this process, which must be the parent, ends"},
        {.group = "What it says",
         .name = "seed",
         .kind = OPT_INT,
         .value = "N",
         .to = &wish->seed,
         .max = INT64_MAX,
         .otherwise = "1",
         .argv_only = true,
         .help = "the same seed gives the same answers to the same requests"},
        {.name = "truth",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &wish->server.truth_path,
         .argv_only = true,
         .help = "note there what was planted, for `stumper score`; a simulator started again with "
                 "it knows its problems"},
        {.name = "accept-all",
         .kind = OPT_FLAG,
         .to = &wish->accept_all,
         .argv_only = true,
         .help = "everybody right but the target, nothing planted: every attempt is accepted"},
        SIM_RATE("wrong-answer-rate", &b->wrong_answer, "0.12", "engineer: states a wrong answer"),
        SIM_RATE("checker-lenient", &b->lenient, "0.15", "checker: passes a wrong answer"),
        SIM_RATE("checker-strict", &b->strict, "0.08", "checker: rejects a right answer"),
        SIM_RATE("correct-hints", &b->correct_hints, "0.1", "checker: corrects a hint"),
        SIM_RATE("judge-error", &b->judge_error, "0.02",
                 "checker: says the contrary about two answers"),
        SIM_RATE("target-fail", &b->target_fail, "0.38", "target: gives a wrong answer"),
        SIM_RATE("other-form", &b->other_form, "0.4",
                 "target: gives a right answer in another form (0.5 for \\frac{1}{2})"),
        SIM_RATE("messy-rate", &b->messy, "0.1",
                 "JSON in fences, in prose, with single backslashes, with trailing commas"),
        {.group = "What goes wrong",
         .name = "fault-rate",
         .kind = OPT_RATE,
         .value = "RATE",
         .to = &wish->fault_rate,
         .otherwise = "0",
         .argv_only = true,
         .help = "spread evenly over all kinds below but quota"},
        SIM_FAULT("429", "too many requests, with retry-after headers"),
        SIM_FAULT("500", "internal error"),
        SIM_FAULT("503", "overloaded"),
        SIM_FAULT("reset", "the connection is reset"),
        SIM_FAULT("hang", "no answer until the client goes"),
        SIM_FAULT("truncate", "billed, cut off, finish_reason length"),
        SIM_FAULT("malformed", "billed, JSON of the wrong form"),
        SIM_FAULT("empty", "billed, no content"),
        SIM_FAULT("refuse", "billed, a refusal"),
        SIM_FAULT("quota", "429 that no wait will mend: the account is out of quota"),
        {.name = "repeat-faults",
         .kind = OPT_FLAG,
         .to = &b->repeat_faults,
         .argv_only = true,
         .help = "the same request meets the same fault each time"},
        {.group = "Books",
         .name = "ledger",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &wish->server.ledger_path,
         .argv_only = true,
         .help = "append a line for every call that is billed; the sums are at /ledger/summary"},
    };
    const struct opt_command command = {
        .name = "sim",
        .summary = "a simulated provider: try everything without a key",
        .about = "An HTTP server that speaks OpenAI Chat Completions at /v1, with the models "
                 "engineer, checker and target. It writes mathematics problems with exact answers "
                 "and makes mistakes on purpose, at the rates set below. What is said depends on "
                 "the seed and the request alone. Ctrl-C ends it.",
        .examples = "  stumper sim --port 8081 --latency 200 --truth truth.jsonl\n"
                    "  OPENAI_BASE_URL=http://127.0.0.1:8081/v1 OPENAI_API_KEY=none stumper "
                    "generate -n 20 \\\n    --engineer openai/engineer --checker openai/checker "
                    "--target openai/target\n"
                    "  stumper score problems.jsonl --truth truth.jsonl\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
    };
    struct arena a;
    struct opt_result options;
    int code;
    arena_init(&a, SIM_ARENA_BYTES_MAX);
    bool ok = cmd_options(&command, argc, argv, &a, &options, &code);
    if (ok && wish->accept_all) { /* other defaults, under what was given */
        brain_options_accept_all(b);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            rows[i].otherwise = rows[i].kind == OPT_RATE ? NULL : rows[i].otherwise;
        }
        ok = cmd_options(&command, argc, argv, &a, &options, &code);
    }
    if (ok) {
        code = sim_run(wish, &a);
    }
    arena_release(&a);
    return code;
}
