/* work.h - inside the worker: a job that it works on, and what its slots need. Not for other rooms.
 *
 *     WAITING ─► TAKING ─► RECALLING ─► RUNNING ─► LEAVING ─► gone
 *     (to join)    │ taken by somebody else, or not         ▲
 *                  └────────────────────────────────────────┘
 *
 * A job is at home with one worker, which decides for all of it. Where it wants more attempts than
 * there are slots here, it lends some to other workers that have room: the job's guests. A guest
 * has no say in the job; it makes borrowed attempts, each for no more money than it came with, and
 * goes when there are none.
 */
#ifndef STUMPER_WORKER_WORK_H
#define STUMPER_WORKER_WORK_H

#include "base/hashset.h"
#include "core/share.h"
#include "store/store_job.h"
#include "worker/purse.h"
#include "worker/slot.h"

enum work_state {
    WORK_WAITING,   /* the worker has no number yet */
    WORK_TAKING,    /* the store is asked for it, then for its key's limits */
    WORK_RECALLING, /* the hashes of its problems */
    WORK_RUNNING,
    WORK_LEAVING, /* nothing is in flight; the store is told */
};

LIST_HEAD(slot_list, slot);

/* Slots are shared apart: who waits hours for a batch takes none from who is answered at once. */
enum work_pool { WORK_DIRECT, WORK_BATCHES, WORK_POOLS };

/* What the home of a job has lent, as the store told it last. */
struct work_lent {
    bool asking;           /* the store is asked just now */
    bool unheard;          /* an earlier home has lent, and nobody knows yet for how much */
    int64_t running, open; /* attempts that guests have / that they may begin */
    int64_t ended_ms;      /* when the store told last that some of them have ended; 0: never */
    int64_t nusd;          /* set aside for them */
    int64_t own_nusd;      /* what was spent here when the store was asked */
    int64_t others_nusd;   /* what others are known to have spent since the job came home */
    int64_t each_nusd;     /* what an attempt may cost; 0: not known yet, or no matter */
    int64_t bound_nusd[ROLE_COUNT]; /* the most that a call could have cost so far */
    struct store_lend op;
};

struct work {
    struct worker *worker;
    struct loop *loop; /* the worker's */
    struct store *store;
    struct share_job share; /* wants, and how much it has */
    char job_id[STORE_ID_BYTES];
    enum work_state state;
    struct arena arena;  /* its spec */
    struct arena coming; /* what is needed until it starts */
    struct job_row row;  /* as it came home; its texts are gone when it has started */
    int64_t age_ms;      /* then; by the store's clock, for that of this machine may be wrong */
    struct lease first;  /* that it came home with; token 0: none */
    bool kept;           /* a slot for it, which is counted as busy */
    const struct job_spec *spec;
    struct llm_chain models[ROLE_COUNT];
    struct purse *purse; /* of its key; NULL: no limit */
    struct book *book;   /* of its batches; NULL: it has none */
    struct work_view view;
    struct attempt_setup setup;
    struct hashset hashes;
    struct slot_list slots; /* those that are busy with it */
    int64_t busy;           /* so many, and those that a claim will fill */
    int64_t claiming;       /* of them, those that the claim under way will fill */
    int64_t granted;        /* of them, those for the next claim */
    int64_t waiting_money;  /* slots in SLOT_MONEY */
    struct lease *leases;   /* of the claim under way, else NULL */
    bool cut_off;  /* interrupted twice, or the store gave out: nothing in flight is awaited */
    bool in_grace; /* `grace` was started: no call is begun, those under way are awaited for a while
                    */
    bool is_guest; /* it is at home elsewhere, and this worker helps */
    int64_t borrow_nusd; /* guest: what an attempt may cost; 0: no matter */
    int64_t asked_ms,
        dry_ms; /* guest: when it borrowed last; since when that was not enough, or 0 */
    struct work_lent lent;
    bool lost;        /* it is somebody else's now, or gone: leave without a word */
    bool purse_empty; /* a call waits for money of its key */
    bool day_spent;   /* it stopped because that may spend no more today */
    struct loop_timer deadline, grace, look, again;
    void (*done)(void *ctx, const struct work_view *view); /* of worker_run(), or NULL */
    void *ctx;
    union {
        struct store_take take;
        struct store_hashes hashes;
        struct store_claim claim;
        struct store_ask pause;
        struct store_leave leave;
    } op;
};

/** A job that is wanted here. @spec: in place of the stored one, or NULL. */
struct work *work_new(struct worker *w, const char *job_id, const struct job_spec *spec);
void work_free(struct work *k);

/** Take it home: the worker has a number. */
void work_take(struct work *k);

/** Lease attempts for the slots that were granted to it; no claim is under way. */
void work_claim(struct work *k);

/** Which slots it takes; known when its spec is. */
enum work_pool work_pool(const struct work *k);

/** Launch nothing more, finish what is in flight (but leave it to its batches), leave. */
void work_interrupt(struct work *k);

/** Its home has ended it: begin no call more, await those under way, leave. */
void work_finish(struct work *k);

/** It is to be cancelled: begin no call more, await those under way, leave. */
void work_cancel(struct work *k);

/** Await nothing any more. */
void work_cut_off(struct work *k);

