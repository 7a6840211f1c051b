#include "contract/postgres_rig.h"
#include "contract/free_port.h"

#include "base/clock.h"
#include "base/defs.h"

#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 512
#define ARGS_MAX 32
#define UP_MS 90000

static struct postgres_rig the_server;

static const struct passwd *other_user(void) {
    const struct passwd *nobody = geteuid() == 0 ? getpwnam("nobody") : NULL;
    ASSERT(geteuid() != 0 || nobody != NULL);
    return nobody;
}

/* The newest that is installed: Debian keeps the server's programs out of the PATH, and root's
 * programs out of others'. */
static void find_program(const char *name, char ret[PATH_BYTES]) {
    static const char *const folders[] = {"/usr/sbin", "/usr/lib/postgresql/*/bin"};
    (void)snprintf(ret, PATH_BYTES, "%s", name);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        glob_t found;
        char pattern[PATH_BYTES];
        (void)snprintf(pattern, sizeof pattern, "%s/%s", folders[i], name);
        if (glob(pattern, 0, NULL, &found) == 0) {
            (void)snprintf(ret, PATH_BYTES, "%s", found.gl_pathv[found.gl_pathc - 1]);
            globfree(&found);
        }
    }
}

/* As the server's user, in the server's folder, with the output in DIR/out. */
static pid_t spawn(const struct postgres_rig *p, const char *const *args) {
    char *argv[ARGS_MAX + 1] = {0};
    char program[PATH_BYTES];
    const struct passwd *user = other_user();
    pid_t parent = getpid();
    find_program(args[0], program);
    for (size_t i = 0; args[i] != NULL && i < ARGS_MAX; i++) {
        argv[i] = strdup(args[i]);
        ASSERT(argv[i] != NULL);
    }
    pid_t pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        bool good = user == NULL || (setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0);
        (void)signal(SIGQUIT, SIG_DFL);         /* a background job of a shell ignores it */
        (void)prctl(PR_SET_PDEATHSIG, SIGQUIT); /* lost by setuid() */
        int out =
            good && chdir(p->dir) == 0 ? open("out", O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
        if (out < 0 || getppid() != parent) {
            _exit(126);
        }
        (void)dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
        (void)dup2(out, STDOUT_FILENO);
        (void)dup2(out, STDERR_FILENO);
        execvp(program, argv);
        _exit(127);
    }
    for (size_t i = 0; argv[i] != NULL; i++) {
        free(argv[i]);
    }
    return pid;
}

static void run(const struct postgres_rig *p, const char *const *args) {
    int status = -1;
    pid_t pid = spawn(p, args);
    ASSERT(waitpid(pid, &status, 0) == pid);
    if (status != 0) {
        (void)fprintf(stderr, "%s failed, see %s/out (scripts/install-deps check)\n", args[0],
                      p->dir);
        abort();
    }
}

/* Programs of other users' must not know its certificate's key, and it must. */
static void make_cluster(const struct postgres_rig *p) {
    const struct passwd *user = other_user();
    if (user != NULL) {
        char command[PATH_BYTES];
        (void)snprintf(command, sizeof command, "chown -R %s %s", user->pw_name, p->dir);
        ASSERT(system(command) == 0);
    }
    run(p, (const char *[]){"initdb", "-D", "data", "-U", "stumper", "-A", "trust", "-E", "UTF8",
                            "--locale=C.UTF-8", "--no-sync", NULL});
}

