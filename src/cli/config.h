/* config.h - stumper.yaml: found, read, checked for keys that nobody knows, and handed out.
 *
 *     providers:                       # a mapping by name: llm_config_providers()
 *       lab: {type: openai-chat, base_url: http://127.0.0.1:8000/v1, api_key_env: LAB_API_KEY}
 *     prices:                          # dollars per million tokens, as in data/prices.json
 *       lab/our-model: {input: 0.1, output: 0.4}
 *     concurrency: 200                 # the rest: settings, named like the flags of `generate`
 *     engineer: lab/our-model
 */
#ifndef STUMPER_CLI_CONFIG_H
#define STUMPER_CLI_CONFIG_H

#include "cli/cmd.h"
#include "llm/llm.h"

#define CONFIG_FILE "stumper.yaml"

struct config {
    const char *path;         /* the file that was read; NULL: there is none */
    const struct jnode *root; /* an object; NULL: there is no file */
};

/** The top-level keys that are settings of `generate`, NULL-terminated. */
extern const char *const config_settings[];

/**
 * Read the configuration.
 *
 * @path    NULL: stumper.yaml in the working directory if there is one
 * @a       owns everything in @ret
 * @return  ERR_NOT_FOUND | ERR_IO | ERR_TOO_BIG (the file), ERR_SYNTAX (names file and line),
 *          ERR_INVALID (unknown key: names the file and the nearest known one)
 */
NODISCARD enum err config_load(const char *path, struct arena *a, struct config *ret,
                               struct errinfo *reterr);

/**
 * Like cmd_options(), with stumper.yaml as the third source of values.
 *
 * @path  where the command's row "config" (OPT_STR) puts its value
 */
NODISCARD bool config_options(const struct opt_command *command, int argc, char **argv,
                              struct arena *a, const char *const *path, struct config *ret_config,
                              struct opt_result *ret, int *ret_code);

/** Add the built-in providers and those of the file to @llm. ERR_INVALID names the file and every
 * place in it that is wrong. @config must outlive @llm. */
NODISCARD enum err config_providers(const struct config *config, struct arena *a,
                                    struct llm_config *llm, struct errinfo *reterr);

#endif
