/* units.h - units of measurement, exact. Inside the room only. */
#ifndef STUMPER_ANSWER_UNITS_H
#define STUMPER_ANSWER_UNITS_H

#include "base/str.h"

enum { UNIT_M, UNIT_KG, UNIT_S, UNIT_A, UNIT_K, UNIT_MOL, UNIT_MONEY, UNIT_DIMENSIONS };

/* num / den in the base unit of its dimensions. */
struct unit {
    int64_t num, den;
    int powers[UNIT_DIMENSIONS];
};

/** True if @word alone names a unit (m, cm, hours, dollars …). */
bool unit_known(struct str word);

/** The unit that @word names; false if it names none. */
NODISCARD bool unit_find(struct str word, struct unit *ret);

/** *@into times @unit to the @power; false if the scale grows beyond 64 bits. */
NODISCARD bool unit_multiply(struct unit *into, const struct unit *unit, int power);

/** True if one can be given in the other: metres and inches, not metres and hours. */
bool unit_same_dimension(const struct unit *a, const struct unit *b);

#endif
