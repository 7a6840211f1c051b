/* Prices per token in whole nano-dollars: a dollar per million tokens is 1,000 of them.
 *
 * The table is a list, newest first: it is searched once per model of a run, never per call.
 * Amounts saturate at INT64_MAX instead of wrapping, so a bound is never too small.
 */
#include "core/price.h"

#include <math.h>
#include <stdio.h>

#define NUSD_PER_TOKEN_OF_USD_PER_MTOK 1000.0
#define MESSAGE_FRAME_TOKENS 16 /* role markers and separators; providers use 3 to 8 */

struct price_entry {
    struct price_entry *next;
    struct str name; /* "provider/model", or its beginning when `prefix` */
    bool prefix;
    struct price price;
};

struct price_table {
    struct arena *a;
    struct price_entry *first;
};

/* Rounded up: a cap on spending must hold with the price as it was told. The slack forgives what
 * binary fractions add to a decimal (0.075 · 1000). */
static int64_t price_per_token(double usd_per_mtok) {
    return (int64_t)ceil(usd_per_mtok * NUSD_PER_TOKEN_OF_USD_PER_MTOK - 1e-6);
}

static bool price_is_sane(double usd_per_mtok) {
    return usd_per_mtok >= 0 && usd_per_mtok <= PRICE_USD_PER_MTOK_MAX;
}

static void price_put(struct price_table *t, struct str name, struct price price) {
    bool prefix = str_ends(name, S("*"));
    name = str_take(name, name.n - prefix);
    struct price_entry *e = t->first;
    while (e != NULL && !(e->prefix == prefix && str_eq(e->name, name))) {
        e = e->next;
    }
    if (e == NULL) {
        e = ARENA_NEW(t->a, struct price_entry);
        *e = (struct price_entry){.next = t->first, .name = str_dup(t->a, name), .prefix = prefix};
        t->first = e;
    }
    e->price = price;
}

/* A name is "provider/model" with both parts. */
static bool price_name_is_whole(struct str name) {
    size_t slash = str_find_char(name, '/');
    return slash != STR_NPOS && slash > 0 && slash + 1 < name.n;
}

static void price_read_one(struct jcheck *c, struct jplace place, struct str name,
                           struct price_table *t) {
    static const char *const keys[] = {"input", "cached_input", "output", NULL};
    static const char *const required[] = {"input", "output"};
    size_t errors = c->n;
    if (!price_name_is_whole(name)) {
        jcheck_fail(c, place.pointer, "a price belongs to \"provider/model\"");
    }
    if (jcheck_is(c, place, JNODE_OBJECT, true)) {
        for (size_t i = 0; i < ARRAY_LEN(required); i++) {
            if (jnode_get(place.node, required[i]) == NULL) {
                jcheck_fail(c, place.pointer, "\"%s\" is missing (dollars per million tokens)",
                            required[i]);
            }
        }
        jcheck_known(c, place, keys);
    }
    double in = jcheck_real(c, place, "input", 0, PRICE_USD_PER_MTOK_MAX, 0);
    double cached = jcheck_real(c, place, "cached_input", 0, PRICE_USD_PER_MTOK_MAX, in);
    double out = jcheck_real(c, place, "output", 0, PRICE_USD_PER_MTOK_MAX, 0);
    if (c->n == errors) {
        price_put(
            t, name,
            (struct price){price_per_token(in), price_per_token(cached), price_per_token(out)});
    }
}

bool price_table_read(struct jcheck *c, const struct jnode *doc, struct arena *a,
                      struct price_table **ret) {
    size_t errors = c->n;
    struct jplace root = jcheck_root(doc);
    struct price_table *t = ARENA_NEW(a, struct price_table);
    t->a = a;
    if (jcheck_is(c, root, JNODE_OBJECT, true)) {
        struct str key;
        const struct jnode *value;
        for (void *i = jnode_next(doc, NULL, &key, &value); i != NULL;
             i = jnode_next(doc, i, &key, &value)) {
            if (!str_starts(key, S("_"))) {
                price_read_one(c, jcheck_member(c, root, str_cstr(c->a, key)), key, t);
            }
        }
    }
    if (c->n != errors) {
        return false;
    }
    *ret = t;
    return true;
}

