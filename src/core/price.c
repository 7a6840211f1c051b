/* The table of prices: reading it, and finding a model in it.
 *
 * The table is a list, newest first: it is searched once per model of a run, never per call. Prices
 * are kept in whole nano-dollars per token: a dollar per million tokens is 1,000 of them.
 */
#include "core/price.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NUSD_PER_TOKEN_OF_USD_PER_MTOK 1000.0
#define PRICE_TOKENS_MAX 1000000000
#define PRICE_PEAK_MAX 100.0
#define PRICE_MS_PER_DAY INT64_C(86400000)
#define PRICE_TEXT_BYTES_MAX 64

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

/* Rates of @place; what it does not name is as in @below. */
static struct price_rates price_read_rates(struct jcheck *c, struct jplace place,
                                           const struct price_rates *below) {
    static const struct {
        const char *key;
        size_t offset, otherwise; /* of the rate that stands for it in a first tier */
    } fields[] = {
#define RATE(field, other)                                                                         \
    {#field, offsetof(struct price_rates, field), offsetof(struct price_rates, other)}
        RATE(input, input),   RATE(cached_input, input), RATE(cache_write, input),
        RATE(output, output), RATE(reasoning, output),
#undef RATE
    };
    struct price_rates rates = {0};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *from = below != NULL ? (const char *)below + fields[i].offset
                                         : (const char *)&rates + fields[i].otherwise;
        double usd = jcheck_real(c, place, fields[i].key, 0, PRICE_USD_PER_MTOK_MAX, -1);
        int64_t rate = price_per_token(usd);
        memcpy((char *)&rates + fields[i].offset, usd < 0 ? (const void *)from : &rate,
               sizeof rate);
    }
    double request = jcheck_real(c, place, "request", 0, PRICE_USD_PER_MTOK_MAX, -1);
    rates.request = request >= 0    ? (int64_t)ceil(request * (double)NUSD_PER_USD)
                    : below != NULL ? below->request
                                    : 0;
    return rates;
}

static void price_read_tiers(struct jcheck *c, struct jplace place, struct price *ret) {
    static const char *const keys[] = {"input",     "cached_input", "cache_write", "output",
                                       "reasoning", "request",      NULL};
    const struct price_rates *below = &ret->rates;
    struct str key;
    const struct jnode *value;
    if (!jcheck_is(c, place, JNODE_OBJECT, false)) {
        return;
    }
    for (void *i = jnode_next(place.node, NULL, &key, &value); i != NULL;
         i = jnode_next(place.node, i, &key, &value)) {
        struct jplace tier = jcheck_member(c, place, str_cstr(c->a, key));
        struct price_tier *t = &ret->tiers[ret->tiers_n];
        int64_t least = ret->tiers_n == 0 ? 0 : t[-1].above_tokens;
        int64_t tokens;
        if (ret->tiers_n == PRICE_TIERS_MAX || !str_to_i64(key, &tokens) || tokens <= least ||
            tokens > PRICE_TOKENS_MAX) {
            jcheck_fail(c, tier.pointer, "tiers are at most %d, named by tokens of input that rise",
                        PRICE_TIERS_MAX);
            return;
        }
        if (jcheck_is(c, tier, JNODE_OBJECT, true)) {
            jcheck_known(c, tier, keys);
            *t = (struct price_tier){tokens, price_read_rates(c, tier, below)};
            below = &t->rates;
            ret->tiers_n++;
        }
    }
}

/* The @n characters at @at are a number, 0 to @max. */
static bool price_read_number(struct str text, size_t at, size_t n, int64_t max, int64_t *ret) {
    return str_to_i64(str_take(str_skip(text, at), n), ret) && *ret >= 0 && *ret <= max;
}

