/* Reading options: first the arguments, then the environment and stumper.yaml for the rows that are
 * still without a value, then the defaults. A weaker source is not even looked at where a stronger
 * one has spoken, so a bad variable does not stand in the way of a good flag. */
#include "cli/opt.h"

#include "cli/nearest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct opt_parser {
    const struct opt_command *command;
    const struct opt_input *in;
    struct arena *a;
    struct opt_result *ret;
    struct errinfo *reterr;
    int at; /* index of the next argument */
};

static const struct opt *opt_by_name(const struct opt_command *c, struct str name) {
    for (size_t i = 0; i < c->rows_n; i++) {
        if (str_eq(name, str_of(c->rows[i].name))) {
            return &c->rows[i];
        }
    }
    return NULL;
}

static const struct opt *opt_by_letter(const struct opt_command *c, char letter) {
    for (size_t i = 0; i < c->rows_n; i++) {
        if (c->rows[i].letter == letter) {
            return &c->rows[i];
        }
    }
    return NULL;
}

static enum opt_origin *opt_origin_of(struct opt_parser *p, const struct opt *o) {
    return &p->ret->origins[o - p->command->rows];
}

/* Store one value from @origin; the first of a list drops what weaker sources had put there. */
static enum err opt_set(struct opt_parser *p, const struct opt *o, enum opt_origin origin,
                        const char *label, struct str text) {
    enum opt_origin *now = opt_origin_of(p, o);
    if (o->kind == OPT_STRS && *now != origin) {
        *(struct opt_strs *)o->to = (struct opt_strs){0};
    }
    *now = origin;
    return opt_store(o, label, text, p->a, p->reterr);
}

static enum err opt_unknown(struct opt_parser *p, struct str name) {
    struct nearest near = nearest_to(name);
    for (size_t i = 0; i < p->command->rows_n; i++) {
        nearest_offer(&near, p->command->rows[i].name);
    }
    nearest_offer(&near, "help");
    if (near.name != NULL) {
        return errinfo_set(p->reterr, ERR_USAGE, "unknown option --%.*s; did you mean --%s?",
                           STR_ARG(name), near.name);
    }
    return errinfo_set(p->reterr, ERR_USAGE, "unknown option --%.*s; see stumper %s --help",
                       STR_ARG(name), p->command->name);
}

/* True if @arg is an option of this command: "--name" or "--name=…". */
static bool opt_is_option(const struct opt_parser *p, struct str arg) {
    struct str rest = str_skip(arg, 2);
    return str_starts(arg, S("--")) && opt_by_name(p->command, str_split(&rest, '=')) != NULL;
}

/* The next argument as the value of @label. An option of ours is not one: the value was forgotten
 * (--flag=value says otherwise). */
static enum err opt_next_value(struct opt_parser *p, const struct opt *o, const char *label,
                               struct str *ret) {
    struct str next = p->at < p->in->argc ? str_of(p->in->argv[p->at]) : (struct str){0};
    if (p->at >= p->in->argc || opt_is_option(p, next)) {
        return errinfo_set(p->reterr, ERR_USAGE, "%s needs a value: %s %s", label, label,
                           o->value != NULL ? o->value : "VALUE");
    }
    p->at++;
    *ret = next;
    return ERR_OK;
}

static enum err opt_long(struct opt_parser *p, struct str arg) {
    struct str text = arg, name = str_split(&text, '=');
    bool has_value = name.n < arg.n;
    const struct opt *o = opt_by_name(p->command, name);
    if (o == NULL) {
        return opt_unknown(p, name);
    }
    char label[80];
    (void)snprintf(label, sizeof label, "--%s", o->name);
    if (o->kind == OPT_FLAG && !has_value) {
        text = S("true");
    } else if (!has_value) {
        enum err e = opt_next_value(p, o, label, &text);
        if (e != ERR_OK) {
            return e;
        }
    }
    return opt_set(p, o, OPT_FROM_ARGV, label, text);
}

