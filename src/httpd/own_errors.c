/* libmicrohttpd answers what it cannot read (a header beyond its memory, a broken chunk, HTTP/3.0)
 * with pages of HTML of its own, and asks nobody. It queues them like everybody else, though: with
 * MHD_queue_response(), which it looks up as all programs look up the functions of libraries. What
 * is defined in the program is found first, so this one is, and lets the handler refuse instead.
 *
 * Should a build of the library bind its own functions to itself, its pages are sent as they are.
 */
#include "httpd/conn.h"

#include <dlfcn.h>

queue_fn *own_errors_queue(void) {
    union {
        void *symbol;
        queue_fn *fn;
    } next = {.symbol = dlsym(RTLD_NEXT, "MHD_queue_response")};
    ASSERT(next.fn != NULL); /* we are linked with it */
    return next.fn;
}

static const char *own_errors_reason(unsigned status) {
    switch (status) {
    case MHD_HTTP_URI_TOO_LONG:
        return "The request line is too long.";
    case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
        return "The request header is too large.";
    case MHD_HTTP_CONTENT_TOO_LARGE:
        return "A chunk of the request body is too large.";
    case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
        return "The server speaks HTTP/1.1 and 1.0.";
    case MHD_HTTP_INTERNAL_SERVER_ERROR:
        return "The server has no memory for this request.";
    default:
        return "The request is malformed.";
    }
}

/* The program is compiled to hide its functions from libraries. */
__attribute__((visibility("default"))) enum MHD_Result
MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                   struct MHD_Response *response) {
    struct conn *c =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (c->state == CONN_SENT) {
        return c->httpd->queue(connection, status, response); /* from conn_send() */
    }
    struct httpd_response *ours = conn_refusal(c, (int)status, own_errors_reason(status));
    enum MHD_Result queued = ours != NULL
                                 ? c->httpd->queue(connection, (unsigned)ours->status, ours->mhd)
                                 : c->httpd->queue(connection, status, response);
    httpd_response_free(ours);
    return queued;
}
