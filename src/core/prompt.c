/* A template is read once into pieces: stretches of its own text, and variables between them.
 * Rendering puts the pieces together; values are never read as templates again, so a problem that
 * holds "{{" stays as it is. A part without variables is handed out as it is, without a copy.
 */
#include "core/prompt.h"

#include <string.h>

#define PROMPT_VARS_MAX 9

/* What each kind's template may and must hold. */
struct prompt_rule {
    const char *file;
    const char *vars[PROMPT_VARS_MAX + 1]; /* NULL-terminated; the first `required` must be used */
    size_t required;
    bool system, user; /* the parts that must be there; a kind without variables has no user part */
    bool turn;         /* goes into a conversation that has begun: there is no system part */
};

static const struct prompt_rule prompt_rules[PROMPT_COUNT] = {
    [PROMPT_ENGINEER] = {.file = "engineer.md",
                         .vars = {"subject", "topic", "level", "description", "difficulty", "style",
                                  "nonce"},
                         .required = 2,
                         .user = true},
    [PROMPT_ENGINEER_SEED] = {.file = "engineer-seed.md",
                              .vars = {"seed_problem", "seed_answer", "subject", "topic", "level",
                                       "description", "difficulty", "style", "nonce"},
                              .required = 1,
                              .user = true},
    [PROMPT_CHECKER] = {.file = "checker.md", .system = true},
    [PROMPT_EQUIVALENCE] = {.file = "equivalence.md", .system = true},
    [PROMPT_TARGET] = {.file = "target.md", .vars = {"problem"}, .required = 1, .user = true},
    [PROMPT_REPAIR] =
        {.file = "repair.md", .vars = {"error"}, .required = 1, .user = true, .turn = true},
};

#define PROMPT_TEXT SIZE_MAX

struct prompt_piece {
    struct prompt_piece *next;
    size_t var;      /* number of the variable, or PROMPT_TEXT */
    struct str text; /* PROMPT_TEXT: never empty */
};

struct prompt_part {
    bool there;
    struct prompt_piece *first, *last;
};

struct prompt_template {
    const struct prompt_rule *rule;
    struct prompt_part system, user;
};

const char *prompt_file(enum prompt_kind kind) {
    ASSERT(kind < PROMPT_COUNT);
    return prompt_rules[kind].file;
}

/* --- reading --- */

struct prompt_reader {
    struct arena *a;
    struct prompt_template *t;
    struct prompt_part *part; /* the one being read; NULL before the first heading */
    struct str held;          /* blank lines, kept back: they count only between other lines */
    unsigned used;            /* bits of the variables seen */
    int line;
    struct errinfo *reterr;
};

static size_t prompt_var_number(const struct prompt_rule *rule, struct str name) {
    size_t i = 0;
    while (rule->vars[i] != NULL && !str_eq(name, str_of(rule->vars[i]))) {
        i++;
    }
    return i;
}

/* The kind's variables, for a message. */
static struct str prompt_var_list(const struct prompt_rule *rule, struct arena *a) {
    struct str list = S("");
    for (size_t i = 0; rule->vars[i] != NULL; i++) {
        list = str_fmt(a, "%.*s%s%s", STR_ARG(list), i == 0 ? "" : ", ", rule->vars[i]);
    }
    return list.n > 0 ? list : S("no variables");
}

static void prompt_add(struct prompt_reader *r, size_t var, struct str text) {
    struct prompt_piece *piece = ARENA_NEW(r->a, struct prompt_piece);
    *piece = (struct prompt_piece){.var = var, .text = text};
    if (r->part->last == NULL) {
        r->part->first = piece;
    } else {
        r->part->last->next = piece;
    }
    r->part->last = piece;
}

/* A stretch of the template; one that follows the last in memory makes it longer. */
static void prompt_add_text(struct prompt_reader *r, struct str text) {
    struct prompt_piece *last = r->part->last;
    if (last != NULL && last->var == PROMPT_TEXT && last->text.p + last->text.n == text.p) {
        last->text.n += text.n;
    } else if (text.n > 0) {
        prompt_add(r, PROMPT_TEXT, text);
    }
}

