
/*
 * Policies as the configuration states them: icert_limit_zone and icert_limit.
 */

#include "ngx_http_icert_limit.h"


static ngx_int_t
ngx_http_icert_limit_rate(ngx_str_t *s, uint32_t *quota, uint32_t *window)
{
    ngx_int_t  n;

    if (s->len < 3 || s->data[s->len - 2] != '/') {
        return NGX_ERROR;
    }

    switch (s->data[s->len - 1]) {
    case 's':
        *window = 1;
        break;
    case 'm':
        *window = 60;
        break;
    case 'h':
        *window = 3600;
        break;
    default:
        return NGX_ERROR;
    }

    n = ngx_atoi(s->data, s->len - 2);
    if (n <= 0 || n > NGX_HTTP_ICERT_LIMIT_COST_MAX) {
        return NGX_ERROR;
    }

    *quota = (uint32_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_limit_zone_key(ngx_conf_t *cf, ngx_http_icert_limit_zone_t *z,
    ngx_str_t *s)
{
    ngx_http_compile_complex_value_t  ccv;

    z->key_text = *s;

    if (s->len == 7 && ngx_strncmp(s->data, "address", 7) == 0) {
        z->kind = NGX_HTTP_ICERT_KEY_ADDRESS;
        return NGX_OK;
    }

    if (s->len == 7 && ngx_strncmp(s->data, "country", 7) == 0) {
        z->kind = NGX_HTTP_ICERT_KEY_COUNTRY;
        return NGX_OK;
    }

    z->kind = NGX_HTTP_ICERT_KEY_COMPLEX;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = s;
    ccv.complex_value = &z->key;

    if (ngx_http_script_variables_count(s) == 0) {
        return NGX_DECLINED;
    }

    return ngx_http_compile_complex_value(&ccv);
}


char *
ngx_http_icert_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                       size;
    uint32_t                      quota, window;
    ngx_int_t                     burst, rc;
    ngx_str_t                    *value, s;
    ngx_uint_t                    i;
    ngx_shm_zone_t               *zone;
    ngx_http_icert_limit_zone_t  *z;

    value = cf->args->elts;

    z = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_limit_zone_t));
    if (z == NULL) {
        return NGX_CONF_ERROR;
    }

    z->name = value[1];
    size = 1024 * 1024;
    burst = 0;
    quota = 0;
    window = 0;

    if (z->name.len > 64) {
        return "has a name of more than 64 octets";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "key=", 4) == 0) {
            s.data = value[i].data + 4;
            s.len = value[i].len - 4;

            rc = ngx_http_icert_limit_zone_key(cf, z, &s);

            if (rc == NGX_ERROR) {
                return NGX_CONF_ERROR;
            }

            if (rc == NGX_OK) {
                continue;
            }

        } else if (ngx_strncmp(value[i].data, "rate=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            if (ngx_http_icert_limit_rate(&s, &quota, &window) == NGX_OK) {
                continue;
            }

        } else if (ngx_strncmp(value[i].data, "burst=", 6) == 0) {

            burst = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (burst > 0 && burst <= GCRA_BURST_MAX) {
                continue;
            }

        } else if (ngx_strncmp(value[i].data, "size=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            size = ngx_parse_size(&s);

            if (size >= (ssize_t) NGX_HTTP_ICERT_LIMIT_MIN_SIZE) {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (z->key_text.len == 0 || quota == 0 || burst == 0) {
        return "needs key=, rate= and burst=";
    }

    if (gcra_init(&z->gcra, quota, window, (uint32_t) burst) != 0) {
        return "has a burst that its rate needs more than 30 days for";
    }

    zone = ngx_shared_memory_add(cf, &z->name, size,
                                 &ngx_http_icert_limit_module);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate zone \"%V\"",
                           &z->name);
        return NGX_CONF_ERROR;
    }

    zone->init = ngx_http_icert_limit_init_zone;
    zone->data = z;

    return NGX_CONF_OK;
}


char *
ngx_http_icert_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_limit_conf_t  *lcf = conf;

    ngx_int_t                     cost;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_shm_zone_t               *zone;
    ngx_http_icert_limit_t       *limit, *limits;
    ngx_http_icert_limit_zone_t  *z;

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {

        if (lcf->limits || cf->args->nelts != 2) {
            return "off stands alone";
        }

        lcf->off = 1;

        return NGX_CONF_OK;
    }

    if (lcf->off == 1) {
        return "off stands alone";
    }

    cost = 1;

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "cost=", 5) != 0) {
            cost = NGX_ERROR;

        } else {
            cost = ngx_atoi(value[2].data + 5, value[2].len - 5);
        }

        if (cost <= 0 || cost > NGX_HTTP_ICERT_LIMIT_COST_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    zone = ngx_shared_memory_add(cf, &value[1], 0,
                                 &ngx_http_icert_limit_module);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    z = zone->data;

    if (z == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no icert_limit_zone \"%V\" stands before this",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if ((uint32_t) cost > z->gcra.burst) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cost %i is above the burst of \"%V\" and can "
                           "never pass", cost, &value[1]);
        return NGX_CONF_ERROR;
    }

    if (lcf->limits == NULL) {
        lcf->limits = ngx_array_create(cf->pool, 2,
                                       sizeof(ngx_http_icert_limit_t));
        if (lcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (lcf->limits->nelts == NGX_HTTP_ICERT_LIMIT_MAX) {
        return "stands more than 8 times";
    }

    limits = lcf->limits->elts;

    for (i = 0; i < lcf->limits->nelts; i++) {
        if (limits[i].zone == zone) {
            return "is duplicate";
        }
    }

    limit = ngx_array_push(lcf->limits);
    if (limit == NULL) {
        return NGX_CONF_ERROR;
    }

    limit->zone = zone;
    limit->cost = (uint32_t) cost;

    return NGX_CONF_OK;
}
