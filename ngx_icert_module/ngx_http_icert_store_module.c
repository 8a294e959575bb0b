
#include "ngx_http_icert_store.h"


#define NGX_HTTP_ICERT_VAR_EPOCH  0
#define NGX_HTTP_ICERT_VAR_AGE    1
#define NGX_HTTP_ICERT_VAR_STATE  2
#define NGX_HTTP_ICERT_VAR_STATES 3


static ngx_int_t ngx_http_icert_store_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_icert_store_add_variables(ngx_conf_t *cf);
static void *ngx_http_icert_store_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_icert_store_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_store_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_icert_store_join(ngx_conf_t *cf,
    ngx_http_icert_store_conf_t *conf);
static ngx_int_t ngx_http_icert_store_init_process(ngx_cycle_t *cycle);
static void ngx_http_icert_store_exit_process(ngx_cycle_t *cycle);


#define NGX_HTTP_ICERT_STORE_CONF                                            \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1


static ngx_command_t  ngx_http_icert_store_commands[] = {

    { ngx_string("icert_status_folder"),
      NGX_HTTP_ICERT_STORE_CONF,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, settings.folder),
      NULL },

    { ngx_string("icert_status_key"),
      NGX_HTTP_ICERT_STORE_CONF,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, settings.key_file),
      NULL },

    { ngx_string("icert_status_high_water"),
      NGX_HTTP_ICERT_STORE_CONF,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, settings.high_water),
      NULL },

    { ngx_string("icert_status_poll"),
      NGX_HTTP_ICERT_STORE_CONF,
      ngx_http_icert_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, settings.poll),
      NULL },

    { ngx_string("icert_status_stale_soft"),
      NGX_HTTP_ICERT_STORE_CONF,
      ngx_http_icert_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, settings.stale_soft),
      NULL },

    { ngx_string("icert_status_stale_hard"),
      NGX_HTTP_ICERT_STORE_CONF,
      ngx_http_icert_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, settings.stale_hard),
      NULL },

    { ngx_string("icert_status_verify_limit"),
      NGX_HTTP_ICERT_STORE_CONF,
      ngx_http_icert_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, settings.verify_limit),
      NULL },

    { ngx_string("icert_status_max_age"),
      NGX_HTTP_ICERT_STORE_CONF,
      ngx_http_icert_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, max_age),
      NULL },

      ngx_null_command
};


static ngx_http_variable_t  ngx_http_icert_store_vars[] = {

    { ngx_string("icert_status_epoch"), NULL, ngx_http_icert_store_variable,
      NGX_HTTP_ICERT_VAR_EPOCH, 0, 0 },

    { ngx_string("icert_status_age"), NULL, ngx_http_icert_store_variable,
      NGX_HTTP_ICERT_VAR_AGE, 0, 0 },

    { ngx_string("icert_status_state"), NULL, ngx_http_icert_store_variable,
      NGX_HTTP_ICERT_VAR_STATE, 0, 0 },

    { ngx_string("icert_status_states"), NULL, ngx_http_icert_store_variable,
      NGX_HTTP_ICERT_VAR_STATES, 0, 0 },

      ngx_http_null_variable
};


