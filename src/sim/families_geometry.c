/* Lengths, areas and volumes. */
#include "sim/family.h"

static void solid_volume(struct item *it, struct rng *r) {
    int64_t a = rng_range(r, 2, 90), b = rng_range(r, 2, 90);
    bool cone = rng_chance(r, 0.6);
    int64_t c = rng_range(r, 1, 20);
    struct rat disc = rat_int(a * a * b), frustum = rat((a * a + a * c + c * c) * b, 3);
    struct rat value = cone ? rat_div(disc, rat_int(3)) : frustum;
    if (cone) {
        item_problem(it, "A right circular cone has base radius $%lld$ and height $%lld$. %s",
                     (long long)a, (long long)b,
                     FAMILY_SAY(r, "Find its exact volume.", "What is its exact volume?",
                                "Give its volume in terms of $\\pi$."));
    } else {
        item_problem(
            it, "A frustum of a cone has radii $%lld$ and $%lld$ and height $%lld$. %s",
            (long long)a, (long long)c, (long long)b,
            FAMILY_SAY(r, "Find its exact volume.", "Give its volume in terms of $\\pi$."));
    }
    item_right_pi(it, value);
    item_wrong_pi(it, cone ? disc : rat_mul(frustum, rat_int(3)));
    item_wrong_pi(it, rat_div(disc, rat_int(2)));
    item_wrong_pi(it, rat_mul(value, rat_int(2)));
    item_wrong_pi(it, rat_add(value, rat_int(1)));
    item_hint(it, "The volume of a cone is a third of that of the cylinder around it.");
    item_hint(it, cone ? "The base has area $%lld\\pi$." : "The larger base has area $%lld\\pi$.",
              (long long)(a * a));
    item_hint(it, "Leave $\\pi$ in the answer.");
}

static void annulus_sector(struct item *it, struct rng *r) {
    int64_t inner = rng_range(r, 1, 60), outer = inner + rng_range(r, 1, 40);
    int64_t angle = rng_range(r, 1, 71) * 5;
    struct rat value = rat((outer * outer - inner * inner) * angle, 360);
    item_problem(
        it,
        "%s of the part of a ring with inner radius $%lld$ and outer radius $%lld$ that "
        "lies within a central angle of $%lld^\\circ$%s",
        FAMILY_SAY(r, "Find the exact area", "Determine the area", "Compute the exact area"),
        (long long)inner, (long long)outer, (long long)angle,
        FAMILY_SAY(r, ".", ", in terms of $\\pi$."));
    item_right_pi(it, value);
    item_wrong_pi(it, rat((outer - inner) * (outer - inner) * angle, 360));
    item_wrong_pi(it, rat(outer * outer * angle, 360));
    item_wrong_pi(it, rat((outer * outer - inner * inner) * angle, 180));
    item_wrong_pi(it, rat_int(outer * outer - inner * inner));
    item_hint(it, "Subtract the small sector from the large one.");
    item_hint(it, "The whole ring has area $%lld\\pi$.",
              (long long)(outer * outer - inner * inner));
    item_hint(it, "The angle is a fraction $\\frac{%lld}{360}$ of a full turn.", (long long)angle);
}

static void triangle_area(struct item *it, struct rng *r) {
    int64_t x[3], y[3], twice;
    do {
        for (int i = 0; i < 3; i++) {
            x[i] = rng_range(r, -20, 20), y[i] = rng_range(r, -20, 20);
        }
        twice = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]);
    } while (twice == 0);
    twice = twice < 0 ? -twice : twice;
    item_problem(it,
                 "%s the triangle with vertices $(%lld, %lld)$, $(%lld, %lld)$ and "
                 "$(%lld, %lld)$%s",
                 FAMILY_SAY(r, "Find the area of", "Compute the area of", "What is the area of"),
                 (long long)x[0], (long long)y[0], (long long)x[1], (long long)y[1],
                 (long long)x[2], (long long)y[2], FAMILY_SAY(r, ".", " in the plane."));
    item_right_rat(it, rat(twice, 2));
    item_wrong_rat(it, rat_int(twice));
    item_wrong_rat(it, rat(twice + 1, 2));
    item_wrong_rat(it, rat(twice, 4));
    item_wrong_rat(it, rat(-twice, 2));
    item_hint(it, "Move one vertex to the origin by subtracting its coordinates.");
    item_hint(it, "The area is half the absolute value of a $2 \\times 2$ determinant.");
    item_hint(it, "The sides from the first vertex are $(%lld, %lld)$ and $(%lld, %lld)$.",
              (long long)(x[1] - x[0]), (long long)(y[1] - y[0]), (long long)(x[2] - x[0]),
              (long long)(y[2] - y[0]));
}

static void point_distance(struct item *it, struct rng *r) {
    int64_t p[3], q[3], square;
    struct surd right;
    do {
        square = 0;
        for (int i = 0; i < 3; i++) {
            p[i] = rng_range(r, -15, 15), q[i] = rng_range(r, -15, 15);
            square += (p[i] - q[i]) * (p[i] - q[i]);
        }
        right = surd(rat_int(0), rat_int(1), square);
    } while (right.b.n == 0);
    int64_t sum = (p[0] + q[0]) * (p[0] + q[0]) + (p[1] + q[1]) * (p[1] + q[1]) +
                  (p[2] + q[2]) * (p[2] + q[2]);
    item_problem(it, "%s between the points $(%lld, %lld, %lld)$ and $(%lld, %lld, %lld)$%s",
                 FAMILY_SAY(r, "Find the exact distance", "Determine the distance",
                            "What is the exact distance"),
                 (long long)p[0], (long long)p[1], (long long)p[2], (long long)q[0],
                 (long long)q[1], (long long)q[2],
                 FAMILY_SAY(r, ".", " in space.", ", simplified."));
    item_right_surd(it, right);
    item_right(it, item_fmt(it, "\\sqrt{%lld}", (long long)square));
    item_wrong_surd(it, surd(rat_int(0), rat_int(1), sum));
    item_wrong_surd(it, surd(rat_int(0), rat_int(1), square + 1));
    item_wrong(it, item_fmt(it, "%lld", (long long)square));
    item_wrong_surd(it, surd(rat_int(0), rat_int(2), square));
    item_hint(it, "Use the Pythagorean theorem in three dimensions.");
    item_hint(it, "The squares of the differences add up to $%lld$.", (long long)square);
    item_hint(it, "Take squares out of the root.");
}

const struct family families_geometry[] = {
    {"solid_volume", "Geometry", "Volumes of solids", solid_volume},
    {"annulus_sector", "Geometry", "Circles and sectors", annulus_sector},
    {"triangle_area", "Geometry", "Coordinate geometry", triangle_area},
    {"point_distance", "Geometry", "Distances in space", point_distance},
    {0},
};
