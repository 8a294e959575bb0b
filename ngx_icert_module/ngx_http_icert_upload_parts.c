
#include "ngx_http_icert_upload.h"


#define NGX_HTTP_ICERT_UPLOAD_NAME_MAX   120    /* octets of a cleaned name */


static ngx_int_t ngx_http_icert_upload_part(ngx_http_icert_upload_ctx_t *ctx,
    const struct multipart_event *e);
static ngx_int_t ngx_http_icert_upload_rule(ngx_http_icert_upload_ctx_t *ctx,
    struct handover_text *name);
static ngx_int_t ngx_http_icert_upload_data(ngx_http_icert_upload_ctx_t *ctx,
    const u_char *p, size_t len);


int
ngx_http_icert_upload_event(void *arg, const struct multipart_event *e)
{
    ngx_http_icert_upload_ctx_t *ctx = arg;

    ngx_int_t  rc;

    switch (e->kind) {

    case MULTIPART_PART:
        rc = ngx_http_icert_upload_part(ctx, e);
        break;

    case MULTIPART_DATA:
        rc = ngx_http_icert_upload_data(ctx, e->data, e->len);
        break;

    case MULTIPART_PART_END:
        rc = ctx->file ? ngx_http_icert_upload_file_end(ctx) : NGX_OK;
        break;

    default: /* MULTIPART_END */
        rc = NGX_OK;
        break;
    }

    if (rc != NGX_OK && ctx->status == 0) {
        ctx->status = rc;
    }

    return (int) ctx->status;
}


static ngx_int_t
ngx_http_icert_upload_part(ngx_http_icert_upload_ctx_t *ctx,
    const struct multipart_event *e)
{
    char                          *p;
    ngx_http_request_t            *r;
    ngx_http_icert_upload_part_t  *part;

    r = ctx->request;

    if (ctx->parts.nelts == ctx->conf->parts) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_PARTS, NULL);
    }

    part = ngx_array_push(&ctx->parts);
    p = ngx_pnalloc(r->pool,
                    e->name_len + NGX_HTTP_ICERT_UPLOAD_NAME_MAX + 1);
    if (part == NULL || p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(part, sizeof(ngx_http_icert_upload_part_t));

    part->record.kind = e->file_name ? HANDOVER_FILE : HANDOVER_FIELD;
    part->record.name.p = p;
    part->record.name.len = e->name_len;
    ngx_memcpy(p, e->name, e->name_len);

    ctx->file = (e->file_name != NULL);
    ctx->named = (e->file_name_len != 0);
    ctx->typed = 0;
    ctx->head_len = 0;

    ctx->field_octets += e->name_len + e->file_name_len;

    if (ctx->field_octets > ctx->conf->field_size) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_FIELDS,
                                            NULL);
    }

    if (ngx_http_icert_upload_rule(ctx, &part->record.name) != NGX_OK) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_FIELD, NULL);
    }

    if (ctx->file) {
        p += e->name_len;
        part->record.file_name.p = p;
        part->record.file_name.len = multipart_clean_name(e->file_name,
                                              e->file_name_len, p,
                                              NGX_HTTP_ICERT_UPLOAD_NAME_MAX);
    }

    return NGX_OK;
}


/* the rule for a field; NGX_DECLINED when there are rules, and none for it */

static ngx_int_t
ngx_http_icert_upload_rule(ngx_http_icert_upload_ctx_t *ctx,
    struct handover_text *name)
{
    ngx_uint_t                      i;
    ngx_http_icert_upload_field_t  *f;

    ctx->rule = NULL;

    if (!(ctx->conf->rules & (ctx->file ? 1 : 2))) {
        return NGX_OK;
    }

    f = ctx->conf->fields->elts;

    for (i = 0; i < ctx->conf->fields->nelts; i++) {

        if (f[i].text != !ctx->file
            || name->len < f[i].name.len
            || (!f[i].prefix && name->len != f[i].name.len)
            || ngx_memcmp(name->p, f[i].name.data, f[i].name.len) != 0)
        {
            continue;
        }

        ctx->rule = &f[i];

        if (!ctx->file) {
            ctx->seen[i] = 1;
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_http_icert_upload_field_t *
ngx_http_icert_upload_missing(ngx_http_icert_upload_ctx_t *ctx)
{
    ngx_uint_t                      i;
    ngx_http_icert_upload_field_t  *f;

    if (ctx->conf->rules == 0) {
        return NULL;
    }

    f = ctx->conf->fields->elts;

    for (i = 0; i < ctx->conf->fields->nelts; i++) {
        if (f[i].required && ctx->seen[i] == 0) {
            return &f[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_icert_upload_data(ngx_http_icert_upload_ctx_t *ctx, const u_char *p,
    size_t len)
{
    char                          *value;
    size_t                         room;
    ngx_http_icert_upload_part_t  *part;

    part = (ngx_http_icert_upload_part_t *) ctx->parts.elts
           + ctx->parts.nelts - 1;

    if (ctx->file) {
        return ngx_http_icert_upload_file_data(ctx, part, p, len);
    }

    ctx->field_octets += len;

    if (ctx->field_octets > ctx->conf->field_size) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_FIELDS,
                                            NULL);
    }

    if (part->record.value.len + len > part->room) {

        room = ngx_max(2 * part->room, part->record.value.len + len);

        value = ngx_pnalloc(ctx->request->pool, room);
        if (value == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (part->record.value.len) {
            ngx_memcpy(value, part->record.value.p, part->record.value.len);
        }

        part->record.value.p = value;
        part->room = room;
    }

    ngx_memcpy((char *) part->record.value.p + part->record.value.len, p, len);
    part->record.value.len += len;

    return NGX_OK;
}
