#include "core/builtin.h"

/* Written by scripts/embed.py: the bytes of each file and how many. */
extern const unsigned char asset_engineer[], asset_engineer_seed[], asset_checker[],
    asset_equivalence[], asset_target[], asset_repair[], asset_taxonomy[], asset_prices[];
extern const size_t asset_engineer_size, asset_engineer_seed_size, asset_checker_size,
    asset_equivalence_size, asset_target_size, asset_repair_size, asset_taxonomy_size,
    asset_prices_size;

#define ASSET_TEXT(name) ((struct str){(const char *)(name), name##_size})

struct str builtin_prompt(enum prompt_kind kind) {
    switch (kind) {
    case PROMPT_ENGINEER:
        return ASSET_TEXT(asset_engineer);
    case PROMPT_ENGINEER_SEED:
        return ASSET_TEXT(asset_engineer_seed);
    case PROMPT_CHECKER:
        return ASSET_TEXT(asset_checker);
    case PROMPT_EQUIVALENCE:
        return ASSET_TEXT(asset_equivalence);
    case PROMPT_TARGET:
        return ASSET_TEXT(asset_target);
    case PROMPT_REPAIR:
        return ASSET_TEXT(asset_repair);
    case PROMPT_COUNT:
        break;
    }
    assert_failed("a prompt kind", __FILE__, __LINE__);
}

struct str builtin_taxonomy(void) {
    return ASSET_TEXT(asset_taxonomy);
}

struct str builtin_prices(void) {
    return ASSET_TEXT(asset_prices);
}
