/* Values of options: from text to the destination of a row, or a sentence that says what would have
 * been right. */
#include "cli/nearest.h"
#include "cli/opt.h"
#include "cli/term.h"
#include "core/money.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define OPT_MONEY_NUSD_MAX (INT64_C(1000000000) * NUSD_PER_USD)
#define OPT_DURATION_MS_MAX (INT64_C(36500) * 24 * 3600 * 1000)

bool opt_read_bool(struct str text, bool *ret) {
    static const char *const words[2][4] = {{"false", "0", "no", "off"},
                                            {"true", "1", "yes", "on"}};
    for (int v = 0; v < 2; v++) {
        for (size_t i = 0; i < ARRAY_LEN(words[0]); i++) {
            if (str_eq_nocase(text, str_of(words[v][i]))) {
                *ret = v == 1;
                return true;
            }
        }
    }
    return false;
}

static size_t opt_span(struct str text, bool digits) {
    size_t n = 0;
    while (n < text.n && ((text.p[n] >= '0' && text.p[n] <= '9') || text.p[n] == '.') == digits) {
        n++;
    }
    return n;
}

static int64_t opt_unit_ms(struct str unit) {
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_eq(unit, str_of(units[i].name))) {
            return units[i].ms;
        }
    }
    return 0;
}

bool opt_read_duration(struct str text, int64_t *ret_ms) {
    double total = 0;
    if (text.n == 0) {
        return false;
    }
    while (text.n > 0) {
        double number;
        size_t digits = opt_span(text, true);
        size_t letters = opt_span(str_skip(text, digits), false);
        int64_t unit_ms = opt_unit_ms(str_take(str_skip(text, digits), letters));
        if (unit_ms == 0 || !str_to_double(str_take(text, digits), &number)) {
            return false;
        }
        total += number * (double)unit_ms;
        text = str_skip(text, digits + letters);
    }
    if (total > (double)OPT_DURATION_MS_MAX) {
        return false;
    }
    *ret_ms = llround(total);
    return true;
}

/* Decimal digits, at most @n of them, as a number scaled by 10^@n. */
static bool opt_read_digits(struct str text, size_t n, bool pad, int64_t *ret) {
    int64_t v = 0;
    if (text.n > n) {
        return false;
    }
    for (size_t i = 0; i < (pad ? n : text.n); i++) {
        if (i < text.n && (text.p[i] < '0' || text.p[i] > '9')) {
            return false;
        }
        v = v * 10 + (i < text.n ? text.p[i] - '0' : 0);
    }
    *ret = v;
    return true;
}

bool opt_read_money(struct str text, int64_t *ret_nusd) {
    int64_t dollars, nusd;
    if (str_starts(text, S("$"))) {
        text = str_skip(text, 1);
    }
    struct str fraction = text, whole = str_split(&fraction, '.');
    if (whole.n + fraction.n == 0 || !opt_read_digits(whole, 9, false, &dollars) ||
        !opt_read_digits(fraction, 9, true, &nusd)) {
        return false;
    }
    *ret_nusd = dollars * NUSD_PER_USD + nusd;
    return true;
}

bool opt_read_rate(struct str text, double *ret) {
    double v, scale = 1;
    if (str_ends(text, S("%"))) {
        text = str_take(text, text.n - 1);
        scale = 100;
    }
    if (!str_to_double(text, &v) || v < 0 || v > scale) {
        return false;
    }
    *ret = v / scale;
    return true;
}

static enum err opt_bad(struct errinfo *reterr, const char *label, struct str text,
                        const char *what) {
    return errinfo_set(reterr, ERR_USAGE, "%s: '%.*s' is not %s", label, STR_ARG(text), what);
}

static enum err opt_store_flag(const struct opt *o, const char *label, struct str text,
                               struct errinfo *reterr) {
    bool *to = o->to;
    return opt_read_bool(text, to) ? ERR_OK : opt_bad(reterr, label, text, "true or false");
}

static enum err opt_store_int(const struct opt *o, const char *label, struct str text,
                              struct errinfo *reterr) {
    int64_t v, *to = o->to;
    bool any = o->min == 0 && o->max == 0;
    if (!str_to_i64(text, &v) || (!any && (v < o->min || v > o->max))) {
        char what[96] = "a whole number";
        if (!any && o->max == INT64_MAX) {
            (void)snprintf(what, sizeof what, "a whole number of at least %" PRId64, o->min);
        } else if (!any) {
            (void)snprintf(what, sizeof what, "a whole number between %" PRId64 " and %" PRId64,
                           o->min, o->max);
        }
        return opt_bad(reterr, label, text, what);
    }
    *to = v;
    return ERR_OK;
}

