/* stumper version: what this binary is made of, for a bug report. Libraries are asked at run time,
 * by the functions that each has for it: the truth about this process, whatever it was built with.
 * They are found by name, because their headers belong to other rooms. */
#include "cli/cmd.h"
#include "json/write.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define VERSION_ARENA_BYTES_MAX ((size_t)1024 * 1024)

#ifdef __clang__
#define VERSION_COMPILER "clang " __clang_version__
#else
#define VERSION_COMPILER "gcc " __VERSION__
#endif

#ifndef __has_feature
#define __has_feature(name) 0 /* gcc 12 */
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define VERSION_SANITIZED true
#else
#define VERSION_SANITIZED false
#endif

#define VERSION_NUMBER_BYTES 32

static const struct version_library {
    const char *name;
    const char *text;   /* const char *text(void) */
    const char *number; /* int number(void), which tells 15.7 as 150007; NULL: it has a text */
} version_libraries[] = {
    {"libuv", "uv_version_string", NULL},
    {"libcurl", "curl_version", NULL}, /* and of its libraries, OpenSSL among them */
    {"sqlite", "sqlite3_libversion", NULL},
    {"libyaml", "yaml_get_version_string", NULL},
    {"libmicrohttpd", "MHD_get_version", NULL},
    {"libpq", NULL, "PQlibVersion"},
    {"librabbitmq", "amqp_version", NULL},
};

/* What the library says of itself, perhaps in @buf; NULL if it is not loaded. */
static const char *version_of(const struct version_library *l,
                              char buf[static VERSION_NUMBER_BYTES]) {
    void *symbol = dlsym(RTLD_DEFAULT, l->number != NULL ? l->number : l->text);
    const char *(*text)(void); /* ISO C has no cast between the two */
    int (*number)(void);
    if (symbol == NULL) {
        return NULL;
    }
    if (l->number == NULL) {
        memcpy(&text, &symbol, sizeof text);
        return text();
    }
    memcpy(&number, &symbol, sizeof number);
    (void)snprintf(buf, VERSION_NUMBER_BYTES, "%d.%d", number() / 10000, number() % 10000);
    return buf;
}

static void version_member(struct jwrite *w, const char *key, const char *value) {
    jwrite_key(w, key);
    jwrite_cstr(w, value);
}

static void version_json(const struct utsname *host) {
    struct sbuf out;
    struct jwrite w;
    char buf[VERSION_NUMBER_BYTES];
    sbuf_init(&out, (size_t)64 * 1024);
    jwrite_init(&w, &out);
    jwrite_object(&w);
    version_member(&w, "version", STUMPER_VERSION);
    version_member(&w, "compiler", VERSION_COMPILER);
    jwrite_key(&w, "sanitized");
    jwrite_bool(&w, VERSION_SANITIZED);
    version_member(&w, "libc", gnu_get_libc_version());
    version_member(&w, "system", host->sysname);
    version_member(&w, "kernel", host->release);
    version_member(&w, "machine", host->machine);
    jwrite_key(&w, "libraries");
    jwrite_object(&w);
    for (size_t i = 0; i < ARRAY_LEN(version_libraries); i++) {
        version_member(&w, version_libraries[i].name, version_of(&version_libraries[i], buf));
    }
    jwrite_end(&w);
    jwrite_end(&w);
    (void)puts(sbuf_str(&out).p);
    sbuf_release(&out);
}

static void version_text(const struct utsname *host) {
    (void)printf("stumper %s\n%-14s %s%s\n%-14s %s %s %s\n%-14s glibc %s\n", STUMPER_VERSION,
                 "compiler", VERSION_COMPILER, VERSION_SANITIZED ? ", sanitized" : "", "system",
                 host->sysname, host->release, host->machine, "libc", gnu_get_libc_version());
    for (size_t i = 0; i < ARRAY_LEN(version_libraries); i++) {
        char buf[VERSION_NUMBER_BYTES];
        const char *version = version_of(&version_libraries[i], buf);
        (void)printf("%-14s %s\n", version_libraries[i].name, version != NULL ? version : "-");
    }
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
    struct utsname host = {0};
    struct opt_result options;
    int code = EXIT_DONE;
    arena_init(&a, VERSION_ARENA_BYTES_MAX);
    if (cmd_options(&command, argc, argv, &a, &options, &code)) {
        (void)uname(&host); /* empty fields if it fails, which it does not */
        if (json) {
            version_json(&host);
        } else {
            version_text(&host);
        }
    }
    arena_release(&a);
    return code;
}
