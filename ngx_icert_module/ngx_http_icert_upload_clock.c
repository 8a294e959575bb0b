
#include "ngx_http_icert_upload.h"


#define NGX_HTTP_ICERT_UPLOAD_GRACE      10000  /* ms without a minimum rate */
#define NGX_HTTP_ICERT_UPLOAD_TICK       1000   /* ms between looks */


static void ngx_http_icert_upload_timer(ngx_event_t *ev);


void
ngx_http_icert_upload_clock(ngx_http_icert_upload_ctx_t *ctx)
{
    ctx->event.handler = ngx_http_icert_upload_timer;
    ctx->event.data = ctx;
    ctx->event.log = ctx->request->connection->log;

    ngx_add_timer(&ctx->event, ngx_min(NGX_HTTP_ICERT_UPLOAD_TICK,
                                       ctx->conf->deadline));
}


static void
ngx_http_icert_upload_timer(ngx_event_t *ev)
{
    ngx_int_t                     rc;
    ngx_msec_t                    elapsed;
    ngx_connection_t             *c;
    ngx_http_request_t           *r;
    ngx_http_icert_reason_e       reason;
    ngx_http_icert_upload_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    /*
     * nginx may have refused it meanwhile, for its size or as chunks: the
     * answer has left, or is being made elsewhere (error_page clears contexts)
     */

    if (r->header_sent
        || ngx_http_get_module_ctx(r, ngx_http_icert_upload_module) != ctx)
    {
        return;
    }

    elapsed = ngx_current_msec - ctx->start;

    if (elapsed >= ctx->conf->deadline) {
        reason = NGX_HTTP_ICERT_UPLOAD_DEADLINE;

    } else if (elapsed > NGX_HTTP_ICERT_UPLOAD_GRACE
               && ctx->received < (off_t) (ctx->conf->min_rate
                                           * (elapsed / 1000)))
    {
        reason = NGX_HTTP_ICERT_UPLOAD_SLOW;

    } else {
        ngx_http_icert_upload_window(ctx);
        ngx_add_timer(ev, ngx_min(NGX_HTTP_ICERT_UPLOAD_TICK,
                                  ctx->conf->deadline - elapsed));
        return;
    }

    /*
     * At its own time-outs nginx closes without a word, and finalizing with 408
     * would; a person who waited this long is told why.
     */

    rc = ngx_http_icert_upload_refuse(ctx, reason, NULL);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_finalize_request(r, ngx_http_special_response_handler(r, rc));
    ngx_http_run_posted_requests(c);
}
