/* held = what the store has in this purse once it has done all that it was asked by this thread; it
 * does that in order. A cost leaves `held` here when it is known, there when it is recorded, which
 * comes next.
 *
 * Invariants (1) a call is begun with its bound within held - reserved; (2) while the store is
 * asked, nothing more is reserved, for what is not reserved may go back; (3) one question at a time
 * is under way; a purse that nobody has any more asks for nothing, and is freed then.
 */
#include "worker/purse.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define PURSE_AGAIN_MS 400 /* after it was asked in vain */

struct purse {
    LIST_ENTRY(purse) link;
    struct purses *all;
    int64_t tenant, worker, refs;
    int64_t held_nusd, reserved_nusd;
    int64_t short_nusd;  /* the smallest that was asked for in vain since; 0: nothing was */
    int64_t late_nusd;   /* what was spent since the store was asked */
    int64_t others_nusd; /* what others had then */
    int64_t refused_ms;  /* when it had too little; 0: it had not, or something came back since */
    int64_t calls_short; /* for whom more is asked for when all have been told */
    bool asking, telling;
    struct store_purse op;
};

bool purses_are_gone(const struct purses *all) {
    return LIST_EMPTY(&all->list);
}

static void purse_tend(struct purse *p);

/* Everybody who waits sees what there is now, before more is asked for: else one who needs more
 * than is left would keep it from the others by asking, again and again. */
static void purse_tell(struct purse *p) {
    p->refs++; /* who is told may give it up */
    p->short_nusd = p->calls_short = 0;
    p->telling = true;
    p->all->told(p->all->ctx, p);
    p->telling = false;
    purse_ask(p, p->calls_short);
    purse_put(p);
}

static void purse_told(struct store_op *op) {
    struct purse *p = CONTAINER_OF(op, struct purse, op.op);
    p->asking = false;
    if (op->err == ERR_OK) {
        p->held_nusd = MAX(p->op.ret_nusd - p->late_nusd, 0);
        p->others_nusd = p->op.ret_others_nusd;
    } else { /* what it has stays set aside, until the worker quits */
        log_warn("cannot fill the purse of key %" PRId64 ": %s", p->tenant,
                 errinfo_text(&op->detail, op->err));
        p->held_nusd = p->refs > 0 ? p->held_nusd : 0;
        p->others_nusd = INT64_MAX; /* it may be otherwise next time */
    }
    bool refused = op->err != ERR_OK || p->op.ret_nusd < p->op.need_nusd;
    p->refused_ms = refused ? clock_mono_ms() : 0;
    if (p->refs > 0) {
        purse_tell(p);
    } else {
        purse_tend(p);
    }
}

/* @more_nusd: beside what is reserved; at least @need_nusd of it. */
static void purse_send(struct purse *p, int64_t need_nusd, int64_t more_nusd) {
    p->asking = true;
    p->late_nusd = p->short_nusd = 0;
    p->op = (struct store_purse){.op = {.loop = p->all->loop, .done = purse_told},
                                 .tenant = p->tenant,
                                 .worker = p->worker,
                                 .keep_nusd = p->reserved_nusd,
                                 .need_nusd = p->reserved_nusd + need_nusd,
                                 .want_nusd = p->reserved_nusd + more_nusd};
    store_purse(p->all->store, &p->op);
}

/* Nobody has it: give back what is in it, be gone. */
static void purse_tend(struct purse *p) {
    struct purses *all = p->all;
    if (p->asking) {
        return;
    }
    if (p->held_nusd > 0) {
        purse_send(p, 0, 0);
        return;
    }
    LIST_REMOVE(p, link);
    free(p);
    all->told(all->ctx, NULL);
}

struct purse *purse_get(struct purses *all, int64_t tenant, int64_t worker) {
    struct purse *p;
    LIST_FOREACH(p, &all->list, link) {
        if (p->tenant == tenant && p->worker == worker) {
            p->refs++;
            return p;
        }
    }
    p = mem_new(sizeof *p);
    *p = (struct purse){.all = all, .tenant = tenant, .worker = worker, .refs = 1};
    LIST_INSERT_HEAD(&all->list, p, link);
    return p;
}

void purse_put(struct purse *p) {
    if (p != NULL && --p->refs == 0) {
        ASSERT(p->reserved_nusd == 0);
        purse_tend(p);
    }
}

bool purse_reserve(struct purse *p, int64_t nusd) {
    if (p == NULL) {
        return true;
    }
    if (p->asking || nusd > p->held_nusd - p->reserved_nusd) {
        p->short_nusd = p->short_nusd == 0 ? nusd : MIN(p->short_nusd, nusd);
        return false;
    }
    p->reserved_nusd += nusd;
    return true;
}

void purse_release(struct purse *p, int64_t reserved_nusd) {
    if (p != NULL) {
        ASSERT(reserved_nusd <= p->reserved_nusd);
        p->reserved_nusd -= reserved_nusd;
        p->refused_ms = 0;
    }
}

void purse_settle(struct purse *p, int64_t reserved_nusd, int64_t cost_nusd) {
    if (p != NULL) {
        int64_t nusd = cost_nusd < 0 ? reserved_nusd : cost_nusd;
        purse_release(p, reserved_nusd);
        p->held_nusd = MAX(p->held_nusd - nusd, 0);
        p->late_nusd += nusd;
    }
}

/* A quarter more than is needed now, so that not every call has to ask. */
static int64_t purse_ahead(int64_t nusd) {
    return nusd / 4;
}

void purse_ask(struct purse *p, int64_t n) {
    bool refused = p->refused_ms != 0 && clock_mono_ms() - p->refused_ms < PURSE_AGAIN_MS;
    if (p->telling) {
        p->calls_short += n;
    } else if (!p->asking && !refused && p->short_nusd > 0 && n > 0) {
        int64_t more_nusd = p->short_nusd * n;
        purse_send(p, p->short_nusd, more_nusd + purse_ahead(p->reserved_nusd + more_nusd));
    }
}

void purse_rest(struct purse *p) {
    if (p != NULL && !p->asking && p->held_nusd > 2 * p->reserved_nusd) {
        purse_send(p, 0, purse_ahead(p->reserved_nusd));
    }
}

bool purse_is_spent(const struct purse *p) {
    return p->refused_ms != 0 && !p->asking && p->reserved_nusd == 0 && p->others_nusd == 0;
}
