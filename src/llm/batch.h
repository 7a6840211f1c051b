/* batch.h - inside the LLM client: calls that go to their provider together. waves.c gathers them,
 * batch.c has one batch from then on:
 *
 *     GATHERING ─► NOTING ─► (UPLOADING) ─► MAKING ─► RUNNING ─► FETCHING ─► gone
 *                    ▲                        │ no whole reply   ▲  │
 *                    │ (its calls)            ▼                  │  └─► OVER: some answers are
 *                    └──────────────────── LOOKING ──────────────┘      asked for later
 *                          not made        adopted with no name
 *
 * What is not known to have been made is never made again before its provider has been asked: a
 * batch that keeps our mark is known by that; another one by its time and size, and for sure by the
 * ids in its results.
 */
#ifndef STUMPER_LLM_BATCH_H
#define STUMPER_LLM_BATCH_H

#include "base/id.h"
#include "llm/batch_wire.h"
#include "llm/client.h"

#define BATCH_CUSTOM_BYTES 65  /* Anthropic's most, and a NUL */
#define BATCH_REFUTED_MAX 4096 /* as many of one size may an hour have; then it is made anew */

enum batch_state {
    BATCH_GATHERING,
    BATCH_NOTING,    /* the book has to know of it first */
    BATCH_UPLOADING, /* the questions */
    BATCH_MAKING,
    BATCH_LOOKING, /* has it been made? */
    BATCH_RUNNING,
    BATCH_FETCHING, /* results */
    BATCH_OVER,
    BATCH_STATES
};

/* One call's place. */
struct batch_member {
    char custom_id[BATCH_CUSTOM_BYTES];
    struct llm_call *call; /* that waits for it; NULL: none (yet, any more) */
    char *kept;            /* the result that came before it was asked for; owned; or NULL */
    bool over;             /* there is no more to come */
};

struct llm_batch {
    LIST_ENTRY(llm_batch) link;
    struct llm *llm;
    struct llm_model *model;
    const struct llm_book *book; /* where it is written down */
    enum batch_state state;
    char mark[ID_BYTES];          /* ours */
    char id[BATCH_ID_BYTES];      /* the provider's; empty: not known */
    bool sure;                    /* that it is this one's */
    bool rivalled;                /* LOOKING: another of ours claims one that may be this one's */
    bool ours;                    /* a result had one of our ids */
    bool unwanted;                /* also what was not asked for yet */
    bool ending;                  /* the provider was asked to cancel it */
    bool crowded;                 /* RUNNING: it was refused for a while, and waits to be over */
    struct llm_queue calls;       /* while GATHERING */
    size_t n, bytes;              /* calls; of their bodies */
    int64_t first_ms;             /* when the first call came, on the loop's clock */
    struct batch_member *members; /* by custom_id, from NOTING on */
    int64_t created_ms;           /* when it was noted, by the wall clock */
    int64_t since_ms;             /* that it is in its state, on the loop's clock */
    struct errinfo why;           /* LOOKING: it may not have been made */
    char file[BATCH_ID_BYTES];    /* the uploaded questions */
    char after[BATCH_ID_BYTES];   /* LOOKING: the last of the page before */
    char (*refuted)[BATCH_ID_BYTES]; /* LOOKING: others' that looked like it; owned */
    size_t refuted_n;
    char *results[BATCH_RESULTS_MAX]; /* FETCHING: URLs, owned; NULL: none, or fetched */
    int64_t failures, failing_ms;     /* requests in a row; since when, on the loop's clock */
    int64_t pause_ms;                 /* until it is looked at next */
    struct llm_once *once;            /* the request under way, or NULL */
    struct loop_timer timer;
};

/* --- batch.c */

/** Note it, then make it; its calls are BATCHED from now on. */
void batch_close(struct llm_batch *b);

/** One that an earlier process noted. */
void batch_adopt(struct llm_model *model, const struct llm_book *book, const struct llm_note *note);

/** Is the call @tag in there, and nobody waits for it? / @c does from now on. */
bool batch_has(const struct llm_batch *b, const char *tag);
void batch_attach(struct llm_batch *b, struct llm_call *c);

/** A BATCHED call waits for it no more. */
void batch_leave(struct llm_call *c);

/** A call of it is needed no more: if none is, tell its provider. */
void batch_relinquish(struct llm_batch *b);

/** It is over, for us; no call is in it. */
void batch_end(struct llm_batch *b);

/** Free it; no call may be in it, or all have ended. A request of it that is under way is answered
 * to nobody. */
void batch_free(struct llm_batch *b);

/** The id of the call @tag in the batch @mark: letters, digits, - and _. */
void batch_custom_id(const char *tag, const char *mark, char ret[BATCH_CUSTOM_BYTES]);

/** The tag that a call was asked with. */
const char *llm_call_tag(const struct llm_call *c);

#endif
