
#include "ngx_http_icert_upload.h"


/*
 * What a client still sends when its body was refused.  A connection that is
 * closed with unread octets is reset, and a reset may overtake the answer: so
 * nginx's lingering close reads on.  It knows no bound but whole seconds, and a
 * quick sender has sent a hundred megabytes by then; here both are bounded,
 * from the answer's head on.
 *
 * nginx offers no hook there: it asks the connection's recv.
 */

static ssize_t ngx_http_icert_upload_linger_recv(ngx_connection_t *c,
    u_char *buf, size_t size);
static ngx_int_t ngx_http_icert_upload_linger_filter(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


void
ngx_http_icert_upload_linger_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_icert_upload_linger_filter;
}


void
ngx_http_icert_upload_linger(ngx_http_request_t *r)
{
    ngx_connection_t              *c;
    ngx_http_icert_note_t         *note;
    ngx_http_icert_upload_conf_t  *ucf;

    r->keepalive = 0;
    r->lingering_close = 1;

    /* of HTTP/2 the stream ends, and its frames are dropped */

    if (r->stream) {
        return;
    }

    c = r->connection;
    note = ngx_http_icert_note_make(r);

    if (note == NULL || note->linger_recv) {
        return;
    }

    ucf = ngx_http_get_module_loc_conf(r, ngx_http_icert_upload_module);

    note->linger_recv = c->recv;
    note->linger_left = ucf->linger_size;
    note->linger_time = ucf->linger_time;

    c->recv = ngx_http_icert_upload_linger_recv;
}


static ngx_int_t
ngx_http_icert_upload_linger_filter(ngx_http_request_t *r)
{
    ngx_http_icert_note_t  *note;

    if (r->connection->recv == ngx_http_icert_upload_linger_recv
        && r == r->main)
    {
        note = ngx_http_icert_note_get(r);

        if (note) {
            note->linger_until = ngx_current_msec + note->linger_time;
            note->answered = 1;

            /* nginx clears it for its own pages of some statuses */
            r->lingering_close = 1;
        }
    }

    return ngx_http_next_header_filter(r);
}


static ssize_t
ngx_http_icert_upload_linger_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    ssize_t                 n;
    ngx_http_request_t     *r;
    ngx_http_icert_note_t  *note;

    r = c->data;
    note = ngx_http_icert_note_get(r);

    if (note->answered
        && (ngx_msec_int_t) (note->linger_until - ngx_current_msec) <= 0)
    {
        /* as if it had ended: nginx closes */
        return 0;
    }

    if (note->linger_left == 0) {

        /*
         * Not closed at once: the answer may still be on its way.  The rest
         * stays with the client, and lingering_timeout or the next octet ends
         * the wait.
         */

        c->read->ready = 0;
        return NGX_AGAIN;
    }

    n = note->linger_recv(c, buf, ngx_min(size, note->linger_left));

    if (n > 0) {
        note->linger_left -= n;
    }

    return n;
}
