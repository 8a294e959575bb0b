
/*
 * What the policies did, as Prometheus' text: one line a policy and result, so
 * that the number of series never depends on who asks.
 */

#include "ngx_http_icert_limit.h"


typedef struct {
    ngx_str_t  name;
    uint64_t   results[NGX_HTTP_ICERT_LIMIT_RESULTS];
    uint64_t   evicted;
    uint32_t   used;
    uint32_t   room;
} ngx_http_icert_limit_line_t;


static const char  *ngx_http_icert_limit_results[] = {
    "passed", "delayed", "refused", "delayed_dry_run", "refused_dry_run"
};


static void
ngx_http_icert_limit_read(ngx_shm_zone_t *zone,
    ngx_http_icert_limit_line_t *line)
{
    ngx_http_icert_limit_zone_t   *z;
    ngx_http_icert_limit_shctx_t  *sh;

    z = zone->data;
    sh = z->sh;

    line->name = z->name;

    ngx_shmtx_lock(&z->shpool->mutex);

    ngx_memcpy(line->results, sh->results, sizeof(sh->results));
    line->evicted = sh->evicted;
    line->used = sh->used;
    line->room = sh->n;

    ngx_shmtx_unlock(&z->shpool->mutex);
}


ngx_int_t
ngx_http_icert_limit_counts(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                            *p;
    ngx_uint_t                         i, k, n;
    ngx_shm_zone_t                   **zones;
    ngx_http_icert_limit_line_t       *lines;
    ngx_http_icert_limit_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_icert_limit_module);

    zones = lmcf->zones.elts;
    n = lmcf->zones.nelts;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = 0;
    v->data = (u_char *) "";

    if (n == 0) {
        return NGX_OK;
    }

    /* a name has at most 64 octets, a number 20; eight lines a policy */

    lines = ngx_palloc(r->pool, n * sizeof(ngx_http_icert_limit_line_t));
    p = ngx_pnalloc(r->pool, 1024 + n * 8 * 160);

    if (lines == NULL || p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;

    for (i = 0; i < n; i++) {
        ngx_http_icert_limit_read(zones[i], &lines[i]);
    }

    p = ngx_sprintf(p, "# HELP icert_limit_requests_total Requests that a policy "
                       "decided on.\n"
                       "# TYPE icert_limit_requests_total counter\n");

    for (i = 0; i < n; i++) {
        for (k = 0; k < NGX_HTTP_ICERT_LIMIT_RESULTS; k++) {
            p = ngx_sprintf(p, "icert_limit_requests_total{policy=\"%V\","
                               "result=\"%s\"} %uL\n",
                            &lines[i].name, ngx_http_icert_limit_results[k],
                            lines[i].results[k]);
        }
    }

    p = ngx_sprintf(p, "# HELP icert_limit_evicted_total Keys forgotten before "
                       "their burst was whole again.\n"
                       "# TYPE icert_limit_evicted_total counter\n");

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "icert_limit_evicted_total{policy=\"%V\"} %uL\n",
                        &lines[i].name, lines[i].evicted);
    }

    p = ngx_sprintf(p, "# HELP icert_limit_keys Keys that a policy remembers.\n"
                       "# TYPE icert_limit_keys gauge\n");

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "icert_limit_keys{policy=\"%V\"} %uD\n",
                        &lines[i].name, lines[i].used);
    }

    p = ngx_sprintf(p, "# HELP icert_limit_keys_room Keys that it has memory "
                       "for.\n"
                       "# TYPE icert_limit_keys_room gauge\n");

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "icert_limit_keys_room{policy=\"%V\"} %uD\n",
                        &lines[i].name, lines[i].room);
    }

    v->len = p - v->data;

    return NGX_OK;
}
