/* prompt.h - the roles' prompts: text templates with named variables.
 *
 * A template file has a system part and a user part, each begun by a line "# system" or "# user";
 * {{name}} is replaced by the variable. Lines that begin with "<!--" and end with "-->" are
 * comments. Which variables a template must and may use is part of this contract, so that a typo is
 * an error and not an odd prompt.
 */
#ifndef STUMPER_CORE_PROMPT_H
#define STUMPER_CORE_PROMPT_H

#include "base/err.h"
#include "base/str.h"

enum prompt_kind {
    PROMPT_ENGINEER, /* engineer.md       subject topic level description difficulty style nonce */
    PROMPT_ENGINEER_SEED, /* engineer-seed.md  the same, and seed_problem seed_answer */
    PROMPT_CHECKER, /* checker.md        no variables: the user message is the JSON of DESIGN §5 */
    PROMPT_EQUIVALENCE, /* equivalence.md    no variables, likewise */
    PROMPT_TARGET,      /* target.md         problem */
    PROMPT_REPAIR, /* repair.md         error: the user turn that asks again after an answer of the
                      wrong form */
    PROMPT_COUNT
};

#define PROMPT_BYTES_MAX ((size_t)256 * 1024)

/** The template's file name, such as "engineer.md". */
const char *prompt_file(enum prompt_kind kind);

struct prompt_var {
    const char *name;
    struct str value;
};

struct prompt_template; /* parsed; lives in the arena it was parsed into */

struct prompts {
    const struct prompt_template *templates[PROMPT_COUNT];
};

/**
 * Parse one template. Required are: subject and topic / seed_problem / problem / error; the other
 * variables may be left out. The checks have a system part only, the repair a user part only,
 * the others a user part and, if they like, a system part.
 *
 * @a       owns the template, which keeps nothing of @text
 * @return  ERR_INVALID naming the file, line and variable: unknown variable, required one missing,
 *          unclosed "{{", text outside the parts, a part missing, there twice or out of place
 */
NODISCARD enum err prompt_parse(enum prompt_kind kind, struct str text, struct arena *a,
                                const struct prompt_template **ret, struct errinfo *reterr);

/** Both parts with the variables put in, in @a (a part without variables is borrowed from the
 * template); a part that the template lacks is empty. @vars must have every variable that the
 * template uses. */
void prompt_render(const struct prompt_template *t, const struct prompt_var *vars, size_t vars_n,
                   struct arena *a, struct str *ret_system, struct str *ret_user);

#endif