/* "01:00-04:00", in UTC. */
static bool price_read_hours(struct str text, struct price_peak *ret) {
    int64_t hour[2], minute[2];
    bool good = text.n == 11 && text.p[2] == ':' && text.p[5] == '-' && text.p[8] == ':';
    for (size_t i = 0; good && i < 2; i++) {
        good = price_read_number(text, 6 * i, 2, 24, &hour[i]) &&
               price_read_number(text, 6 * i + 3, 2, 59, &minute[i]);
    }
    if (good) {
        *ret = (struct price_peak){hour[0] * 60 + minute[0], hour[1] * 60 + minute[1]};
        good = ret->from_minute < ret->to_minute && ret->to_minute <= 24 * 60;
    }
    return good;
}

/* Rounded up, as prices are. */
static int64_t price_permille(double factor) {
    return (int64_t)ceil(factor * 1000 - 1e-6);
}

static void price_read_peak(struct jcheck *c, struct jplace place, struct price *ret) {
    static const char *const keys[] = {"hours", "factor", NULL};
    ret->peak_permille = 1000;
    if (!jcheck_is(c, place, JNODE_OBJECT, false)) {
        return;
    }
    jcheck_known(c, place, keys);
    struct jplace hours = jcheck_member(c, place, "hours");
    double factor = jcheck_real(c, place, "factor", 0, PRICE_PEAK_MAX, 1);
    ret->peak_permille = price_permille(factor);
    bool good = jcheck_is(c, hours, JNODE_ARRAY, true) && jnode_len(hours.node) <= PRICE_PEAKS_MAX;
    for (size_t i = 0; good && i < jnode_len(hours.node); i++) {
        good = price_read_hours(jnode_str(jnode_at(hours.node, i)), &ret->peaks[ret->peaks_n++]);
    }
    if (!good) {
        jcheck_fail(c, hours.pointer, "must be at most %d times of day in UTC: \"01:00-04:00\"",
                    PRICE_PEAKS_MAX);
    }
}