enum err price_table_set(struct price_table *t, struct str text, struct errinfo *reterr) {
    size_t equals = str_find_char(text, '=');
    struct str name = str_trim(str_take(text, equals));
    struct str numbers = equals == STR_NPOS ? S("") : str_skip(text, equals + 1);
    double usd[3];
    size_t n = 0;
    bool good = price_name_is_whole(name) && numbers.n > 0;
    while (good && numbers.n > 0) {
        struct str number = str_trim(str_split(&numbers, ','));
        good = n < ARRAY_LEN(usd) && str_to_double(number, &usd[n]) && price_is_sane(usd[n]);
        n++;
    }
    if (!good || n < 2) {
        return errinfo_set(reterr, ERR_INVALID,
                           "\"%.*s\" is not a price: write provider/model=INPUT,OUTPUT or "
                           "provider/model=INPUT,CACHED,OUTPUT in dollars per million tokens",
                           STR_ARG(text));
    }
    price_put(t, name,
              (struct price){price_per_token(usd[0]), price_per_token(usd[n - 2]),
                             price_per_token(usd[n - 1])});
    return ERR_OK;
}

/* Without "-2026-08-21" or "-20260821" at the end; the name itself if there is no date. */
static struct str price_undated(struct str name) {
    static const char *const forms[] = {"-dddd-dd-dd", "-dddddddd"};
    for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
        struct str form = str_of(forms[f]);
        bool match = name.n > form.n;
        for (size_t i = 0; match && i < form.n; i++) {
            char c = name.p[name.n - form.n + i];
            match = form.p[i] == 'd' ? c >= '0' && c <= '9' : c == form.p[i];
        }
        if (match) {
            return str_take(name, name.n - form.n);
        }
    }
    return name;
}

static const struct price *price_exact(const struct price_table *t, struct str name) {
    for (const struct price_entry *e = t->first; e != NULL; e = e->next) {
        if (!e->prefix && str_eq(e->name, name)) {
            return &e->price;
        }
    }
    return NULL;
}

static const struct price *price_by_prefix(const struct price_table *t, struct str name) {
    const struct price_entry *best = NULL;
    for (const struct price_entry *e = t->first; e != NULL; e = e->next) {
        if (e->prefix && str_starts(name, e->name) && (best == NULL || e->name.n > best->name.n)) {
            best = e;
        }
    }
    return best == NULL ? NULL : &best->price;
}

const struct price *price_find(const struct price_table *t, struct str provider, struct str model) {
    char text[512];
    int n = snprintf(text, sizeof text, "%.*s/%.*s", STR_ARG(provider), STR_ARG(model));
    if (n < 0 || (size_t)n >= sizeof text) {
        return NULL; /* longer than any name that can be read */
    }
    struct str name = {text, (size_t)n};
    const struct price *p = price_exact(t, name);
    p = p != NULL ? p : price_exact(t, price_undated(name));
    return p != NULL ? p : price_by_prefix(t, name);
}

static int64_t money_mul(int64_t tokens, int64_t nusd) {
    int64_t product;
    return __builtin_mul_overflow(tokens, nusd, &product) ? INT64_MAX : product;
}

static int64_t money_add(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t price_cost(const struct price *p, const struct call_usage *u) {
    if (p == NULL || u->input_tokens < 0 || u->output_tokens < 0) {
        return MONEY_UNKNOWN;
    }
    int64_t cached = MIN(MAX(u->cached_tokens, 0), u->input_tokens);
    int64_t input = money_add(money_mul(u->input_tokens - cached, p->input_nusd),
                              money_mul(cached, p->cached_input_nusd));
    return money_add(input, money_mul(u->output_tokens, p->output_nusd));
}

int64_t price_bound(const struct price *p, const struct call_spec *call) {
    int64_t input = 0;
    ASSERT(call->output_tokens_max >= 0);
    for (size_t i = 0; i < call->messages_n; i++) {
        input += (int64_t)call->messages[i].text.n + MESSAGE_FRAME_TOKENS;
    }
    if (call->schema != NULL) {
        input += (int64_t)call->schema->json.n + MESSAGE_FRAME_TOKENS;
    }
    int64_t dearest = MAX(p->input_nusd, p->cached_input_nusd);
    return money_add(money_mul(input, dearest), money_mul(call->output_tokens_max, p->output_nusd));
}
