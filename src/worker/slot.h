/* slot.h - inside the worker: one attempt in flight. Not for other rooms. */
#ifndef STUMPER_WORKER_SLOT_H
#define STUMPER_WORKER_SLOT_H

#include "worker/worker.h"

#include <sys/queue.h>

struct work; /* the job it works on; work.h */

/* What a slot waits for; one thing at a time. */
enum slot_state {
    SLOT_FREE,
    SLOT_REPLAY,  /* the ledger's answers of an earlier run */
    SLOT_CALL,    /* the model's answer */
    SLOT_RECORD,  /* the answer's commit */
    SLOT_MONEY,   /* a reservation: others hold what is left of the budget */
    SLOT_COMPARE, /* the judge pool */
    SLOT_FINISH,  /* the outcome's commit */
    SLOT_RELEASE, /* the commit that gives the lease back */
    SLOT_STATES
};

#define SLOT_TAG_BYTES 96
#define SLOT_ID_BYTES 48

/* A question to the judge pool, and its way back to the loop. */
struct slot_judged {
    struct judge_call call;
    struct loop_msg msg;
};

struct slot {
    LIST_ENTRY(slot) link; /* of the job's busy slots */
    struct slot *next_free;
    struct work *work; /* NULL while it is free */
    enum slot_state state;
    struct lease lease;
    int64_t launch;     /* the scheduler's index */
    struct arena arena; /* the attempt's lifetime */
    struct attempt *attempt;
    enum attempt_stage stage; /* as the scheduler knows it */
    struct attempt_action action;
    const struct ledger_call *replay; /* answers already paid for, in order of call_no */
    size_t replay_n;
    struct str models[ROLE_COUNT]; /* who answered; until then, who is asked first */
    struct llm_call *call;
    int64_t called_ms;                 /* when, on the loop's clock */
    int64_t reserved_nusd, spent_nusd; /* for the call under way; for those before, in this run */
    struct ledger_call paid;           /* the answer being recorded */
    char tag[SLOT_TAG_BYTES];
    char problem_id[SLOT_ID_BYTES];
    union {
        struct slot_judged judged;
        struct store_calls calls;
        struct store_record record;
        struct store_finish finish;
        struct store_release release;
    } op;
};

/** Begin the attempt of @lease in a slot that its job was given. */
void slot_begin(struct slot *s, const struct lease *lease);

/** Try again to reserve money; true if the slot waits no longer. */
bool slot_retry_money(struct slot *s);

/** Give the attempt up without an outcome; its lease goes back to the store. Only while it waits
 * for an answer (the call is cut off first) or for money. */
void slot_give_up(struct slot *s);

#endif
