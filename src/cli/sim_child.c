#include "cli/sim_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIM_CHILD_READY_MS 10000
#define SIM_CHILD_ARGS_MAX 64

/* In the child: a process group of its own, so that Ctrl-C on the terminal reaches the parent
 * alone. */
NORETURN static void sim_child_exec(pid_t parent, char **argv) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1); /* the parent was gone before the line above */
    }
    (void)setpgid(0, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    execv("/proc/self/exe", argv);
    _exit(127);
}

/* The port as the child writes it to its end of the pipe, or 0. */
static int sim_child_read_port(int fd) {
    char text[16];
    size_t n = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (n + 1 < sizeof text && poll(&p, 1, SIM_CHILD_READY_MS) > 0) {
        ssize_t got = read(fd, text + n, sizeof text - 1 - n);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    text[n] = '\0';
    int64_t port = 0;
    return str_to_i64(str_trim((struct str){text, n}), &port) && port > 0 && port < 65536
               ? (int)port
               : 0;
}

static enum err sim_child_spawn(struct sim_child *c, char **argv, int ready[2],
                                struct errinfo *reterr) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return errinfo_set(reterr, ERR_IO, "cannot start the simulator: %s", strerror(errno));
    }
    if (pid == 0) {
        sim_child_exec(parent, argv);
    }
    c->pid = pid;
    (void)close(ready[1]);
    ready[1] = -1;
    c->port = sim_child_read_port(ready[0]);
    if (c->port == 0) {
        sim_child_stop(c);
        return errinfo_set(reterr, ERR_TIMEOUT,
                           "the simulator did not start; try `stumper sim --port 0` by hand");
    }
    return ERR_OK;
}

enum err sim_child_start(struct sim_child *c, const char *truth, struct str args,
                         struct errinfo *reterr) {
    int ready[2];
    char ready_fd[16];
    char *argv[SIM_CHILD_ARGS_MAX];
    struct arena a;
    size_t n = 0;
    *c = (struct sim_child){0};
    if (pipe2(ready, 0) != 0) { /* inherited on purpose: the child writes its port there */
        return errinfo_set(reterr, ERR_IO, "cannot start the simulator: %s", strerror(errno));
    }
    (void)fcntl(ready[0], F_SETFD, FD_CLOEXEC);
    (void)snprintf(ready_fd, sizeof ready_fd, "%d", ready[1]);
    arena_init(&a, 1 << 20);
    const char *fixed[] = {"stumper",    "sim",    "--port",  "0",
                           "--ready-fd", ready_fd, "--truth", truth};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        argv[n++] = (char *)(uintptr_t)fixed[i];
    }
    while (args.n > 0 && n + 1 < SIM_CHILD_ARGS_MAX) {
        struct str arg = str_split(&args, ' ');
        if (arg.n > 0) {
            argv[n++] = (char *)(uintptr_t)str_cstr(&a, arg);
        }
    }
    argv[n] = NULL;
    enum err e = sim_child_spawn(c, argv, ready, reterr);
    (void)close(ready[0]);
    if (ready[1] >= 0) {
        (void)close(ready[1]);
    }
    arena_release(&a);
    return e;
}

enum err sim_child_provide(struct sim_child *c, const char *truth, struct str args,
                           struct llm_config *llm, struct arena *a, struct errinfo *reterr) {
    if (llm->providers_n == LLM_PROVIDERS_MAX) {
        return errinfo_set(reterr, ERR_TOO_BIG, "no room for the provider sim beside %d others",
                           LLM_PROVIDERS_MAX);
    }
    enum err e = sim_child_start(c, truth, args, reterr);
    if (e == ERR_OK) {
        llm->providers[llm->providers_n++] =
            (struct llm_provider){.name = "sim",
                                  .type = "openai-chat",
                                  .base_url = str_fmt(a, "http://127.0.0.1:%d/v1", c->port).p,
                                  .batches = true};
    }
    return e;
}

void sim_child_stop(struct sim_child *c) {
    if (c->pid > 0) {
        (void)kill(c->pid, SIGTERM);
        (void)waitpid(c->pid, NULL, 0);
        c->pid = 0;
    }
}
