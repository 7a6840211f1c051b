/* One thread, one socket for each helper:
 *
 *   submit ─► mailbox ─► pool thread ─► socket ─► helper (child) ── replies ─► pool thread ─► done
 *                                          └─────► keeper: forks the helper, waits for it, answers
 *                                                  for it when it dies
 *
 * The sockets keep message boundaries, so a message is there whole or not at all. A message carries
 * a batch of pairs when many wait, since a message costs more than an easy comparison. Before a
 * helper begins a pair it writes its number into memory that it shares with its keeper; when it
 * dies, that is the pair the keeper answers for. The other pairs of the batch are sent again;
 * batches still in the socket survive.
 *
 * Invariants (1) a helper takes one message at a time, and announces its first pair before it takes
 * it out of the socket; (2) at most WINDOW calls are with one helper; (3) a death finishes the call
 * it is reported for, so sending again ends; (4) the keeper is single-threaded, so forking from it
 * is always safe. */
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

#define WINDOW 128
#define BATCH_MAX 32
#define TEXTS_BYTES_MAX ((size_t)96 * 1024) /* both texts of a request; a socket takes 200 KB */
#define HELPER_MEMORY_MAX ((rlim_t)1 << 30)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* In a message: this, then the two texts, for each pair. */
struct request {
    uint64_t number;
    enum judge_question question;
    struct answer_options options;
    uint32_t gold_n, given_n;
};

#define MESSAGE_BYTES_MAX (TEXTS_BYTES_MAX + BATCH_MAX * sizeof(struct request))

struct reply {
    uint64_t number;
    int32_t verdict, certainty;
    double confidence;
    int32_t died; /* told by the keeper */
    char method[24], reason[104];
};

struct slot {
    int fd; /* the pool's end */
    pid_t keeper;
    struct judge_call *first, **last; /* with the helper, oldest first */
    size_t n;
};

struct judge_pool {
    struct slot slots[JUDGE_HELPERS_MAX];
    int helpers;
    int wake; /* eventfd */
    struct mailbox inbox;
    struct judge_call *waiting, **waiting_last;
    size_t waiting_n;
    pthread_t thread;
    atomic_bool stop;
    atomic_int_fast64_t restarts;
    uint64_t number; /* of the last call */
    uint64_t batch;  /* of the last message */
    char *message;   /* scratch of the pool's thread */
};

/* --- in the helper --- */

