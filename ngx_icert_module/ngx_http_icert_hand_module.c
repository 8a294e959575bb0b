
/*
 * How many requests of a key may be in hand at once.  nginx's limit_conn never
 * takes back what a killed worker held: after a crash under load it refuses
 * everybody until nginx is started anew.
 */

#include "ngx_http_icert_hand.h"


#define NGX_HTTP_ICERT_HAND_SWEEP  5000      /* ms between sweeps */


typedef struct {
    ngx_array_t                 zones;       /* ngx_shm_zone_t * */
} ngx_http_icert_hand_main_conf_t;


typedef struct {
    ngx_shm_zone_t             *zone;
    ngx_uint_t                  most;
} ngx_http_icert_hand_t;


typedef struct {
    ngx_array_t                *hands;       /* ngx_http_icert_hand_t */
    ngx_uint_t                  off;         /* nor those inherited */
} ngx_http_icert_hand_conf_t;


typedef struct {
    ngx_http_icert_hand_zone_t *zone;
    ngx_http_icert_hand_slot_t *slot;
} ngx_http_icert_hand_held_t;


static ngx_int_t ngx_http_icert_hand_handler(ngx_http_request_t *r);
static void ngx_http_icert_hand_cleanup(void *data);
static void ngx_http_icert_hand_timer(ngx_event_t *ev);
static char *ngx_http_icert_hand_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_icert_hand(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_icert_hand_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_icert_hand_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_hand_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_icert_hand_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_icert_hand_init_process(ngx_cycle_t *cycle);


static ngx_event_t  ngx_http_icert_hand_event;


static ngx_command_t  ngx_http_icert_hand_commands[] = {

    { ngx_string("icert_in_hand_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE3,
      ngx_http_icert_hand_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_in_hand"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_icert_hand,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_icert_hand_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_icert_hand_init,              /* postconfiguration */

    ngx_http_icert_hand_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_icert_hand_create_conf,       /* create location configuration */
    ngx_http_icert_hand_merge_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_icert_hand_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_hand_module_ctx,       /* module context */
    ngx_http_icert_hand_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_icert_hand_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_icert_hand_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_str_t                    value;
    ngx_uint_t                   i;
    ngx_pool_cleanup_t          *cln;
    ngx_http_icert_hand_t       *hands;
    ngx_http_icert_note_t       *note;
    ngx_http_icert_hand_conf_t  *hcf;
    ngx_http_icert_hand_held_t  *held;
    ngx_http_icert_hand_zone_t  *z;

    hcf = ngx_http_get_module_loc_conf(r, ngx_http_icert_hand_module);

    if (r != r->main || hcf->hands == NULL) {
        return NGX_DECLINED;
    }

    note = ngx_http_icert_note_make(r);
    if (note == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* counted once, wherever it is sent within */

    if (note->in_hand) {
        return NGX_DECLINED;
    }

    note->in_hand = 1;
    hands = hcf->hands->elts;

    for (i = 0; i < hcf->hands->nelts; i++) {

        z = hands[i].zone->data;

        if (ngx_http_complex_value(r, &z->key, &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (value.len == 0) {
            continue;
        }

        cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_icert_hand_held_t));
        if (cln == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        held = cln->data;
        held->zone = z;

        rc = ngx_http_icert_hand_take(z, &value, hands[i].most, &held->slot);

        if (rc == NGX_ERROR) {
            ngx_http_icert_log_state(0, "icert_in_hand_zone \"%V\" is too small",
                                     &z->name);
        }

        if (rc != NGX_OK) {
            note->limit = z->name;

            return ngx_http_icert_refuse(r, NGX_HTTP_ICERT_IN_HAND,
                                         (char *) z->name.data);
        }

        cln->handler = ngx_http_icert_hand_cleanup;
    }

    return NGX_DECLINED;
}


static void
ngx_http_icert_hand_cleanup(void *data)
{
    ngx_http_icert_hand_held_t  *held = data;

    ngx_http_icert_hand_back(held->zone, held->slot);
}


static char *
ngx_http_icert_hand_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_hand_main_conf_t  *hmcf = conf;

    ssize_t                            size;
    ngx_str_t                         *value, s;
    ngx_uint_t                         i;
    ngx_shm_zone_t                    *zone, **place;
    ngx_http_icert_hand_zone_t        *z;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;
    size = 0;

    z = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_hand_zone_t));
    if (z == NULL) {
        return NGX_CONF_ERROR;
    }

    z->name = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "key=", 4) == 0 && value[i].len > 4) {
            s.data = value[i].data + 4;
            s.len = value[i].len - 4;

            ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
            ccv.cf = cf;
            ccv.value = &s;
            ccv.complex_value = &z->key;

            if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "size=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;
            size = ngx_parse_size(&s);

            if (size >= (ssize_t) NGX_HTTP_ICERT_HAND_MIN_SIZE) {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (z->key.value.len == 0 || size == 0) {
        return "needs key= and size=";
    }

    zone = ngx_shared_memory_add(cf, &z->name, size,
                                 &ngx_http_icert_hand_module);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate zone \"%V\"",
                           &z->name);
        return NGX_CONF_ERROR;
    }

    zone->init = ngx_http_icert_hand_init_zone;
    zone->data = z;

    place = ngx_array_push(&hmcf->zones);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    *place = zone;

    return NGX_CONF_OK;
}


