/* Units that answers come in, with their exact scale. A symbol may take an SI prefix; a name may be
 * plural. */
#include "answer/units.h"

#include <string.h>

#define DIM(m, kg, s)                                                                              \
    { m, kg, s, 0, 0, 0, 0 }

struct unit_name {
    const char *name;
    struct unit unit;
};

/* Take a prefix: km, ms, kPa. */
static const struct unit_name symbols[] = {
    {"m", {1, 1, DIM(1, 0, 0)}},         {"g", {1, 1000, DIM(0, 1, 0)}},
    {"s", {1, 1, DIM(0, 0, 1)}},         {"L", {1, 1000, DIM(3, 0, 0)}},
    {"l", {1, 1000, DIM(3, 0, 0)}},      {"N", {1, 1, DIM(1, 1, -2)}},
    {"J", {1, 1, DIM(2, 1, -2)}},        {"W", {1, 1, DIM(2, 1, -3)}},
    {"Pa", {1, 1, DIM(-1, 1, -2)}},      {"Hz", {1, 1, DIM(0, 0, -1)}},
    {"V", {1, 1, {2, 1, -3, -1}}},       {"A", {1, 1, {0, 0, 0, 1}}},
    {"C", {1, 1, {0, 0, 1, 1}}},         {"F", {1, 1, {-2, -1, 4, 2}}},
    {"T", {1, 1, {0, 1, -2, -1}}},       {"K", {1, 1, {0, 0, 0, 0, 1}}},
    {"mol", {1, 1, {0, 0, 0, 0, 0, 1}}},
};

static const struct {
    char letter;
    int64_t num, den;
} prefixes[] = {{'k', 1000, 1},    {'c', 1, 100},        {'m', 1, 1000},    {'d', 1, 10},
                {'M', 1000000, 1}, {'G', 1000000000, 1}, {'u', 1, 1000000}, {'n', 1, 1000000000}};

/* Names, singular; and symbols that take no prefix. */
static const struct unit_name names[] = {
    {"meter", {1, 1, DIM(1, 0, 0)}},
    {"metre", {1, 1, DIM(1, 0, 0)}},
    {"kilometer", {1000, 1, DIM(1, 0, 0)}},
    {"kilometre", {1000, 1, DIM(1, 0, 0)}},
    {"centimeter", {1, 100, DIM(1, 0, 0)}},
    {"centimetre", {1, 100, DIM(1, 0, 0)}},
    {"millimeter", {1, 1000, DIM(1, 0, 0)}},
    {"millimetre", {1, 1000, DIM(1, 0, 0)}},
    {"inch", {127, 5000, DIM(1, 0, 0)}},
    {"inches", {127, 5000, DIM(1, 0, 0)}},
    {"in", {127, 5000, DIM(1, 0, 0)}},
    {"foot", {381, 1250, DIM(1, 0, 0)}},
    {"feet", {381, 1250, DIM(1, 0, 0)}},
    {"ft", {381, 1250, DIM(1, 0, 0)}},
    {"yard", {1143, 1250, DIM(1, 0, 0)}},
    {"yd", {1143, 1250, DIM(1, 0, 0)}},
    {"mile", {201168, 125, DIM(1, 0, 0)}},
    {"mi", {201168, 125, DIM(1, 0, 0)}},
    {"gram", {1, 1000, DIM(0, 1, 0)}},
    {"kilogram", {1, 1, DIM(0, 1, 0)}},
    {"kilo", {1, 1, DIM(0, 1, 0)}},
    {"milligram", {1, 1000000, DIM(0, 1, 0)}},
    {"ton", {1000, 1, DIM(0, 1, 0)}},
    {"tonne", {1000, 1, DIM(0, 1, 0)}},
    {"second", {1, 1, DIM(0, 0, 1)}},
    {"sec", {1, 1, DIM(0, 0, 1)}},
    {"minute", {60, 1, DIM(0, 0, 1)}},
    {"min", {60, 1, DIM(0, 0, 1)}},
    {"hour", {3600, 1, DIM(0, 0, 1)}},
    {"hr", {3600, 1, DIM(0, 0, 1)}},
    {"h", {3600, 1, DIM(0, 0, 1)}},
    {"day", {86400, 1, DIM(0, 0, 1)}},
    {"week", {604800, 1, DIM(0, 0, 1)}},
    {"year", {31557600, 1, DIM(0, 0, 1)}},
    {"yr", {31557600, 1, DIM(0, 0, 1)}},
    {"mph", {1397, 3125, DIM(1, 0, -1)}},
    {"kph", {5, 18, DIM(1, 0, -1)}},
    {"liter", {1, 1000, DIM(3, 0, 0)}},
    {"litre", {1, 1000, DIM(3, 0, 0)}},
    {"milliliter", {1, 1000000, DIM(3, 0, 0)}},
    {"millilitre", {1, 1000000, DIM(3, 0, 0)}},
    {"newton", {1, 1, DIM(1, 1, -2)}},
    {"joule", {1, 1, DIM(2, 1, -2)}},
    {"watt", {1, 1, DIM(2, 1, -3)}},
    {"pascal", {1, 1, DIM(-1, 1, -2)}},
    {"hertz", {1, 1, DIM(0, 0, -1)}},
    {"volt", {1, 1, {2, 1, -3, -1}}},
    {"ampere", {1, 1, {0, 0, 0, 1}}},
    {"amp", {1, 1, {0, 0, 0, 1}}},
    {"ohm", {1, 1, {2, 1, -3, -2}}},
    {"kelvin", {1, 1, {0, 0, 0, 0, 1}}},
    {"dollar", {1, 1, {[UNIT_MONEY] = 1}}},
    {"USD", {1, 1, {[UNIT_MONEY] = 1}}},
    {"cent", {1, 100, {[UNIT_MONEY] = 1}}},
};

