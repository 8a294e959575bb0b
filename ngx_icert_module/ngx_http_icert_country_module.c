
#include "ngx_http_icert.h"

#include <maxminddb.h>


#define NGX_HTTP_ICERT_COUNTRY_CHECK  60000   /* ms between looks at the file */


typedef struct {
    ngx_str_t     path;

    ngx_event_t   event;
    MMDB_s        db[2];       /* a new one is opened beside the old */
    ngx_uint_t    current;
    time_t        mtime;
    ino_t         ino;
    unsigned      open:1;
} ngx_http_icert_country_main_conf_t;


static ngx_int_t ngx_http_icert_country_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_icert_net_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_icert_country_load(
    ngx_http_icert_country_main_conf_t *mcf, ngx_log_t *log);
static void ngx_http_icert_country_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_icert_country_add_variables(ngx_conf_t *cf);
static void *ngx_http_icert_country_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_icert_country_database(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_icert_country_init_process(ngx_cycle_t *cycle);
static void ngx_http_icert_country_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_icert_country_commands[] = {

    { ngx_string("icert_country_database"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_country_database,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_country_main_conf_t, path),
      NULL },

      ngx_null_command
};


/* for logs, where nobody must be found; for limits, where one is meant */

#define NGX_HTTP_ICERT_NET_LOG  0
#define NGX_HTTP_ICERT_NET_KEY  1


static ngx_http_variable_t  ngx_http_icert_country_vars[] = {

    { ngx_string("icert_country"), NULL, ngx_http_icert_country_variable,
      0, 0, 0 },

    { ngx_string("icert_net"), NULL, ngx_http_icert_net_variable,
      NGX_HTTP_ICERT_NET_LOG, 0, 0 },

    { ngx_string("icert_subscriber"), NULL, ngx_http_icert_net_variable,
      NGX_HTTP_ICERT_NET_KEY, 0, 0 },

      ngx_http_null_variable
};


static ngx_http_module_t  ngx_http_icert_country_module_ctx = {
    ngx_http_icert_country_add_variables,      /* preconfiguration */
    NULL,                                      /* postconfiguration */

    ngx_http_icert_country_create_main_conf,   /* create main configuration */
    NULL,                                      /* init main configuration */

    NULL,                                      /* create server configuration */
    NULL,                                      /* merge server configuration */

    NULL,                                      /* create location configuration */
    NULL                                       /* merge location configuration */
};


ngx_module_t  ngx_http_icert_country_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_country_module_ctx,        /* module context */
    ngx_http_icert_country_commands,           /* module directives */
    NGX_HTTP_MODULE,                           /* module type */
    NULL,                                      /* init master */
    NULL,                                      /* init module */
    ngx_http_icert_country_init_process,       /* init process */
    NULL,                                      /* init thread */
    NULL,                                      /* exit thread */
    ngx_http_icert_country_exit_process,       /* exit process */
    NULL,                                      /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_icert_country_unknown = ngx_string("unknown");


static ngx_int_t
ngx_http_icert_country_value(MMDB_entry_s *entry, ngx_pool_t *pool,
    ngx_str_t *value)
{
    int                 rc;
    u_char             *p;
    const char        **path;
    MMDB_entry_data_s   data;

    static const char  *nested[] = { "country", "iso_code", NULL };
    static const char  *flat[] = { "country_code", NULL };

    for (path = flat; path; path = (path == flat) ? nested : NULL) {

        rc = MMDB_aget_value(entry, &data, path);

        if (rc != MMDB_SUCCESS || !data.has_data
            || data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2
            || data.utf8_string[0] < 'A' || data.utf8_string[0] > 'Z'
            || data.utf8_string[1] < 'A' || data.utf8_string[1] > 'Z')
        {
            continue;
        }

        /* the database may be replaced before the request ends */

        p = ngx_pnalloc(pool, 2);
        if (p == NULL) {
            return NGX_ERROR;
        }

        p[0] = data.utf8_string[0];
        p[1] = data.utf8_string[1];

        value->data = p;
        value->len = 2;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_icert_country(ngx_http_request_t *r, ngx_str_t *value)
{
    int                                  error;
    ngx_int_t                            rc;
    struct sockaddr                     *sa;
    MMDB_lookup_result_s                 result;
    ngx_http_icert_country_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_icert_country_module);

    *value = ngx_http_icert_country_unknown;

    sa = r->connection->sockaddr;

    if (!mcf->open || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)) {
        return NGX_OK;
    }

    result = MMDB_lookup_sockaddr(&mcf->db[mcf->current], sa, &error);

    if (error != MMDB_SUCCESS || !result.found_entry) {
        return NGX_OK;
    }

    rc = ngx_http_icert_country_value(&result.entry, r->pool, value);

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_icert_country_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  value;

    if (ngx_http_icert_country(r, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = value.data;
    v->len = value.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_net_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t                len;
    u_char               *p;
    ngx_uint_t            bits;
    struct sockaddr_in    in;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6   in6;
#endif
    struct sockaddr      *sa;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) "local";
    v->len = sizeof("local") - 1;

    switch (r->connection->sockaddr->sa_family) {

    case AF_INET:
        in = *(struct sockaddr_in *) r->connection->sockaddr;
        bits = (data == NGX_HTTP_ICERT_NET_LOG) ? 24 : 32;
        in.sin_addr.s_addr &= htonl(0xffffffff << (32 - bits));
        sa = (struct sockaddr *) &in;
        len = sizeof(struct sockaddr_in);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        in6 = *(struct sockaddr_in6 *) r->connection->sockaddr;
        bits = (data == NGX_HTTP_ICERT_NET_LOG) ? 48 : 64;
        ngx_memzero(&in6.sin6_addr.s6_addr[bits / 8], 16 - bits / 8);
        sa = (struct sockaddr *) &in6;
        len = sizeof(struct sockaddr_in6);
        break;
#endif

    default:
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_SOCKADDR_STRLEN + sizeof("/48") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    p += ngx_sock_ntop(sa, len, p, NGX_SOCKADDR_STRLEN, 0);
    v->len = ngx_sprintf(p, "/%ui", bits) - v->data;

    return NGX_OK;
}


static void
ngx_http_icert_country_load(ngx_http_icert_country_main_conf_t *mcf,
    ngx_log_t *log)
{
    int              rc;
    ngx_uint_t       next;
    ngx_file_info_t  fi;

    if (ngx_file_info(mcf->path.data, &fi) == NGX_FILE_ERROR) {
        return;
    }

    if (mcf->open && ngx_file_mtime(&fi) == mcf->mtime
        && ngx_file_uniq(&fi) == mcf->ino)
    {
        return;
    }

    next = !mcf->current;

    rc = MMDB_open((char *) mcf->path.data, MMDB_MODE_MMAP, &mcf->db[next]);

    if (rc != MMDB_SUCCESS) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "icert_country_database \"%V\" is not usable: %s",
                      &mcf->path, MMDB_strerror(rc));
        return;
    }

    if (mcf->open) {
        MMDB_close(&mcf->db[mcf->current]);
    }

    mcf->open = 1;
    mcf->current = next;
    mcf->mtime = ngx_file_mtime(&fi);
    mcf->ino = ngx_file_uniq(&fi);

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "icert country database opened: \"%V\"", &mcf->path);
}


