/* Parts of limits that workers share (core/part.h): one claim after the other, whichever processes
 * they come from. A row stands until its lease ends, whatever becomes of its worker: what it had
 * under way may go on; only one that quits is done. A process that finds itself alone when it opens
 * the store forgets them all: it would wait for the dead, and jobs are to go on at once. */
#include "core/part.h"
#include "store/rules_job.h"
#include "store/store_work.h"

static double rules_part_of(int64_t billionths) {
    return (double)billionths / (double)STORE_PART_WHOLE;
}

static struct part_others rules_part_others(struct rules *r, int64_t worker, const char *name) {
    struct part_others others = {0};
    struct sql_query *q = sql_use(r->db, Q_PARTS_OTHERS);
    sql_put_str(q, str_of(name));
    sql_put_int(q, worker);
    while (sql_next(q)) {
        others = (struct part_others){.n = sql_int(q, 0),
                                      .idle = sql_int(q, 1),
                                      .counted = rules_part_of(sql_int(q, 2)),
                                      .demand = sql_int(q, 3)};
    }
    return others;
}

static void rules_part_claim(struct rules *r, int64_t worker, struct store_part *p) {
    struct part_others others = rules_part_others(r, worker, p->name);
    struct part_claim claim = part_claim(&others, p->demand, rules_part_of(p->held), p->units);
    p->ret_part = (int64_t)(claim.grant * (double)STORE_PART_WHOLE);
    p->ret_others = others.n;
    struct sql_query *q = sql_use(r->db, Q_PART_SET);
    sql_put_str(q, str_of(p->name));
    sql_put_int(q, worker);
    sql_put_int(q, MAX(p->ret_part, p->held));
    sql_put_int(q, p->demand);
    sql_put_int(q, sql_clock_ms(r->db) + PART_LEASE_MS);
    (void)sql_run(q);
}

void rules_claim_parts(struct rules *r, int64_t worker, struct store_part *parts, size_t n) {
    int64_t now_ms = sql_clock_ms(r->db);
    if (n == 0) {
        return;
    }
    struct sql_query *q = sql_use(r->db, Q_PARTS_LOCK);
    while (sql_next(q)) { /* one after the other from here */
    }
    q = sql_use(r->db, Q_PARTS_SWEEP);
    sql_put_int(q, now_ms);
    sql_put_int(q, now_ms + PART_LEASE_MS); /* later: the clock was set back */
    (void)sql_run(q);
    for (size_t i = 0; i < n; i++) {
        rules_part_claim(r, worker, &parts[i]);
    }
}
