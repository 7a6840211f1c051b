#include "broker/url.h"

#include "base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define URL_NAME_DEFAULT "stumper"

static int url_hex(char c) {
    return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Percent-decode into @ret of URL_PART_BYTES. */
static bool url_decode(struct str s, char *ret) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (i + 2 >= s.n || !isxdigit((unsigned char)s.p[i + 1]) ||
                !isxdigit((unsigned char)s.p[i + 2])) {
                return false;
            }
            c = (char)(url_hex(s.p[i + 1]) * 16 + url_hex(s.p[i + 2]));
            i += 2;
        }
        if (c == '\0' || n + 1 >= URL_PART_BYTES) {
            return false;
        }
        ret[n++] = c;
    }
    ret[n] = '\0';
    return true;
}

static bool url_read_scheme(struct str *rest, const struct broker_scheme *scheme,
                            struct broker_url *u) {
    size_t n = str_find(*rest, S("://"));
    if (n == STR_NPOS) {
        return false;
    }
    struct str name = str_take(*rest, n);
    *rest = str_skip(*rest, n + 3);
    u->tls = str_eq(name, str_of(scheme->tls));
    return u->tls || str_eq(name, str_of(scheme->plain));
}

/* "[::1]:6379", "host", "host:6379" */
static bool url_read_host(struct str s, const char *port_default, struct broker_url *u) {
    struct str host = s, port = str_of(port_default);
    int64_t number;
    if (s.n > 0 && s.p[0] == '[') {
        size_t end = str_find_char(s, ']');
        if (end == STR_NPOS) {
            return false;
        }
        host = str_take(str_skip(s, 1), end - 1);
        s = str_skip(s, end + 1);
    } else {
        size_t colon = str_find_char(s, ':');
        host = str_take(s, colon);
        s = str_skip(s, host.n);
    }
    if (s.n > 0) {
        port = str_skip(s, 1);
    }
    if ((s.n > 0 && s.p[0] != ':') || host.n == 0 || !str_to_i64(port, &number) || number < 1 ||
        number > 65535) {
        return false;
    }
    (void)snprintf(u->port, sizeof u->port, "%d", (int)number);
    return url_decode(host, u->host);
}

static bool url_read_who(struct str s, struct broker_url *u) {
    struct str user = str_split(&s, ':');
    return url_decode(user, u->user) && url_decode(s, u->password);
}

bool broker_name_read(struct str text, char *ret) {
    char name[URL_PART_BYTES];
    if (!url_decode(text, name)) {
        return false;
    }
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    if (n == 0 || n >= URL_NAME_BYTES || name[n] != '\0') {
        return false;
    }
    memcpy(ret, name, n + 1);
    return true;
}

static enum err url_read_query(struct str query, struct broker_url *u, struct errinfo *reterr) {
    while (query.n > 0) {
        struct str value = str_split(&query, '&');
        struct str key = str_split(&value, '=');
        bool good = (str_eq(key, S("name")) && broker_name_read(value, u->name)) ||
                    (str_eq(key, S("ca")) && u->tls && url_decode(value, u->ca));
        if (!good) {
            return errinfo_set(reterr, ERR_USAGE,
                               "after the URL's ? only name=LETTERS-AND-DIGITS and, with TLS, "
                               "ca=FILE can stand");
        }
    }
    return ERR_OK;
}

enum err broker_url_read(const char *text, const struct broker_scheme *scheme,
                         struct broker_url *ret, struct errinfo *reterr) {
    struct broker_url u = {.name = URL_NAME_DEFAULT};
    struct str rest = str_of(text);
    if (!url_read_scheme(&rest, scheme, &u)) {
        return errinfo_set(reterr, ERR_USAGE, "the URL begins neither with %s:// nor with %s://",
                           scheme->plain, scheme->tls);
    }
    struct str before = str_split(&rest, '?'); /* rest: the query */
    size_t slash = str_find_char(before, '/');
    struct str where = str_take(before, slash);
    struct str path = slash == STR_NPOS ? S("") : str_skip(before, slash + 1);
    size_t at = str_rfind(where, S("@"));
    struct str who = at == STR_NPOS ? S("") : str_take(where, at);
    where = at == STR_NPOS ? where : str_skip(where, at + 1);
    if (!url_read_who(who, &u) || !url_decode(path, u.path)) {
        return errinfo_set(reterr, ERR_USAGE,
                           "user, password or path of the URL are too long or badly encoded (a "
                           "sign such as / or @ in them is written as %%2F or %%40)");
    }
    log_add_secret(str_of(u.password));
    if (!url_read_host(where, u.tls ? scheme->port_tls : scheme->port, &u)) {
        return errinfo_set(reterr, ERR_USAGE, "the URL has no good HOST:PORT (%s://127.0.0.1:%s)",
                           scheme->plain, scheme->port);
    }
    enum err e = url_read_query(rest, &u, reterr);
    if (e == ERR_OK) {
        (void)snprintf(u.label, sizeof u.label, "%s at %s:%s", scheme->title, u.host, u.port);
        *ret = u;
    }
    return e;
}