static void
ngx_http_icert_country_timer(ngx_event_t *ev)
{
    ngx_http_icert_country_load(ev->data, ev->log);
    ngx_add_timer(ev, NGX_HTTP_ICERT_COUNTRY_CHECK);
}


static ngx_int_t
ngx_http_icert_country_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_icert_country_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_http_icert_country_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_country_main_conf_t));
}


static char *
ngx_http_icert_country_database(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_country_main_conf_t  *mcf = conf;

    ngx_str_t  *value;

    if (mcf->path.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->path = value[1];

    if (ngx_conf_full_name(cf->cycle, &mcf->path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_icert_country_init_process(ngx_cycle_t *cycle)
{
    ngx_http_icert_country_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_icert_country_module);

    if (mcf == NULL || mcf->path.len == 0) {
        return NGX_OK;
    }

    ngx_http_icert_country_load(mcf, cycle->log);

    if (!mcf->open) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "icert country database is absent: \"%V\"", &mcf->path);
    }

    mcf->event.handler = ngx_http_icert_country_timer;
    mcf->event.data = mcf;
    mcf->event.log = cycle->log;
    mcf->event.cancelable = 1;

    ngx_add_timer(&mcf->event, NGX_HTTP_ICERT_COUNTRY_CHECK);

    return NGX_OK;
}


static void
ngx_http_icert_country_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_icert_country_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_icert_country_module);

    if (mcf && mcf->open) {
        MMDB_close(&mcf->db[mcf->current]);
        mcf->open = 0;
    }
}
