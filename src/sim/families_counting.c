/* Combinatorics and probability. */
#include "sim/family.h"

static void urn_probability(struct item *it, struct rng *r) {
    int red = (int)rng_range(r, 3, 24), blue = (int)rng_range(r, 3, 24),
        green = (int)rng_range(r, 2, 24);
    int all = red + blue + green, drawn = (int)rng_range(r, 3, 6);
    int wanted = (int)rng_range(r, 1, MIN(red, drawn - 1));
    int64_t ways = i64_binomial(all, drawn);
    struct rat p =
        rat(i64_mul(i64_binomial(red, wanted), i64_binomial(all - red, drawn - wanted)), ways);
    struct rat part = rat(red, all), rest = rat_sub(rat_int(1), part);
    item_problem(it,
                 "An urn holds %d red, %d blue and %d green balls. %s %d balls are drawn without "
                 "replacement. %s that exactly %d of them %s red?",
                 red, blue, green, FAMILY_SAY(r, "At random,", "Then"), drawn,
                 FAMILY_SAY(r, "What is the probability", "With what probability is it true"),
                 wanted, wanted == 1 ? "is" : "are");
    item_right_rat(it, p);
    item_wrong_rat(it, rat_mul(rat_int(i64_binomial(drawn, wanted)),
                               rat_mul(rat_pow(part, wanted), rat_pow(rest, drawn - wanted))));
    item_wrong_rat(it, rat_sub(rat_int(1), p));
    item_wrong_rat(it, rat(i64_binomial(red, wanted), ways));
    item_wrong_rat(it, rat(wanted, drawn));
    item_hint(it, "There are $\\binom{%d}{%d}$ equally likely draws.", all, drawn);
    item_hint(it, "Choose the red ones and the others separately.");
    item_hint(it, "There are $%d$ balls that are not red.", all - red);
}

static void binomial_term(struct item *it, struct rng *r) {
    int n = (int)rng_range(r, 5, 12), k = (int)rng_range(r, 2, n - 1);
    int64_t a = family_nonzero(r, -4, 4), b = family_nonzero(r, -5, 5);
    a = a == 1 && b == 1 ? 2 : a;
    int64_t value = i64_mul(i64_binomial(n, k), i64_mul(i64_pow(a, k), i64_pow(b, n - k)));
    struct poly p = poly_of((int64_t[]){b, a}, 2);
    tex_begin(it);
    tex_poly(it, &p, 'x', TEX_FRAC, false);
    struct str text = tex_end(it);
    int up = (int)rng_range(r, 0, 40);
    item_problem(it, "%s coefficient of $x^{%d}$ in the expansion of $%s%.*s(%.*s)^{%d}$%s",
                 FAMILY_SAY(r, "Find the", "Determine the", "What is the"), k + up,
                 up > 0 ? "x^{" : "", STR_ARG(up > 0 ? item_fmt(it, "%d} ", up) : S("")),
                 STR_ARG(text), n, FAMILY_SAY(r, ".", " in powers of $x$."));
    item_right_rat(it, rat_int(value));
    item_wrong_rat(it, rat_int(i64_binomial(n, k)));
    item_wrong_rat(it, rat_int(-value));
    item_wrong_rat(it, rat_int(i64_mul(i64_binomial(n, k - 1),
                                       i64_mul(i64_pow(a, k - 1), i64_pow(b, n - k + 1)))));
    item_wrong_rat(it, rat_int(value + 1));
    item_hint(it, "Use the binomial theorem.");
    item_hint(it, "The binomial coefficient needed is $\\binom{%d}{%d} = %lld$.", n, k,
              (long long)i64_binomial(n, k));
    item_hint(it, "Both numbers in the bracket are raised to powers, with their signs.");
}

static void committees(struct item *it, struct rng *r) {
    int women = (int)rng_range(r, 5, 26), men = (int)rng_range(r, 5, 26),
        size = (int)rng_range(r, 4, 7);
    int least = (int)rng_range(r, 1, size - 2);
    int64_t ways = 0, exactly = i64_mul(i64_binomial(women, MIN(least, women)),
                                        i64_binomial(men, size - least));
    for (int w = least; w <= MIN(size, women); w++) {
        ways += size - w <= men ? i64_mul(i64_binomial(women, w), i64_binomial(men, size - w)) : 0;
    }
    item_problem(it,
                 "%s can a committee of %d people be chosen from %d women and %d men if it must "
                 "have at least %d %s%s?",
                 FAMILY_SAY(r, "In how many ways", "In how many different ways"), size, women, men,
                 least, least == 1 ? "woman" : "women",
                 FAMILY_SAY(r, "", " and the order does not matter", " among its members"));
    item_right_rat(it, rat_int(ways));
    item_wrong_rat(it, rat_int(exactly));
    item_wrong_rat(it, rat_int(i64_binomial(women + men, size)));
    item_wrong_rat(it, rat_int(ways - exactly));
    item_wrong_rat(it, rat_int(i64_mul(i64_binomial(women, least),
                                       i64_binomial(women + men - least, size - least))));
    item_wrong_rat(it, rat_int(ways + 1));
    item_hint(it, "Sum over the number of women on the committee.");
    item_hint(it, "With exactly $%d$ there are $%lld$ committees.", least, (long long)exactly);
    item_hint(it,
              "Choosing the required women first and then anybody counts some committees twice.");
}

static void weighted_mean(struct item *it, struct rng *r) {
    int64_t prize[3], chance[3], mean = 0;
    for (int i = 0; i < 3; i++) {
        prize[i] = rng_range(r, -80, 250);
        chance[i] = rng_range(r, 3, 30);
        mean += prize[i] * chance[i];
    }
    int64_t left = 100 - chance[0] - chance[1] - chance[2];
    int64_t stake = rng_range(r, 1, 30);
    struct rat value = rat_sub(rat(mean, 100), rat_int(stake));
    item_problem(it,
                 "A game costs $%lld$ points. It pays $%lld$, $%lld$ or $%lld$ points with "
                 "probability $0.%02lld$, $0.%02lld$ and $0.%02lld$, and nothing otherwise. %s",
                 (long long)stake, (long long)prize[0], (long long)prize[1], (long long)prize[2],
                 (long long)chance[0], (long long)chance[1], (long long)chance[2],
                 FAMILY_SAY(r, "What is the expected net gain?", "Find the expected net gain.",
                            "Compute the player's expected net gain."));
    tex_begin(it);
    tex_rat(it, value, TEX_DECIMAL);
    item_right(it, tex_end(it));
    item_right_rat(it, value);
    struct rat slips[] = {rat(mean, 100), rat_neg(value), rat(mean + 100 * stake, 100),
                          rat_add(value, rat(1, 10)), rat(prize[0] + prize[1] + prize[2], 3)};
    for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
        tex_begin(it);
        tex_rat(it, slips[i], TEX_DECIMAL);
        item_wrong(it, tex_end(it));
    }
    item_hint(it, "Multiply each payment by its probability and add.");
    item_hint(it, "With probability $0.%02lld$ nothing is paid.", (long long)left);
    item_hint(it, "The price of the game is paid in every case.");
}

const struct family families_counting[] = {
    {"urn_probability", "Probability", "Drawing without replacement", urn_probability},
    {"binomial_term", "Combinatorics", "Binomial theorem", binomial_term},
    {"committees", "Combinatorics", "Combinations", committees},
    {"weighted_mean", "Probability", "Expected value", weighted_mean},
    {0},
};
