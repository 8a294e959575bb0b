
/*
 * Policies as the configuration states them: icert_limit_zone and icert_limit.
 */

#include "ngx_http_icert_limit.h"


typedef struct {
    uint32_t  quota;
    uint32_t  window;
    uint32_t  burst;
} ngx_http_icert_limit_parameters_t;


static ngx_int_t
ngx_http_icert_limit_parse_rate(ngx_str_t *s, uint32_t *quota,
    uint32_t *window)
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


/* rate= and burst=; NGX_DECLINED for what is neither or has a bad value */

static ngx_int_t
ngx_http_icert_limit_parameter(ngx_str_t *value,
    ngx_http_icert_limit_parameters_t *p)
{
    ngx_int_t  n;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "rate=", 5) == 0) {
        s.data = value->data + 5;
        s.len = value->len - 5;

        return ngx_http_icert_limit_parse_rate(&s, &p->quota, &p->window)
               == NGX_OK ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_strncmp(value->data, "burst=", 6) == 0) {

        n = ngx_atoi(value->data + 6, value->len - 6);

        if (n > 0 && n <= GCRA_BURST_MAX) {
            p->burst = (uint32_t) n;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
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
    ssize_t                             size;
    ngx_int_t                           rc;
    ngx_str_t                          *value, s;
    ngx_uint_t                          i;
    ngx_shm_zone_t                     *zone, **place;
    ngx_http_icert_limit_zone_t        *z;
    ngx_http_icert_limit_main_conf_t   *lmcf;
    ngx_http_icert_limit_parameters_t   p;

    value = cf->args->elts;

    z = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_limit_zone_t));
    if (z == NULL) {
        return NGX_CONF_ERROR;
    }

    z->name = value[1];
    size = 1024 * 1024;
    ngx_memzero(&p, sizeof(p));

    if (z->name.len > 64) {
        return "has a name of more than 64 octets";
    }

    /* it stands between quotes in headers and in metrics */

    for (i = 0; i < z->name.len; i++) {
        u_char  c = z->name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid name \"%V\" of a limit: letters, "
                               "digits, \"_\", \"-\" and \".\"", &z->name);
            return NGX_CONF_ERROR;
        }
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

        } else if (ngx_strncmp(value[i].data, "size=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            size = ngx_parse_size(&s);

            if (size >= (ssize_t) NGX_HTTP_ICERT_LIMIT_MIN_SIZE) {
                continue;
            }

        } else if (ngx_http_icert_limit_parameter(&value[i], &p) == NGX_OK) {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (z->key_text.len == 0 || p.quota == 0 || p.burst == 0) {
        return "needs key=, rate= and burst=";
    }

    if (gcra_init(&z->gcra, p.quota, p.window, p.burst) != 0) {
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

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_icert_limit_module);

    place = ngx_array_push(&lmcf->zones);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    *place = zone;

    return NGX_CONF_OK;
}


/* the place of a country in a zone's list; the last for what is no code */

static ngx_uint_t
ngx_http_icert_limit_country_place(ngx_str_t *s)
{
    if (s->len == 2 && s->data[0] >= 'A' && s->data[0] <= 'Z'
        && s->data[1] >= 'A' && s->data[1] <= 'Z')
    {
        return (s->data[0] - 'A') * 26 + s->data[1] - 'A';
    }

    return NGX_HTTP_ICERT_LIMIT_COUNTRIES - 1;
}


const struct gcra *
ngx_http_icert_limit_rate(ngx_http_icert_limit_zone_t *z, ngx_str_t *country)
{
    ngx_uint_t  i;

    i = z->countries[ngx_http_icert_limit_country_place(country)];

    return i ? &z->rates[i - 1] : &z->gcra;
}


static ngx_http_icert_limit_zone_t *
ngx_http_icert_limit_zone_named(ngx_conf_t *cf, ngx_str_t *name,
    ngx_shm_zone_t **zone)
{
    *zone = ngx_shared_memory_add(cf, name, 0, &ngx_http_icert_limit_module);
    if (*zone == NULL) {
        return NULL;
    }

    if ((*zone)->data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no icert_limit_zone \"%V\" stands before this",
                           name);
    }

    return (*zone)->data;
}


/* icert_limit_country ZONE COUNTRY… rate= burst= */

