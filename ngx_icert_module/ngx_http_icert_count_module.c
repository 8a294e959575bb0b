
/*
 * Counters of the status server, for /metrics: in shared memory, a line for
 * each worker, so that counting takes no lock and no other worker's cache.
 */

#include "ngx_http_icert_count.h"


#define NGX_HTTP_ICERT_COUNT_WORKERS  256
#define NGX_HTTP_ICERT_COUNT_LINE     64    /* counters, more than there are */
#define NGX_HTTP_ICERT_COUNT_SIZE     (256 * 1024)


typedef enum {
    ANSWERS = 0,
    CAUSES,
    SETS,
    REFUSALS,
    METRICS
} ngx_http_icert_metric_e;


typedef struct {
    ngx_shm_zone_t  *zone;
} ngx_http_icert_count_conf_t;


static ngx_int_t ngx_http_icert_count_zone(ngx_shm_zone_t *zone, void *old);
static ngx_int_t ngx_http_icert_count_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_icert_count_preconf(ngx_conf_t *cf);
static void *ngx_http_icert_count_create_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_icert_count_process(ngx_cycle_t *cycle);


static ngx_str_t  ngx_http_icert_count_names[METRICS] = {
    ngx_string("icert_ocsp_answers_total{result"),
    ngx_string("icert_ocsp_causes_total{cause"),
    ngx_string("icert_status_sets_total{outcome"),
    ngx_string("icert_refusals_total{reason")
};

static ngx_str_t  ngx_http_icert_count_help[METRICS] = {
    ngx_string("Answers to OCSP questions."),
    ngx_string("OCSP questions that were not answered, by what was wrong."),
    ngx_string("Published sets of certificate status, by what became of them."),
    ngx_string("Requests that the edge refused.")
};

static struct {
    ngx_http_icert_metric_e  metric;
    ngx_str_t                label;
} ngx_http_icert_count_table[] = {
#define X(name, metric, label)  { metric, ngx_string(label) },
    NGX_HTTP_ICERT_COUNTS(X)
#undef X
#define X(name, status, code)  { REFUSALS, ngx_string(code) },
    NGX_HTTP_ICERT_REASONS(X)
#undef X
};

#if (__STDC_VERSION__ >= 201112L)
_Static_assert(NGX_HTTP_ICERT_COUNT_N <= NGX_HTTP_ICERT_COUNT_LINE,
               "a worker's line has a place for each counter");
#endif


static ngx_atomic_t  ngx_http_icert_counts_none[NGX_HTTP_ICERT_COUNT_LINE];

ngx_atomic_t  *ngx_http_icert_counts = ngx_http_icert_counts_none;


static ngx_http_module_t  ngx_http_icert_count_module_ctx = {
    ngx_http_icert_count_preconf,          /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_icert_count_create_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_icert_count_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_count_module_ctx,      /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_icert_count_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_str_t *
ngx_http_icert_count_label(ngx_http_icert_count_e what)
{
    return &ngx_http_icert_count_table[what].label;
}


/* the table outlives a reload; a restart begins at 0, as counters may */

static ngx_int_t
ngx_http_icert_count_zone(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t  *pool;

    if (old) {
        zone->data = old;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    zone->data = ngx_slab_calloc(pool, NGX_HTTP_ICERT_COUNT_WORKERS
                                       * NGX_HTTP_ICERT_COUNT_LINE
                                       * sizeof(ngx_atomic_t));
    pool->data = zone->data;

    return zone->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_icert_count_process(ngx_cycle_t *cycle)
{
    ngx_atomic_t                 *table;
    ngx_http_icert_count_conf_t  *ccf;

    ccf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_icert_count_module);

    if (ccf && ccf->zone && ccf->zone->data) {
        table = ccf->zone->data;
        ngx_http_icert_counts = table
                             + (ngx_worker % NGX_HTTP_ICERT_COUNT_WORKERS)
                               * NGX_HTTP_ICERT_COUNT_LINE;
    }

    return NGX_OK;
}


static uint64_t
ngx_http_icert_count_sum(ngx_atomic_t *table, ngx_uint_t what)
{
    uint64_t    sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = 0; i < NGX_HTTP_ICERT_COUNT_WORKERS; i++) {
        sum += table[i * NGX_HTTP_ICERT_COUNT_LINE + what];
    }

    return sum;
}


/* Prometheus' text */

static ngx_int_t
ngx_http_icert_count_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                       *p;
    size_t                        len;
    ngx_str_t                    *name;
    ngx_uint_t                    i, metric;
    ngx_http_icert_count_conf_t  *ccf;

    ccf = ngx_http_get_module_main_conf(r, ngx_http_icert_count_module);

    p = ngx_pnalloc(r->pool, (NGX_HTTP_ICERT_COUNT_N + 2 * METRICS) * 128);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    metric = METRICS;

    for (i = 0; i < NGX_HTTP_ICERT_COUNT_N; i++) {

        name = &ngx_http_icert_count_names[
                                        ngx_http_icert_count_table[i].metric];

        if (metric != (ngx_uint_t) ngx_http_icert_count_table[i].metric) {
            metric = ngx_http_icert_count_table[i].metric;
            len = ngx_strlchr(name->data, name->data + name->len, '{')
                  - name->data;
            p = ngx_sprintf(p, "# HELP %*s %V\n# TYPE %*s counter\n",
                            len, name->data,
                            &ngx_http_icert_count_help[metric],
                            len, name->data);
        }

        p = ngx_sprintf(p, "%V=\"%V\"} %uL\n", name,
                        &ngx_http_icert_count_table[i].label,
                        ngx_http_icert_count_sum(ccf->zone->data, i));
    }

    v->len = p - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_count_preconf(ngx_conf_t *cf)
{
    ngx_str_t                     name = ngx_string("icert_status_counts");
    ngx_http_variable_t          *var;
    ngx_http_icert_count_conf_t  *ccf;

    var = ngx_http_add_variable(cf, &name, 0);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_icert_count_variable;

    ngx_str_set(&name, "icert_status_counts");

    ccf = ngx_http_conf_get_module_main_conf(cf, ngx_http_icert_count_module);

    ccf->zone = ngx_shared_memory_add(cf, &name, NGX_HTTP_ICERT_COUNT_SIZE,
                                      &ngx_http_icert_count_module);
    if (ccf->zone == NULL) {
        return NGX_ERROR;
    }

    ccf->zone->init = ngx_http_icert_count_zone;

    return NGX_OK;
}


static void *
ngx_http_icert_count_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_count_conf_t));
}
