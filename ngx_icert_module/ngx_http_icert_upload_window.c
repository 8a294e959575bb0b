
#include "ngx_http_icert_upload.h"


/*
 * A body that comes over HTTP/2 is taken in silence: the windows that nginx
 * gives are as good as endless, so there is nothing to answer.  A sender's
 * kernel meanwhile holds half a minute of a slow line, and behind it waits
 * whatever a browser asks (PING).  Chromium asks when it has heard nothing for
 * ten seconds, closes the connection ten seconds later, and sends the whole
 * body again, twice; others have other times.  So what has come is given back
 * to the connection's window (RFC 9113, 5.2) every few seconds: honest
 * bookkeeping, that asks for no answer.
 */

#define NGX_HTTP_ICERT_WINDOW_PERIOD  3000   /* ms */


#if (NGX_HTTP_V2)

/* nginx's own frames and these are taken from free_frames alike */

#define NGX_HTTP_ICERT_WINDOW_BUFFER  24     /* octets, as nginx's have */
#define NGX_HTTP_ICERT_WINDOW_FRAMES  10000  /* as many as nginx makes */
#define NGX_HTTP_ICERT_WINDOW_LENGTH  4      /* octets of a frame's payload */


static const u_char  ngx_http_icert_window_head[NGX_HTTP_V2_FRAME_HEADER_SIZE]
    = { 0, 0, NGX_HTTP_ICERT_WINDOW_LENGTH, NGX_HTTP_V2_WINDOW_UPDATE_FRAME };


static ngx_int_t
ngx_http_icert_window_sent(ngx_http_v2_connection_t *h2c,
    ngx_http_v2_out_frame_t *frame)
{
    if (frame->first->buf->pos != frame->first->buf->last) {
        return NGX_AGAIN;
    }

    frame->next = h2c->free_frames;
    h2c->free_frames = frame;

    h2c->total_bytes += NGX_HTTP_V2_FRAME_HEADER_SIZE + frame->length;

    return NGX_OK;
}


static ngx_http_v2_out_frame_t *
ngx_http_icert_window_frame(ngx_http_v2_connection_t *h2c)
{
    ngx_buf_t                *b;
    ngx_http_v2_out_frame_t  *frame;

    frame = h2c->free_frames;

    if (frame) {
        h2c->free_frames = frame->next;

        b = frame->first->buf;
        b->pos = b->start;
        b->last = b->start;

        frame->blocked = 0;
        frame->fin = 0;

        return frame;
    }

    if (h2c->frames >= NGX_HTTP_ICERT_WINDOW_FRAMES) {
        return NULL;
    }

    /* this pool lives as long as any stream of the connection */

    frame = ngx_pcalloc(h2c->pool, sizeof(ngx_http_v2_out_frame_t));
    if (frame == NULL) {
        return NULL;
    }

    frame->first = ngx_alloc_chain_link(h2c->pool);
    if (frame->first == NULL) {
        return NULL;
    }

    b = ngx_create_temp_buf(h2c->pool, NGX_HTTP_ICERT_WINDOW_BUFFER);
    if (b == NULL) {
        return NULL;
    }

    b->last_buf = 1;
    frame->first->buf = b;
    frame->last = frame->first;
    frame->handler = ngx_http_icert_window_sent;

    h2c->frames++;

    return frame;
}

#endif


void
ngx_http_icert_upload_window(ngx_http_icert_upload_ctx_t *ctx)
{
#if (NGX_HTTP_V2)

    u_char                    *p;
    size_t                     taken;
    ngx_http_v2_stream_t      *stream;
    ngx_http_v2_out_frame_t   *frame;
    ngx_http_v2_connection_t  *h2c;

    stream = ctx->request->stream;

    if (stream == NULL || stream->in_closed
        || ngx_current_msec - ctx->told < NGX_HTTP_ICERT_WINDOW_PERIOD)
    {
        return;
    }

    ctx->told = ngx_current_msec;

    h2c = stream->connection;
    taken = NGX_HTTP_V2_MAX_WINDOW - h2c->recv_window;

    if (taken == 0 || h2c->connection->error) {
        return;
    }

    frame = ngx_http_icert_window_frame(h2c);
    if (frame == NULL) {
        return;
    }

    p = ngx_cpymem(frame->first->buf->last, ngx_http_icert_window_head,
                   NGX_HTTP_V2_FRAME_HEADER_SIZE);
    *p++ = (u_char) (taken >> 24);
    *p++ = (u_char) (taken >> 16);
    *p++ = (u_char) (taken >> 8);
    *p++ = (u_char) taken;

    frame->first->buf->last = p;
    frame->stream = NULL;
    frame->length = NGX_HTTP_ICERT_WINDOW_LENGTH;

    h2c->recv_window = NGX_HTTP_V2_MAX_WINDOW;

    ngx_http_v2_queue_blocked_frame(h2c, frame);

    /* of an error its own handler hears */

    if (!h2c->blocked) {
        (void) ngx_http_v2_send_output_queue(h2c);
    }

#endif
}
