/* One thread, one socket for each helper:
 *
 *   submit ─► mailbox ─► pool thread ─► socket ─► helper (child) ── reply ─► pool thread ─► done
 *                                          └─────► keeper: forks the helper, waits for it, answers
 *                                                  for it when it dies
 *
 * The sockets keep message boundaries, so a request or a reply is there whole or not at all. A
 * helper takes one request at a time: what waits in the socket survives its death. Before it begins
 * it writes the number of the request into memory that it shares with its keeper; that is the
 * request the keeper answers for.
 *
 * Invariants (1) replies of a helper come in the order of its requests; (2) at most WINDOW requests
 * are in one socket; (3) the keeper is single-threaded, so forking from it is always safe. */
#include "worker/judge_pool.h"

#include "answer/extract.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW 16
#define TEXTS_BYTES_MAX ((size_t)96 * 1024) /* both texts of a request; a socket takes 200 KB */
#define HELPER_MEMORY_MAX ((rlim_t)1 << 30)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

struct request {
    uint64_t number;
    struct answer_options options;
    uint32_t gold_n, given_n;
    char texts[TEXTS_BYTES_MAX];
};

struct reply {
    uint64_t number;
    int32_t verdict, certainty;
    double confidence;
    char method[24], reason[104];
};

struct slot {
    int fd; /* the pool's end */
    pid_t keeper;
    struct judge_call *first, **last; /* in the socket, oldest first */
    size_t n;
};

struct judge_pool {
    struct slot slots[JUDGE_HELPERS_MAX];
    int helpers;
    int wake; /* eventfd */
    struct mailbox inbox;
    struct judge_call *waiting, **waiting_last;
    pthread_t thread;
    atomic_bool stop;
    atomic_int_fast64_t restarts;
    uint64_t number;         /* of the last call */
    struct request *request; /* scratch of the pool's thread */
};

/* --- in the helper --- */

struct helper {
    int fd;
    int deadline_ms;
    _Atomic uint64_t *busy; /* shared with the keeper; 0: idle */
    struct arena arena;
    struct request request;
};

static void helper_limits(void) {
    static const struct rlimit none = {0, 0}, memory = {HELPER_MEMORY_MAX, HELPER_MEMORY_MAX};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)setrlimit(RLIMIT_FSIZE, &none);
#ifndef SANITIZED /* which reserves address space by the terabyte */
    (void)setrlimit(RLIMIT_AS, &memory);
#endif
    (void)memory;
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)signal(SIGALRM, SIG_DFL);
    sigset_t nothing;
    (void)sigemptyset(&nothing);
    (void)sigprocmask(SIG_SETMASK, &nothing, NULL);
}

static void helper_timer(int ms) {
    struct itimerval t = {.it_value = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000L}};
    (void)setitimer(ITIMER_REAL, &t, NULL); /* its signal ends the process */
}

static struct reply helper_answer(struct helper *h) {
    const struct request *q = &h->request;
    struct answer_result r =
        answer_compare((struct str){q->texts, q->gold_n},
                       (struct str){q->texts + q->gold_n, q->given_n}, &q->options, &h->arena);
    struct reply reply = {.number = q->number,
                          .verdict = (int32_t)r.verdict,
                          .certainty = (int32_t)r.certainty,
                          .confidence = r.confidence};
    (void)snprintf(reply.method, sizeof reply.method, "%s", r.method);
    (void)snprintf(reply.reason, sizeof reply.reason, "%s", r.reason);
    arena_reset(&h->arena);
    return reply;
}

/* Returns when the pool has closed its end. */
static void helper_serve(struct helper *h) {
    uint64_t number;
    while (recv(h->fd, &number, sizeof number, MSG_PEEK) == (ssize_t)sizeof number) {
        atomic_store(h->busy, number); /* while the request is still in the socket */
        helper_timer(h->deadline_ms);
        ssize_t n = recv(h->fd, &h->request, sizeof h->request, 0);
        ASSERT(n >= (ssize_t)offsetof(struct request, texts));
        struct reply reply = helper_answer(h);
        helper_timer(0);
        atomic_store(h->busy, 0);
        if (send(h->fd, &reply, sizeof reply, MSG_NOSIGNAL) != (ssize_t)sizeof reply) {
            return;
        }
    }
}

