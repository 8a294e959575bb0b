
#include "ngx_http_icert_ocsp.h"


static char *ngx_http_icert_ocsp(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_icert_ocsp_stored(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_icert_ocsp_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_ocsp_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_command_t  ngx_http_icert_ocsp_commands[] = {

    { ngx_string("icert_ocsp"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_icert_ocsp,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_ocsp_conf_t, enable),
      NULL },

    { ngx_string("icert_ocsp_live"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_icert_ocsp_live_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_ocsp_stored"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_icert_ocsp_stored,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_icert_ocsp_module_ctx = {
    ngx_http_icert_ocsp_live_variables,    /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_icert_ocsp_create_conf,       /* create location configuration */
    ngx_http_icert_ocsp_merge_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_icert_ocsp_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_ocsp_module_ctx,       /* module context */
    ngx_http_icert_ocsp_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_icert_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_ocsp_conf_t  *ocf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ocf->enable) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        if (clcf->name.len == 0 || clcf->name.data[0] != '/') {
            return "needs a location that is a path, not an expression or name";
        }

        clcf->handler = ngx_http_icert_ocsp_handler;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_icert_ocsp_stored(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->named) {
        return "needs a named location";
    }

    clcf->handler = ngx_http_icert_ocsp_stored_handler;

    return NGX_CONF_OK;
}


static void *
ngx_http_icert_ocsp_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_ocsp_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_ocsp_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_icert_ocsp_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_ocsp_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    if (conf->enable == NGX_CONF_UNSET) {
        conf->enable = 0;
    }

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* a question is read in memory, never in a file */

    if (clcf->client_body_buffer_size < OCSP_REQUEST_MAX) {
        clcf->client_body_buffer_size = OCSP_REQUEST_MAX;
    }

    return NGX_CONF_OK;
}
