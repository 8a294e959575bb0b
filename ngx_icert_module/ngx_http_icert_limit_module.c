
#include "ngx_http_icert_limit.h"

#include <openssl/sha.h>


static ngx_int_t ngx_http_icert_limit_key(ngx_http_request_t *r,
    ngx_http_icert_limit_zone_t *z, u_char *key);
static void ngx_http_icert_limit_note(ngx_http_icert_note_t *note,
    ngx_http_icert_limit_zone_t *z, ngx_http_icert_limit_question_t *q);
static ngx_int_t ngx_http_icert_limit_question(ngx_http_request_t *r,
    ngx_http_icert_limit_zone_t *z, ngx_http_icert_limit_question_t *q);
static ngx_int_t ngx_http_icert_limit_refuse(ngx_http_request_t *r,
    ngx_http_icert_note_t *note, ngx_http_icert_limit_zone_t *z,
    ngx_http_icert_limit_question_t *q);
static ngx_int_t ngx_http_icert_limit_verdict(ngx_http_request_t *r,
    ngx_http_icert_note_t *note, const char *status,
    ngx_http_icert_limit_zone_t *z);
static ngx_int_t ngx_http_icert_limit_wait(ngx_http_request_t *r,
    int64_t delay);
static void ngx_http_icert_limit_waited(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_limit_preconf(ngx_conf_t *cf);
static void *ngx_http_icert_limit_create_main_conf(ngx_conf_t *cf);
static int64_t ngx_http_icert_limit_now(void);
static void *ngx_http_icert_limit_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_limit_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_icert_limit_init(ngx_conf_t *cf);


static ngx_conf_num_bounds_t  ngx_http_icert_limit_status_bounds = {
    ngx_conf_check_num_bounds, 400, 599
};


static ngx_command_t  ngx_http_icert_limit_commands[] = {

    { ngx_string("icert_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_icert_limit_zone,
      0,
      0,
      NULL },

    { ngx_string("icert_limit_country"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_icert_limit_country,
      0,
      0,
      NULL },

    { ngx_string("icert_limit_allow"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_icert_limit_allow,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_limit_dry_run"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_limit_conf_t, dry_run),
      NULL },

    { ngx_string("icert_limit_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_limit_conf_t, status),
      &ngx_http_icert_limit_status_bounds },

    { ngx_string("icert_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
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
    ngx_http_icert_limit_preconf,          /* preconfiguration */
    ngx_http_icert_limit_init,             /* postconfiguration */

    ngx_http_icert_limit_create_main_conf, /* create main configuration */
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


/*
 * All policies are asked before any is charged, so a refusal by one costs
 * nothing at the others.  The last is asked and charged at once.
 */

ngx_int_t
ngx_http_icert_limit_handler(ngx_http_request_t *r)
{
    int64_t                           now, delay;
    ngx_int_t                         rc;
    ngx_uint_t                        i, n;
    ngx_http_icert_note_t            *note;
    ngx_http_icert_limit_t           *limits;
    ngx_http_icert_limit_conf_t      *lcf;
    ngx_http_icert_limit_zone_t      *zones[NGX_HTTP_ICERT_LIMIT_MAX];
    ngx_http_icert_limit_question_t   q[NGX_HTTP_ICERT_LIMIT_MAX];

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
    note->headers = lcf->headers;
    note->legacy_headers = lcf->legacy_headers;

    if (lcf->allow && ngx_cidr_match(r->connection->sockaddr, lcf->allow)
                      == NGX_OK)
    {
        return ngx_http_icert_limit_verdict(r, note, "ALLOWED", NULL);
    }

    limits = lcf->limits->elts;

    for (i = 0, n = 0; i < lcf->limits->nelts; i++) {

        zones[n] = limits[i].zone->data;
        q[n].cost = limits[i].cost;
        q[n].at_once = limits[i].at_once;
        q[n].dry_run = lcf->dry_run;

        rc = ngx_http_icert_limit_question(r, zones[n], &q[n]);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        n += (rc == NGX_OK);
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    now = ngx_http_icert_limit_now();
    delay = 0;

    for (i = 0; i < 2 * n - 1; i++) {

        /* 0 … n - 2 are asked, n - 1 is charged, then those before it */

        ngx_http_icert_limit_ask(zones[i % n], &q[i % n], now, i >= n - 1);

        if (!q[i % n].answer.allowed) {
            return ngx_http_icert_limit_refuse(r, note, zones[i % n],
                                               &q[i % n]);
        }

        if (i >= n - 1) {
            delay = ngx_max(delay, q[i % n].delay);
        }
    }

    if (lcf->dry_run) {
        return ngx_http_icert_limit_verdict(r, note, delay ? "DELAYED_DRY_RUN"
                                                           : "PASSED", NULL);
    }

    for (i = 0; i < n; i++) {
        ngx_http_icert_limit_note(note, zones[i], &q[i]);
    }

    if (delay == 0) {
        return ngx_http_icert_limit_verdict(r, note, "PASSED", NULL);
    }

    (void) ngx_http_icert_limit_verdict(r, note, "DELAYED", NULL);

    return ngx_http_icert_limit_wait(r, delay);
}


static ngx_int_t
ngx_http_icert_limit_refuse(ngx_http_request_t *r, ngx_http_icert_note_t *note,
    ngx_http_icert_limit_zone_t *z, ngx_http_icert_limit_question_t *q)
{
    ngx_http_icert_limit_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_icert_limit_module);

    if (lcf->dry_run) {
        return ngx_http_icert_limit_verdict(r, note, "REJECTED_DRY_RUN", z);
    }

    ngx_http_icert_limit_note(note, z, q);
    note->retry = q->answer.never ? 0 : gcra_seconds(q->answer.retry);
    (void) ngx_http_icert_limit_verdict(r, note, "REJECTED", z);

    (void) ngx_http_icert_refuse(r, NGX_HTTP_ICERT_LIMIT, NULL);

    return lcf->status;
}


/* the policy named is the one that refused, or would have */

static ngx_int_t
ngx_http_icert_limit_verdict(ngx_http_request_t *r,
    ngx_http_icert_note_t *note, const char *status,
    ngx_http_icert_limit_zone_t *z)
{
    note->limit_status.data = (u_char *) status;
    note->limit_status.len = ngx_strlen(status);

    if (z) {
        note->limit = z->name;
    }

    ngx_http_icert_note_changed(r);

    return NGX_DECLINED;
}


/* as long as it takes until the rate has caught up, in a timer of nginx's own */

static ngx_int_t
ngx_http_icert_limit_wait(ngx_http_request_t *r, int64_t delay)
{
    /* who has gone already is seen at once, not when the wait is over */

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_icert_limit_waited;

    r->connection->write->delayed = 1;
    ngx_add_timer(r->connection->write,
                  (ngx_msec_t) ((delay + 999999) / 1000000));

    return NGX_AGAIN;
}


static void
ngx_http_icert_limit_waited(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    wev = r->connection->write;

    if (wev->delayed) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


/* whom the policy counts here, and at which rate; NGX_DECLINED: nobody */

static ngx_int_t
ngx_http_icert_limit_question(ngx_http_request_t *r,
    ngx_http_icert_limit_zone_t *z, ngx_http_icert_limit_question_t *q)
{
    ngx_int_t  rc;
    ngx_str_t  country;

    rc = ngx_http_icert_limit_key(r, z, q->key);

    if (rc != NGX_OK) {
        return rc;
    }

    q->gcra = &z->gcra;

    if (z->countries) {

        if (ngx_http_icert_country(r, &country) != NGX_OK) {
            return NGX_ERROR;
        }

        q->gcra = ngx_http_icert_limit_rate(z, &country);
    }

    return NGX_OK;
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
    ngx_http_icert_limit_zone_t *z, ngx_http_icert_limit_question_t *q)
{
    struct gcra_answer  *a;

    a = &q->answer;

    if (note->policy_name.len && a->allowed
        && note->remaining <= a->remaining)
    {
        return;
    }

    note->policy_name = z->name;
    note->policy_quota = q->gcra->burst;
    note->policy_window = gcra_seconds(q->gcra->tolerance);
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
ngx_http_icert_limit_preconf(ngx_conf_t *cf)
{
    ngx_str_t             name = ngx_string("icert_limit_counts");
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &name, 0);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_icert_limit_counts;

    return NGX_OK;
}


static void *
ngx_http_icert_limit_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_icert_limit_main_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_icert_limit_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->zones, cf->pool, 8, sizeof(ngx_shm_zone_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_icert_limit_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_limit_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_limit_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->allow = NGX_CONF_UNSET_PTR;
    conf->off = NGX_CONF_UNSET;
    conf->dry_run = NGX_CONF_UNSET;
    conf->status = NGX_CONF_UNSET_UINT;
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

    ngx_conf_merge_ptr_value(conf->allow, prev->allow, NULL);
    ngx_conf_merge_value(conf->dry_run, prev->dry_run, 0);
    ngx_conf_merge_uint_value(conf->status, prev->status,
                              NGX_HTTP_TOO_MANY_REQUESTS);
    ngx_conf_merge_value(conf->headers, prev->headers, 1);
    ngx_conf_merge_value(conf->legacy_headers, prev->legacy_headers, 0);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_icert_limit_init(ngx_conf_t *cf)
{
    ngx_http_icert_limit_headers_init();

    return ngx_http_icert_preaccess(cf, ngx_http_icert_limit_handler);
}
