/* What keys spend in a day, and what workers have set aside of it: their purses.
 *
 * Invariant  spent today + all purses <= what the key may spend in a day. A call's cost moves from
 * a purse to what is spent, in the transaction that records it, so that the sum stays; only a
 * provider that bills more than a call could cost makes it larger. Purses are filled at the end of
 * a transaction, when all that it spends is written down, and for one key by one transaction after
 * the other. Whatever is locked here is locked in the order of the keys.
 */
#include "store/rules_job.h"
#include "store/store_key.h"

/* Of one key and worker in the running transaction. */
struct rules_spend {
    struct rules_spend *next; /* by tenant, then worker */
    int64_t tenant, worker;
    int64_t nusd;
    int64_t late_nusd;       /* of it, what was spent after the purse was asked for */
    struct store_purse *ask; /* NULL: it was not */
};

static struct rules_spend *rules_spend_of(struct rules *r, int64_t tenant, int64_t worker) {
    struct rules_spend **at = &r->spends;
    while (*at != NULL &&
           ((*at)->tenant < tenant || ((*at)->tenant == tenant && (*at)->worker < worker))) {
        at = &(*at)->next;
    }
    struct rules_spend *s = *at;
    if (s == NULL || s->tenant != tenant || s->worker != worker) {
        s = ARENA_NEW(&r->arena, struct rules_spend);
        *s = (struct rules_spend){.next = *at, .tenant = tenant, .worker = worker};
        *at = s;
    }
    return s;
}

void rules_spend(struct rules *r, int64_t tenant, int64_t worker, int64_t nusd) {
    if (tenant != STORE_TENANT_NONE && nusd > 0) {
        struct rules_spend *s = rules_spend_of(r, tenant, worker);
        s->nusd += nusd;
        s->late_nusd += s->ask != NULL ? nusd : 0;
    }
}

enum err rule_purse(struct rules *r, struct store_op *op) {
    struct store_purse *o = CONTAINER_OF(op, struct store_purse, op);
    struct rules_spend *s = rules_spend_of(r, o->tenant, o->worker);
    ASSERT(s->ask == NULL);
    s->ask = o;
    return ERR_OK;
}

/* --- at the end */

static void rules_add_key_spend(struct rules *r, int64_t day) {
    const struct rules_spend *s = r->spends;
    while (s != NULL) {
        int64_t tenant = s->tenant, nusd = 0;
        for (; s != NULL && s->tenant == tenant; s = s->next) {
            nusd += s->nusd;
        }
        if (nusd > 0) {
            struct sql_query *q = sql_use(r->db, Q_KEY_SPEND_ADD);
            sql_put_int(q, tenant);
            sql_put_int(q, day);
            sql_put_int(q, nusd);
            (void)sql_run(q);
        }
    }
}

static void rules_take_from_purse(struct rules *r, const struct rules_spend *s, int64_t day) {
    struct sql_query *q = sql_use(r->db, Q_PURSE_TAKE);
    sql_put_int(q, s->nusd);
    sql_put_int(q, day);
    sql_put_int(q, s->tenant);
    sql_put_int(q, s->worker);
    (void)sql_run(q);
}

/* What of the key's day is left for this purse; negative: it has passed its limit. False: it has
 * none. */
static bool rules_purse_room(struct rules *r, const struct rules_spend *s, int64_t day,
                             int64_t *ret) {
    struct sql_query *q = sql_use(r->db, Q_PURSES_LOCK);
    bool limited = false;
    sql_put_int(q, s->tenant);
    while (sql_next(q)) { /* one after the other from here */
    }
    q = sql_use(r->db, Q_PURSES_STATE);
    sql_put_int(q, s->tenant);
    sql_put_int(q, day);
    sql_put_int(q, s->worker);
    while (sql_next(q)) {
        limited = true;
        s->ask->ret_others_nusd = sql_int(q, 2);
        *ret = sql_int(q, 0) - sql_int(q, 1) - sql_int(q, 2) - sql_int(q, 3);
    }
    return limited;
}

static void rules_fill_purse(struct rules *r, const struct rules_spend *s, int64_t day) {
    struct store_purse *o = s->ask;
    int64_t room_nusd;
    o->ret_others_nusd = 0;
    o->ret_nusd = o->want_nusd;
    if (!rules_purse_room(r, s, day, &room_nusd)) {
        return;
    }
    room_nusd += s->late_nusd; /* as it was when the purse was asked for */
    o->ret_nusd = room_nusd < o->need_nusd ? o->keep_nusd : MIN(o->want_nusd, room_nusd);
    struct sql_query *q = sql_use(r->db, Q_PURSE_SET);
    sql_put_int(q, s->tenant);
    sql_put_int(q, s->worker);
    sql_put_int(q, MAX(o->ret_nusd - s->late_nusd, 0));
    sql_put_int(q, day);
    (void)sql_run(q);
}

void rules_settle_purses(struct rules *r) {
    int64_t day = sql_wall_ms(r->db) / RULES_DAY_MS;
    rules_add_key_spend(r, day);
    for (const struct rules_spend *s = r->spends; s != NULL; s = s->next) {
        if (s->nusd > 0) {
            rules_take_from_purse(r, s, day);
        }
    }
    for (const struct rules_spend *s = r->spends; s != NULL; s = s->next) {
        if (s->ask != NULL) {
            rules_fill_purse(r, s, day);
        }
    }
    r->spends = NULL;
}