/* --- in the keeper --- */

static bool keeper_report(struct helper *h, int status) {
    uint64_t number = atomic_exchange(h->busy, 0);
    bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    struct reply reply = {.number = number, .verdict = ANSWER_UNDECIDED, .certainty = ANSWER_NONE};
    (void)snprintf(reply.method, sizeof reply.method, "limits");
    (void)snprintf(reply.reason, sizeof reply.reason, "%s",
                   late ? "the deadline passed" : "the comparison broke down");
    return number == 0 || send(h->fd, &reply, sizeof reply, MSG_NOSIGNAL) > 0;
}

/* Start the helper, and again whenever it dies; end when it ends. */
NORETURN static void keeper_run(struct helper *h) {
    (void)signal(SIGINT, SIG_IGN); /* the program decides when to end */
    for (;;) {
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent) {
                helper_limits();
                helper_serve(h);
            }
            _exit(0);
        }
        int status = 0;
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
            !keeper_report(h, status)) {
            _exit(0);
        }
    }
}

/* A crash of FLINT prints to standard error: nobody's business. */
static void keeper_close_files(int keep) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++) {
        (void)dup2(null, fd);
    }
    (void)dup2(keep, 3);
    (void)close_range(4, ~0U, 0);
}

static bool slot_start(struct slot *s, int deadline_ms) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    s->fd = pair[0];
    s->last = &s->first;
    pid_t parent = getpid();
    s->keeper = fork();
    if (s->keeper == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(0);
        }
        keeper_close_files(pair[1]);
        struct helper *h = mem_new(sizeof *h);
        h->fd = 3;
        h->deadline_ms = deadline_ms;
        h->busy =
            mmap(NULL, sizeof *h->busy, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        arena_init(&h->arena, ANSWER_ARENA_BYTES);
        if (h->busy == MAP_FAILED) {
            _exit(1);
        }
        keeper_run(h);
    }
    (void)close(pair[1]);
    return s->keeper > 0 && fcntl(s->fd, F_SETFL, O_NONBLOCK) == 0;
}

/* --- the pool's thread --- */

static void finish(struct judge_call *call, const struct reply *reply) {
    memcpy(call->method, reply->method, sizeof call->method);
    memcpy(call->reason, reply->reason, sizeof call->reason);
    call->method[sizeof call->method - 1] = call->reason[sizeof call->reason - 1] = '\0';
    bool sane = reply->verdict >= ANSWER_EQUAL && reply->verdict <= ANSWER_UNDECIDED &&
                reply->certainty >= ANSWER_PROOF && reply->certainty <= ANSWER_NONE;
    call->result = (struct answer_result){
        .verdict = sane ? (enum answer_verdict)reply->verdict : ANSWER_UNDECIDED,
        .certainty = sane ? (enum answer_certainty)reply->certainty : ANSWER_NONE,
        .confidence = reply->confidence,
        .method = call->method,
        .reason = call->reason};
    call->done(call);
}

static void finish_unsent(struct judge_call *call, const char *reason) {
    struct reply reply = {.verdict = ANSWER_UNDECIDED, .certainty = ANSWER_NONE};
    (void)snprintf(reply.method, sizeof reply.method, "limits");
    (void)snprintf(reply.reason, sizeof reply.reason, "%s", reason);
    finish(call, &reply);
}