void postgres_rig_run(struct postgres_rig *p, const char *const *more) {
    const char *args[ARGS_MAX + 1] = {"postgres",
                                      "-D",
                                      "data",
                                      "-c",
                                      "listen_addresses=127.0.0.1",
                                      "-c",
                                      "unix_socket_directories=",
                                      "-c",
                                      "fsync=off",
                                      "-c",
                                      "shared_buffers=32MB",
                                      "-p"};
    char port[16], path[PATH_BYTES], url[128];
    int64_t until_ms = clock_mono_ms() + UP_MS;
    size_t n = 12;
    (void)snprintf(port, sizeof port, "%d", p->port);
    args[n++] = port;
    for (; more != NULL && *more != NULL && n + 1 < ARGS_MAX; more++) {
        args[n++] = "-c";
        args[n++] = *more;
    }
    (void)snprintf(path, sizeof path, "%s/data", p->dir);
    if (access(path, F_OK) != 0) {
        make_cluster(p);
    }
    p->pid = spawn(p, args);
    postgres_rig_url(p, NULL, url, sizeof url);
    while (PQping(url) != PQPING_OK) {
        if (clock_mono_ms() > until_ms || waitpid(p->pid, NULL, WNOHANG) == p->pid) {
            (void)fprintf(stderr, "PostgreSQL did not come up, see %s/out\n", p->dir);
            abort();
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

void postgres_rig_start(struct postgres_rig *p) {
    postgres_rig_run(p, NULL);
}

void postgres_rig_stop(struct postgres_rig *p, int signum) {
    if (p->pid > 0) {
        (void)kill(p->pid, signum);
        (void)waitpid(p->pid, NULL, 0);
        p->pid = 0;
    }
}

pid_t postgres_rig_pooler(const struct postgres_rig *p, const char *schema, char *ret,
                          size_t size) {
    char path[PATH_BYTES];
    int port = free_port();
    int64_t until_ms = clock_mono_ms() + UP_MS;
    (void)snprintf(path, sizeof path, "%s/pooler.ini", p->dir);
    FILE *ini = fopen(path, "w");
    ASSERT(ini != NULL);
    (void)fprintf(ini,
                  "[databases]\nstore = host=127.0.0.1 port=%d dbname=postgres user=stumper"
                  " connect_query='SET search_path = %s'\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                  "listen_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
                  "default_pool_size = 4\n",
                  p->port, schema, port);
    ASSERT(fclose(ini) == 0);
    pid_t pid = spawn(p, (const char *[]){"pgbouncer", "-q", "pooler.ini", NULL});
    (void)snprintf(ret, size, "postgresql://stumper@127.0.0.1:%d/store", port);
    while (PQping(ret) != PQPING_OK) {
        if (clock_mono_ms() > until_ms || waitpid(pid, NULL, WNOHANG) == pid) {
            (void)fprintf(stderr, "pgbouncer did not come up, see %s/out\n", p->dir);
            abort();
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    (void)snprintf(ret, size, "postgresql://stumper@127.0.0.1:%d/store?pool_mode=transaction",
                   port);
    return pid;
}

static void at_exit(void) {
    if (the_server.pid > 0) {
        postgres_rig_stop(&the_server, SIGQUIT);
        run(&the_server, (const char *[]){"rm", "-rf", "data", "out", "pooler.ini", NULL});
        (void)rmdir(the_server.dir);
    }
}

struct postgres_rig *postgres_rig(void) {
    struct postgres_rig *p = &the_server;
    if (p->port == 0) {
        p->port = free_port();
        (void)snprintf(p->dir, sizeof p->dir, "/tmp/stumper-postgres-XXXXXX");
        ASSERT(mkdtemp(p->dir) != NULL);
        postgres_rig_start(p);
        (void)atexit(at_exit);
    }
    return p;
}

void postgres_rig_url(const struct postgres_rig *p, const char *schema, char *ret, size_t size) {
    (void)snprintf(ret, size, "postgresql://stumper@127.0.0.1:%d/postgres%s%s", p->port,
                   schema != NULL ? "?options=-csearch_path%3D" : "", schema != NULL ? schema : "");
}

int64_t postgres_rig_ask(const char *url, const char *text) {
    PGconn *conn = PQconnectdb(url);
    ASSERT(PQstatus(conn) == CONNECTION_OK);
    PGresult *result = PQexec(conn, text);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        (void)fprintf(stderr, "%s: %s", text, PQresultErrorMessage(result));
        abort();
    }
    int64_t n = PQntuples(result) > 0 ? atoll(PQgetvalue(result, 0, 0)) : 0;
    PQclear(result);
    PQfinish(conn);
    return n;
}
