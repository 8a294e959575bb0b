
/*
 * A file of a form: of an accepted type by its first octets, measured, hashed
 * and written into the spool as it comes.
 */

#include "ngx_http_icert_upload.h"


#define NGX_HTTP_ICERT_SPOOL_ASK  (256 * 1024)  /* octets of a file, then the
                                                   room is asked for again */


static ngx_int_t ngx_http_icert_upload_measure(
    ngx_http_icert_upload_ctx_t *ctx, ngx_http_icert_upload_part_t *part,
    const u_char *p, size_t len);
static ngx_uint_t ngx_http_icert_upload_takes(
    ngx_http_icert_upload_ctx_t *ctx, enum sniff_type type);
static ngx_int_t ngx_http_icert_upload_typed(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_upload_part_t *part, enum sniff_type type);
static ngx_int_t ngx_http_icert_upload_spooled(
    ngx_http_icert_upload_ctx_t *ctx, ngx_http_icert_upload_part_t *part,
    const u_char *p, size_t len);


/* Nothing is spooled before the first octets have told an accepted type. */

ngx_int_t
ngx_http_icert_upload_file_data(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_upload_part_t *part, const u_char *p, size_t len)
{
    size_t           n;
    ngx_int_t        rc;
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

        if (type == SNIFF_OTHER && ngx_http_icert_upload_takes(ctx, SNIFF_TEXT))
        {
            type = sniff_text(ctx->head, ctx->head_len);
        }

        if (type == SNIFF_MORE) {
            return NGX_OK;
        }

        if (type == SNIFF_OTHER || !ngx_http_icert_upload_takes(ctx, type)) {
            return ngx_http_icert_upload_refuse(ctx,
                             NGX_HTTP_ICERT_UPLOAD_TYPE,
                             type >= SNIFF_ADDED
                             ? umcf->added[type - SNIFF_ADDED].name
                             : sniff_name(type));
        }

        rc = ngx_http_icert_upload_typed(ctx, part, type);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_icert_upload_spooled(ctx, part, p, len);
}


static ngx_uint_t
ngx_http_icert_upload_takes(ngx_http_icert_upload_ctx_t *ctx,
    enum sniff_type type)
{
    ngx_uint_t  types;

    types = (ctx->rule && ctx->rule->types) ? ctx->rule->types
                                            : ctx->conf->types;

    return (types >> type) & 1;
}


/* The type of a file is known: it has a place, or is one too many. */

static ngx_int_t
ngx_http_icert_upload_typed(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_upload_part_t *part, enum sniff_type type)
{
    u_char  *seen;

    if (ctx->files++ == ctx->conf->files) {
        return ngx_http_icert_upload_refuse(ctx, NGX_HTTP_ICERT_UPLOAD_FILES,
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

    ctx->fd = ngx_http_icert_spool_create(ctx->spool, part->spool);
    if (ctx->fd == NGX_INVALID_FILE) {
        return ngx_http_icert_upload_refuse(ctx, NGX_HTTP_ICERT_UPLOAD_SPOOL,
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

    return ngx_http_icert_upload_spooled(ctx, part, ctx->head, ctx->head_len);
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

    /* whoever else fills the disk does so meanwhile, and so do uploads */

    if (part->record.size / NGX_HTTP_ICERT_SPOOL_ASK
        != (part->record.size - len) / NGX_HTTP_ICERT_SPOOL_ASK
        && ngx_http_icert_spool_room(ctx->spool) != NGX_OK)
    {
        return ngx_http_icert_upload_refuse(ctx, NGX_HTTP_ICERT_UPLOAD_SPOOL,
                                            NULL);
    }

    while (len) {
        n = write(ctx->fd, p, len);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            ngx_http_icert_log_state(n == -1 ? ngx_errno : 0,
                                     "the spool takes no more");
            return ngx_http_icert_upload_refuse(ctx,
                                                NGX_HTTP_ICERT_UPLOAD_SPOOL,
                                                NULL);
        }

        p += n;
        len -= n;
    }

    return NGX_OK;
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


ngx_int_t
ngx_http_icert_upload_file_end(ngx_http_icert_upload_ctx_t *ctx)
{
    ngx_fd_t                       fd;
    ngx_int_t                      rc;
    ngx_http_icert_upload_part_t  *part;

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

        /* too short for any type but one */

        if (!ngx_http_icert_upload_takes(ctx, SNIFF_TEXT)
            || sniff_text(ctx->head, ctx->head_len) == SNIFF_OTHER)
        {
            return ngx_http_icert_upload_refuse(ctx,
                                                NGX_HTTP_ICERT_UPLOAD_TYPE,
                                                "other");
        }

        rc = ngx_http_icert_upload_typed(ctx, part, SNIFF_TEXT);
        if (rc != NGX_OK) {
            return rc;
        }
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
