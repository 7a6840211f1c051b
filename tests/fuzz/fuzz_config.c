/* Whatever stumper.yaml holds, what is wrong in it is named with the file, or every provider in it
 * can be asked: it has a name, an address and limits. */
#include "cli/config.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TREE_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* What is configured is a file, for it is read as one. */
static int make_file(const uint8_t *data, size_t size) {
    int fd = memfd_create("stumper.yaml", MFD_CLOEXEC);
    ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    return fd;
}

static void see_providers(const struct config *config, struct arena *a) {
    static struct llm_config llm;
    struct errinfo why = {0};
    llm_config_init(&llm);
    if (config_providers(config, a, &llm, &why) != ERR_OK) {
        ASSERT(strstr(why.text, config->path) != NULL);
        return;
    }
    for (size_t i = 0; i < llm.providers_n; i++) {
        const struct llm_provider *p = &llm.providers[i];
        ASSERT(p->name != NULL && p->name[0] != '\0' && p->type != NULL);
        ASSERT(strncmp(p->base_url, "http", 4) == 0);
        ASSERT(llm_config_find(&llm, str_of(p->name)) == p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    struct arena a;
    struct config config;
    struct errinfo why = {0};
    int fd = make_file(data, size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    arena_init(&a, TREE_BYTES_MAX);
    if (config_load(path, &a, &config, &why) == ERR_OK) {
        ASSERT(config.root != NULL && strcmp(config.path, path) == 0);
        see_providers(&config, &a);
    } else {
        ASSERT(strstr(why.text, path) != NULL);
    }
    arena_release(&a);
    (void)close(fd);
    return 0;
}
