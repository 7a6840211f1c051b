/* stumper version: what this binary is made of, for a bug report. */
#include "cli/cmd.h"
#include "json/write.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <sys/utsname.h>

#define VERSION_ARENA_BYTES_MAX ((size_t)1024 * 1024)

#ifdef __clang__
#define VERSION_COMPILER "clang " __clang_version__
#else
#define VERSION_COMPILER "gcc " __VERSION__
#endif

#ifdef __SANITIZE_ADDRESS__
#define VERSION_SANITIZED true
#else
#define VERSION_SANITIZED false
#endif

static void version_json(const struct utsname *host) {
    struct sbuf out;
    struct jwrite w;
    sbuf_init(&out, 4096);
    jwrite_init(&w, &out);
    jwrite_object(&w);
    jwrite_key(&w, "version");
    jwrite_cstr(&w, STUMPER_VERSION);
    jwrite_key(&w, "compiler");
    jwrite_cstr(&w, VERSION_COMPILER);
    jwrite_key(&w, "sanitized");
    jwrite_bool(&w, VERSION_SANITIZED);
    jwrite_key(&w, "libc");
    jwrite_cstr(&w, gnu_get_libc_version());
    jwrite_key(&w, "system");
    jwrite_cstr(&w, host->sysname);
    jwrite_key(&w, "kernel");
    jwrite_cstr(&w, host->release);
    jwrite_key(&w, "machine");
    jwrite_cstr(&w, host->machine);
    jwrite_end(&w);
    (void)puts(sbuf_str(&out).p);
    sbuf_release(&out);
}

int cmd_version(int argc, char **argv) {
    bool json = false;
    const struct opt rows[] = {
        {.name = "json",
         .kind = OPT_FLAG,
         .to = &json,
         .argv_only = true,
         .help = "as one JSON object"},
    };
    const struct opt_command command = {
        .name = "version",
        .summary = "which Stumper this is, and what it was built with",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
    };
    struct arena a;
    struct opt_result options;
    struct utsname host = {0};
    int code = EXIT_DONE;
    arena_init(&a, VERSION_ARENA_BYTES_MAX);
    if (cmd_options(&command, argc, argv, &a, &options, &code)) {
        (void)uname(&host); /* empty fields if it fails, which it does not */
        if (json) {
            version_json(&host);
        } else {
            (void)printf("stumper %s\ncompiler  %s%s\nlibc      glibc %s\nsystem    %s %s %s\n",
                         STUMPER_VERSION, VERSION_COMPILER, VERSION_SANITIZED ? ", sanitized" : "",
                         gnu_get_libc_version(), host.sysname, host.release, host.machine);
        }
    }
    arena_release(&a);
    return code;
}
