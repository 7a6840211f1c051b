/* Number theory. */
#include "sim/family.h"

static void modular_power(struct item *it, struct rng *r) {
    int64_t a = rng_range(r, 2, 97), n = rng_range(r, 20, 4000), m = rng_range(r, 7, 199);
    int64_t rest = i64_pow_mod(a, n, m);
    item_problem(it, "%s $%lld^{%lld}$ is divided by $%lld$%s",
                 FAMILY_SAY(r, "Find the remainder when", "Determine the remainder left when",
                            "What remains when"),
                 (long long)a, (long long)n, (long long)m, FAMILY_SAY(r, ".", "?"));
    item_right_rat(it, rat_int(rest));
    item_wrong_rat(it, rat_int(i64_pow_mod(a, n + 1, m)));
    item_wrong_rat(it, rat_int(i64_pow_mod(a, n - 1, m)));
    item_wrong_rat(it, rat_int(m - rest));
    item_wrong_rat(it, rat_int(rest + 1));
    item_wrong_rat(it, rat_int(rest > 0 ? rest - 1 : 2));
    item_hint(it, "Look at the powers of $%lld$ modulo $%lld$: they repeat.", (long long)(a % m),
              (long long)m);
    item_hint(it, "Square repeatedly and reduce after every step.");
    item_hint(it, "$%lld^2 \\equiv %lld \\pmod{%lld}$.", (long long)a,
              (long long)i64_pow_mod(a, 2, m), (long long)m);
}

static void remainders(struct item *it, struct rng *r) {
    int64_t p, q, s;
    do {
        p = rng_range(r, 5, 40), q = rng_range(r, 5, 40), s = rng_range(r, 5, 40);
    } while (i64_gcd(p, q) > 1 || i64_gcd(p, s) > 1 || i64_gcd(q, s) > 1);
    int64_t x = rng_range(r, 1, p * q * s - 1);
    item_problem(it,
                 "%s $x$ with $x \\equiv %lld \\pmod{%lld}$, $x \\equiv %lld \\pmod{%lld}$ "
                 "and $x \\equiv %lld \\pmod{%lld}$.",
                 FAMILY_SAY(r, "Find the least positive integer",
                            "Determine the smallest positive"
                            " integer"),
                 (long long)(x % p), (long long)p, (long long)(x % q), (long long)q,
                 (long long)(x % s), (long long)s);
    item_right_rat(it, rat_int(x));
    item_wrong_rat(it, rat_int(x + p * q * s));
    item_wrong_rat(it, rat_int(p * q * s - x));
    item_wrong_rat(it, rat_int(x + p * q));
    item_wrong_rat(it, rat_int(x + 1));
    item_hint(it, "The moduli are coprime in pairs, so the Chinese remainder theorem applies.");
    item_hint(it, "The solution is unique modulo $%lld$.", (long long)(p * q * s));
    item_hint(it, "Solve the first two congruences first; that gives $x$ modulo $%lld$.",
              (long long)(p * q));
}

static void divisible_count(struct item *it, struct rng *r) {
    int64_t n = rng_range(r, 500, 90000), a, b;
    do {
        a = rng_range(r, 4, 60), b = rng_range(r, 4, 60);
    } while (a % b == 0 || b % a == 0);
    int64_t lcm = i64_lcm(a, b), both = n / lcm, any = n / a + n / b - both;
    bool neither = rng_chance(r, 0.4);
    item_problem(it, "%s integers from $1$ to $%lld$ are divisible by %s $%lld$ %s $%lld$%s",
                 FAMILY_SAY(r, "How many", "Exactly how many", "What number of the"), (long long)n,
                 neither ? "neither" : "at least one of", (long long)a, neither ? "nor" : "and",
                 (long long)b, FAMILY_SAY(r, "?", " (inclusive)?"));
    item_right_rat(it, rat_int(neither ? n - any : any));
    item_wrong_rat(it, rat_int(neither ? n - any - both : any + both));
    item_wrong_rat(it, rat_int(neither ? any : any - both));
    item_wrong_rat(it, rat_int((neither ? n - any : any) + 1));
    item_wrong_rat(it, rat_int(both));
    item_hint(it, "Use inclusion and exclusion.");
    item_hint(it, "A number is divisible by both exactly if it is divisible by $%lld$.",
              (long long)lcm);
    item_hint(it, "There are $%lld$ multiples of $%lld$ in the range.", (long long)(n / a),
              (long long)a);
}

static void divisor_sum(struct item *it, struct rng *r) {
    static const int64_t primes[] = {2,   3,   5,   7,   11,  13,  17,  19,  23,  29,
                                     31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
                                     73,  79,  83,  89,  97,  101, 103, 107, 109, 113,
                                     127, 131, 137, 139, 149, 151, 157, 163, 167, 173};
    int64_t p, q, s;
    do {
        p = primes[rng_below(r, 5)], q = primes[rng_below(r, 12)];
        s = primes[rng_below(r, ARRAY_LEN(primes))];
    } while (p == q || q == s || p == s);
    int i = (int)rng_range(r, 1, 4), j = (int)rng_range(r, 1, 2);
    int64_t n = i64_pow(p, i) * i64_pow(q, j) * s;
    int64_t sp = (i64_pow(p, i + 1) - 1) / (p - 1), sq = (i64_pow(q, j + 1) - 1) / (q - 1);
    int64_t sum = i64_mul(i64_mul(sp, sq), s + 1), count = (i + 1) * (int64_t)(j + 1) * 2;
    bool sums = rng_chance(r, 0.8);
    item_problem(it, "%s positive divisors of $%lld$%s",
                 sums ? FAMILY_SAY(r, "Find the sum of all", "Compute the sum of the")
                      : FAMILY_SAY(r, "Find the number of", "Count the"),
                 (long long)n, FAMILY_SAY(r, ".", " (the number itself included)."));
    item_right_rat(it, rat_int(sums ? sum : count));
    item_wrong_rat(it, rat_int(sums ? sum - n : count - 1));
    item_wrong_rat(it, rat_int(sums ? sum - n - 1 : count - 2));
    item_wrong_rat(it, rat_int(sums ? sum + 1 : (int64_t)i * j));
    item_wrong_rat(it, rat_int(sums ? i64_mul(sp, sq) * s : count + 1));
    item_hint(it, "Factor the number: $%lld = %lld^{%d} \\cdot %lld^{%d} \\cdot %lld$.",
              (long long)n, (long long)p, i, (long long)q, j, (long long)s);
    item_hint(it, "Every divisor takes an exponent from $0$ up for each prime.");
    item_hint(it, "The function is multiplicative over coprime factors.");
}

const struct family families_number[] = {
    {"modular_power", "Number Theory", "Modular arithmetic", modular_power},
    {"remainders", "Number Theory", "Chinese remainder theorem", remainders},
    {"divisible_count", "Number Theory", "Divisibility", divisible_count},
    {"divisor_sum", "Number Theory", "Divisor functions", divisor_sum},
    {0},
};