static void slot_read(struct judge_pool *pool, struct slot *s) {
    struct reply reply;
    ssize_t n;
    while ((n = recv(s->fd, &reply, sizeof reply, 0)) == (ssize_t)sizeof reply) {
        struct judge_call *call = s->first;
        if (call == NULL || call->number != reply.number) {
            continue; /* answered already: the helper died between its reply and the next request */
        }
        if (strcmp(reply.method, "limits") == 0 && reply.reason[0] == 't') {
            atomic_fetch_add(&pool->restarts, 1);
        }
        s->first = call->next;
        s->last = s->first == NULL ? &s->first : s->last;
        s->n--;
        finish(call, &reply);
    }
    if (n == 0) { /* the keeper is gone: nothing more will come */
        (void)close(s->fd);
        s->fd = -1;
        while (s->first != NULL) {
            struct judge_call *call = s->first;
            s->first = call->next;
            finish_unsent(call, "the helper is gone");
        }
        s->last = &s->first;
        s->n = 0;
    }
}

/* Big texts are cut down to the answers in them; false if they still do not fit. */
static bool fit(struct judge_call *call, struct arena *a) {
    struct str *texts[] = {&call->gold, &call->given};
    for (size_t i = 0; i < 2; i++) {
        if (texts[i]->n > TEXTS_BYTES_MAX / 2 && texts[i]->n <= ANSWER_TEXT_BYTES_MAX) {
            *texts[i] = answer_extract(*texts[i], a);
        }
    }
    return call->gold.n <= TEXTS_BYTES_MAX && call->given.n <= TEXTS_BYTES_MAX &&
           call->gold.n + call->given.n <= TEXTS_BYTES_MAX;
}

/* True if the call is out of the queue: sent, or answered. */
static bool slot_send(struct judge_pool *pool, struct slot *s, struct judge_call *call) {
    struct request *q = pool->request;
    q->number = call->number;
    q->options = call->options;
    q->gold_n = (uint32_t)call->gold.n;
    q->given_n = (uint32_t)call->given.n;
    if (call->gold.n > 0) {
        memcpy(q->texts, call->gold.p, call->gold.n);
    }
    if (call->given.n > 0) {
        memcpy(q->texts + call->gold.n, call->given.p, call->given.n);
    }
    size_t bytes = offsetof(struct request, texts) + call->gold.n + call->given.n;
    ssize_t n = send(s->fd, q, bytes, MSG_NOSIGNAL);
    if (n != (ssize_t)bytes) {
        return false;
    }
    call->next = NULL;
    *s->last = call;
    s->last = &call->next;
    s->n++;
    return true;
}

static struct slot *idlest(struct judge_pool *pool) {
    struct slot *best = NULL;
    for (int i = 0; i < pool->helpers; i++) {
        struct slot *s = &pool->slots[i];
        if (s->fd >= 0 && s->n < WINDOW && (best == NULL || s->n < best->n)) {
            best = s;
        }
    }
    return best;
}

static bool any_alive(const struct judge_pool *pool) {
    for (int i = 0; i < pool->helpers; i++) {
        if (pool->slots[i].fd >= 0) {
            return true;
        }
    }
    return false;
}

static void take_new(struct judge_pool *pool) {
    struct mailbox_msg *msg = mailbox_take(&pool->inbox);
    while (msg != NULL) {
        struct judge_call *call = CONTAINER_OF(msg, struct judge_call, msg);
        msg = msg->next;
        call->number = ++pool->number;
        call->next = NULL;
        *pool->waiting_last = call;
        pool->waiting_last = &call->next;
    }
}

static void hand_out(struct judge_pool *pool) {
    struct arena scratch;
    arena_init(&scratch, (size_t)8 << 20);
    while (pool->waiting != NULL) {
        struct judge_call *call = pool->waiting, *next = call->next;
        struct slot *s = idlest(pool);
        bool fits = fit(call, &scratch), alive = any_alive(pool);
        if (fits && alive && (s == NULL || !slot_send(pool, s, call))) {
            break; /* until a reply makes room */
        }
        pool->waiting = next;
        pool->waiting_last = next == NULL ? &pool->waiting : pool->waiting_last;
        if (!fits || !alive) {
            finish_unsent(call, fits ? "no helper is left" : "an answer is too long");
        }
    }
    arena_release(&scratch);
}

