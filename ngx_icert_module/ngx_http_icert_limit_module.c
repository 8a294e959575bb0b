
#include "ngx_http_icert_limit.h"

#include <openssl/sha.h>


static ngx_int_t ngx_http_icert_limit_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_limit_key(ngx_http_request_t *r,
    ngx_http_icert_limit_zone_t *z, u_char *key);
static void ngx_http_icert_limit_note(ngx_http_icert_note_t *note,
    ngx_http_icert_limit_zone_t *z, struct gcra_answer *a);
static int64_t ngx_http_icert_limit_now(void);
static ngx_int_t ngx_http_icert_limit_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_limit_header(ngx_http_request_t *r,
    const char *name, const char *fmt, ...);
static void *ngx_http_icert_limit_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_limit_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_icert_limit_init(ngx_conf_t *cf);


static ngx_command_t  ngx_http_icert_limit_commands[] = {

    { ngx_string("icert_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_icert_limit_zone,
      0,
      0,
      NULL },

    { ngx_string("icert_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_icert_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_limit_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_limit_conf_t, headers),
      NULL },

    { ngx_string("icert_limit_legacy_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_limit_conf_t, legacy_headers),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_icert_limit_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_icert_limit_init,             /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_icert_limit_create_conf,      /* create location configuration */
    ngx_http_icert_limit_merge_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_icert_limit_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_limit_module_ctx,      /* module context */
    ngx_http_icert_limit_commands,         /* module directives */
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


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/*
 * All policies are asked before any is charged, so a refusal by one costs
 * nothing at the others.
 */

static ngx_int_t
ngx_http_icert_limit_handler(ngx_http_request_t *r)
{
    u_char                        keys[NGX_HTTP_ICERT_LIMIT_MAX]
                                      [NGX_HTTP_ICERT_LIMIT_KEY];
    int64_t                       now;
    ngx_int_t                     rc;
    ngx_uint_t                    i, commit, use[NGX_HTTP_ICERT_LIMIT_MAX];
    struct gcra_answer            a;
    ngx_http_icert_note_t        *note;
    ngx_http_icert_limit_t       *limits;
    ngx_http_icert_limit_zone_t  *z;
    ngx_http_icert_limit_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_icert_limit_module);

    if (r != r->main || lcf->limits == NULL) {
        return NGX_DECLINED;
    }

    note = ngx_http_icert_note_make(r);
    if (note == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (note->limited) {
        return NGX_DECLINED;
    }

    note->limited = 1;

    limits = lcf->limits->elts;
    now = ngx_http_icert_limit_now();

    for (i = 0; i < lcf->limits->nelts; i++) {

        rc = ngx_http_icert_limit_key(r, limits[i].zone->data, keys[i]);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        use[i] = (rc == NGX_OK);
    }

    for (commit = 0; commit < 2; commit++) {

        for (i = 0; i < lcf->limits->nelts; i++) {

            if (!use[i]) {
                continue;
            }

            z = limits[i].zone->data;

            ngx_http_icert_limit_ask(r, z, keys[i], now, limits[i].cost,
                                     commit, &a);

            if (commit || !a.allowed) {
                ngx_http_icert_limit_note(note, z, &a);
            }

            if (a.allowed) {
                continue;
            }

            note->limit = z->name;
            note->retry = a.never ? 0 : gcra_seconds(a.retry);

            ngx_http_icert_refuse(r, "limit", NULL);

            return NGX_HTTP_TOO_MANY_REQUESTS;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_icert_limit_key(ngx_http_request_t *r, ngx_http_icert_limit_zone_t *z,
    u_char *key)
{
    u_char                md[SHA256_DIGEST_LENGTH];
    ngx_str_t             value;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(key, NGX_HTTP_ICERT_LIMIT_KEY);

    switch (z->kind) {

    case NGX_HTTP_ICERT_KEY_ADDRESS:

        switch (r->connection->sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
        case AF_INET6:
            sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;

            if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
                key[0] = 4;
                ngx_memcpy(key + 1, &sin6->sin6_addr.s6_addr[12], 4);
                return NGX_OK;
            }

            /* a subscriber has a /64 at least */

            key[0] = 6;
            ngx_memcpy(key + 1, sin6->sin6_addr.s6_addr, 8);
            return NGX_OK;
#endif

        case AF_INET:
            sin = (struct sockaddr_in *) r->connection->sockaddr;
            key[0] = 4;
            ngx_memcpy(key + 1, &sin->sin_addr, 4);
            return NGX_OK;
        }

        return NGX_DECLINED;

    case NGX_HTTP_ICERT_KEY_COUNTRY:

        if (ngx_http_icert_country(r, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        break;

    default:

        if (ngx_http_complex_value(r, &z->key, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        break;
    }

    if (value.len == 0) {
        return NGX_DECLINED;
    }

    SHA256(value.data, value.len, md);
    ngx_memcpy(key, md, NGX_HTTP_ICERT_LIMIT_KEY);

    return NGX_OK;
}


/* keeps the tightest: what lets the least through now */

static void
ngx_http_icert_limit_note(ngx_http_icert_note_t *note,
    ngx_http_icert_limit_zone_t *z, struct gcra_answer *a)
{
    if (note->policy_name.len && a->allowed
        && note->remaining <= a->remaining)
    {
        return;
    }

    note->policy_name = z->name;
    note->policy_quota = z->gcra.burst;
    note->policy_window = gcra_seconds(z->gcra.tolerance);
    note->remaining = a->allowed ? a->remaining : 0;
    note->reset = gcra_seconds(a->reset);
}


static int64_t
ngx_http_icert_limit_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * GCRA_SECOND + ts.tv_nsec;
}


static ngx_int_t
ngx_http_icert_limit_header_filter(ngx_http_request_t *r)
{
    ngx_http_icert_note_t        *note;
    ngx_http_icert_limit_conf_t  *lcf;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    note = ngx_http_icert_note_get(r);

    if (note == NULL || note->policy_name.len == 0) {
        return ngx_http_next_header_filter(r);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_icert_limit_module);

    if (note->retry
        && ngx_http_icert_limit_header(r, "Retry-After", "%L", note->retry)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (lcf->headers
        && (ngx_http_icert_limit_header(r, "RateLimit-Policy",
                                        "\"%V\";q=%uD;w=%L",
                                        &note->policy_name, note->policy_quota,
                                        note->policy_window)
            != NGX_OK
            || ngx_http_icert_limit_header(r, "RateLimit", "\"%V\";r=%uD;t=%L",
                                           &note->policy_name, note->remaining,
                                           note->reset)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (lcf->legacy_headers
        && (ngx_http_icert_limit_header(r, "X-RateLimit-Limit", "%uD",
                                        note->policy_quota)
            != NGX_OK
            || ngx_http_icert_limit_header(r, "X-RateLimit-Remaining", "%uD",
                                           note->remaining)
               != NGX_OK
            || ngx_http_icert_limit_header(r, "X-RateLimit-Reset", "%L",
                                           note->reset)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_icert_limit_header(ngx_http_request_t *r, const char *name,
    const char *fmt, ...)
{
    u_char           *p;
    va_list           args;
    ngx_table_elt_t  *h;

    /* zone names are at most 64 octets long, numbers 20 */

    p = ngx_pnalloc(r->pool, 160);
    h = ngx_list_push(&r->headers_out.headers);

    if (p == NULL || h == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    h->value.len = ngx_vslprintf(p, p + 160, fmt, args) - p;
    va_end(args);

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = p;

    return NGX_OK;
}


static void *
ngx_http_icert_limit_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_limit_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_limit_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->off = NGX_CONF_UNSET;
    conf->headers = NGX_CONF_UNSET;
    conf->legacy_headers = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_icert_limit_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_limit_conf_t  *prev = parent;
    ngx_http_icert_limit_conf_t  *conf = child;

    if (conf->limits == NULL && conf->off == NGX_CONF_UNSET) {
        conf->limits = prev->limits;
        conf->off = prev->off;
    }

    ngx_conf_merge_value(conf->headers, prev->headers, 1);
    ngx_conf_merge_value(conf->legacy_headers, prev->legacy_headers, 0);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_icert_limit_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_icert_limit_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_icert_limit_header_filter;

    return NGX_OK;
}
