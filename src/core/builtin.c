#include "core/builtin.h"

/* Written by scripts/embed.py: the bytes of each file and how many. */
#define ASSET(name)                                                                                \
    extern const unsigned char name[];                                                             \
    extern const size_t name##_size
ASSET(asset_engineer);
ASSET(asset_engineer_seed);
ASSET(asset_checker);
ASSET(asset_equivalence);
ASSET(asset_target);
ASSET(asset_repair);
ASSET(asset_taxonomy);
ASSET(asset_prices);

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
