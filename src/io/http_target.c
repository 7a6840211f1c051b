#include "base/mem.h"
#include "io/http_client.h"

#include <stdlib.h>
#include <string.h>

#define HTTP_NAME_BYTES_MAX ((size_t)8 * 1024) /* no host name comes near */

/* Host and port of @parsed, for messages: no user, no password. Free with free(). */
static char *http_target_name(CURLU *parsed) {
    char *host = NULL, *port = NULL;
    ASSERT(curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    bool told = curl_url_get(parsed, CURLUPART_PORT, &port, 0) == CURLUE_OK;
    struct sbuf name;
    sbuf_init(&name, HTTP_NAME_BYTES_MAX);
    sbuf_addf(&name, "%s%s%s", host, told ? ":" : "", told ? port : "");
    curl_free(host);
    curl_free(port);
    return name.p;
}

/* NULL if @url is not a URL of http or https. */
static CURLU *http_url_parse(const char *url) {
    CURLU *parsed = curl_url();
    ASSERT(parsed != NULL);
    bool right = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (right && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        return parsed;
    }
    curl_url_cleanup(parsed);
    return NULL;
}

static struct http_target *http_target_find(struct http_client *c, struct str url) {
    struct http_target *target = c->targets;
    while (target != NULL && !str_eq((struct str){target->url, target->url_n}, url)) {
        target = target->next;
    }
    return target;
}

/* The target of @url, made if need be; NULL if the URL is invalid. */
struct http_target *http_target_of(struct http_client *c, const char *url) {
    struct http_target *target = http_target_find(c, str_of(url));
    CURLU *parsed = target == NULL ? http_url_parse(url) : NULL;
    if (parsed == NULL) {
        return target;
    }
    size_t url_n = strlen(url);
    target = mem_new(sizeof *target + url_n + 1);
    target->parsed = parsed;
    target->name = http_target_name(parsed);
    target->url_n = url_n;
    memcpy(target->url, url, url_n);
    TAILQ_INIT(&target->waiting);
    target->next = c->targets;
    c->targets = target;
    return target;
}

void http_target_free(struct http_target *target) {
    curl_url_cleanup(target->parsed);
    free(target->name);
    free(target);
}