char *
ngx_http_icert_limit_country(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                             *place;
    ngx_str_t                          *value, unknown = ngx_string("unknown");
    ngx_uint_t                          i, n;
    ngx_shm_zone_t                     *zone;
    ngx_http_icert_limit_zone_t        *z;
    ngx_http_icert_limit_parameters_t   p;

    value = cf->args->elts;

    z = ngx_http_icert_limit_zone_named(cf, &value[1], &zone);
    if (z == NULL) {
        return NGX_CONF_ERROR;
    }

    if (z->countries == NULL) {
        z->countries = ngx_pcalloc(cf->pool, NGX_HTTP_ICERT_LIMIT_COUNTRIES);
        z->rates = ngx_pcalloc(cf->pool, NGX_HTTP_ICERT_LIMIT_RATES
                                         * sizeof(struct gcra));
        if (z->countries == NULL || z->rates == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (z->n_rates == NGX_HTTP_ICERT_LIMIT_RATES) {
        return "stands more than 64 times for a zone";
    }

    ngx_memzero(&p, sizeof(p));

    for (i = 2, n = 0; i < cf->args->nelts; i++) {

        if (ngx_http_icert_limit_parameter(&value[i], &p) == NGX_OK) {
            continue;
        }

        place = &z->countries[ngx_http_icert_limit_country_place(&value[i])];

        if (*place
            || (place == &z->countries[NGX_HTTP_ICERT_LIMIT_COUNTRIES - 1]
                && (value[i].len != unknown.len
                    || ngx_strncmp(value[i].data, unknown.data, unknown.len)
                       != 0)))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               *place ? "country \"%V\" stands twice"
                                      : "invalid parameter \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        *place = (u_char) (z->n_rates + 1);
        n++;
    }

    if (n == 0 || p.quota == 0 || p.burst == 0) {
        return "needs a country, rate= and burst=";
    }

    if (gcra_init(&z->rates[z->n_rates], p.quota, p.window, p.burst) != 0) {
        return "has a burst that its rate needs more than 30 days for";
    }

    z->n_rates++;

    return NGX_CONF_OK;
}


char *
ngx_http_icert_limit_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_limit_conf_t  *lcf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_cidr_t  *cidr;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {

        if (lcf->allow != NGX_CONF_UNSET_PTR) {
            return "off stands alone";
        }

        lcf->allow = NULL;

        return NGX_CONF_OK;
    }

    if (lcf->allow == NULL) {
        return "off stands alone";
    }

    if (lcf->allow == NGX_CONF_UNSET_PTR) {
        lcf->allow = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (lcf->allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {

        cidr = ngx_array_push(lcf->allow);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of %V are meaningless",
                               &value[i]);
        }
    }

    return NGX_CONF_OK;
}


/* what passes at once of every rate of a zone: the least burst, or what is said */

static uint32_t
ngx_http_icert_limit_least_burst(ngx_http_icert_limit_zone_t *z)
{
    uint32_t    least;
    ngx_uint_t  i;

    least = z->gcra.burst;

    for (i = 0; i < z->n_rates; i++) {
        least = ngx_min(least, z->rates[i].burst);
    }

    return least;
}


char *
ngx_http_icert_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_limit_conf_t  *lcf = conf;

    ngx_int_t                     cost, at_once;
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
    at_once = GCRA_BURST_MAX;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "cost=", 5) == 0) {
            cost = ngx_atoi(value[i].data + 5, value[i].len - 5);

            if (cost > 0 && cost <= NGX_HTTP_ICERT_LIMIT_COST_MAX) {
                continue;
            }

        } else if (ngx_strcmp(value[i].data, "delay") == 0) {
            at_once = 0;
            continue;

        } else if (ngx_strncmp(value[i].data, "delay=", 6) == 0) {
            at_once = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (at_once > 0 && at_once <= GCRA_BURST_MAX) {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    z = ngx_http_icert_limit_zone_named(cf, &value[1], &zone);
    if (z == NULL) {
        return NGX_CONF_ERROR;
    }

    if ((uint32_t) cost > ngx_http_icert_limit_least_burst(z)) {
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
    limit->at_once = (uint32_t) at_once;

    return NGX_CONF_OK;
}