struct helper {
    int fd;
    int deadline_ms;
    _Atomic uint64_t *busy; /* shared with the keeper; 0: idle */
    struct arena arena;
    struct reply replies[BATCH_MAX];
    char message[MESSAGE_BYTES_MAX];
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

static struct answer_result helper_define(struct helper *h, struct str gold) {
    bool definite = answer_is_definite(gold, &h->arena);
    return (struct answer_result){.verdict = definite ? ANSWER_EQUAL : ANSWER_UNDECIDED,
                                  .certainty = definite ? ANSWER_PROOF : ANSWER_NONE,
                                  .confidence = definite,
                                  .method = "grammar",
                                  .reason = definite ? "it is read whole"
                                                     : "it is not read whole as mathematics"};
}

static struct reply helper_answer(struct helper *h, const struct request *q, const char *texts) {
    struct str gold = {texts, q->gold_n}, given = {texts + q->gold_n, q->given_n};
    struct answer_result r = q->question == JUDGE_DEFINITE
                                 ? helper_define(h, gold)
                                 : answer_compare(gold, given, &q->options, &h->arena);
    struct reply reply = {.number = q->number,
                          .verdict = (int32_t)r.verdict,
                          .certainty = (int32_t)r.certainty,
                          .confidence = r.confidence};
    (void)snprintf(reply.method, sizeof reply.method, "%s", r.method);
    (void)snprintf(reply.reason, sizeof reply.reason, "%s", r.reason);
    arena_reset(&h->arena);
    return reply;
}

/* Compare the pairs of a message; returns how many. */
static size_t helper_batch(struct helper *h, size_t bytes) {
    size_t n = 0;
    for (size_t at = 0; at < bytes && n < BATCH_MAX; n++) {
        struct request q;
        ASSERT(bytes - at >= sizeof q);
        memcpy(&q, h->message + at, sizeof q);
        at += sizeof q;
        ASSERT((size_t)q.gold_n + q.given_n <= bytes - at);
        atomic_store(h->busy, q.number);
        helper_timer(h->deadline_ms);
        h->replies[n] = helper_answer(h, &q, h->message + at);
        at += (size_t)q.gold_n + q.given_n;
    }
    helper_timer(0);
    return n;
}

/* Returns when the pool has closed its end. */
static void helper_serve(struct helper *h) {
    uint64_t number;
    while (recv(h->fd, &number, sizeof number, MSG_PEEK) == (ssize_t)sizeof number) {
        atomic_store(h->busy, number);
        ssize_t bytes = recv(h->fd, h->message, sizeof h->message, 0);
        ASSERT(bytes > 0);
        size_t n = helper_batch(h, (size_t)bytes);
        if (send(h->fd, h->replies, n * sizeof *h->replies, MSG_NOSIGNAL) < 0) {
            return;
        }
        atomic_store(h->busy,
                     0); /* after the replies: a death in between is told twice, not never */
    }
}

/* --- in the keeper --- */

static bool keeper_report(struct helper *h, int status) {
    uint64_t number = atomic_exchange(h->busy, 0);
    bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    struct reply reply = {
        .number = number, .verdict = ANSWER_UNDECIDED, .certainty = ANSWER_NONE, .died = 1};
    (void)snprintf(reply.method, sizeof reply.method, JUDGE_METHOD_LIMITS);
    (void)snprintf(reply.reason, sizeof reply.reason, "%s",
                   late ? "the deadline passed" : "the comparison broke down");
    return number == 0 || send(h->fd, &reply, sizeof reply, MSG_NOSIGNAL) > 0;
}

/* Wait for a message; false if none will come, since the pool has closed its end. */
static bool keeper_wait(const struct helper *h) {
    struct pollfd fd = {.fd = h->fd, .events = POLLIN};
    while (poll(&fd, 1, -1) < 0 && errno == EINTR) {
    }
    return (fd.revents & POLLIN) != 0 && recv(h->fd, NULL, 0, MSG_PEEK | MSG_TRUNC) > 0;
}

/* Start the helper at the first message, and again whenever it dies; end when it ends. */
NORETURN static void keeper_run(struct helper *h) {
    (void)signal(SIGINT, SIG_IGN); /* the program decides when to end */
    while (keeper_wait(h)) {
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
            break;
        }
    }
    _exit(0);
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
    free(call->cut[0]);
    free(call->cut[1]);
    call->done(call);
}

static void finish_unsent(struct judge_call *call, const char *reason) {
    struct reply reply = {.verdict = ANSWER_UNDECIDED, .certainty = ANSWER_NONE};
    (void)snprintf(reply.method, sizeof reply.method, JUDGE_METHOD_LIMITS);
    (void)snprintf(reply.reason, sizeof reply.reason, "%s", reason);
    finish(call, &reply);
}

/* Take @call out of the calls that a helper has; @link points to it. */
static void slot_remove(struct slot *s, struct judge_call **link) {
    struct judge_call *call = *link;
    *link = call->next;
    if (s->last == &call->next) {
        s->last = link;
    }
    s->n--;
}

static struct judge_call **slot_find(struct slot *s, uint64_t number) {
    struct judge_call **link = &s->first;
    while (*link != NULL && (*link)->number != number) {
        link = &(*link)->next;
    }
    return link;
}

/* The batch of a helper that died: its pairs go to the front of the queue. */
static void slot_take_back(struct judge_pool *pool, struct slot *s, uint64_t batch) {
    struct judge_call **link = &s->first, **front = &pool->waiting;
    while (*link != NULL) {
        struct judge_call *call = *link;
        if (call->batch != batch) {
            link = &call->next;
            continue;
        }
        slot_remove(s, link);
        call->next = *front;
        *front = call;
        pool->waiting_last = call->next == NULL ? &call->next : pool->waiting_last;
        pool->waiting_n++;
        front = &call->next;
    }
}

static void take_reply(struct judge_pool *pool, struct slot *s, const struct reply *reply) {
    struct judge_call **link = slot_find(s, reply->number), *call = *link;
    if (call == NULL) {
        return; /* answered already: the helper died between its replies and the next message */
    }
    slot_remove(s, link);
    if (reply->died != 0) {
        atomic_fetch_add(&pool->restarts, 1);
        slot_take_back(pool, s, call->batch);
    }
    finish(call, reply);
}

static void slot_close(struct slot *s) {
    (void)close(s->fd);
    s->fd = -1;
    while (s->first != NULL) {
        struct judge_call *call = s->first;
        slot_remove(s, &s->first);
        finish_unsent(call, "the helper is gone");
    }
}

