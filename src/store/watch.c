/* A watcher has two lists of changes: one that the store's threads fill, under the watcher's lock,
 * and one that its loop reads. While a message is under way nothing more is posted; when it arrives
 * the lists change places. So there is never more than one message a watcher, and a slow one finds
 * everything since the last time in it, each job once.
 */
#include "store/watch.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list of changes, each job once: found by the job's id in an open-addressed table. */
struct watch_list {
    struct store_change *changes;
    int64_t *versions; /* of the same jobs */
    size_t n, room;
    uint32_t *slots; /* index + 1 into changes; 0: free */
    size_t slots_n;  /* power of two, at least twice n; or 0 */
    bool keys_changed, outbox, lost;
};

struct store_watch {
    struct store_watch *next; /* under the lock of all */
    struct watches *all;
    struct loop *loop;
    store_watch_fn *fn;
    void *ctx;
    pthread_mutex_t lock; /* of what follows, but for `reading` */
    struct watch_list filling;
    bool under_way, gone;
    struct loop_msg msg;
    struct watch_list reading; /* of the loop thread */
};

/* --- lists */

static void watch_list_release(struct watch_list *list) {
    free(list->changes);
    free(list->versions);
    free(list->slots);
}

static void watch_list_clear(struct watch_list *list) {
    list->n = 0;
    list->keys_changed = list->outbox = list->lost = false;
    if (list->slots_n > 0) {
        memset(list->slots, 0, list->slots_n * sizeof *list->slots);
    }
}

static uint32_t *watch_list_slot(const struct watch_list *list, const char *job_id) {
    for (size_t at = str_hash(str_of(job_id));; at++) {
        uint32_t *slot = &list->slots[at & (list->slots_n - 1)];
        if (*slot == 0 || strcmp(list->changes[*slot - 1].job_id, job_id) == 0) {
            return slot;
        }
    }
}

static void watch_list_grow(struct watch_list *list) {
    list->room = MAX(2 * list->room, (size_t)64);
    list->changes = mem_resize(list->changes, list->room, sizeof *list->changes);
    list->versions = mem_resize(list->versions, list->room, sizeof *list->versions);
    free(list->slots);
    list->slots_n = 2 * list->room;
    list->slots = mem_new_array(list->slots_n, sizeof *list->slots);
    for (size_t i = 0; i < list->n; i++) {
        *watch_list_slot(list, list->changes[i].job_id) = (uint32_t)(i + 1);
    }
}

static void watch_list_add(struct watch_list *list, const struct watch_job *job) {
    if (list->n == list->room && list->room < STORE_NEWS_JOBS_MAX) {
        watch_list_grow(list);
    }
    uint32_t *slot = watch_list_slot(list, job->id);
    if (*slot == 0 && list->n == list->room) {
        list->lost = true;
        return;
    }
    if (*slot == 0) {
        struct store_change *change = &list->changes[list->n];
        *change = (struct store_change){.tenant = job->tenant, .priority = job->priority};
        (void)snprintf(change->job_id, sizeof change->job_id, "%s", job->id);
        list->versions[list->n] = job->version;
        *slot = (uint32_t)++list->n;
    }
    struct store_change *change = &list->changes[*slot - 1];
    int64_t *version = &list->versions[*slot - 1];
    if (job->version >= *version) {
        *version = job->version;
        change->state = job->state;
    }
    change->what |= job->what;
}

/* --- the store's threads */

void watches_init(struct watches *all) {
    *all = (struct watches){0};
    ASSERT(pthread_mutex_init(&all->lock, NULL) == 0);
}

void watches_release(struct watches *all) {
    ASSERT(all->first == NULL);
    pthread_mutex_destroy(&all->lock);
}

static void watch_deliver(struct loop_msg *msg);

static void watch_tell(struct store_watch *w, const struct watch_news *news) {
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < news->jobs_n; i++) {
        watch_list_add(&w->filling, &news->jobs[i]);
    }
    w->filling.keys_changed |= news->keys;
    w->filling.outbox |= news->outbox;
    w->filling.lost |= news->lost;
    if (!w->under_way) {
        w->under_way = true;
        w->msg.fn = watch_deliver;
        loop_post(w->loop, &w->msg);
    }
    pthread_mutex_unlock(&w->lock);
}

void watches_tell(struct watches *all, const struct watch_news *news) {
    if (news->jobs_n == 0 && !news->keys && !news->outbox && !news->lost) {
        return;
    }
    pthread_mutex_lock(&all->lock);
    for (struct store_watch *w = all->first; w != NULL; w = w->next) {
        watch_tell(w, news);
    }
    pthread_mutex_unlock(&all->lock);
}

/* --- the watcher's loop */

static void watch_free(struct store_watch *w) {
    pthread_mutex_destroy(&w->lock);
    watch_list_release(&w->filling);
    watch_list_release(&w->reading);
    free(w);
}

static void watch_deliver(struct loop_msg *msg) {
    struct store_watch *w = CONTAINER_OF(msg, struct store_watch, msg);
    watch_list_clear(&w->reading); /* what was told before */
    pthread_mutex_lock(&w->lock);
    struct watch_list news = w->filling;
    w->filling = w->reading;
    w->reading = news;
    w->under_way = false;
    bool gone = w->gone;
    pthread_mutex_unlock(&w->lock);
    if (gone) {
        watch_free(w);
        return;
    }
    struct watch_list *list = &w->reading;
    struct store_news told = {.jobs = list->changes,
                              .jobs_n = list->n,
                              .keys = list->keys_changed,
                              .outbox = list->outbox,
                              .lost = list->lost};
    w->fn(w->ctx, &told);
}

struct store_watch *watches_add(struct watches *all, struct loop *l, store_watch_fn *fn,
                                void *ctx) {
    struct store_watch *w = mem_new(sizeof *w);
    *w = (struct store_watch){.all = all, .loop = l, .fn = fn, .ctx = ctx};
    ASSERT(pthread_mutex_init(&w->lock, NULL) == 0);
    pthread_mutex_lock(&all->lock);
    w->next = all->first;
    all->first = w;
    pthread_mutex_unlock(&all->lock);
    return w;
}

void store_unwatch(struct store_watch *w) {
    pthread_mutex_lock(&w->all->lock);
    struct store_watch **at = &w->all->first;
    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
    pthread_mutex_unlock(&w->all->lock);
    pthread_mutex_lock(&w->lock);
    bool under_way = w->under_way;
    w->gone = true;
    pthread_mutex_unlock(&w->lock);
    if (!under_way) {
        watch_free(w);
    }
}
