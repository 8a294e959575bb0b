
#include "ngx_http_icert_upload.h"


static ngx_int_t ngx_http_icert_upload_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_icert_upload_before_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_upload_start(ngx_http_request_t *r,
    ngx_http_icert_upload_conf_t *ucf, ngx_http_icert_upload_ctx_t **pctx);
static void ngx_http_icert_upload_plain(ngx_http_icert_upload_ctx_t *ctx,
    ngx_chain_t *in);
static ngx_int_t ngx_http_icert_upload_finish(ngx_http_icert_upload_ctx_t *ctx);
static void ngx_http_icert_upload_cleanup(void *data);
static ngx_int_t ngx_http_icert_upload_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_icert_upload_init_process(ngx_cycle_t *cycle);
static void ngx_http_icert_upload_exit_process(ngx_cycle_t *cycle);


#define NGX_HTTP_ICERT_ANY_CONF                                               \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_command_t  ngx_http_icert_upload_commands[] = {

    { ngx_string("icert_upload_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_main_conf_t, path),
      NULL },

    { ngx_string("icert_upload_spool_on_disk"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_main_conf_t, on_disk),
      NULL },

    { ngx_string("icert_upload_spool_files"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_main_conf_t, files),
      NULL },

    { ngx_string("icert_upload_spool_free"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_off_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_main_conf_t, free),
      NULL },

    { ngx_string("icert_upload_field"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_icert_upload_field,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_upload"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_icert_upload_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, enable),
      NULL },

    { ngx_string("icert_upload_discard"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, discard),
      NULL },

    { ngx_string("icert_upload_file_size"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, file_size),
      NULL },

    { ngx_string("icert_upload_files"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, files),
      NULL },

    { ngx_string("icert_upload_parts"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, parts),
      NULL },

    { ngx_string("icert_upload_field_size"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, field_size),
      NULL },

    { ngx_string("icert_upload_session"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, session),
      NULL },

    { ngx_string("icert_upload_type"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE23,
      ngx_http_icert_upload_type,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_upload_types"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_icert_upload_types,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_upload_deadline"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, deadline),
      NULL },

    { ngx_string("icert_upload_min_rate"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, min_rate),
      NULL },

    { ngx_string("icert_upload_linger_size"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, linger_size),
      NULL },

    { ngx_string("icert_upload_linger_time"),
      NGX_HTTP_ICERT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_upload_conf_t, linger_time),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_icert_upload_module_ctx = {
    NULL,                                    /* preconfiguration */
    ngx_http_icert_upload_init,              /* postconfiguration */

    ngx_http_icert_upload_create_main_conf,  /* create main configuration */
    ngx_http_icert_upload_init_main_conf,    /* init main configuration */

    NULL,                                    /* create server configuration */
    NULL,                                    /* merge server configuration */

    ngx_http_icert_upload_create_conf,       /* create location configuration */
    ngx_http_icert_upload_merge_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_icert_upload_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_upload_module_ctx,       /* module context */
    ngx_http_icert_upload_commands,          /* module directives */
    NGX_HTTP_MODULE,                         /* module type */
    NULL,                                    /* init master */
    NULL,                                    /* init module */
    ngx_http_icert_upload_init_process,      /* init process */
    NULL,                                    /* init thread */
    NULL,                                    /* exit thread */
    ngx_http_icert_upload_exit_process,      /* exit process */
    NULL,                                    /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;


static ngx_int_t
ngx_http_icert_upload_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    int                            rc;
    size_t                         len;
    ngx_buf_t                     *b;
    ngx_uint_t                     last;
    ngx_chain_t                   *cl, out;
    ngx_http_icert_upload_ctx_t   *ctx;
    ngx_http_icert_upload_conf_t  *ucf;

    ucf = ngx_http_get_module_loc_conf(r, ngx_http_icert_upload_module);

    if (!ucf->enable) {
        return ngx_http_next_request_body_filter(r, in);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_icert_upload_module);

    if (ctx == NULL) {
        rc = ngx_http_icert_upload_start(r, ucf, &ctx);

        if (rc == NGX_DECLINED) {
            return ngx_http_next_request_body_filter(r, in);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->status) {
        return ctx->status;
    }

    if (ctx->plain) {
        ngx_http_icert_upload_plain(ctx, in);
        return ngx_http_next_request_body_filter(r, in);
    }

    last = 0;

    for (cl = in; cl; cl = cl->next) {

        b = cl->buf;
        len = b->last - b->pos;

        if (len) {
            ctx->received += len;
            ngx_http_icert_progress_moved(&ctx->progress, ctx->received);
            rc = multipart_feed(&ctx->parser, b->pos, len);
            b->pos = b->last;

            if (rc > 0) {
                return ctx->status;
            }

            if (rc < 0) {
                return ngx_http_icert_upload_refuse(ctx,
                                                    NGX_HTTP_ICERT_UPLOAD_MALFORMED,
                                                    ctx->parser.why);
            }
        }

        if (b->last_buf) {
            last = 1;
        }
    }

    if (!last) {
        return ngx_http_next_request_body_filter(r, NULL);
    }

    rc = ngx_http_icert_upload_finish(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_icert_upload_replace(ctx, &out);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_next_request_body_filter(r, &out);
}


/*
 * Before an octet of the body is read: who has no session sends no files.
 *
 * Where a refusal is told, the body that was not read before is not read now:
 * fastcgi_pass reads it even with fastcgi_pass_request_body off.  What the
 * client still sends is read when the connection closes, in order.
 */

static ngx_int_t
ngx_http_icert_upload_before_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_icert_upload_conf_t  *ucf;

    ucf = ngx_http_get_module_loc_conf(r, ngx_http_icert_upload_module);

    if (ucf->enable && ucf->session && r == r->main) {
        return ngx_http_icert_upload_admit(r, ucf);
    }

    if (!ucf->discard || r != r->main || r->request_body) {
        return NGX_DECLINED;
    }

    if (r->stream == NULL
        && (r->headers_in.content_length_n > 0 || r->headers_in.chunked))
    {
        /* an empty one, so that nothing is read before the answer has left */

        r->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
        if (r->request_body == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_icert_upload_linger(r);

        return NGX_DECLINED;
    }

    rc = ngx_http_discard_request_body(r);

    return (rc == NGX_OK) ? NGX_DECLINED : rc;
}


static ngx_int_t
ngx_http_icert_upload_start(ngx_http_request_t *r,
    ngx_http_icert_upload_conf_t *ucf, ngx_http_icert_upload_ctx_t **pctx)
{
    int                                 rc;
    char                                boundary[MULTIPART_BOUNDARY_MAX + 1];
    size_t                              len;
    ngx_str_t                          *type;
    ngx_pool_cleanup_t                 *cln;
    ngx_http_icert_upload_ctx_t        *ctx;
    ngx_http_icert_upload_main_conf_t  *umcf;

    umcf = ngx_http_get_module_main_conf(r, ngx_http_icert_upload_module);

    rc = 0;

    if (r->headers_in.content_type) {
        type = &r->headers_in.content_type->value;
        rc = multipart_boundary((char *) type->data, type->len, boundary,
                                &len);
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_icert_upload_ctx_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_icert_upload_ctx_t));
    ctx->fd = NGX_INVALID_FILE;
    ngx_http_set_ctx(r, ctx, ngx_http_icert_upload_module);
    *pctx = ctx;

    ctx->request = r;
    ctx->conf = ucf;
    ctx->spool = &umcf->spool;
    ctx->start = ngx_current_msec;
    ctx->told = ctx->start;
    cln->handler = ngx_http_icert_upload_cleanup;

    ngx_http_icert_progress_start(r, &ctx->progress);

    if (rc == 0) {
        ctx->plain = 1;
        ngx_http_icert_upload_clock(ctx);
        return NGX_OK;
    }

    if (r->request_body_no_buffering) {
        ngx_http_icert_log_state(0, "icert_upload needs request buffering");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc < 0) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_MALFORMED,
                                            "boundary");
    }

    if (ngx_array_init(&ctx->parts, r->pool, 4,
                       sizeof(ngx_http_icert_upload_part_t))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    multipart_init(&ctx->parser, boundary, len, ngx_http_icert_upload_event,
                   ctx);

    ngx_http_icert_upload_clock(ctx);

    return NGX_OK;
}


/* What is no multipart passes as it is; only its time is ours. */

static void
ngx_http_icert_upload_plain(ngx_http_icert_upload_ctx_t *ctx, ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {

        ctx->received += in->buf->last - in->buf->pos;

        if (in->buf->last_buf && ctx->event.timer_set) {
            ngx_del_timer(&ctx->event);
        }
    }
}


static ngx_int_t
ngx_http_icert_upload_finish(ngx_http_icert_upload_ctx_t *ctx)
{
    ngx_http_icert_upload_field_t  *field;

    if (multipart_finish(&ctx->parser) != 0) {
        return ngx_http_icert_upload_refuse(ctx,
                                            NGX_HTTP_ICERT_UPLOAD_TRUNCATED,
                                            NULL);
    }

    field = ngx_http_icert_upload_missing(ctx);

    if (field) {
        return ngx_http_icert_upload_refuse_field(ctx,
                                                  NGX_HTTP_ICERT_UPLOAD_MISSING,
                                                  NULL,
                                                  (char *) field->name.data,
                                                  field->name.len);
    }

    ctx->done = 1;
    ngx_http_icert_progress_end(&ctx->progress,
                                NGX_HTTP_ICERT_PROGRESS_RECEIVED, 0);

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    return NGX_OK;
}


static void
ngx_http_icert_upload_cleanup(void *data)
{
    ngx_http_icert_upload_ctx_t *ctx = data;

    ngx_uint_t                     i;
    ngx_http_icert_upload_part_t  *part;

    ngx_http_icert_progress_end(&ctx->progress,
                                NGX_HTTP_ICERT_PROGRESS_ABORTED, 0);

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    if (ctx->fd != NGX_INVALID_FILE) {
        (void) close(ctx->fd);
        ctx->fd = NGX_INVALID_FILE;
    }

    EVP_MD_CTX_free(ctx->md);
    ctx->md = NULL;

    part = ctx->parts.elts;

    for (i = 0; i < ctx->parts.nelts; i++) {
        if (part[i].spooled) {
            ngx_http_icert_spool_remove(ctx->spool, part[i].spool);
        }
    }
}


static ngx_int_t
ngx_http_icert_upload_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_http_icert_preaccess(cf, ngx_http_icert_upload_before_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_icert_upload_log_handler;

    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_icert_upload_filter;

    ngx_http_icert_upload_linger_init();

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_upload_init_process(ngx_cycle_t *cycle)
{
    ngx_http_icert_upload_main_conf_t  *umcf;

    umcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_icert_upload_module);

    if (umcf == NULL || !umcf->used) {
        return NGX_OK;
    }

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    umcf->spool.files_max = umcf->files;
    umcf->spool.free = umcf->free;

    return ngx_http_icert_spool_open(&umcf->spool, &umcf->path, cycle->log);
}


static void
ngx_http_icert_upload_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_icert_upload_main_conf_t  *umcf;

    umcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_icert_upload_module);

    if (umcf) {
        ngx_http_icert_spool_close(&umcf->spool);
    }
}