/* A variable, @name as written between the braces. */
static enum err prompt_add_var(struct prompt_reader *r, struct str name) {
    const struct prompt_rule *rule = r->t->rule;
    size_t var = prompt_var_number(rule, str_trim(name));
    if (rule->vars[var] == NULL) {
        return errinfo_set(r->reterr, ERR_INVALID,
                           "%s: line %d: unknown variable \"{{%.*s}}\"; this prompt has %.*s",
                           rule->file, r->line, STR_ARG(str_take_utf8(name, 60)),
                           STR_ARG(prompt_var_list(rule, r->a)));
    }
    r->used |= 1u << var;
    prompt_add(r, var, S(""));
    return ERR_OK;
}

/* A line of a part, its end included. */
static enum err prompt_add_line(struct prompt_reader *r, struct str line) {
    prompt_add_text(r, r->held);
    r->held = (struct str){0};
    for (;;) {
        size_t open = str_find(line, S("{{"));
        if (open == STR_NPOS) {
            prompt_add_text(r, line);
            return ERR_OK;
        }
        prompt_add_text(r, str_take(line, open));
        line = str_skip(line, open + 2);
        size_t close = str_find(line, S("}}"));
        if (close == STR_NPOS) {
            return errinfo_set(r->reterr, ERR_INVALID,
                               "%s: line %d: \"{{\" is not closed on its line (variables are "
                               "written {{name}}; there is no other use of double braces)",
                               r->t->rule->file, r->line);
        }
        enum err e = prompt_add_var(r, str_take(line, close));
        if (e != ERR_OK) {
            return e;
        }
        line = str_skip(line, close + 2);
    }
}

static enum err prompt_begin_part(struct prompt_reader *r, struct prompt_part *part,
                                  const char *name) {
    if (part->there) {
        return errinfo_set(r->reterr, ERR_INVALID, "%s: line %d: a second \"# %s\"",
                           r->t->rule->file, r->line, name);
    }
    part->there = true;
    r->part = part;
    r->held = (struct str){0};
    return ERR_OK;
}

/* @line without, @whole with its end. */
static enum err prompt_read_line(struct prompt_reader *r, struct str line, struct str whole) {
    struct str bare = str_trim(line);
    if (str_eq(bare, S("# system"))) {
        return prompt_begin_part(r, &r->t->system, "system");
    }
    if (str_eq(bare, S("# user"))) {
        return prompt_begin_part(r, &r->t->user, "user");
    }
    if (str_starts(bare, S("<!--")) && str_ends(bare, S("-->"))) {
        return ERR_OK;
    }
    if (r->part == NULL) {
        return bare.n == 0 ? ERR_OK
                           : errinfo_set(r->reterr, ERR_INVALID,
                                         "%s: line %d: text before the first \"# system\" or "
                                         "\"# user\" line",
                                         r->t->rule->file, r->line);
    }
    if (bare.n == 0) {
        bool longer = r->held.n > 0 && r->held.p + r->held.n == whole.p;
        whole = longer ? (struct str){r->held.p, r->held.n + whole.n} : whole;
        r->held = r->part->first != NULL ? whole : S(""); /* none at the beginning of a part */
        return ERR_OK;
    }
    return prompt_add_line(r, whole);
}

/* Cut the end of the last line off: a part ends with its last word. */
static void prompt_end_part(struct prompt_part *part) {
    struct prompt_piece *p = part->last;
    while (p != NULL && p->text.n > 0 && strchr(" \t\r\n", p->text.p[p->text.n - 1]) != NULL) {
        p->text.n--;
    }
}

