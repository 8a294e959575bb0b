
#include "ngx_http_icert_store.h"


#define NGX_HTTP_ICERT_STORE_RETRY  1000   /* ms after a set was refused */


typedef struct {
    ngx_str_t               folder;
    ngx_str_t               key_file;
    ngx_str_t               high_water;
    ngx_msec_t              poll;
    time_t                  stale_soft;
    time_t                  stale_hard;
    off_t                   verify_limit;
    u_char                  key[STATUS_SEAL_KEY];

    /* of a worker */

    ngx_http_icert_set_t   *set;
    uint64_t                high;            /* highest epoch ever taken */
    ngx_event_t             event;
    struct stat             seen;            /* the manifest last looked at */
    ngx_msec_t              tried;
    unsigned                refused:1;       /* it was not taken */
    unsigned                broken:1;        /* the high-water file is not to be read */
} ngx_http_icert_store_main_conf_t;


static void ngx_http_icert_store_timer(ngx_event_t *ev);
static void ngx_http_icert_store_look(ngx_http_icert_store_main_conf_t *smcf,
    ngx_log_t *log);
static ngx_int_t ngx_http_icert_store_load(
    ngx_http_icert_store_main_conf_t *smcf, ngx_fd_t dir, const char **why);
static ngx_int_t ngx_http_icert_store_map(
    ngx_http_icert_store_main_conf_t *smcf, ngx_http_icert_set_t *set,
    ngx_fd_t dir, const char **why);
