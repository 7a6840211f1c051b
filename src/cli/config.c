#include "cli/config.h"

#include "base/file.h"
#include "cli/nearest.h"
#include "json/yaml.h"

const char *const config_settings[] = {
    "num-problems",
    "engineer",
    "checker",
    "target",
    "taxonomy",
    "topic",
    "seeds",
    "prompts",
    "output",
    "format",
    "keep",
    "concurrency",
    "max-cost",
    "deadline",
    "max-attempts",
    "stall-attempts",
    "stall-errors",
    "seed",
    "name",
    "quiet",
    "timeout",
    "tries",
    "sim",
    "listen",
    "store",
    "workers",
    "drain",
    "retain",
    "default-wait",
    "tls-cert",
    "tls-key",
    "max-body",
    "rpm",
    "tpm",
    "allow-private-webhooks",
    NULL,
};

static const char *const config_sections[] = {"providers", "prices"};

static enum err config_check_key(const char *path, struct str key, struct errinfo *reterr) {
    struct nearest near = nearest_to(key);
    for (size_t i = 0; i < ARRAY_LEN(config_sections); i++) {
        if (str_eq(key, str_of(config_sections[i]))) {
            return ERR_OK;
        }
        nearest_offer(&near, config_sections[i]);
    }
    for (size_t i = 0; config_settings[i] != NULL; i++) {
        if (str_eq(key, str_of(config_settings[i]))) {
            return ERR_OK;
        }
        nearest_offer(&near, config_settings[i]);
    }
    struct str shown = str_take_utf8(key, 60);
    return errinfo_set(reterr, ERR_INVALID, "%s: unknown key '%.*s'%s%s%s", path, STR_ARG(shown),
                       near.name != NULL ? "; did you mean " : "",
                       near.name != NULL ? near.name : "", near.name != NULL ? "?" : "");
}

static enum err config_check(const struct config *c, struct errinfo *reterr) {
    struct str key;
    const struct jnode *value;
    void *iter = NULL;
    enum err e = ERR_OK;
    if (jnode_type(c->root) != JNODE_OBJECT) {
        return errinfo_set(reterr, ERR_INVALID,
                           "%s: is %s, must be a mapping such as "
                           "\"concurrency: 200\"",
                           c->path, jnode_type_name(jnode_type(c->root)));
    }
    while (e == ERR_OK && (iter = jnode_next(c->root, iter, &key, &value)) != NULL) {
        e = config_check_key(c->path, key, reterr);
    }
    return e;
}

enum err config_load(const char *path, struct arena *a, struct config *ret,
                     struct errinfo *reterr) {
    struct config c = {.path = path != NULL ? path : CONFIG_FILE};
    struct str text;
    enum err e = file_read(c.path, YAML_BYTES_MAX, a, &text, reterr);
    if (e == ERR_NOT_FOUND && path == NULL) {
        *ret = (struct config){0};
        return ERR_OK;
    }
    if (e != ERR_OK) {
        return e; /* names the file already */
    }
    e = yaml_parse(text, a, &c.root, reterr);
    if (e != ERR_OK) {
        return errinfo_wrap(reterr, e, "%s", c.path);
    }
    e = config_check(&c, reterr);
    if (e == ERR_OK) {
        *ret = c;
    }
    return e;
}

struct config_source {
    const char *const *path;
    struct arena *a;
    struct config *ret;
};

static enum err config_settings_of(void *ctx, const struct jnode **ret, const char **ret_path,
                                   struct errinfo *reterr) {
    struct config_source *s = ctx;
    enum err e = config_load(*s->path, s->a, s->ret, reterr);
    if (e == ERR_OK) {
        *ret = s->ret->root;
        *ret_path = s->ret->path;
    }
    return e;
}

bool config_options(const struct opt_command *command, int argc, char **argv, struct arena *a,
                    const char *const *path, struct config *ret_config, struct opt_result *ret,
                    int *ret_code) {
    struct config_source source = {.path = path, .a = a, .ret = ret_config};
    struct opt_input in = {.argc = argc,
                           .argv = argv,
                           .getenv_fn = cmd_getenv,
                           .settings = config_settings_of,
                           .ctx = &source};
    *ret_config = (struct config){0};
    return cmd_options_from(command, &in, a, ret, ret_code);
}
