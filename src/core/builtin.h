/* builtin.h - the texts that are part of the program: prompts/ and data/, embedded at build time.
 * They live as long as the process. */
#ifndef STUMPER_CORE_BUILTIN_H
#define STUMPER_CORE_BUILTIN_H

#include "core/prompt.h"

/** The template that ships for a kind (prompts/engineer.md …). */
struct str builtin_prompt(enum prompt_kind kind);

/** data/taxonomy.json, for taxonomy_read(). */
struct str builtin_taxonomy(void);

/** data/prices.json, for price_table_read(). */
struct str builtin_prices(void);

#endif