/* "-n 5", "-n5", "-n=5", and flags in one bunch: "-qv". */
static enum err opt_short(struct opt_parser *p, struct str letters) {
    while (letters.n > 0) {
        char label[3] = {'-', letters.p[0], '\0'};
        const struct opt *o = opt_by_letter(p->command, letters.p[0]);
        letters = str_skip(letters, 1);
        if (letters.p[-1] == 'h' && o == NULL) {
            p->ret->help = true;
            return ERR_OK;
        }
        if (o == NULL) {
            return errinfo_set(p->reterr, ERR_USAGE, "unknown option %s; see stumper %s --help",
                               label, p->command->name);
        }
        struct str text = S("true");
        enum err e = ERR_OK;
        if (o->kind != OPT_FLAG && letters.n > 0) {
            text = str_skip(letters, letters.p[0] == '=' ? 1 : 0);
            letters.n = 0;
        } else if (o->kind != OPT_FLAG) {
            e = opt_next_value(p, o, label, &text);
        }
        e = e == ERR_OK ? opt_set(p, o, OPT_FROM_ARGV, label, text) : e;
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

/* "-5" and "-\frac12" are arguments, as a lone "-" is. */
static bool opt_begins_one(const char *arg) {
    return arg[0] == '-' && (arg[1] == '-' || isalpha((unsigned char)arg[1]));
}

static enum err opt_read_argv(struct opt_parser *p) {
    const char **args = ARENA_ARRAY(p->a, const char *, (size_t)p->in->argc + 1);
    enum err e = ERR_OK;
    bool only_args = false;
    p->at = 1;
    while (p->at < p->in->argc && e == ERR_OK && !p->ret->help) {
        const char *arg = p->in->argv[p->at++];
        if (only_args || !opt_begins_one(arg)) {
            args[p->ret->args_n++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            only_args = true;
        } else if (strcmp(arg, "--help") == 0) {
            p->ret->help = true;
        } else {
            e = arg[1] == '-' ? opt_long(p, str_of(arg + 2)) : opt_short(p, str_of(arg + 1));
        }
    }
    p->ret->args = args;
    return e;
}

static struct opt_label opt_env_name(const struct opt *o) {
    struct opt_label l;
    size_t n = (size_t)snprintf(l.s, sizeof l.s, "STUMPER_%s", o->name);
    for (size_t i = sizeof "STUMPER_" - 1; i < MIN(n, sizeof l.s - 1); i++) {
        l.s[i] = l.s[i] == '-'                    ? '_'
                 : l.s[i] >= 'a' && l.s[i] <= 'z' ? (char)(l.s[i] - ('a' - 'A'))
                                                  : l.s[i];
    }
    return l;
}

static enum err opt_read_env_row(struct opt_parser *p, const struct opt *o) {
    struct opt_label name = opt_env_name(o);
    const char *value = p->in->getenv_fn(name.s);
    enum err e = ERR_OK;
    if (value == NULL || *value == '\0') {
        return ERR_OK;
    }
    if (o->kind != OPT_STRS) {
        return opt_set(p, o, OPT_FROM_ENV, name.s, str_of(value));
    }
    struct str rest = str_of(value);
    while (rest.n > 0 && e == ERR_OK) {
        e = opt_set(p, o, OPT_FROM_ENV, name.s, str_trim(str_split(&rest, ';')));
    }
    return e;
}

static struct opt_label opt_yaml_label(const struct opt_parser *p, const struct opt *o) {
    struct opt_label l;
    (void)snprintf(l.s, sizeof l.s, "%s: %s",
                   p->ret->yaml_path != NULL ? p->ret->yaml_path : "stumper.yaml", o->name);
    return l;
}

static enum err opt_read_yaml_value(struct opt_parser *p, const struct opt *o,
                                    const struct jnode *j) {
    struct opt_label label = opt_yaml_label(p, o);
    enum jnode_type type = jnode_type(j);
    if (type == JNODE_OBJECT || type == JNODE_ARRAY || type == JNODE_NULL) {
        return errinfo_set(p->reterr, ERR_USAGE, "%s: is %s, must be %s", label.s,
                           jnode_type_name(type),
                           o->kind == OPT_STRS ? "a text or a list of texts" : "a single value");
    }
    struct str text = type == JNODE_STRING ? jnode_str(j) : jnode_text(j, p->a);
    return opt_set(p, o, OPT_FROM_YAML, label.s, text);
}

static enum err opt_read_yaml_row(struct opt_parser *p, const struct opt *o,
                                  const struct jnode *settings) {
    const struct jnode *j = jnode_get(settings, o->name);
    enum err e = ERR_OK;
    if (jnode_type(j) == JNODE_NONE || jnode_type(j) == JNODE_NULL) {
        return ERR_OK; /* "key:" with nothing behind it is not set */
    }
    if (o->kind != OPT_STRS || jnode_type(j) != JNODE_ARRAY) {
        return opt_read_yaml_value(p, o, j);
    }
    for (size_t i = 0; i < jnode_len(j) && e == ERR_OK; i++) {
        e = opt_read_yaml_value(p, o, jnode_at(j, i));
    }
    return e;
}

/* Everything that is weaker than an argument. */
static enum err opt_read_rest(struct opt_parser *p, const struct jnode *settings) {
    for (size_t i = 0; i < p->command->rows_n; i++) {
        const struct opt *o = &p->command->rows[i];
        enum err e = ERR_OK;
        if (settings != NULL && !o->argv_only && p->ret->origins[i] == OPT_FROM_DEFAULT) {
            e = opt_read_yaml_row(p, o, settings);
        }
        if (e == ERR_OK && p->ret->origins[i] == OPT_FROM_DEFAULT && o->otherwise != NULL) {
            e = opt_store(o, o->name, str_of(o->otherwise), p->a, p->reterr);
            ASSERT(e == ERR_OK); /* a row's default is a value that the row takes */
        }
        if (e == ERR_OK && p->ret->origins[i] == OPT_FROM_DEFAULT && o->required) {
            e = errinfo_set(p->reterr, ERR_USAGE, "--%s %s is required", o->name, o->value);
        }
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err opt_read_env(struct opt_parser *p) {
    enum err e = ERR_OK;
    for (size_t i = 0; i < p->command->rows_n && e == ERR_OK; i++) {
        if (!p->command->rows[i].argv_only && p->ret->origins[i] == OPT_FROM_DEFAULT) {
            e = opt_read_env_row(p, &p->command->rows[i]);
        }
    }
    return e;
}

static enum err opt_check_args(struct opt_parser *p) {
    const struct opt_command *c = p->command;
    if (p->ret->args_n < c->args_min) {
        return errinfo_set(p->reterr, ERR_USAGE, "%s is missing; see stumper %s --help",
                           c->args_min == 1 && c->args != NULL ? c->args : "an argument", c->name);
    }
    if (p->ret->args_n > c->args_max) {
        return errinfo_set(p->reterr, ERR_USAGE, "unexpected argument '%s'; see stumper %s --help",
                           p->ret->args[c->args_max], c->name);
    }
    return ERR_OK;
}

enum err opt_parse(const struct opt_command *command, const struct opt_input *in, struct arena *a,
                   struct opt_result *ret, struct errinfo *reterr) {
    ASSERT(command->rows_n <= OPT_ROWS_MAX);
    struct opt_parser p = {.command = command, .in = in, .a = a, .ret = ret, .reterr = reterr};
    const struct jnode *settings = NULL;
    *ret = (struct opt_result){.command = command};
    enum err e = opt_read_argv(&p);
    if (e != ERR_OK || ret->help) {
        return e;
    }
    e = opt_read_env(&p);
    if (e == ERR_OK && in->settings != NULL) {
        e = in->settings(in->ctx, &settings, &ret->yaml_path, reterr);
        e = e != ERR_OK ? ERR_USAGE : e;
    }
    e = e == ERR_OK ? opt_read_rest(&p, settings) : e;
    return e == ERR_OK ? opt_check_args(&p) : e;
}

enum opt_origin opt_origin(const struct opt_result *r, const char *name) {
    const struct opt *o = opt_by_name(r->command, str_of(name));
    ASSERT(o != NULL);
    return r->origins[o - r->command->rows];
}

bool opt_given(const struct opt_result *r, const char *name) {
    return opt_origin(r, name) != OPT_FROM_DEFAULT;
}

struct opt_label opt_label(const struct opt_result *r, const char *name) {
    const struct opt *o = opt_by_name(r->command, str_of(name));
    struct opt_label l;
    switch (opt_origin(r, name)) {
    case OPT_FROM_ENV:
        return opt_env_name(o);
    case OPT_FROM_YAML:
        (void)snprintf(l.s, sizeof l.s, "%s: %s", r->yaml_path, name);
        return l;
    case OPT_FROM_ARGV:
    case OPT_FROM_DEFAULT:
        break;
    }
    (void)snprintf(l.s, sizeof l.s, "--%s", name);
    return l;
}