static enum err opt_store_real(const struct opt *o, const char *label, struct str text,
                               struct errinfo *reterr) {
    double v, *to = o->to;
    bool any = !(o->real_min < o->real_max);
    if (!str_to_double(text, &v) || (!any && (v < o->real_min || v > o->real_max))) {
        char what[96] = "a number";
        if (!any) {
            (void)snprintf(what, sizeof what, "a number between %g and %g", o->real_min,
                           o->real_max);
        }
        return opt_bad(reterr, label, text, what);
    }
    *to = v;
    return ERR_OK;
}

static enum err opt_store_duration(const struct opt *o, const char *label, struct str text,
                                   struct errinfo *reterr) {
    int64_t ms, *to = o->to;
    if (!opt_read_duration(text, &ms)) {
        return opt_bad(reterr, label, text, "a duration such as 90s, 15m, 2h or 1d");
    }
    if (o->max > 0 && (ms < o->min || ms > o->max)) {
        char what[96];
        (void)snprintf(what, sizeof what, "a duration between %s and %s", term_duration(o->min).s,
                       term_duration(o->max).s);
        return opt_bad(reterr, label, text, what);
    }
    *to = ms;
    return ERR_OK;
}

static enum err opt_store_money(const struct opt *o, const char *label, struct str text,
                                struct errinfo *reterr) {
    int64_t nusd, *to = o->to;
    int64_t max = o->max > 0 ? o->max : OPT_MONEY_NUSD_MAX;
    if (!opt_read_money(text, &nusd)) {
        return opt_bad(reterr, label, text, "an amount in dollars such as 2.50");
    }
    if (nusd < o->min || nusd > max) {
        char what[96];
        (void)snprintf(what, sizeof what, "an amount between %s and %s", term_money(o->min).s,
                       term_money(max).s);
        return opt_bad(reterr, label, text, what);
    }
    *to = nusd;
    return ERR_OK;
}

static enum err opt_store_rate(const struct opt *o, const char *label, struct str text,
                               struct errinfo *reterr) {
    double *to = o->to;
    return opt_read_rate(text, to)
               ? ERR_OK
               : opt_bad(reterr, label, text, "a share between 0 and 1, such as 0.25 or 25%");
}

static enum err opt_store_enum(const struct opt *o, const char *label, struct str text,
                               struct errinfo *reterr) {
    int *to = o->to;
    char list[256] = "one of ";
    size_t n = sizeof "one of " - 1;
    struct nearest near = nearest_to(text);
    for (int i = 0; o->names[i] != NULL; i++) {
        if (str_eq(text, str_of(o->names[i]))) {
            *to = i;
            return ERR_OK;
        }
        nearest_offer(&near, o->names[i]);
        int put = snprintf(list + n, sizeof list - n, "%s%s", i > 0 ? ", " : "", o->names[i]);
        n = MIN(n + (size_t)put, sizeof list - 1);
    }
    enum err e = opt_bad(reterr, label, text, list);
    return near.name == NULL ? e
                             : errinfo_set(reterr, e, "%s: '%.*s' is not %s; did you mean %s?",
                                           label, STR_ARG(text), list, near.name);
}

static enum err opt_store_str(const struct opt *o, const char *label, struct str text,
                              struct arena *a, struct errinfo *reterr) {
    if (text.n == 0) {
        return errinfo_set(reterr, ERR_USAGE, "%s: the value is empty", label);
    }
    const char *copy = str_cstr(a, text);
    if (o->kind == OPT_STR) {
        *(const char **)o->to = copy;
        return ERR_OK;
    }
    struct opt_strs *list = o->to;
    if (list->n >= OPT_STRS_MAX) {
        return errinfo_set(reterr, ERR_USAGE, "%s: given more than %d times", label, OPT_STRS_MAX);
    }
    if (list->n == 0 || (list->n & (list->n - 1)) == 0) { /* full at every power of two */
        const char **grown = ARENA_ARRAY(a, const char *, MAX(list->n * 2, (size_t)1));
        for (size_t i = 0; i < list->n; i++) {
            grown[i] = list->v[i];
        }
        list->v = grown;
    }
    list->v[list->n++] = copy;
    return ERR_OK;
}

enum err opt_store(const struct opt *o, const char *label, struct str text, struct arena *a,
                   struct errinfo *reterr) {
    switch (o->kind) {
    case OPT_FLAG:
        return opt_store_flag(o, label, text, reterr);
    case OPT_STR:
    case OPT_STRS:
        return opt_store_str(o, label, text, a, reterr);
    case OPT_INT:
        return opt_store_int(o, label, text, reterr);
    case OPT_REAL:
        return opt_store_real(o, label, text, reterr);
    case OPT_DURATION:
        return opt_store_duration(o, label, text, reterr);
    case OPT_MONEY:
        return opt_store_money(o, label, text, reterr);
    case OPT_RATE:
        return opt_store_rate(o, label, text, reterr);
    case OPT_ENUM:
        return opt_store_enum(o, label, text, reterr);
    }
    ASSERT(false); /* the switch is whole */
    return ERR_INTERNAL;
}