/** It is not ours any more: drop all. */
void work_lose(struct work *k);

/** A guest that has nothing to do: let go, and the job may come by a token again. */
bool work_is_idle_guest(const struct work *k);

/* --- what slots ask of their job */

/** Something changed: reckon anew, wake slots that wait for money, or end. */
void work_pump(struct work *k);

/** True while calls may still be started. */
bool work_may_call(const struct work *k);

/** True if all that is left to do is to take answers out of an earlier run's batches, for they are
 * paid for. */
bool work_collects(const struct work *k);

/** Set money aside for a call / turn it into what it cost / give it back. */
NODISCARD bool work_reserve(struct work *k, int64_t nusd);
/** For a call that is paid for already: what there is, @nusd or 0. */
int64_t work_reserve_owed(struct work *k, int64_t nusd);
void work_settle(struct work *k, int64_t reserved_nusd, int64_t cost_nusd);
void work_unreserve(struct work *k, int64_t nusd);

/** Tries whose end nobody saw, with the most that they may have cost: counted and written down. */
void work_count_lost(struct work *k, int64_t tries, int64_t nusd);

/** Keep why it cannot be worked on; the first reason stays. / The store gave out: that, and cut
 * off. */
void work_note_fatal(struct work *k, enum err e, const struct errinfo *detail);
void work_fail(struct work *k, enum err e, const struct errinfo *detail);

/* --- lending (work_lend.c) */

/** What a call of this role could cost: so an attempt's price is known before one is lent. */
void work_note_bound(struct work *k, enum role role, int64_t bound_nusd);

/** Once in a while: lend what is wanted beyond the slots here, learn what became of what was lent.
 */
void work_lend(struct work *k);

/** It has just come home: guests of an earlier home may be at it still. */
void work_inherit_lent(struct work *k);

/** Must the job not be left yet, for guests are at it, or the store is being asked about them? */
bool work_awaits_guests(const struct work *k);

/* --- between work.c and work_home.c, which fetch and return it */

/** It waits for the worker's number, which may never come: gone, as if it had not been here. */
void work_turn_back(struct work *k);

/** The slot that was kept for its first attempt, if any, is not needed: others may have it. */
void work_waive(struct work *k);

/** Its row and spec are read and its models are resolved: start. */
void work_start(struct work *k, const uint64_t *hashes, size_t hashes_n);

/** Nothing is in flight any more: pause the job, then leave it. */
void work_pause(struct work *k, struct str reason);

/** Nothing is in flight any more: tell the store, then be gone. */
void work_leave(struct work *k, enum job_state state, struct str reason);

/* --- what jobs ask of their worker (worker.c) */

#define WORKER_NAME_BYTES 160

struct worker_tenant {
    LIST_ENTRY(worker_tenant) link;
    struct share_tenant share[WORK_POOLS];
    int64_t number, jobs;
};

struct worker {
    struct worker_options options;
    char name[WORKER_NAME_BYTES]; /* for people */
    int64_t number;               /* in the store; 0: not joined yet */
    struct slot *slots;           /* of all pools, never moved */
    int64_t slots_used; /* those that ever were in use; the memory of the others is untouched */
    struct slot *free;  /* of those that were: those in which no attempt is */
    int64_t free_n[WORK_POOLS];         /* those that no job has, nor a claim under way keeps */
    struct work *jobs[WORKER_JOBS_MAX]; /* in order of arrival */
    size_t jobs_n;
    LIST_HEAD(, worker_tenant) tenants; /* who have jobs here */
    struct share_tenant unknown;        /* of jobs whose row is not read yet */
    struct purses purses;               /* of keys that have jobs here */
    struct broker_consumer *consumer;
    struct store_watch *watch;
    union {
        struct store_join join;
        struct store_beat beat;
        struct store_quit quit;
    } op;
    bool op_under_way;
    struct llm_part parts[LLM_PARTS_MAX]; /* of the beat that is under way */
    struct store_part claims[LLM_PARTS_MAX];
    int64_t sharers; /* other workers, as the last claim found them */
    int64_t beat_ms; /* the last one's, on the loop's clock */
    struct loop_timer beat, grace;
    bool draining, quitting;
    void (*drained)(void *ctx);
    void *drained_ctx;
};

/** Give free slots to the jobs that want some. */
void worker_share(struct worker *w);

/** Keep a slot for a job that comes home; false: none is free. */
bool worker_keep_slot(struct worker *w, struct work *k);

/** A slot of those that @k was given. */
struct slot *worker_take_slot(struct worker *w, struct work *k);

/** @s is free again / @n slots that @k was given are not needed. */
void worker_give_slot(struct worker *w, struct slot *s);
void worker_give_back(struct work *k, int64_t n);

/** Its spec is read, which says from which pool it has slots: one that was kept for it counts there
 * from now on, as one too many if need be. */
void worker_know_spec(struct work *k, const struct job_spec *spec);

/** Its row is read: count it with its tenant's. */
void worker_tell_tenant(struct work *k);

/** The job is gone: free it. */
void worker_forget(struct worker *w, struct work *k);

/** The store has decided about it: its token, if it came by one, is done with. */
void worker_settle(const struct work *k);

#endif