static bool find_name(struct str word, struct unit *ret) {
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str name = str_of(names[i].name);
        bool plural = word.n == name.n + 1 && word.p[word.n - 1] == 's' && name.n > 1;
        bool fits = word.n >= name.n && (name.n > 3 ? str_eq_nocase(str_take(word, name.n), name)
                                                    : str_starts(word, name));
        if (fits && (word.n == name.n || plural)) {
            *ret = names[i].unit;
            return true;
        }
    }
    return false;
}

bool unit_find(struct str word, struct unit *ret) {
    if (word.n == 0) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        struct str name = str_of(symbols[i].name);
        if (str_eq(word, name)) {
            *ret = symbols[i].unit;
            return true;
        }
        for (size_t k = 0; word.n == name.n + 1 && k < ARRAY_LEN(prefixes); k++) {
            if (word.p[0] == prefixes[k].letter && str_ends(word, name) &&
                !str_eq(word, S("min"))) {
                *ret = symbols[i].unit;
                struct unit prefix = {prefixes[k].num, prefixes[k].den, {0}};
                return unit_multiply(ret, &prefix, 1);
            }
        }
    }
    return find_name(word, ret);
}

bool unit_known(struct str word) {
    struct unit unit;
    return unit_find(word, &unit);
}

static int64_t gcd(int64_t a, int64_t b) {
    while (b != 0) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

bool unit_multiply(struct unit *into, const struct unit *unit, int power) {
    for (int i = 0; i < (power < 0 ? -power : power); i++) {
        int64_t num = power < 0 ? unit->den : unit->num, den = power < 0 ? unit->num : unit->den;
        int64_t g = gcd(into->num, den), h = gcd(num, into->den);
        if (__builtin_mul_overflow(into->num / g, num / h, &into->num) ||
            __builtin_mul_overflow(into->den / h, den / g, &into->den)) {
            return false;
        }
    }
    for (size_t i = 0; i < UNIT_DIMENSIONS; i++) {
        into->powers[i] += unit->powers[i] * power;
    }
    return true;
}

bool unit_same_dimension(const struct unit *a, const struct unit *b) {
    return memcmp(a->powers, b->powers, sizeof a->powers) == 0;
}
