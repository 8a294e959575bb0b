
#include "ngx_http_icert_store.h"


typedef struct {
    ngx_str_t    name;
} ngx_http_icert_file_conf_t;


static ngx_int_t ngx_http_icert_file_handler(ngx_http_request_t *r);
static const struct status_entry *ngx_http_icert_file_entry(
    ngx_http_request_t *r, const struct status_manifest *manifest,
    ngx_str_t *configured);
static ngx_int_t ngx_http_icert_file_send(ngx_http_request_t *r,
    const struct status_entry *e, const u_char *map, ngx_uint_t stale);
static ngx_int_t ngx_http_icert_file_refuse(ngx_http_request_t *r,
    ngx_http_icert_reason_e reason);
static char *ngx_http_icert_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_icert_file_create_conf(ngx_conf_t *cf);


static ngx_command_t  ngx_http_icert_file_commands[] = {

    { ngx_string("icert_status_file"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_file_conf_t, name),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_icert_file_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_icert_file_create_conf,       /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_icert_file_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_file_module_ctx,       /* module context */
    ngx_http_icert_file_commands,          /* module directives */
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


static ngx_int_t
ngx_http_icert_file_handler(ngx_http_request_t *r)
{
    u_char                       *allow;
    ngx_int_t                     rc;
    ngx_http_icert_set_t         *set;
    const struct status_entry    *e;
    ngx_http_icert_freshness_e    freshness;
    ngx_http_icert_file_conf_t   *fcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {

        allow = (u_char *) "GET, HEAD";

        if (ngx_http_icert_add_header(r, "Allow", allow, 9) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    fcf = ngx_http_get_module_loc_conf(r, ngx_http_icert_file_module);

    rc = ngx_http_icert_store_get(r, &set, &freshness);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_icert_file_refuse(r, NGX_HTTP_ICERT_STATUS_ABSENT);
    }

    e = ngx_http_icert_file_entry(r, &set->manifest, &fcf->name);

    if (e == NULL || e->kind == STATUS_KIND_SEGMENT) {
        return ngx_http_icert_file_refuse(r, NGX_HTTP_ICERT_STATUS_FILE);
    }

    return ngx_http_icert_file_send(r, e,
                                    set->file[e - set->manifest.entry]->map,
                                    freshness != NGX_HTTP_ICERT_FRESH);
}


/* "*": what follows the location's name is the file's */

static const struct status_entry *
ngx_http_icert_file_entry(ngx_http_request_t *r,
    const struct status_manifest *manifest, ngx_str_t *configured)
{
    u_char                     name[STATUS_NAME_MAX + 1];
    size_t                     len;
    ngx_http_core_loc_conf_t  *clcf;

    if (configured->data[0] != '*') {
        return status_manifest_entry(manifest, (char *) configured->data);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->uri.len <= clcf->name.len
        || r->uri.len - clcf->name.len > STATUS_NAME_MAX)
    {
        return NULL;
    }

    len = r->uri.len - clcf->name.len;
    ngx_memcpy(name, r->uri.data + clcf->name.len, len);
    name[len] = '\0';

    return status_manifest_entry(manifest, (char *) name);
}


static ngx_int_t
ngx_http_icert_file_send(ngx_http_request_t *r, const struct status_entry *e,
    const u_char *map, ngx_uint_t stale)
{
    ngx_int_t                     rc;
    ngx_buf_t                    *b;
    ngx_uint_t                    not_modified;
    ngx_chain_t                   out;
    ngx_http_icert_validity_t     validity;
    ngx_http_icert_store_conf_t  *scf;

    scf = ngx_http_get_module_loc_conf(r, ngx_http_icert_store_module);

    validity.this_update = e->this_update;
    validity.next_update = e->next_update;
    validity.max_age = scf->max_age;
    validity.stale = stale;
    validity.digest = e->digest;

    if (ngx_http_icert_validators(r, &validity, &not_modified) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (not_modified) {
        r->headers_out.status = NGX_HTTP_NOT_MODIFIED;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = e->size;

    if (e->kind == STATUS_KIND_CRL) {
        ngx_str_set(&r->headers_out.content_type, "application/pkix-crl");

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/pkix-cert");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    r->allow_ranges = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = b->start = (u_char *) map;
    b->last = b->end = b->pos + e->size;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_icert_file_refuse(ngx_http_request_t *r,
    ngx_http_icert_reason_e reason)
{
    ngx_int_t  status;

    status = ngx_http_icert_refuse(r, reason, NULL);

    if (ngx_http_icert_no_store(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return status;
}


static char *
ngx_http_icert_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_file_conf_t  *fcf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_str_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (fcf->name.len == 0 || fcf->name.len > STATUS_NAME_MAX) {
        return "needs a name of 1 to 31 octets";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_icert_file_handler;

    return NGX_CONF_OK;
}


static void *
ngx_http_icert_file_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_file_conf_t));
}
