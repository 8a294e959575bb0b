
#include "ngx_http_icert_upload.h"


#define NGX_HTTP_ICERT_UPLOAD_NAME_MAX   120    /* octets of a cleaned name */


static ngx_int_t ngx_http_icert_upload_part(ngx_http_icert_upload_ctx_t *ctx,
    const struct multipart_event *e);
static ngx_int_t ngx_http_icert_upload_rule(ngx_http_icert_upload_ctx_t *ctx,
    struct handover_text *name);
static ngx_int_t ngx_http_icert_upload_measure(
    ngx_http_icert_upload_ctx_t *ctx, ngx_http_icert_upload_part_t *part,
    const u_char *p, size_t len);
static ngx_int_t ngx_http_icert_upload_data(ngx_http_icert_upload_ctx_t *ctx,
    const u_char *p, size_t len);
static ngx_int_t ngx_http_icert_upload_file_data(
    ngx_http_icert_upload_ctx_t *ctx, ngx_http_icert_upload_part_t *part,
    const u_char *p, size_t len);
static ngx_int_t ngx_http_icert_upload_spooled(
    ngx_http_icert_upload_ctx_t *ctx, ngx_http_icert_upload_part_t *part,
    const u_char *p, size_t len);
static ngx_int_t ngx_http_icert_upload_part_end(
    ngx_http_icert_upload_ctx_t *ctx);


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
        rc = ngx_http_icert_upload_part_end(ctx);
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


/*
 * A picture is measured as its octets come.  How a camera was held stands
 * elsewhere in the file: what is large enough lying or standing passes here.
 */

static ngx_int_t
ngx_http_icert_upload_measure(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_upload_part_t *part, const u_char *p, size_t len)
{
    int                             rc;
    uint32_t                        w, h;
    ngx_http_icert_upload_field_t  *f;

    if (part->record.width
        || (part->record.type != SNIFF_JPEG && part->record.type != SNIFF_PNG))
    {
        return NGX_OK;
    }

    f = (ctx->rule && ctx->rule->width) ? ctx->rule : NULL;

    rc = dimensions_feed(&ctx->dimensions, p, len);

    if (rc < 0 && f) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_TYPE,
                                            "dimensions");
    }

    if (rc != 1) {
        return NGX_OK;
    }

    w = part->record.width = ctx->dimensions.width;
    h = part->record.height = ctx->dimensions.height;

    if (f && (w < f->width || h < f->height)
        && (h < f->width || w < f->height))
    {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_SMALL, NULL);
    }

    return NGX_OK;
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


/* Nothing is spooled before the first octets have told an accepted type. */

static ngx_int_t
ngx_http_icert_upload_file_data(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_upload_part_t *part, const u_char *p, size_t len)
{
    size_t           n;
    u_char          *seen;
    ngx_int_t        rc;
    ngx_uint_t       types;
    enum sniff_type  type;

    ngx_http_icert_upload_main_conf_t  *umcf;

    n = (ctx->rule && ctx->rule->size) ? ctx->rule->size
                                       : ctx->conf->file_size;

    if (part->record.size + len > n) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_FILE_SIZE,
                                            NULL);
    }

    part->record.size += len;

    if (!ctx->typed) {

        n = ngx_min(len, SNIFF_OCTETS - ctx->head_len);
        ngx_memcpy(ctx->head + ctx->head_len, p, n);
        ctx->head_len += n;
        p += n;
        len -= n;

        umcf = ngx_http_get_module_main_conf(ctx->request,
                                             ngx_http_icert_upload_module);

        type = sniff_added(ctx->head, ctx->head_len, umcf->added, umcf->nadded);

        if (type == SNIFF_MORE) {
            return NGX_OK;
        }

        types = (ctx->rule && ctx->rule->types) ? ctx->rule->types
                                                : ctx->conf->types;

        if (type == SNIFF_OTHER || !(types & ((ngx_uint_t) 1 << type))) {
            return ngx_http_icert_upload_refuse(ctx,
                             NGX_HTTP_ICERT_UPLOAD_TYPE,
                             type >= SNIFF_ADDED
                             ? umcf->added[type - SNIFF_ADDED].name
                             : sniff_name(type));
        }

        if (ctx->files++ == ctx->conf->files) {
            return ngx_http_icert_upload_refuse(ctx,
                                                NGX_HTTP_ICERT_UPLOAD_FILES,
                                                NULL);
        }

        if (ctx->rule) {
            seen = &ctx->seen[ctx->rule - (ngx_http_icert_upload_field_t *)
                                          ctx->conf->fields->elts];

            if ((*seen)++ == ctx->rule->count) {
                return ngx_http_icert_upload_refuse(ctx,
                                                    NGX_HTTP_ICERT_UPLOAD_FILES,
                                                    NULL);
            }
        }

        ctx->typed = 1;
        part->record.type = type;
        dimensions_init(&ctx->dimensions, type);

        ctx->fd = ngx_http_icert_spool_create(ctx->spool, part->spool,
                                              ctx->request->connection->log);
        if (ctx->fd == NGX_INVALID_FILE) {
            return ngx_http_icert_upload_refuse(ctx,
                                                NGX_HTTP_ICERT_UPLOAD_SPOOL,
                                                NULL);
        }

        part->spooled = 1;

        if (ctx->md == NULL) {
            ctx->md = EVP_MD_CTX_new();
        }

        if (ctx->md == NULL
            || EVP_DigestInit_ex(ctx->md, EVP_sha256(), NULL) != 1)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_http_icert_upload_spooled(ctx, part, ctx->head,
                                           ctx->head_len);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_icert_upload_spooled(ctx, part, p, len);
}


static ngx_int_t
ngx_http_icert_upload_spooled(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_upload_part_t *part, const u_char *p, size_t len)
{
    ssize_t    n;
    ngx_int_t  rc;

    rc = ngx_http_icert_upload_measure(ctx, part, p, len);
    if (rc != NGX_OK) {
        return rc;
    }

    if (EVP_DigestUpdate(ctx->md, p, len) != 1) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    while (len) {
        n = write(ctx->fd, p, len);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log,
                          ngx_errno, "the spool takes no more");
            return ngx_http_icert_upload_refuse(ctx,
                                                NGX_HTTP_ICERT_UPLOAD_SPOOL,
                                                NULL);
        }

        p += n;
        len -= n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_upload_part_end(ngx_http_icert_upload_ctx_t *ctx)
{
    ngx_fd_t                       fd;
    ngx_http_icert_upload_part_t  *part;

    if (!ctx->file) {
        return NGX_OK;
    }

    part = (ngx_http_icert_upload_part_t *) ctx->parts.elts
           + ctx->parts.nelts - 1;

    if (part->record.size == 0) {

        if (ctx->named) {
            return ngx_http_icert_upload_refuse(ctx,
                                                NGX_HTTP_ICERT_UPLOAD_EMPTY,
                                                NULL);
        }

        /* no file was chosen for this field */

        ctx->parts.nelts--;
        return NGX_OK;
    }

    if (!ctx->typed) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_TYPE,
                                            "other");
    }

    if (ctx->rule && ctx->rule->width && part->record.width == 0
        && (part->record.type == SNIFF_JPEG || part->record.type == SNIFF_PNG))
    {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_TYPE,
                                            "dimensions");
    }

    if (EVP_DigestFinal_ex(ctx->md, part->sha256, NULL) != 1) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fd = ctx->fd;
    ctx->fd = NGX_INVALID_FILE;

    if (close(fd) == -1) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_SPOOL, NULL);
    }

    return NGX_OK;
}