static ngx_http_module_t  ngx_http_icert_store_module_ctx = {
    ngx_http_icert_store_add_variables,      /* preconfiguration */
    NULL,                                    /* postconfiguration */

    ngx_http_icert_store_create_main_conf,   /* create main configuration */
    NULL,                                    /* init main configuration */

    NULL,                                    /* create server configuration */
    NULL,                                    /* merge server configuration */

    ngx_http_icert_store_create_conf,        /* create location configuration */
    ngx_http_icert_store_merge_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_icert_store_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_store_module_ctx,        /* module context */
    ngx_http_icert_store_commands,           /* module directives */
    NGX_HTTP_MODULE,                         /* module type */
    NULL,                                    /* init master */
    NULL,                                    /* init module */
    ngx_http_icert_store_init_process,       /* init process */
    NULL,                                    /* init thread */
    NULL,                                    /* exit thread */
    ngx_http_icert_store_exit_process,       /* exit process */
    NULL,                                    /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_icert_store_fresh = ngx_string("fresh");
static ngx_str_t  ngx_http_icert_store_stale = ngx_string("stale");
static ngx_str_t  ngx_http_icert_store_silent = ngx_string("silent");
static ngx_str_t  ngx_http_icert_store_refused = ngx_string("refused");
static ngx_str_t  ngx_http_icert_store_absent = ngx_string("absent");


/* the first set is there when its manifest is, in every worker at once */

static ngx_http_icert_set_t *
ngx_http_icert_store_set(ngx_http_icert_store_t *store)
{
    if (store && store->set == NULL) {
        ngx_http_icert_store_look(store, ngx_cycle->log);
    }

    return store ? store->set : NULL;
}


ngx_int_t
ngx_http_icert_store_get(ngx_http_request_t *r, ngx_http_icert_set_t **set,
    ngx_http_icert_freshness_e *freshness)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_icert_store_conf_t  *scf;

    scf = ngx_http_get_module_loc_conf(r, ngx_http_icert_store_module);

    *set = ngx_http_icert_store_set(scf->store);

    if (*set == NULL) {
        return NGX_DECLINED;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_icert_set_release;
    cln->data = *set;
    (*set)->refs++;

    *freshness = ngx_http_icert_store_freshness(scf->store);

    return NGX_OK;
}


ngx_http_icert_freshness_e
ngx_http_icert_store_freshness(ngx_http_icert_store_t *store)
{
    time_t  age;

    age = ngx_time() - (time_t) store->set->manifest.heartbeat;

    return (age > store->conf.stale_hard) ? NGX_HTTP_ICERT_SILENT
           : (age > store->conf.stale_soft) ? NGX_HTTP_ICERT_STALE
           : NGX_HTTP_ICERT_FRESH;
}


static ngx_str_t *
ngx_http_icert_store_state(ngx_http_icert_store_t *store)
{
    if (ngx_http_icert_store_set(store) == NULL) {
        return &ngx_http_icert_store_absent;
    }

    if (store->refused) {
        return &ngx_http_icert_store_refused;
    }

    switch (ngx_http_icert_store_freshness(store)) {

    case NGX_HTTP_ICERT_FRESH:
        return &ngx_http_icert_store_fresh;

    case NGX_HTTP_ICERT_STALE:
        return &ngx_http_icert_store_stale;

    default:
        return &ngx_http_icert_store_silent;
    }
}


/* every state in every answer, one of them 1: a series never comes or goes */

static ngx_int_t
ngx_http_icert_store_states(ngx_http_request_t *r, ngx_str_t *state,
    ngx_http_variable_value_t *v)
{
    u_char      *p;
    ngx_uint_t   i;

    static ngx_str_t  *states[] = {
        &ngx_http_icert_store_fresh, &ngx_http_icert_store_stale,
        &ngx_http_icert_store_silent, &ngx_http_icert_store_refused,
        &ngx_http_icert_store_absent
    };

    p = ngx_pnalloc(r->pool, 192 + 5 * 64);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    p = ngx_sprintf(p, "# HELP icert_status_state Whether what is answered from "
                       "is fresh, stale, silent, refused or absent.\n"
                       "# TYPE icert_status_state gauge\n");

    for (i = 0; i < 5; i++) {
        p = ngx_sprintf(p, "icert_status_state{state=\"%V\"} %d\n",
                        states[i], states[i] == state);
    }

    v->len = p - v->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_store_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                       *p;
    ngx_str_t                    *state;
    ngx_http_icert_set_t         *set;
    ngx_http_icert_store_conf_t  *scf;

    scf = ngx_http_get_module_loc_conf(r, ngx_http_icert_store_module);

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    if (data == NGX_HTTP_ICERT_VAR_STATE || data == NGX_HTTP_ICERT_VAR_STATES) {
        state = ngx_http_icert_store_state(scf->store);

        if (data == NGX_HTTP_ICERT_VAR_STATES) {
            return ngx_http_icert_store_states(r, state, v);
        }

        v->data = state->data;
        v->len = state->len;
        return NGX_OK;
    }

    set = scf->store ? scf->store->set : NULL;

    /* as numbers of a metric */

    if (set == NULL) {
        v->data = (u_char *) (data == NGX_HTTP_ICERT_VAR_EPOCH ? "0" : "NaN");
        v->len = ngx_strlen(v->data);
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;

    if (data == NGX_HTTP_ICERT_VAR_EPOCH) {
        v->len = ngx_sprintf(p, "%uL", set->manifest.epoch) - p;

    } else {
        v->len = ngx_sprintf(p, "%L", (int64_t) ngx_time()
                                      - set->manifest.heartbeat) - p;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_store_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_icert_store_vars; v->name.len; v++) {
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
ngx_http_icert_store_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_icert_store_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_store_main_conf_t));
    if (smcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&smcf->stores, cf->pool, 2,
                       sizeof(ngx_http_icert_store_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return smcf;
}


static void *
ngx_http_icert_store_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_store_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_store_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->settings.poll = NGX_CONF_UNSET_MSEC;
    conf->settings.stale_soft = NGX_CONF_UNSET;
    conf->settings.stale_hard = NGX_CONF_UNSET;
    conf->settings.verify_limit = NGX_CONF_UNSET;
    conf->max_age = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_icert_store_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_store_conf_t  *prev = parent;
    ngx_http_icert_store_conf_t  *conf = child;

    ngx_http_icert_store_settings_t  *p, *c;

    p = &prev->settings;
    c = &conf->settings;

    ngx_conf_merge_str_value(c->folder, p->folder, "");
    ngx_conf_merge_str_value(c->key_file, p->key_file, "");
    ngx_conf_merge_str_value(c->high_water, p->high_water, "");
    ngx_conf_merge_msec_value(c->poll, p->poll, 200);
    ngx_conf_merge_sec_value(c->stale_soft, p->stale_soft, 300);
    ngx_conf_merge_sec_value(c->stale_hard, p->stale_hard, 6 * 3600);
    ngx_conf_merge_off_value(c->verify_limit, p->verify_limit,
                             64 * 1024 * 1024);
    ngx_conf_merge_sec_value(conf->max_age, prev->max_age, 300);

    if (c->folder.len == 0) {
        return NGX_CONF_OK;
    }

    if (c->key_file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_status_folder needs icert_status_key: "
                           "\"%V\"", &c->folder);
        return NGX_CONF_ERROR;
    }

    if (c->poll == 0 || c->stale_soft > c->stale_hard) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_status_poll is 0 (%M ms), or "
                           "icert_status_stale_soft (%T s) above "
                           "icert_status_stale_hard (%T s): \"%V\"",
                           c->poll, c->stale_soft, c->stale_hard, &c->folder);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &c->folder, 0) != NGX_OK
        || (c->high_water.len
            && ngx_conf_full_name(cf->cycle, &c->high_water, 0) != NGX_OK)
        || ngx_conf_full_name(cf->cycle, &c->key_file, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_icert_store_join(cf, conf);
}


