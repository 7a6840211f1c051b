#include "core/call.h"

const char *role_name(enum role role) {
    static const char *const names[ROLE_COUNT] = {
        [ROLE_ENGINEER] = "engineer", [ROLE_CHECKER] = "checker", [ROLE_TARGET] = "target"};
    ASSERT(role < ROLE_COUNT);
    return names[role];
}
