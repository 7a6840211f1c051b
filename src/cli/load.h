/* load.h - the inputs of a job, with errors that name file, line and field and say what would be
 * right.
 *
 * @a owns what is loaded, throughout. File errors (ERR_NOT_FOUND, ERR_IO, ERR_TOO_BIG) name the
 * path; ERR_SYNTAX and ERR_INVALID name the place in it.
 */
#ifndef STUMPER_CLI_LOAD_H
#define STUMPER_CLI_LOAD_H

#include "cli/config.h"
#include "core/job.h"
#include "core/price.h"
#include "core/prompt.h"

#define LOAD_JSON_BYTES_MAX ((size_t)64 * 1024 * 1024) /* a taxonomy or a spec */

/** The taxonomy that ships with the program. */
void load_builtin_taxonomy(struct arena *a, struct taxonomy *ret);

/** A taxonomy file. Errors inside it are told with JSON pointers, all of them. */
NODISCARD enum err load_taxonomy(const char *path, struct arena *a, struct taxonomy *ret,
                                 struct errinfo *reterr);

/** Repeated "Subject/Topic" texts (at least one). @label: what errors call the source, "--topic".
 */
NODISCARD enum err load_topics(const struct opt_strs *topics, const char *label, struct arena *a,
                               struct taxonomy *ret, struct errinfo *reterr);

/** A seeds file: one JSON object a line, blank lines skipped. Reads to its end and names every bad
 * line by number, as far as the text holds them. A file without a seed is ERR_INVALID. */
NODISCARD enum err load_seeds(const char *path, struct arena *a, const struct job_seed **ret,
                              size_t *ret_n, struct errinfo *reterr);

/** A job request in a file ("-": standard input), as a JSON object. What is in it is checked by
 * job_spec_read(). */
NODISCARD enum err load_spec(const char *path, struct arena *a, const struct jnode **ret,
                             struct errinfo *reterr);

/**
 * The roles' prompts.
 *
 * @dir         NULL: those that ship. Else templates come from there; one that is missing is an
 *              error, except that of the engineer that is not used (with or without seeds) and
 *              repair.md: for these the shipped one stands in
 * @with_seeds  the job starts from seeds
 */
NODISCARD enum err load_prompts(const char *dir, bool with_seeds, struct arena *a,
                                struct prompts *ret, struct errinfo *reterr);

/** Prices: those that ship, over them "prices:" of each provider in the configuration (by model),
 * then of the configuration itself, over them the texts of --price ("provider/model=INPUT,OUTPUT").
 * @label: what errors call the source of @flags. */
NODISCARD enum err load_prices(const struct config *config, const struct opt_strs *flags,
                               const char *label, struct arena *a, struct price_table **ret,
                               struct errinfo *reterr);

#endif