static void ngx_http_icert_set_release(void *data);
static ngx_int_t ngx_http_icert_store_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_icert_store_add_variables(ngx_conf_t *cf);
static void *ngx_http_icert_store_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_icert_store_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_icert_store_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_store_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_icert_store_init_process(ngx_cycle_t *cycle);
static void ngx_http_icert_store_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_icert_store_commands[] = {

    { ngx_string("icert_status_folder"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_store_main_conf_t, folder),
      NULL },

    { ngx_string("icert_status_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_store_main_conf_t, key_file),
      NULL },

    { ngx_string("icert_status_high_water"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_store_main_conf_t, high_water),
      NULL },

    { ngx_string("icert_status_poll"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_store_main_conf_t, poll),
      NULL },

    { ngx_string("icert_status_stale_soft"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_store_main_conf_t, stale_soft),
      NULL },

    { ngx_string("icert_status_stale_hard"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_store_main_conf_t, stale_hard),
      NULL },

    { ngx_string("icert_status_verify_limit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_store_main_conf_t, verify_limit),
      NULL },

    { ngx_string("icert_status_max_age"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_store_conf_t, max_age),
      NULL },

      ngx_null_command
};


#define NGX_HTTP_ICERT_VAR_EPOCH  0
#define NGX_HTTP_ICERT_VAR_AGE    1


static ngx_http_variable_t  ngx_http_icert_store_vars[] = {

    { ngx_string("icert_status_epoch"), NULL, ngx_http_icert_store_variable,
      NGX_HTTP_ICERT_VAR_EPOCH, 0, 0 },

    { ngx_string("icert_status_age"), NULL, ngx_http_icert_store_variable,
      NGX_HTTP_ICERT_VAR_AGE, 0, 0 },

      ngx_http_null_variable
};


static ngx_http_module_t  ngx_http_icert_store_module_ctx = {
    ngx_http_icert_store_add_variables,      /* preconfiguration */
    NULL,                                    /* postconfiguration */

    ngx_http_icert_store_create_main_conf,   /* create main configuration */
    ngx_http_icert_store_init_main_conf,     /* init main configuration */

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


ngx_int_t
ngx_http_icert_store_get(ngx_http_request_t *r, ngx_http_icert_set_t **set,
    ngx_http_icert_freshness_e *freshness)
{
    time_t                             age;
    ngx_pool_cleanup_t                *cln;
    ngx_http_icert_store_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_icert_store_module);

    /* the first set is there when its manifest is, in every worker at once */

    if (smcf->set == NULL) {
        ngx_http_icert_store_look(smcf, r->connection->log);
    }

    if (smcf->set == NULL) {
        return NGX_DECLINED;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_icert_set_release;
    cln->data = smcf->set;
    smcf->set->refs++;

    age = ngx_time() - (time_t) smcf->set->manifest.heartbeat;

    *set = smcf->set;
    *freshness = (age > smcf->stale_hard) ? NGX_HTTP_ICERT_SILENT
                 : (age > smcf->stale_soft) ? NGX_HTTP_ICERT_STALE
                 : NGX_HTTP_ICERT_FRESH;

    return NGX_OK;
}


static void
ngx_http_icert_set_release(void *data)
{
    ngx_http_icert_set_t  *set = data;

    ngx_uint_t  i;

    if (--set->refs) {
        return;
    }

    for (i = 0; i < set->manifest.count; i++) {
        status_unmap(set->map[i], set->manifest.entry[i].size);
    }

    ngx_free(set);
}


static void
ngx_http_icert_store_timer(ngx_event_t *ev)
{
    ngx_http_icert_store_main_conf_t *smcf = ev->data;

    ngx_http_icert_store_look(smcf, ev->log);
    ngx_add_timer(ev, smcf->poll);
}


static void
ngx_http_icert_store_look(ngx_http_icert_store_main_conf_t *smcf,
    ngx_log_t *log)
{
    ngx_fd_t      dir;
    ngx_int_t     rc;
    ngx_uint_t    same;
    const char   *why;
    struct stat   st;

    dir = open((char *) smcf->folder.data, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (dir == NGX_INVALID_FILE) {
        return;
    }

    if (fstatat(dir, STATUS_MANIFEST_FILE, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        (void) close(dir);
        return;
    }

    same = (st.st_ino == smcf->seen.st_ino && st.st_size == smcf->seen.st_size
            && st.st_mtim.tv_sec == smcf->seen.st_mtim.tv_sec
            && st.st_mtim.tv_nsec == smcf->seen.st_mtim.tv_nsec);

    if (same && (!smcf->refused
                 || ngx_current_msec - smcf->tried
                    < NGX_HTTP_ICERT_STORE_RETRY))
    {
        (void) close(dir);
        return;
    }

    smcf->seen = st;
    smcf->tried = ngx_current_msec;
    why = "ok";

    rc = ngx_http_icert_store_load(smcf, dir, &why);

    (void) close(dir);

    smcf->refused = (rc != NGX_OK);

    if (rc != NGX_OK && !same) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "icert status set refused: %s; the one before stays",
                      why);
        return;
    }

    if (rc == NGX_OK && ngx_worker == 0
        && smcf->set->manifest.epoch > smcf->high)
    {
        smcf->high = smcf->set->manifest.epoch;
        ngx_http_icert_high_water_write(&smcf->high_water, smcf->high, log);
    }

    if (rc == NGX_OK && smcf->set->manifest.epoch > smcf->high) {
        smcf->high = smcf->set->manifest.epoch;
    }
}


static ngx_int_t
ngx_http_icert_store_load(ngx_http_icert_store_main_conf_t *smcf,
    ngx_fd_t dir, const char **why)
{
    int                    rc;
    u_char                 bytes[STATUS_MANIFEST_MAX + 1];
    ssize_t                n;
    ngx_fd_t               fd;
    ngx_http_icert_set_t  *set, *old;

    if (smcf->broken) {
        *why = "high_water";
        return NGX_ERROR;
    }

    fd = openat(dir, STATUS_MANIFEST_FILE, O_RDONLY|O_NOFOLLOW|O_CLOEXEC);
    n = (fd == NGX_INVALID_FILE) ? -1 : read(fd, bytes, sizeof(bytes));

    if (fd != NGX_INVALID_FILE) {
        (void) close(fd);
    }

    if (n <= 0) {
        *why = icert_err_code(ICERT_E_SYSTEM);
        return NGX_ERROR;
    }

    /* not ngx_calloc(): tests/lib/nginx.supp */
    set = calloc(1, sizeof(ngx_http_icert_set_t));
    if (set == NULL) {
        *why = icert_err_code(ICERT_E_MEMORY);
        return NGX_ERROR;
    }

    set->refs = 1;

    rc = status_manifest_read(&set->manifest, bytes, n, smcf->key);

    if (rc != 0) {
        *why = icert_err_code(rc);
        set->manifest.count = 0;
        ngx_http_icert_set_release(set);
        return NGX_ERROR;
    }

    old = smcf->set;

    if (set->manifest.epoch < smcf->high
        || (old && set->manifest.epoch == old->manifest.epoch
            && set->manifest.heartbeat < old->manifest.heartbeat))
    {
        *why = "rollback";
        ngx_http_icert_set_release(set);
        return NGX_ERROR;
    }

    if (old && set->manifest.epoch == old->manifest.epoch
        && set->manifest.count == old->manifest.count
        && ngx_memcmp(set->manifest.entry, old->manifest.entry,
                      sizeof(set->manifest.entry))
           == 0)
    {
        old->manifest.heartbeat = set->manifest.heartbeat;
        ngx_http_icert_set_release(set);
        return NGX_OK;
    }

    if (ngx_http_icert_store_map(smcf, set, dir, why) != NGX_OK) {
        ngx_http_icert_set_release(set);
        return NGX_ERROR;
    }

    smcf->set = set;

    if (old) {
        ngx_http_icert_set_release(old);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_store_map(ngx_http_icert_store_main_conf_t *smcf,
    ngx_http_icert_set_t *set, ngx_fd_t dir, const char **why)
{
    int                     rc;
    uint32_t                i;
    struct status_entry    *e;
    struct status_segment  *s;

    for (i = 0; i < set->manifest.count; i++) {

        e = &set->manifest.entry[i];

        rc = status_map(dir, e, &set->map[i]);

        if (rc == 0 && e->kind == STATUS_KIND_SEGMENT) {

            if (set->segments == NGX_HTTP_ICERT_SEGMENTS) {
                *why = icert_err_code(ICERT_E_TOO_LARGE);
                return NGX_ERROR;
            }

            s = &set->segment[set->segments++];

            rc = status_segment_init(s, set->map[i], e->size, e->digest);

            if (rc == 0 && (off_t) e->size <= smcf->verify_limit) {
                rc = status_segment_verify(s);
            }
        }

        if (rc != 0) {
            *why = icert_err_code(rc);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_store_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                            *p;
    ngx_http_icert_set_t              *set;
    ngx_http_icert_store_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_icert_store_module);
    set = smcf->set;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

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

    smcf->poll = NGX_CONF_UNSET_MSEC;
    smcf->stale_soft = NGX_CONF_UNSET;
    smcf->stale_hard = NGX_CONF_UNSET;
    smcf->verify_limit = NGX_CONF_UNSET;

    return smcf;
}


static char *
ngx_http_icert_store_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_icert_store_main_conf_t *smcf = conf;

    ngx_conf_init_msec_value(smcf->poll, 200);
    ngx_conf_init_value(smcf->stale_soft, 300);
    ngx_conf_init_value(smcf->stale_hard, 6 * 3600);
    ngx_conf_init_value(smcf->verify_limit, 64 * 1024 * 1024);

    if (smcf->folder.len == 0) {
        return NGX_CONF_OK;
    }

    if (smcf->key_file.len == 0) {
        return "icert_status_folder needs icert_status_key";
    }

    if (smcf->poll == 0 || smcf->stale_soft > smcf->stale_hard) {
        return "icert_status_poll is 0, or icert_status_stale_soft above "
               "icert_status_stale_hard";
    }

    if (ngx_conf_full_name(cf->cycle, &smcf->folder, 0) != NGX_OK
        || (smcf->high_water.len
            && ngx_conf_full_name(cf->cycle, &smcf->high_water, 0) != NGX_OK)
        || ngx_http_icert_store_key(cf, &smcf->key_file, smcf->key)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_icert_store_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_store_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_store_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->max_age = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_icert_store_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_store_conf_t  *prev = parent;
    ngx_http_icert_store_conf_t  *conf = child;

    ngx_conf_merge_sec_value(conf->max_age, prev->max_age, 300);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_icert_store_init_process(ngx_cycle_t *cycle)
{
    ngx_http_icert_store_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_icert_store_module);

    if (smcf == NULL || smcf->folder.len == 0
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    if (ngx_http_icert_high_water_read(&smcf->high_water, &smcf->high,
                                       cycle->log)
        != NGX_OK)
    {
        smcf->broken = 1;
    }

    smcf->event.handler = ngx_http_icert_store_timer;
    smcf->event.data = smcf;
    smcf->event.log = cycle->log;

    /* an old worker leaves when its last request has ended */

    smcf->event.cancelable = 1;

    ngx_http_icert_store_look(smcf, cycle->log);

    if (smcf->set == NULL) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "icert has no status set yet in \"%V\"", &smcf->folder);
    }

    ngx_add_timer(&smcf->event, smcf->poll);

    return NGX_OK;
}


static void
ngx_http_icert_store_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_icert_store_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_icert_store_module);

    if (smcf && smcf->set) {
        ngx_http_icert_set_release(smcf->set);
        smcf->set = NULL;
    }
}
