#include "worker/purse.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#define PURSE_DAY_MS INT64_C(86400000)

struct purse {
    LIST_ENTRY(purse) link;
    struct purses *all;
    int64_t tenant, refs, next_day_ms;
    struct budget budget;
};

struct purses {
    pthread_mutex_t lock;
    LIST_HEAD(, purse) list;
};

struct purses *purses_new(void) {
    struct purses *p = mem_new(sizeof *p);
    (void)pthread_mutex_init(&p->lock, NULL);
    LIST_INIT(&p->list);
    return p;
}

void purses_free(struct purses *p) {
    ASSERT(LIST_EMPTY(&p->list));
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

struct purse *purse_get(struct purses *all, int64_t tenant, int64_t max_nusd, int64_t spent_nusd,
                        int64_t next_day_ms) {
    struct purse *p;
    if (max_nusd == 0) {
        return NULL;
    }
    (void)pthread_mutex_lock(&all->lock);
    LIST_FOREACH(p, &all->list, link) {
        if (p->tenant == tenant) {
            break;
        }
    }
    if (p == NULL) {
        p = mem_new(sizeof *p);
        *p = (struct purse){.all = all, .tenant = tenant, .next_day_ms = next_day_ms};
        budget_init(&p->budget, max_nusd, spent_nusd);
        LIST_INSERT_HEAD(&all->list, p, link);
    }
    p->refs++;
    (void)pthread_mutex_unlock(&all->lock);
    return p;
}

void purse_put(struct purse *p) {
    if (p == NULL) {
        return;
    }
    struct purses *all = p->all;
    (void)pthread_mutex_lock(&all->lock);
    if (--p->refs == 0) {
        LIST_REMOVE(p, link);
        free(p);
    }
    (void)pthread_mutex_unlock(&all->lock);
}

/* What was spent belongs to yesterday; what is set aside will be spent today. */
static void purse_turn_day(struct purse *p, int64_t now_ms) {
    if (now_ms >= p->next_day_ms) {
        p->budget.spent_nusd = 0;
        p->next_day_ms = (now_ms / PURSE_DAY_MS + 1) * PURSE_DAY_MS;
    }
}

bool purse_reserve(struct purse *p, int64_t nusd, int64_t now_ms) {
    if (p == NULL) {
        return true;
    }
    (void)pthread_mutex_lock(&p->all->lock);
    purse_turn_day(p, now_ms);
    bool ok = budget_reserve(&p->budget, nusd);
    (void)pthread_mutex_unlock(&p->all->lock);
    return ok;
}

void purse_settle(struct purse *p, int64_t reserved_nusd, int64_t cost_nusd) {
    if (p != NULL) {
        (void)pthread_mutex_lock(&p->all->lock);
        budget_settle(&p->budget, reserved_nusd, cost_nusd);
        (void)pthread_mutex_unlock(&p->all->lock);
    }
}

void purse_release(struct purse *p, int64_t reserved_nusd) {
    if (p != NULL) {
        (void)pthread_mutex_lock(&p->all->lock);
        budget_release(&p->budget, reserved_nusd);
        (void)pthread_mutex_unlock(&p->all->lock);
    }
}

bool purse_is_idle(struct purse *p) {
    if (p == NULL) {
        return true;
    }
    (void)pthread_mutex_lock(&p->all->lock);
    bool idle = p->budget.reserved_nusd == 0;
    (void)pthread_mutex_unlock(&p->all->lock);
    return idle;
}
