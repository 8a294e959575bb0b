
#include "ngx_http_icert_upload.h"


static ngx_int_t ngx_http_icert_upload_length(ngx_http_request_t *r,
    size_t len);


ngx_int_t
ngx_http_icert_upload_replace(ngx_http_icert_upload_ctx_t *ctx,
    ngx_chain_t *out)
{
    size_t                         size;
    ngx_buf_t                     *b;
    ngx_uint_t                     i;
    ngx_http_request_t            *r;
    ngx_http_icert_note_t         *note;
    ngx_http_icert_upload_part_t  *part;

    r = ctx->request;
    part = ctx->parts.elts;
    size = handover_start(NULL, 0) + handover_end(NULL, 0, 0);

    for (i = 0; i < ctx->parts.nelts; i++) {

        /* set only now: growing moved the array */

        part[i].record.sha256 = part[i].sha256;
        part[i].record.spool.p = (char *) part[i].spool;
        part[i].record.spool.len = ngx_strlen(part[i].spool);

        size += handover_record(NULL, 0, &part[i].record);
    }

    b = ngx_create_temp_buf(r->pool, size);
    note = ngx_http_icert_note_make(r);

    if (b == NULL || note == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last += handover_start(b->last, b->end - b->last);

    for (i = 0; i < ctx->parts.nelts; i++) {
        b->last += handover_record(b->last, b->end - b->last,
                                   &part[i].record);
    }

    b->last += handover_end(b->last, b->end - b->last, ctx->parts.nelts);
    b->last_buf = 1;

    out->buf = b;
    out->next = NULL;

    note->upload = 1;

    if (ngx_http_icert_upload_length(r, size) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_icert_note_changed(r);

    return NGX_OK;
}


/*
 * A header of our own when the client sent none: after a body without a
 * length nginx would state how much it has received.
 */

static ngx_int_t
ngx_http_icert_upload_length(ngx_http_request_t *r, size_t len)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, NGX_SIZE_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h = r->headers_in.content_length;

    if (h == NULL) {
        h = ngx_pcalloc(r->pool, sizeof(ngx_table_elt_t));
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_str_set(&h->key, "Content-Length");
        h->lowcase_key = (u_char *) "content-length";
        h->hash = 1;
        r->headers_in.content_length = h;
    }

    h->value.data = p;
    h->value.len = ngx_sprintf(p, "%uz", len) - p;

    r->headers_in.content_length_n = len;

    /* of HTTP/2 nginx takes the length from here once the filters are done */

    r->request_body->received = len;

    return NGX_OK;
}