static ngx_uint_t
ngx_http_icert_store_is(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


/* one folder is one store, wherever it is named */

static char *
ngx_http_icert_store_join(ngx_conf_t *cf, ngx_http_icert_store_conf_t *conf)
{
    ngx_uint_t                          i;
    ngx_http_icert_store_t             *s, **stores;
    ngx_http_icert_store_settings_t    *c;
    ngx_http_icert_store_main_conf_t   *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_icert_store_module);
    stores = smcf->stores.elts;
    c = &conf->settings;

    for (i = 0; i < smcf->stores.nelts; i++) {

        s = stores[i];

        if (!ngx_http_icert_store_is(&s->conf.folder, &c->folder)) {

            /* of two publishers, each counts its own epochs */

            if (c->high_water.len
                && ngx_http_icert_store_is(&s->conf.high_water,
                                           &c->high_water))
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "two icert_status_folder have one "
                                   "icert_status_high_water \"%V\": \"%V\" "
                                   "and \"%V\"", &c->high_water,
                                   &s->conf.folder, &c->folder);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (!ngx_http_icert_store_is(&s->conf.key_file, &c->key_file)
            || !ngx_http_icert_store_is(&s->conf.high_water, &c->high_water)
            || s->conf.poll != c->poll
            || s->conf.stale_soft != c->stale_soft
            || s->conf.stale_hard != c->stale_hard
            || s->conf.verify_limit != c->verify_limit)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "one icert_status_folder has two different "
                               "settings: \"%V\"", &c->folder);
            return NGX_CONF_ERROR;
        }

        conf->store = s;
        return NGX_CONF_OK;
    }

    s = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_store_t));
    stores = ngx_array_push(&smcf->stores);

    if (s == NULL || stores == NULL) {
        return NGX_CONF_ERROR;
    }

    s->conf = *c;

    if (ngx_http_icert_store_key(cf, &c->key_file, s->key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *stores = s;
    conf->store = s;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_icert_store_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_http_icert_store_t            **stores, *s;
    ngx_http_icert_store_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_icert_store_module);

    if (smcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    stores = smcf->stores.elts;

    for (i = 0; i < smcf->stores.nelts; i++) {

        s = stores[i];

        if (ngx_http_icert_high_water_read(&s->conf.high_water, &s->high,
                                           cycle->log)
            != NGX_OK)
        {
            s->broken = 1;
        }

        ngx_http_icert_watch_start(s, cycle);

        if (s->set == NULL) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                          "icert has no status set yet in \"%V\"",
                          &s->conf.folder);
        }
    }

    return NGX_OK;
}


static void
ngx_http_icert_store_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_http_icert_store_t            **stores;
    ngx_http_icert_store_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_icert_store_module);

    if (smcf == NULL) {
        return;
    }

    stores = smcf->stores.elts;

    for (i = 0; i < smcf->stores.nelts; i++) {

        ngx_http_icert_watch_end(stores[i]);

        if (stores[i]->set) {
            ngx_http_icert_set_release(stores[i]->set);
            stores[i]->set = NULL;
        }
    }
}
