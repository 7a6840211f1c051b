/* stumper sim: a provider that needs no key. The server is in sim/; here are its flags. */
#include "base/file.h"
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
#define SIM_PEM_BYTES_MAX ((size_t)256 * 1024)
#define SIM_DEFAULT_LISTEN "127.0.0.1"

struct sim_wish {
    struct sim_options server;
    int64_t port, ready_fd, parent_pid, seed;
    const char *latency, *output_tokens, *reasoning_tokens, *batch_time;
    int64_t piece_tokens;
    struct opt_strs prices;
    const char *tls_cert, *tls_key;  /* paths */
    const char *limits[QUOTA_SPEND]; /* by kind, as given */
    double fault_rate;
    bool accept_all;
};

static bool sim_spread(const char *flag, const char *text, struct spread *ret) {
    if (spread_read(str_of(text), ret)) {
        return true;
    }
    (void)cmd_fail("sim", EXIT_USAGE,
                   "--%s: '%s' is neither a number nor lognormal:MEAN,SIGMA (SIGMA at most %g)",
                   flag, text, SPREAD_SIGMA_MAX);
    return false;
}

static bool sim_limits(struct sim_wish *wish) {
    for (int k = 0; k < QUOTA_SPEND; k++) {
        const char *text = wish->limits[k];
        if (text != NULL && !quota_plan_read(str_of(text), &wish->server.limits.of[k])) {
            (void)cmd_fail("sim", EXIT_USAGE,
                           "'%s' is no limit: write N, or N,30s:N for one that changes after "
                           "30 seconds",
                           text);
            return false;
        }
    }
    return true;
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

/* Certificate and key: both or none. */
static bool sim_tls(struct sim_wish *wish, struct arena *a) {
    struct sim_options *o = &wish->server;
    struct str cert, key;
    struct errinfo why = {0};
    if (wish->tls_cert == NULL && wish->tls_key == NULL) {
        return true;
    }
    if (wish->tls_cert == NULL || wish->tls_key == NULL) {
        (void)cmd_fail("sim", EXIT_USAGE, "--tls-cert and --tls-key belong together");
        return false;
    }
    enum err e = file_read(wish->tls_cert, SIM_PEM_BYTES_MAX, a, &cert, &why);
    e = e == ERR_OK ? file_read(wish->tls_key, SIM_PEM_BYTES_MAX, a, &key, &why) : e;
    if (e != ERR_OK) {
        (void)cmd_fail("sim", EXIT_USAGE, "%s", errinfo_text(&why, e));
        return false;
    }
    o->tls_cert = str_cstr(a, cert);
    o->tls_key = str_cstr(a, key);
    return true;
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
    (void)printf("listening on %s://%s%s%s:%d\n", wish->tls_cert != NULL ? "https" : "http",
                 v6 ? "[" : "", wish->server.listen, v6 ? "]" : "", port);
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

/* What the bill counts with; NULL after a wrong --price. */
static const struct price_table *sim_prices(const struct opt_strs *own, struct arena *a) {
    struct price_table *prices = NULL;
    const struct jnode *doc;
    struct jcheck check;
    struct errinfo why = {0};
    jcheck_init(&check, a);
    ASSERT(jnode_parse(builtin_prices(), a, &doc, NULL) == ERR_OK);
    ASSERT(price_table_read(&check, doc, a, &prices));
    for (size_t i = 0; i < own->n; i++) {
        if (price_table_set(prices, str_of(own->v[i]), &why) != ERR_OK) {
            (void)cmd_fail("sim", EXIT_USAGE, "--price: %s", why.text);
            return NULL;
        }
    }
    return prices;
}

static int sim_run(struct sim_wish *wish, struct arena *a) {
    struct sim_options *o = &wish->server;
    o->brain.seed = (uint64_t)wish->seed;
    o->piece_bytes = (size_t)wish->piece_tokens * 4;
    o->prices = sim_prices(&wish->prices, a);
    if (o->prices == NULL || !sim_spread("latency", wish->latency, &o->latency_ms) ||
        !sim_spread("output-tokens", wish->output_tokens, &o->brain.output_tokens) ||
        !sim_spread("batch-time", wish->batch_time, &o->batch_s) ||
        !sim_spread("reasoning-tokens", wish->reasoning_tokens, &o->brain.reasoning_tokens) ||
        !sim_limits(wish) || !sim_faults(wish) || !sim_tls(wish, a)) {
        return EXIT_USAGE;
    }
    if (!sim_signals(wish)) {
        return EXIT_FAILED;
    }
    int code = sim_serve(wish);
    (void)close(o->stop_fd);
    return code;
}

/* None of the flags is read from the environment: STUMPER_SEED and its like are meant for others.
 */
static struct opt sim_row(const char *name, enum opt_kind kind, const char *value, void *to,
                          const char *otherwise, const char *help) {
    return (struct opt){.name = name,
                        .kind = kind,
                        .value = value,
                        .to = to,
                        .otherwise = otherwise,
                        .help = help,
                        .argv_only = true};
}

static struct opt sim_int(const char *name, const char *value, int64_t *to, int64_t min,
                          int64_t max, const char *otherwise, const char *help) {
    struct opt row = sim_row(name, OPT_INT, value, to, otherwise, help);
    row.min = min;
    row.max = max;
    return row;
}

static struct opt sim_rate(const char *name, double *to, const char *otherwise, const char *help) {
    return sim_row(name, OPT_RATE, "RATE", to, otherwise, help);
}

static size_t sim_server_rows(struct sim_wish *w, struct opt *ret) {
    const struct opt rows[] = {
        sim_int("port", "PORT", &w->port, 0, 65535, "0",
                "port to listen on; 0: any free one, printed on standard output"),
        sim_row("listen", OPT_STR, "ADDRESS", &w->server.listen, SIM_DEFAULT_LISTEN,
                "IP address to listen on"),
        sim_row("tls-cert", OPT_STR, "FILE", &w->tls_cert, NULL,
                "speak HTTPS with this certificate (PEM)"),
        sim_row("tls-key", OPT_STR, "FILE", &w->tls_key, NULL, "its private key"),
        sim_row("require-key", OPT_STR, "KEY", &w->server.key, NULL,
                "answer 401 unless this bearer key comes with a request"),
        sim_row("reasoning", OPT_FLAG, NULL, &w->server.reasoning, NULL,
                "refuse max_tokens, temperature and top_p, as reasoning models do"),
        sim_row("latency", OPT_STR, "MS", &w->latency, "0",
                "milliseconds, or lognormal:MEAN,SIGMA"),
        sim_int("keep-alive", "MS", &w->server.keep_alive_ms, 0, 3600000, "0",
                "while a model thinks, send a comment or an empty line so often, as DeepSeek does; "
                "0: never"),
        sim_row("output-tokens", OPT_STR, "N", &w->output_tokens, "lognormal:350,0.5",
                "length of the target's answers, a number or lognormal:MEAN,SIGMA"),
        sim_row("reasoning-tokens", OPT_STR, "N", &w->reasoning_tokens, "0",
                "tokens thought before every answer, a number or lognormal:MEAN,SIGMA"),
        sim_rate("cached-input", &w->server.brain.cached, "0",
                 "share of the input that is billed as read from the provider's cache"),
        sim_row("price", OPT_STRS, "MODEL=IN,OUT", &w->prices, NULL,
                "what the bill counts with: sim/engineer=IN,CACHED,OUT in dollars per million "
                "tokens"),
        sim_int("stream-tokens", "N", &w->piece_tokens, 1, 100000, "16",
                "tokens in one event of a stream"),
        sim_row("batch-time", OPT_STR, "SECONDS", &w->batch_time, "2",
                "how long a batch takes, a number or lognormal:MEAN,SIGMA"),
        sim_rate("batch-expire", &w->server.batch_expire, "0",
                 "share of a batch's requests that expire"),
        sim_row("ledger", OPT_STR, "FILE", &w->server.ledger_path, NULL,
                "append a line for every call that is billed; the sums are at /ledger/summary"),
        sim_int("ready-fd", "FD", &w->ready_fd, -1, 1 << 20, "-1",
                "write the port to this descriptor, too, and close it"),
        sim_int("parent-pid", "PID", &w->parent_pid, 0, INT64_C(1) << 22, "0",
                "end when this process, which must be the parent, ends"),
    };
    memcpy(ret, rows, sizeof rows);
    ret[0].group = "Server";
    return ARRAY_LEN(rows);
}

static size_t sim_brain_rows(struct sim_wish *w, struct opt *ret) {
    struct brain_options *b = &w->server.brain;
    const struct opt rows[] = {
        sim_int("seed", "N", &w->seed, 0, INT64_MAX, "1",
                "the same seed gives the same answers to the same requests"),
        sim_row("truth", OPT_STR, "FILE", &w->server.truth_path, NULL,
                "note there what was planted, for `stumper score`; a simulator started again with "
                "it knows its problems"),
        sim_row("accept-all", OPT_FLAG, NULL, &w->accept_all, NULL,
                "everybody right but the target, nothing planted: every attempt is accepted"),
        sim_rate("wrong-answer-rate", &b->wrong_answer, "0.12", "engineer: states a wrong answer"),
        sim_rate("checker-lenient", &b->lenient, "0.15", "checker: passes a wrong answer"),
        sim_rate("checker-strict", &b->strict, "0.08", "checker: rejects a right answer"),
        sim_rate("correct-hints", &b->correct_hints, "0.1", "checker: corrects a hint"),
        sim_rate("judge-error", &b->judge_error, "0.02",
                 "checker: says the contrary about two answers"),
        sim_rate("target-fail", &b->target_fail, "0.38", "target: gives a wrong answer"),
        sim_rate("other-form", &b->other_form, "0.4",
                 "target: gives a right answer in another form (0.5 for \\frac{1}{2})"),
        sim_rate("messy-rate", &b->messy, "0.1",
                 "JSON in fences, in prose, with single backslashes, with trailing commas"),
    };
    memcpy(ret, rows, sizeof rows);
    ret[0].group = "What it says";
    return ARRAY_LEN(rows);
}

static size_t sim_limit_rows(struct sim_wish *w, struct opt *ret) {
    const struct opt rows[] = {
        sim_row("rpm", OPT_STR, "N", &w->limits[QUOTA_REQUESTS], NULL,
                "requests a minute; 600,30s:300 is 600, and 300 from the 30th second on"),
        sim_row("tpm", OPT_STR, "N", &w->limits[QUOTA_TOKENS], NULL,
                "tokens a minute: input and the cap on output where OpenAI's formats are spoken, "
                "input for Anthropic's and Gemini's"),
        sim_row("otpm", OPT_STR, "N", &w->limits[QUOTA_OUTPUT], NULL,
                "output tokens a minute, counted as they are written (Anthropic's format)"),
        sim_row("max-in-flight", OPT_STR, "N", &w->limits[QUOTA_CONCURRENCY], NULL,
                "requests at once"),
        sim_row("ramp", OPT_STR, "N", &w->limits[QUOTA_RAMP], NULL,
                "input tokens a minute that may come at once; beyond it, half as many again each "
                "--ramp-time"),
        {.name = "ramp-time",
         .kind = OPT_REAL,
         .value = "SECONDS",
         .to = &w->server.limits.ramp_s,
         .otherwise = "900",
         .real_min = 1,
         .real_max = 86400,
         .help = "until the use may have risen by half",
         .argv_only = true},
        sim_row("rpd", OPT_STR, "N", &w->limits[QUOTA_DAY], NULL,
                "requests a day; no wait helps against it"),
        {.name = "limit-burst",
         .kind = OPT_REAL,
         .value = "SECONDS",
         .to = &w->server.limits.burst_s,
         .otherwise = "60",
         .real_min = 0.01,
         .real_max = 60,
         .help = "how much of a minute's limit may be used at once",
         .argv_only = true},
        sim_row("spend-limit", OPT_MONEY, "USD", &w->server.spend_nusd, NULL,
                "refuse everything for good once the bill is so high"),
    };
    memcpy(ret, rows, sizeof rows);
    ret[0].group = "Limits of each key and model, enforced with 429";
    return ARRAY_LEN(rows);
}

static size_t sim_fault_rows(struct sim_wish *w, struct opt *ret) {
    static const struct {
        enum fault fault;
        const char *name, *help;
    } faults[] = {
        {FAULT_429, "fault-429", "too many requests, with retry-after headers"},
        {FAULT_500, "fault-500", "internal error"},
        {FAULT_503, "fault-503", "overloaded"},
        {FAULT_529, "fault-529", "overloaded, as Anthropic says it"},
        {FAULT_RESET, "fault-reset", "the connection is reset"},
        {FAULT_HANG, "fault-hang", "no answer until the client goes"},
        {FAULT_IN_200, "fault-in-200", "an error as the body of a 200, or amid a stream"},
        {FAULT_CUT, "fault-cut", "a stream without its last event; a body that breaks off"},
        {FAULT_STALL, "fault-stall", "an answer begins, and then no more comes"},
        {FAULT_DRIP, "fault-drip", "billed, bit by bit in ten times the time"},
        {FAULT_TRUNCATE, "fault-truncate", "billed, cut off, finish_reason length"},
        {FAULT_MALFORMED, "fault-malformed", "billed, JSON of the wrong form"},
        {FAULT_EMPTY, "fault-empty", "billed, no content"},
        {FAULT_REFUSE, "fault-refuse", "billed, a refusal"},
        {FAULT_QUOTA, "fault-quota", "429 that no wait will mend: the account is out of quota"},
    };
    struct brain_options *b = &w->server.brain;
    size_t n = 0;
    ret[n++] =
        sim_rate("fault-rate", &w->fault_rate, "0", "spread evenly over all kinds below but quota");
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        ret[n++] = sim_rate(faults[i].name, &b->faults.of[faults[i].fault], "0", faults[i].help);
    }
    ret[n++] = sim_row("repeat-faults", OPT_FLAG, NULL, &b->repeat_faults, NULL,
                       "the same request meets the same fault each time");
    ret[0].group = "What goes wrong";
    return n;
}

/* --accept-all sets other defaults, under what was given. */
static bool sim_options(const struct opt_command *command, struct opt *rows, int argc, char **argv,
                        struct arena *a, struct sim_wish *wish, int *ret_code) {
    struct opt_result options;
    if (!cmd_options(command, argc, argv, a, &options, ret_code)) {
        return false;
    }
    if (!wish->accept_all) {
        return true;
    }
    brain_options_accept_all(&wish->server.brain);
    for (size_t i = 0; i < command->rows_n; i++) {
        rows[i].otherwise = rows[i].kind == OPT_RATE ? NULL : rows[i].otherwise;
    }
    return cmd_options(command, argc, argv, a, &options, ret_code);
}

int cmd_sim(int argc, char **argv) {
    struct sim_wish wish = {0};
    struct opt rows[OPT_ROWS_MAX];
    size_t n = sim_server_rows(&wish, rows);
    n += sim_brain_rows(&wish, rows + n);
    n += sim_limit_rows(&wish, rows + n);
    n += sim_fault_rows(&wish, rows + n);
    const struct opt_command command = {
        .name = "sim",
        .summary = "a simulated provider: try everything without a key",
        .about = "An HTTP server that speaks OpenAI Chat Completions, Responses and embeddings and "
                 "Anthropic Messages at /v1, Gemini generateContent at /v1beta, whole and "
                 "streamed, and the batches of the first two, with the models engineer, checker "
                 "and target. It writes mathematics "
                 "problems with exact answers "
                 "and makes mistakes on purpose, at the rates set below. What is said depends on "
                 "the seed and the request alone. Ctrl-C ends it.",
        .examples = "  stumper sim --port 8081 --latency 200 --truth truth.jsonl\n"
                    "  export OPENAI_BASE_URL=http://127.0.0.1:8081/v1 OPENAI_API_KEY=none\n"
                    "  # its models are then openai/engineer, openai/checker, openai/target\n",
        .rows = rows,
        .rows_n = n,
    };
    struct arena a;
    int code;
    arena_init(&a, SIM_ARENA_BYTES_MAX);
    if (sim_options(&command, rows, argc, argv, &a, &wish, &code)) {
        code = sim_run(&wish, &a);
    }
    arena_release(&a);
    return code;
}
