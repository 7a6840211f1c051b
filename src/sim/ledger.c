#include "sim/ledger.h"

#include "base/clock.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>

#define LEDGER_REMEMBERED ((size_t)1 << 20)
#define LEDGER_PROVIDER S("sim")

enum err ledger_open(struct ledger *l, const char *path, const struct price_table *prices,
                     struct errinfo *reterr) {
    *l = (struct ledger){.prices = prices};
    enum err e = journal_open(&l->file, path, reterr);
    if (e == ERR_OK) {
        table_init(&l->requests, LEDGER_REMEMBERED);
        table_init(&l->ids, LEDGER_REMEMBERED);
    }
    return e;
}

void ledger_close(struct ledger *l) {
    journal_close(&l->file);
    table_release(&l->requests);
    table_release(&l->ids);
}

/* True if @key was billed before without a fault; remembers it if there is none now. */
static bool ledger_seen(struct table *t, uint64_t key, bool fault) {
    uint64_t *billed = table_put(t, key);
    bool before = *billed > 0;
    *billed += !fault;
    return before;
}

static int64_t ledger_cost(const struct ledger *l, const struct ledger_entry *e) {
    const struct price *p =
        l->prices != NULL ? price_find(l->prices, LEDGER_PROVIDER, str_of(e->model)) : NULL;
    int64_t cost =
        p != NULL ? price_cost(p, &e->usage, clock_wall_ms(), PRICE_DIRECT) : MONEY_UNKNOWN;
    return e->batch && cost > 0 ? (cost + 1) / 2 : cost;
}

static void ledger_usage(const struct call_usage *u, struct jwrite *w) {
    jwrite_key(w, "input_tokens");
    jwrite_int(w, u->input_tokens);
    jwrite_key(w, "cached_tokens");
    jwrite_int(w, u->cached_tokens);
    jwrite_key(w, "output_tokens");
    jwrite_int(w, u->output_tokens);
    jwrite_key(w, "reasoning_tokens");
    jwrite_int(w, u->reasoning_tokens);
}

static void ledger_write(struct ledger *l, const struct ledger_entry *e, int64_t cost_nusd,
                         bool repeated) {
    char time[CLOCK_RFC3339_BYTES], hash[20];
    struct jwrite w;
    if (l->file.fd < 0) {
        return;
    }
    clock_rfc3339(clock_wall_ms(), time);
    int n = snprintf(hash, sizeof hash, "%016" PRIx64, e->request_hash);
    jwrite_init(&w, &l->file.pending);
    jwrite_object(&w);
    jwrite_key(&w, "time");
    jwrite_cstr(&w, time);
    jwrite_key(&w, "model");
    jwrite_cstr(&w, e->model);
    jwrite_key(&w, "role");
    jwrite_cstr(&w, e->role < ROLE_COUNT ? role_name(e->role) : NULL);
    jwrite_key(&w, "client_request_id");
    jwrite_cstr(&w, e->client_id[0] != '\0' ? e->client_id : NULL);
    jwrite_key(&w, "request");
    jwrite_str(&w, (struct str){hash, (size_t)n});
    ledger_usage(&e->usage, &w);
    jwrite_key(&w, "cost_usd");
    jwrite_usd(&w, cost_nusd);
    jwrite_key(&w, "batch");
    jwrite_bool(&w, e->batch);
    jwrite_key(&w, "fault");
    jwrite_cstr(&w, e->fault != FAULT_NONE ? fault_name(e->fault) : NULL);
    jwrite_key(&w, "repeated");
    jwrite_bool(&w, repeated);
    jwrite_key(&w, "broken_off");
    jwrite_bool(&w, e->broken_off);
    jwrite_end(&w);
    sbuf_add_char(&l->file.pending, '\n');
}

void ledger_add(struct ledger *l, const struct ledger_entry *e) {
    bool fault = e->fault != FAULT_NONE;
    int64_t cost_nusd = ledger_cost(l, e);
    if (e->broken_off) {
        l->broken_off++;
        l->broken_off_nusd += MAX(cost_nusd, INT64_C(0));
        ledger_write(l, e, cost_nusd, false);
        return;
    }
    bool repeated = ledger_seen(&l->requests, e->request_hash, fault);
    l->calls++;
    l->useless += fault;
    l->in_batches += e->batch;
    l->repeated += repeated;
    if (e->client_id[0] != '\0') {
        l->repeated_ids += ledger_seen(&l->ids, table_hash(str_of(e->client_id), 0), fault);
    }
    l->served_ms += e->served_ms;
    if (e->role < ROLE_COUNT) {
        l->by_role[e->role]++;
    }
    l->usage.input_tokens += e->usage.input_tokens;
    l->usage.cached_tokens += e->usage.cached_tokens;
    l->usage.output_tokens += e->usage.output_tokens;
    l->usage.reasoning_tokens += e->usage.reasoning_tokens;
    l->cost_nusd += MAX(cost_nusd, INT64_C(0));
    ledger_write(l, e, cost_nusd, repeated);
}

void ledger_refused(struct ledger *l, enum quota_kind k) {
    l->refused[k]++;
}

static void ledger_limits(const struct ledger *l, struct jwrite *w) {
    jwrite_key(w, "admitted");
    jwrite_int(w, l->admitted);
    jwrite_key(w, "refused");
    jwrite_object(w);
    for (int k = 0; k < QUOTA_KINDS; k++) {
        jwrite_key(w, quota_name((enum quota_kind)k));
        jwrite_int(w, l->refused[k]);
    }
    jwrite_end(w);
}

void ledger_summary(const struct ledger *l, struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    jwrite_key(&w, "calls");
    jwrite_int(&w, l->calls);
    for (int role = 0; role < ROLE_COUNT; role++) {
        jwrite_key(&w, role_name((enum role)role));
        jwrite_int(&w, l->by_role[role]);
    }
    jwrite_key(&w, "with_fault");
    jwrite_int(&w, l->useless);
    jwrite_key(&w, "in_batches");
    jwrite_int(&w, l->in_batches);
    jwrite_key(&w, "repeated");
    jwrite_int(&w, l->repeated);
    jwrite_key(&w, "repeated_request_ids");
    jwrite_int(&w, l->repeated_ids);
    ledger_limits(l, &w);
    ledger_usage(&l->usage, &w);
    jwrite_key(&w, "served_ms");
    jwrite_int(&w, (int64_t)l->served_ms);
    jwrite_key(&w, "cost_usd");
    jwrite_usd(&w, l->cost_nusd);
    jwrite_key(&w, "broken_off");
    jwrite_int(&w, l->broken_off);
    jwrite_key(&w, "broken_off_usd");
    jwrite_usd(&w, l->broken_off_nusd);
    jwrite_end(&w);
}