static void *pool_main(void *ctx) {
    struct judge_pool *pool = ctx;
    struct pollfd fds[JUDGE_HELPERS_MAX + 1];
    while (!atomic_load(&pool->stop)) {
        for (int i = 0; i < pool->helpers; i++) {
            fds[i] = (struct pollfd){.fd = pool->slots[i].fd, .events = POLLIN};
        }
        fds[pool->helpers] = (struct pollfd){.fd = pool->wake, .events = POLLIN};
        (void)poll(fds, (nfds_t)pool->helpers + 1, -1);
        uint64_t count;
        (void)!read(pool->wake, &count, sizeof count);
        for (int i = 0; i < pool->helpers; i++) {
            if (pool->slots[i].fd >= 0) {
                slot_read(pool, &pool->slots[i]);
            }
        }
        take_new(pool);
        hand_out(pool);
    }
    return NULL;
}

static void pool_wake(void *ctx) {
    struct judge_pool *pool = ctx;
    uint64_t one = 1;
    (void)!write(pool->wake, &one, sizeof one);
}

/* --- outside --- */

enum err judge_pool_new(int helpers, int deadline_ms, struct judge_pool **ret,
                        struct errinfo *reterr) {
    ASSERT(helpers >= 1 && helpers <= JUDGE_HELPERS_MAX);
    ASSERT(deadline_ms >= 1 && deadline_ms <= JUDGE_DEADLINE_MS_MAX);
    struct judge_pool *pool = mem_new(sizeof *pool);
    pool->waiting_last = &pool->waiting;
    pool->request = mem_new(sizeof *pool->request);
    pool->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = pool->wake >= 0;
    while (ok && pool->helpers < helpers) {
        ok = slot_start(&pool->slots[pool->helpers], deadline_ms);
        pool->helpers++;
    }
    mailbox_init(&pool->inbox, pool_wake, pool);
    if (!ok || pthread_create(&pool->thread, NULL, pool_main, pool) != 0) {
        enum err e = errinfo_set(reterr, ERR_UNAVAILABLE,
                                 "cannot start the processes that compare "
                                 "answers: %s",
                                 strerror(errno));
        pool->thread = pthread_self();
        judge_pool_free(pool);
        return e;
    }
    *ret = pool;
    return ERR_OK;
}

void judge_pool_submit(struct judge_pool *pool, struct judge_call *call) {
    mailbox_send(&pool->inbox, &call->msg);
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool done;
};

static void wake_waiter(struct judge_call *call) {
    struct waiter *w = call->ctx;
    (void)pthread_mutex_lock(&w->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->finished);
    (void)pthread_mutex_unlock(&w->lock);
}

struct answer_result judge_pool_compare(struct judge_pool *pool, struct judge_call *call) {
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    call->done = wake_waiter;
    call->ctx = &w;
    judge_pool_submit(pool, call);
    (void)pthread_mutex_lock(&w.lock);
    while (!w.done) {
        (void)pthread_cond_wait(&w.finished, &w.lock);
    }
    (void)pthread_mutex_unlock(&w.lock);
    return call->result;
}

int64_t judge_pool_restarts(const struct judge_pool *pool) {
    return atomic_load(&pool->restarts);
}

void judge_pool_free(struct judge_pool *pool) {
    if (!pthread_equal(pool->thread, pthread_self())) {
        atomic_store(&pool->stop, true);
        pool_wake(pool);
        (void)pthread_join(pool->thread, NULL);
    }
    for (int i = 0; i < pool->helpers; i++) {
        struct slot *s = &pool->slots[i];
        if (s->fd >= 0) {
            (void)close(s->fd);
        }
        if (s->keeper > 0) {
            while (waitpid(s->keeper, NULL, 0) < 0 && errno == EINTR) {
            }
        }
    }
    if (pool->wake >= 0) {
        (void)close(pool->wake);
    }
    mailbox_release(&pool->inbox);
    free(pool->request);
    free(pool);
}