/* Days since 1970-01-01 (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms). */
static int64_t price_days(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "2027-01-01": the moment at which it begins, in UTC. */
static bool price_read_date(struct str text, int64_t *ret_ms) {
    int64_t year, month, day;
    bool good = text.n == 10 && text.p[4] == '-' && text.p[7] == '-' &&
                price_read_number(text, 0, 4, 9999, &year) &&
                price_read_number(text, 5, 2, 12, &month) &&
                price_read_number(text, 8, 2, 31, &day) && year >= 1970 && month > 0 && day > 0;
    if (good) {
        *ret_ms = price_days(year, month, day) * PRICE_MS_PER_DAY;
    }
    return good;
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

static const struct price *price_of_name(const struct price_table *t, struct str name) {
    const struct price *p = price_exact(t, name);
    p = p != NULL ? p : price_exact(t, price_undated(name));
    return p != NULL ? p : price_by_prefix(t, name);
}

/* The part that a batch of this model costs as far as is known: the model's, else that of its
 * provider's other models. */
static int64_t price_known_batch(const struct price_table *t, struct str name) {
    struct str provider = str_take(name, str_find_char(name, '/') + 1);
    const struct price *p = price_of_name(t, name);
    for (const struct price_entry *e = t->first; p == NULL && e != NULL; e = e->next) {
        p = str_starts(e->name, provider) ? &e->price : NULL;
    }
    return p != NULL ? p->batch_permille : 1000;
}

/* @after: the price that it follows, or NULL. @batch_permille: unless it tells */
static void price_read(struct jcheck *c, struct jplace place, const struct price *after,
                       int64_t batch_permille, struct price *ret) {
    static const char *const keys[] = {"input",     "cached_input", "cache_write", "output",
                                       "reasoning", "request",      "batch",       "above",
                                       "peak",      "from",         NULL};
    static const char *const required[] = {"input", "output"};
    *ret = (struct price){.from_ms = INT64_MIN};
    if (!jcheck_is(c, place, JNODE_OBJECT, true)) {
        return;
    }
    jcheck_known(c, place, keys);
    for (size_t i = 0; i < ARRAY_LEN(required); i++) {
        if (jnode_get(place.node, required[i]) == NULL) {
            jcheck_fail(c, place.pointer, "\"%s\" is missing (dollars per million tokens)",
                        required[i]);
        }
    }
    struct str from = jcheck_str(c, place, "from", PRICE_TEXT_BYTES_MAX);
    if ((from.n > 0 || after != NULL) && (!price_read_date(from, &ret->from_ms) ||
                                          (after != NULL && ret->from_ms <= after->from_ms))) {
        jcheck_fail(
            c, place.pointer,
            "\"from\" must be a date such as 2027-01-01, later than that of the price before");
    }
    ret->rates = price_read_rates(c, place, NULL);
    price_read_tiers(c, jcheck_member(c, place, "above"), ret);
    price_read_peak(c, jcheck_member(c, place, "peak"), ret);
    double batch = jcheck_real(c, place, "batch", 0.001, 1, -1);
    ret->batch_permille = batch < 0 ? batch_permille : price_permille(batch);
}

/* A price, or an array of prices that follow each other. */
static void price_read_entry(struct jcheck *c, struct jplace place, struct str name,
                             struct price_table *t) {
    size_t errors = c->n;
    bool many = jnode_type(place.node) == JNODE_ARRAY;
    size_t n = many ? jnode_len(place.node) : 1;
    int64_t batch_permille = price_known_batch(t, name);
    struct price *prices = ARENA_ARRAY(t->a, struct price, MAX(n, 1));
    if (!price_name_is_whole(name)) {
        jcheck_fail(c, place.pointer, "a price belongs to \"provider/model\"");
    }
    if (n == 0) {
        jcheck_fail(c, place.pointer, "holds no price");
    }
    for (size_t i = 0; i < n; i++) {
        price_read(c, many ? jcheck_element(c, place, i) : place, i > 0 ? &prices[i - 1] : NULL,
                   batch_permille, &prices[i]);
        prices[i].later = i + 1 < n ? &prices[i + 1] : NULL;
    }
    if (c->n == errors) {
        price_put(t, name, prices[0]);
    }
}

bool price_table_add(struct price_table *t, struct jcheck *c, const struct jnode *doc) {
    size_t errors = c->n;
    struct jplace root = jcheck_root(doc);
    struct str key;
    const struct jnode *value;
    if (!jcheck_is(c, root, JNODE_OBJECT, true)) {
        return false;
    }
    for (void *i = jnode_next(doc, NULL, &key, &value); i != NULL;
         i = jnode_next(doc, i, &key, &value)) {
        if (!str_starts(key, S("_"))) {
            price_read_entry(c, jcheck_member(c, root, str_cstr(c->a, key)), key, t);
        }
    }
    return c->n == errors;
}

bool price_table_read(struct jcheck *c, const struct jnode *doc, struct arena *a,
                      struct price_table **ret) {
    struct price_table *t = ARENA_NEW(a, struct price_table);
    *t = (struct price_table){.a = a};
    bool good = price_table_add(t, c, doc);
    if (good) {
        *ret = t;
    }
    return good;
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
    int64_t input = price_per_token(usd[0]), output = price_per_token(usd[n - 1]);
    price_put(t, name,
              (struct price){.from_ms = INT64_MIN,
                             .rates = {.input = input,
                                       .cached_input = n < 3 ? input : price_per_token(usd[1]),
                                       .cache_write = input,
                                       .output = output,
                                       .reasoning = output},
                             .peak_permille = 1000,
                             .batch_permille = price_known_batch(t, name)});
    return ERR_OK;
}

const struct price *price_find(const struct price_table *t, struct str provider, struct str model) {
    char text[512];
    int n = snprintf(text, sizeof text, "%.*s/%.*s", STR_ARG(provider), STR_ARG(model));
    if (n < 0 || (size_t)n >= sizeof text) {
        return NULL; /* longer than any name that can be read */
    }
    return price_of_name(t, (struct str){text, (size_t)n});
}