static enum err prompt_check_whole(const struct prompt_reader *r) {
    const struct prompt_rule *rule = r->t->rule;
    bool has_system = r->t->system.first != NULL, has_user = r->t->user.first != NULL;
    if ((rule->system && !has_system) || (rule->user && !has_user)) {
        return errinfo_set(r->reterr, ERR_INVALID, "%s: the \"# %s\" part is missing or empty",
                           rule->file, rule->system ? "system" : "user");
    }
    if (rule->vars[0] == NULL && r->t->user.there) {
        return errinfo_set(r->reterr, ERR_INVALID,
                           "%s: there must be no \"# user\" part: the user message is JSON that "
                           "Stumper writes",
                           rule->file);
    }
    if (rule->turn && r->t->system.there) {
        return errinfo_set(r->reterr, ERR_INVALID,
                           "%s: there must be no \"# system\" part: this is a turn of a "
                           "conversation that has one",
                           rule->file);
    }
    for (size_t i = 0; i < rule->required; i++) {
        if ((r->used & 1u << i) == 0) {
            return errinfo_set(r->reterr, ERR_INVALID, "%s: the variable {{%s}} is missing",
                               rule->file, rule->vars[i]);
        }
    }
    return ERR_OK;
}

enum err prompt_parse(enum prompt_kind kind, struct str text, struct arena *a,
                      const struct prompt_template **ret, struct errinfo *reterr) {
    ASSERT(kind < PROMPT_COUNT);
    struct prompt_template *t = ARENA_NEW(a, struct prompt_template);
    t->rule = &prompt_rules[kind];
    struct prompt_reader r = {.a = a, .t = t, .reterr = reterr};
    if (text.n > PROMPT_BYTES_MAX || !str_is_utf8(text)) {
        return errinfo_set(reterr, ERR_INVALID, "%s: must be UTF-8 of at most %zu bytes",
                           t->rule->file, PROMPT_BYTES_MAX);
    }
    struct str rest = str_dup(a, text);
    while (rest.n > 0) {
        struct str whole = rest, line = str_split(&rest, '\n');
        whole.n -= rest.n;
        r.line++;
        enum err e = prompt_read_line(&r, line, whole);
        if (e != ERR_OK) {
            return e;
        }
    }
    prompt_end_part(&t->system);
    prompt_end_part(&t->user);
    enum err e = prompt_check_whole(&r);
    if (e == ERR_OK) {
        *ret = t;
    }
    return e;
}

/* --- rendering --- */

static struct str prompt_value(const struct prompt_rule *rule, const struct prompt_piece *piece,
                               const struct prompt_var *vars, size_t vars_n) {
    if (piece->var == PROMPT_TEXT) {
        return piece->text;
    }
    size_t i = 0;
    while (i < vars_n && strcmp(vars[i].name, rule->vars[piece->var]) != 0) {
        i++;
    }
    ASSERT(i < vars_n);
    return vars[i].value;
}

static struct str prompt_render_part(const struct prompt_rule *rule, const struct prompt_part *part,
                                     const struct prompt_var *vars, size_t vars_n,
                                     struct arena *a) {
    size_t n = 0;
    if (part->first == NULL) {
        return S("");
    }
    if (part->first->next == NULL && part->first->var == PROMPT_TEXT) {
        return part->first->text;
    }
    for (const struct prompt_piece *p = part->first; p != NULL; p = p->next) {
        n += prompt_value(rule, p, vars, vars_n).n;
    }
    char *text = arena_alloc(a, n + 1);
    size_t at = 0;
    for (const struct prompt_piece *p = part->first; p != NULL; p = p->next) {
        struct str value = prompt_value(rule, p, vars, vars_n);
        if (value.n > 0) {
            memcpy(text + at, value.p, value.n);
            at += value.n;
        }
    }
    return (struct str){text, n};
}

void prompt_render(const struct prompt_template *t, const struct prompt_var *vars, size_t vars_n,
                   struct arena *a, struct str *ret_system, struct str *ret_user) {
    *ret_system = prompt_render_part(t->rule, &t->system, vars, vars_n, a);
    *ret_user = prompt_render_part(t->rule, &t->user, vars, vars_n, a);
}