static char *
ngx_http_icert_hand(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_hand_conf_t  *hcf = conf;

    ngx_int_t               most;
    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_shm_zone_t         *zone;
    ngx_http_icert_hand_t  *hand;

    value = cf->args->elts;

    if (hcf->off || (cf->args->nelts == 2 && hcf->hands)) {
        return "off stands alone";
    }

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "off") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "icert_in_hand \"%V\" needs a number",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        hcf->off = 1;
        return NGX_CONF_OK;
    }

    zone = ngx_shared_memory_add(cf, &value[1], 0, &ngx_http_icert_hand_module);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no icert_in_hand_zone \"%V\" before this line",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    most = ngx_atoi(value[2].data, value[2].len);
    if (most < 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (hcf->hands == NULL) {
        hcf->hands = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_http_icert_hand_t));
        if (hcf->hands == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (hcf->hands->nelts == NGX_HTTP_ICERT_HAND_MAX) {
        return "stands too often";
    }

    hand = hcf->hands->elts;

    for (i = 0; i < hcf->hands->nelts; i++) {
        if (hand[i].zone == zone) {
            return "is duplicate";
        }
    }

    hand = ngx_array_push(hcf->hands);
    if (hand == NULL) {
        return NGX_CONF_ERROR;
    }

    hand->zone = zone;
    hand->most = most;

    return NGX_CONF_OK;
}


static void *
ngx_http_icert_hand_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_icert_hand_main_conf_t  *hmcf;

    hmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_hand_main_conf_t));
    if (hmcf == NULL
        || ngx_array_init(&hmcf->zones, cf->pool, 4, sizeof(ngx_shm_zone_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return hmcf;
}


static void *
ngx_http_icert_hand_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_hand_conf_t));
}


static char *
ngx_http_icert_hand_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_hand_conf_t  *prev = parent;
    ngx_http_icert_hand_conf_t  *conf = child;

    if (conf->hands == NULL && !conf->off) {
        conf->hands = prev->hands;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_icert_hand_init(ngx_conf_t *cf)
{
    return ngx_http_icert_preaccess(cf, ngx_http_icert_hand_handler);
}


static void
ngx_http_icert_hand_all(ngx_cycle_t *cycle, ngx_uint_t begin)
{
    ngx_uint_t                         i;
    ngx_shm_zone_t                   **zones;
    ngx_http_icert_hand_main_conf_t   *hmcf;

    hmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_icert_hand_module);
    if (hmcf == NULL) {
        return;
    }

    zones = hmcf->zones.elts;

    for (i = 0; i < hmcf->zones.nelts; i++) {
        ngx_http_icert_hand_sweep(zones[i]->data, begin);
    }
}


/* not every worker has a successor: one that was leaving has none */

static void
ngx_http_icert_hand_timer(ngx_event_t *ev)
{
    ngx_http_icert_hand_all(ev->data, 0);

    ngx_add_timer(ev, NGX_HTTP_ICERT_HAND_SWEEP);
}


static ngx_int_t
ngx_http_icert_hand_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ngx_http_icert_hand_all(cycle, 1);

    ngx_http_icert_hand_event.handler = ngx_http_icert_hand_timer;
    ngx_http_icert_hand_event.data = cycle;
    ngx_http_icert_hand_event.log = cycle->log;
    ngx_http_icert_hand_event.cancelable = 1;

    ngx_add_timer(&ngx_http_icert_hand_event, NGX_HTTP_ICERT_HAND_SWEEP);

    return NGX_OK;
}
