/* Parts of limits that workers share (core/part.h): one claim after the other, whichever processes
 * they come from. A row stands until its lease ends, whatever becomes of its worker: what it had
 * under way may go on; only one that quits is done. A process that finds itself alone when it opens
 * the store forgets them all: it would wait for the dead, and jobs are to go on at once. */
#include "core/part.h"
#include "store/rules_job.h"
#include "store/store_work.h"

#define RULES_PARTS_OTHERS_MAX 1000 /* workers that claim parts of one limit */

static double rules_part_of(int64_t billionths) {
    return (double)billionths / (double)STORE_PART_WHOLE;
}

static void rules_part_claim(struct rules *r, int64_t worker, struct store_part *p) {
    struct part_holder *others = ARENA_ARRAY(&r->arena, struct part_holder, RULES_PARTS_OTHERS_MAX);
    size_t n = 0;
    struct sql_query *q = sql_use(r->db, Q_PARTS_OTHERS);
    sql_put_str(q, str_of(p->name));
    sql_put_int(q, worker);
    while (sql_next(q)) {
        if (n < RULES_PARTS_OTHERS_MAX) {
            others[n++] = (struct part_holder){rules_part_of(sql_int(q, 0)), sql_int(q, 1)};
        }
    }
    struct part_claim claim = {0}; /* there is no room for more workers than that */
    if (n < RULES_PARTS_OTHERS_MAX) {
        claim = part_claim(others, n, p->demand, rules_part_of(p->held), p->units);
    }
    p->ret_part = (int64_t)(claim.grant * (double)STORE_PART_WHOLE);
    q = sql_use(r->db, Q_PART_SET);
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
