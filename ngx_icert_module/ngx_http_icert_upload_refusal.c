
/* Refusals of uploads: noted, counted, and the connection to be closed. */

#include "ngx_http_icert_upload.h"


ngx_int_t
ngx_http_icert_upload_refuse(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_reason_e reason, const char *detail)
{
    ngx_http_icert_upload_part_t  *part;

    if (ctx->parts.nelts == 0) {
        return ngx_http_icert_upload_refuse_field(ctx, reason, detail, NULL,
                                                  0);
    }

    part = (ngx_http_icert_upload_part_t *) ctx->parts.elts
           + ctx->parts.nelts - 1;

    return ngx_http_icert_upload_refuse_field(ctx, reason, detail,
                                              part->record.name.p,
                                              part->record.name.len);
}


ngx_int_t
ngx_http_icert_upload_refuse_field(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_reason_e reason, const char *detail, const char *name,
    size_t len)
{
    u_char                 *p;
    uintptr_t               escaped;
    ngx_http_request_t     *r;
    ngx_http_icert_note_t  *note;

    r = ctx->request;

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    note = ngx_http_icert_note_make(r);

    if (note && len) {
        escaped = ngx_escape_uri(NULL, (u_char *) name, len,
                                 NGX_ESCAPE_URI_COMPONENT);

        p = ngx_pnalloc(r->pool, len + 2 * escaped);
        if (p) {
            note->field.data = p;
            note->field.len = (u_char *) ngx_escape_uri(p, (u_char *) name,
                                             len, NGX_ESCAPE_URI_COMPONENT)
                              - p;
        }
    }

    ctx->status = ngx_http_icert_refuse(r, reason, detail);

    ngx_http_icert_progress_end(&ctx->progress,
                                NGX_HTTP_ICERT_PROGRESS_REFUSED, reason);

    ngx_http_icert_upload_linger(r);

    return ctx->status;
}


ngx_int_t
ngx_http_icert_upload_admit(ngx_http_request_t *r,
    ngx_http_icert_upload_conf_t *ucf)
{
    size_t      len;
    char        boundary[MULTIPART_BOUNDARY_MAX + 1];
    ngx_str_t   value, *type;

    if (r->headers_in.content_type == NULL) {
        return NGX_DECLINED;
    }

    type = &r->headers_in.content_type->value;

    if (multipart_boundary((char *) type->data, type->len, boundary, &len) == 0)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_complex_value(r, ucf->session, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (value.len) {
        return NGX_DECLINED;
    }

    ngx_http_icert_upload_linger(r);

    return ngx_http_icert_refuse(r, NGX_HTTP_ICERT_UPLOAD_SESSION, NULL);
}


/*
 * What nginx refused before a filter saw it (a body too large for
 * client_max_body_size, chunks that are none, a sender that fell silent) is
 * counted with our own refusals.  What the program behind answered is not.
 */

ngx_int_t
ngx_http_icert_upload_log_handler(ngx_http_request_t *r)
{
    ngx_uint_t                     status;
    ngx_http_icert_note_t         *note;
    ngx_http_icert_upload_conf_t  *ucf;

    ucf = ngx_http_get_module_loc_conf(r, ngx_http_icert_upload_module);

    if (!ucf->enable && !ucf->discard) {
        return NGX_OK;
    }

    note = ngx_http_icert_note_get(r);

    if (note && note->reason.len) {
        return NGX_OK;
    }

    status = r->err_status ? r->err_status : r->headers_out.status;

    if (r->upstream_states && r->err_status == 0) {
        return NGX_OK;
    }

    switch (status) {

    case NGX_HTTP_BAD_REQUEST:

        /* nginx logs it for who went away, too, and that was not refused */

        if (!r->connection->error) {
            (void) ngx_http_icert_refuse(r, NGX_HTTP_ICERT_HTTP_400, NULL);
        }

        break;

    case NGX_HTTP_REQUEST_TIME_OUT:
        (void) ngx_http_icert_refuse(r, NGX_HTTP_ICERT_HTTP_408, NULL);
        break;

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        (void) ngx_http_icert_refuse(r, NGX_HTTP_ICERT_HTTP_413, NULL);
        break;
    }

    return NGX_OK;
}
