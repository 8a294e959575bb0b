
/*
 * What the configuration says of uploads, and what it may not say.
 */

#include "ngx_http_icert_upload.h"


#define NGX_HTTP_ICERT_UPLOAD_FILES_MAX  20
#define NGX_HTTP_ICERT_UPLOAD_PARTS_MAX  100
#define NGX_HTTP_ICERT_UPLOAD_FIELD_MAX  65536


/* their configuration begins with an ngx_http_upstream_conf_t */

extern ngx_module_t  ngx_http_fastcgi_module;
extern ngx_module_t  ngx_http_proxy_module;


char *
ngx_http_icert_upload_types(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_upload_conf_t  *ucf = conf;

    ngx_str_t        *value;
    ngx_uint_t        i;
    enum sniff_type   type;

    if (ucf->types) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        type = sniff_by_name((char *) value[i].data, value[i].len);

        if (type == SNIFF_OTHER) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown type \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        ucf->types |= 1 << type;
    }

    return NGX_CONF_OK;
}


void *
ngx_http_icert_upload_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_icert_upload_main_conf_t  *umcf;

    umcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_upload_main_conf_t));
    if (umcf == NULL) {
        return NULL;
    }

    umcf->on_disk = NGX_CONF_UNSET;
    umcf->spool.root = NGX_INVALID_FILE;
    umcf->spool.folder = NGX_INVALID_FILE;

    return umcf;
}


char *
ngx_http_icert_upload_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_icert_upload_main_conf_t  *umcf = conf;

    ngx_conf_init_value(umcf->on_disk, 0);

    if (umcf->path.len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &umcf->path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    switch (ngx_http_icert_spool_tmpfs(&umcf->path)) {

    case NGX_ERROR:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "icert_upload_spool \"%V\"", &umcf->path);
        return NGX_CONF_ERROR;

    case NGX_DECLINED:
        if (!umcf->on_disk) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "icert_upload_spool \"%V\" is not on tmpfs "
                               "(icert_upload_spool_on_disk allows it)",
                               &umcf->path);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void *
ngx_http_icert_upload_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_upload_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_upload_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->types = 0;
     */

    conf->enable = NGX_CONF_UNSET;
    conf->discard = NGX_CONF_UNSET;
    conf->file_size = NGX_CONF_UNSET_SIZE;
    conf->files = NGX_CONF_UNSET_UINT;
    conf->parts = NGX_CONF_UNSET_UINT;
    conf->field_size = NGX_CONF_UNSET_SIZE;
    conf->deadline = NGX_CONF_UNSET_MSEC;
    conf->min_rate = NGX_CONF_UNSET_SIZE;

    return conf;
}


char *
ngx_http_icert_upload_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_upload_conf_t  *prev = parent;
    ngx_http_icert_upload_conf_t  *conf = child;

    ngx_http_upstream_conf_t           *fastcgi, *proxy;
    ngx_http_icert_upload_main_conf_t  *umcf;

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_value(conf->discard, prev->discard, 0);
    ngx_conf_merge_size_value(conf->file_size, prev->file_size,
                              2 * 1024 * 1024);
    ngx_conf_merge_uint_value(conf->files, prev->files,
                              NGX_HTTP_ICERT_UPLOAD_FILES_MAX);
    ngx_conf_merge_uint_value(conf->parts, prev->parts, 40);
    ngx_conf_merge_size_value(conf->field_size, prev->field_size, 8192);
    ngx_conf_merge_msec_value(conf->deadline, prev->deadline, 120000);
    ngx_conf_merge_size_value(conf->min_rate, prev->min_rate, 512);

    if (conf->types == 0) {
        conf->types = prev->types ? prev->types
                      : (1 << SNIFF_PDF | 1 << SNIFF_JPEG | 1 << SNIFF_PNG);
    }

    if (conf->files > NGX_HTTP_ICERT_UPLOAD_FILES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_files %ui is above %d", conf->files,
                           NGX_HTTP_ICERT_UPLOAD_FILES_MAX);
        return NGX_CONF_ERROR;
    }

    if (conf->parts == 0 || conf->parts > NGX_HTTP_ICERT_UPLOAD_PARTS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_parts %ui is not 1 to %d",
                           conf->parts, NGX_HTTP_ICERT_UPLOAD_PARTS_MAX);
        return NGX_CONF_ERROR;
    }

    if (conf->field_size > NGX_HTTP_ICERT_UPLOAD_FIELD_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_field_size %uz is above %d",
                           conf->field_size, NGX_HTTP_ICERT_UPLOAD_FIELD_MAX);
        return NGX_CONF_ERROR;
    }

    if (conf->file_size == 0 || conf->deadline == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_file_size and icert_upload_deadline "
                           "cannot be 0");
        return NGX_CONF_ERROR;
    }

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    umcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_icert_upload_module);

    if (umcf->path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload needs icert_upload_spool");
        return NGX_CONF_ERROR;
    }

    umcf->used = 1;

    fastcgi = ngx_http_conf_get_module_loc_conf(cf, ngx_http_fastcgi_module);
    proxy = ngx_http_conf_get_module_loc_conf(cf, ngx_http_proxy_module);

    if (!fastcgi->request_buffering || !proxy->request_buffering) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload needs fastcgi_request_buffering and "
                           "proxy_request_buffering on");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