static void slot_read(struct judge_pool *pool, struct slot *s) {
    struct reply replies[BATCH_MAX];
    ssize_t bytes;
    while ((bytes = recv(s->fd, replies, sizeof replies, 0)) > 0) {
        for (size_t i = 0; i < (size_t)bytes / sizeof *replies; i++) {
            take_reply(pool, s, &replies[i]);
        }
    }
    if (bytes == 0) { /* the keeper is gone: nothing more will come */
        slot_close(s);
    }
}

/* Big texts are cut down to the answers in them; false if they still do not fit, or if the answer
 * would be a guess: one that came out of its text would not be known for it any more. */
static bool fit(struct judge_call *call) {
    struct str *texts[] = {&call->gold, &call->given};
    for (size_t i = 0; i < 2; i++) {
        if (texts[i]->n > TEXTS_BYTES_MAX / 2 && texts[i]->n <= ANSWER_TEXT_BYTES_MAX) {
            struct arena a;
            arena_init(&a, (size_t)8 << 20);
            struct answer_found found = answer_find(*texts[i], call->options.choices, &a);
            if (found.source <= ANSWER_FROM_TAG) {
                call->cut[i] = mem_dup_cstr(found.text.n > 0 ? found.text.p : "", found.text.n);
                *texts[i] = (struct str){call->cut[i], found.text.n};
            }
            arena_release(&a);
        }
    }
    return call->gold.n <= TEXTS_BYTES_MAX && call->given.n <= TEXTS_BYTES_MAX &&
           call->gold.n + call->given.n <= TEXTS_BYTES_MAX;
}

static size_t append(char *message, size_t at, const void *p, size_t n) {
    if (n > 0) {
        memcpy(message + at, p, n);
    }
    return at + n;
}

/* Send up to @max waiting calls, which fit, in one message. False if the socket is full. */
static bool slot_send(struct judge_pool *pool, struct slot *s, size_t max) {
    size_t bytes = 0, texts = 0, n = 0;
    struct judge_call *call = pool->waiting;
    while (call != NULL && n < max &&
           (n == 0 || texts + call->gold.n + call->given.n <= TEXTS_BYTES_MAX / 2)) {
        struct request q = {.number = call->number,
                            .question = call->question,
                            .options = call->options,
                            .gold_n = (uint32_t)call->gold.n,
                            .given_n = (uint32_t)call->given.n};
        bytes = append(pool->message, bytes, &q, sizeof q);
        bytes = append(pool->message, bytes, call->gold.p, call->gold.n);
        bytes = append(pool->message, bytes, call->given.p, call->given.n);
        texts += call->gold.n + call->given.n;
        call->batch = pool->batch + 1;
        call = call->next;
        n++;
    }
    if (send(s->fd, pool->message, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
        return false;
    }
    pool->batch++;
    for (; n > 0; n--) { /* from the queue to the helper's list */
        call = pool->waiting;
        pool->waiting = call->next;
        pool->waiting_n--;
        call->next = NULL;
        *s->last = call;
        s->last = &call->next;
        s->n++;
    }
    pool->waiting_last = pool->waiting == NULL ? &pool->waiting : pool->waiting_last;
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
        pool->waiting_n++;
    }
}

/* Calls that cannot be sent leave the queue here, so that all that stay in it fit. */
static void refuse_unfit(struct judge_pool *pool) {
    bool alive = any_alive(pool);
    struct judge_call **link = &pool->waiting;
    while (*link != NULL) {
        struct judge_call *call = *link;
        bool fits = fit(call);
        if (fits && alive) {
            link = &call->next;
            continue;
        }
        *link = call->next;
        pool->waiting_n--;
        finish_unsent(call, fits ? "no helper is left" : "an answer is too long");
    }
    pool->waiting_last = link;
}

static void hand_out(struct judge_pool *pool) {
    refuse_unfit(pool);
    struct slot *s;
    while (pool->waiting != NULL && (s = idlest(pool)) != NULL) {
        size_t share = pool->waiting_n / (size_t)pool->helpers + 1;
        if (!slot_send(pool, s, MIN(share, BATCH_MAX))) {
            break; /* until replies make room */
        }
    }
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
    pool->message = mem_new(MESSAGE_BYTES_MAX);
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

enum err judge_pool_new_default(struct judge_pool **ret, struct errinfo *reterr) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return judge_pool_new((int)MAX(MIN(cores, 4L), 1L), 50, ret, reterr);
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
    free(pool->message);
    free(pool);
}
