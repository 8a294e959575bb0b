
#include "ngx_http_icert.h"

#include <libicert/country.h>


#define NGX_HTTP_ICERT_COUNTRY_CHECK  60000   /* ms between looks at the file */
#define NGX_HTTP_ICERT_COUNTRY_YOUNG  2       /* s: a coarse clock's tick, and more */


typedef struct {
    ngx_str_t        path;
    ngx_str_t        keep;     /* where what was taken last stands; empty: nowhere */
    ngx_msec_t       check;    /* ms between looks at the file */

    ngx_event_t      event;
    MMDB_s           db[2];    /* a new one is opened beside the old */
    ngx_uint_t       current;
    ngx_file_info_t  seen;     /* the file that was looked at last */
    unsigned         open:1;
    ngx_file_info_t  first;      /* what lay there when the configuration was read */
    unsigned         refused:1;  /* it was not taken: what was there before stays */
    unsigned         young:1;    /* it may have changed since within a tick */
} ngx_http_icert_country_main_conf_t;


static ngx_int_t ngx_http_icert_country_find(ngx_http_request_t *r,
    ngx_str_t *value);
static ngx_int_t ngx_http_icert_country_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_icert_country_load(
    ngx_http_icert_country_main_conf_t *mcf, ngx_log_t *log);
static void ngx_http_icert_country_keep(
    ngx_http_icert_country_main_conf_t *mcf, ngx_log_t *log);
static ngx_uint_t ngx_http_icert_country_same(ngx_file_info_t *a,
    ngx_file_info_t *b);
static ngx_uint_t ngx_http_icert_country_open_kept(
    ngx_http_icert_country_main_conf_t *mcf);
static void ngx_http_icert_country_kept(
    ngx_http_icert_country_main_conf_t *mcf, ngx_log_t *log);
static ngx_int_t ngx_http_icert_country_state(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_icert_country_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_icert_country_add_variables(ngx_conf_t *cf);
static void *ngx_http_icert_country_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_icert_country_database(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_icert_country_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_icert_country_init_process(ngx_cycle_t *cycle);
static void ngx_http_icert_country_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_icert_country_commands[] = {

    { ngx_string("icert_country_database"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_icert_country_database,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_icert_country_main_conf_t, path),
      NULL },

      ngx_null_command
};


#define NGX_HTTP_ICERT_COUNTRY_EPOCH    0
#define NGX_HTTP_ICERT_COUNTRY_REFUSED  1


static ngx_http_variable_t  ngx_http_icert_country_vars[] = {

    { ngx_string("icert_country"), NULL, ngx_http_icert_country_variable,
      0, 0, 0 },

    { ngx_string("icert_country_epoch"), NULL, ngx_http_icert_country_state,
      NGX_HTTP_ICERT_COUNTRY_EPOCH, 0, 0 },

    { ngx_string("icert_country_refused"), NULL, ngx_http_icert_country_state,
      NGX_HTTP_ICERT_COUNTRY_REFUSED, 0, 0 },

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
    ngx_http_icert_country_init_module,        /* init module */
    ngx_http_icert_country_init_process,       /* init process */
    NULL,                                      /* init thread */
    NULL,                                      /* exit thread */
    ngx_http_icert_country_exit_process,       /* exit process */
    NULL,                                      /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_icert_country_unknown = ngx_string("unknown");


ngx_int_t
ngx_http_icert_country(ngx_http_request_t *r, ngx_str_t *value)
{
    ngx_http_icert_note_t  *note;

    note = ngx_http_icert_note_make(r);
    if (note == NULL) {
        return NGX_ERROR;
    }

    if (note->country.len == 0
        && ngx_http_icert_country_find(r, &note->country) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *value = note->country;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_country_find(ngx_http_request_t *r, ngx_str_t *value)
{
    char                                 code[COUNTRY_CODE];
    ngx_http_icert_country_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_icert_country_module);

    *value = ngx_http_icert_country_unknown;

    if (!mcf->open || !country_find(&mcf->db[mcf->current],
                                    r->connection->sockaddr, code))
    {
        return NGX_OK;
    }

    /* the database may be replaced before the request ends */

    value->data = ngx_pnalloc(r->pool, COUNTRY_CODE);
    if (value->data == NULL) {
        value->len = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(value->data, code, COUNTRY_CODE);
    value->len = COUNTRY_CODE;

    return NGX_OK;
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


static void
ngx_http_icert_country_load(ngx_http_icert_country_main_conf_t *mcf,
    ngx_log_t *log)
{
    uint64_t         epoch;
    ngx_uint_t       next, told;
    const char      *fault;
    ngx_file_info_t  fi;

    if (ngx_file_info(mcf->path.data, &fi) == NGX_FILE_ERROR) {
        return;
    }

    /* what was told of this file and is so still is not told again */

    told = ngx_http_icert_country_same(&fi, &mcf->seen);

    if (told && !mcf->young) {
        return;
    }

    mcf->seen = fi;
    mcf->young = ngx_time() - fi.st_ctime < NGX_HTTP_ICERT_COUNTRY_YOUNG;

    next = !mcf->current;
    epoch = mcf->open ? mcf->db[mcf->current].metadata.build_epoch : 0;

    fault = country_open(&mcf->db[next], (char *) mcf->path.data, epoch,
                         (uint64_t) ngx_time());

    told = told && mcf->refused == (fault != NULL);
    mcf->refused = (fault != NULL);

    if (fault) {
        if (!told) {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "icert_country_database \"%V\" %s%s", &mcf->path,
                          fault, mcf->open ? ": the former one stays" : "");
        }

        return;
    }

    if (mcf->open) {
        MMDB_close(&mcf->db[mcf->current]);
    }

    mcf->open = 1;
    mcf->current = next;

    if (!told || mcf->db[next].metadata.build_epoch != epoch) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "icert country database opened: \"%V\", of %uL",
                      &mcf->path,
                      (uint64_t) mcf->db[next].metadata.build_epoch);
    }

    ngx_http_icert_country_keep(mcf, log);
}


/*
 * The one in use, for processes that start when its file is a bad one; what
 * is looked up in is then the kept file, which nobody writes over in place.
 */

static void
ngx_http_icert_country_keep(ngx_http_icert_country_main_conf_t *mcf,
    ngx_log_t *log)
{
    int         err;
    MMDB_s     *db, *kept;

    if (mcf->keep.len == 0) {
        return;
    }

    db = &mcf->db[mcf->current];
    kept = &mcf->db[!mcf->current];

    err = country_keep(db, (char *) mcf->keep.data);

    if (err) {
        ngx_log_error(NGX_LOG_ERR, log, err,
                      "icert_country_database cannot keep \"%V\"",
                      &mcf->keep);
        return;
    }

    if (country_open(kept, (char *) mcf->keep.data,
                     db->metadata.build_epoch, (uint64_t) ngx_time())
        == NULL)
    {
        MMDB_close(db);
        mcf->current = !mcf->current;
    }
}


/*
 * The time of the last change (ctime) nobody can set, as whoever copies a file
 * sets the other; it tells what was written in place, or put back after
 * another, with the inode, the size and the date that were there before.
 */

static ngx_uint_t
ngx_http_icert_country_same(ngx_file_info_t *a, ngx_file_info_t *b)
{
    return a->st_ctim.tv_sec == b->st_ctim.tv_sec
           && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec
           && a->st_dev == b->st_dev
           && ngx_file_uniq(a) == ngx_file_uniq(b)
           && ngx_file_size(a) == ngx_file_size(b);
}


static ngx_uint_t
ngx_http_icert_country_open_kept(ngx_http_icert_country_main_conf_t *mcf)
{
    mcf->open = mcf->keep.len
                && country_open(&mcf->db[mcf->current],
                                (char *) mcf->keep.data, 0,
                                (uint64_t) ngx_time())
                   == NULL;

    return mcf->open;
}


/* A process begins, and the file is absent or bad. */

static void
ngx_http_icert_country_kept(ngx_http_icert_country_main_conf_t *mcf,
    ngx_log_t *log)
{
    if (ngx_http_icert_country_open_kept(mcf)) {

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "icert country database \"%V\" is absent or bad: "
                      "the former one stays, of %uL, kept as \"%V\"",
                      &mcf->path,
                      (uint64_t) mcf->db[mcf->current].metadata.build_epoch,
                      &mcf->keep);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "icert country database is absent: \"%V\"", &mcf->path);
}


/* when the database in use was built, 0: there is none; whether a newer file was refused */

static ngx_int_t
ngx_http_icert_country_state(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                              *p;
    uint64_t                             value;
    ngx_http_icert_country_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_icert_country_module);

    if (data == NGX_HTTP_ICERT_COUNTRY_REFUSED) {
        value = mcf->refused;

    } else {
        value = mcf->open ? mcf->db[mcf->current].metadata.build_epoch : 0;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(p, "%uL", value) - p;
    v->data = p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static void
ngx_http_icert_country_timer(ngx_event_t *ev)
{
    ngx_http_icert_country_load(ev->data, ev->log);
    ngx_add_timer(ev,
                  ((ngx_http_icert_country_main_conf_t *) ev->data)->check);
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

    ngx_int_t    check;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (mcf->path.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->path = value[1];
    mcf->check = NGX_HTTP_ICERT_COUNTRY_CHECK;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "check=", 6) == 0) {
            s.data = value[i].data + 6;
            s.len = value[i].len - 6;
            check = ngx_parse_time(&s, 0);

            if (check > 0) {
                mcf->check = (ngx_msec_t) check;
                continue;
            }
        }

        if (ngx_strncmp(value[i].data, "keep=", 5) == 0 && value[i].len > 5) {
            mcf->keep.data = value[i].data + 5;
            mcf->keep.len = value[i].len - 5;

            if (ngx_conf_full_name(cf->cycle, &mcf->keep, 0) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &mcf->path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* The master reads the configuration: what lies there now an operator wants. */

static ngx_int_t
ngx_http_icert_country_init_module(ngx_cycle_t *cycle)
{
    ngx_http_icert_country_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_icert_country_module);

    if (mcf && mcf->path.len
        && ngx_file_info(mcf->path.data, &mcf->first) == NGX_FILE_ERROR)
    {
        ngx_memzero(&mcf->first, sizeof(ngx_file_info_t));
    }

    return NGX_OK;
}


/*
 * A file that came later has to be no older than what was taken meanwhile, for
 * the successor of a killed worker as for the workers that go on.
 */

static ngx_int_t
ngx_http_icert_country_init_process(ngx_cycle_t *cycle)
{
    ngx_file_info_t                      fi;
    ngx_http_icert_country_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_icert_country_module);

    if (mcf == NULL || mcf->path.len == 0) {
        return NGX_OK;
    }

    if (ngx_file_info(mcf->path.data, &fi) != NGX_FILE_ERROR
        && !ngx_http_icert_country_same(&fi, &mcf->first))
    {
        (void) ngx_http_icert_country_open_kept(mcf);
    }

    ngx_http_icert_country_load(mcf, cycle->log);

    if (!mcf->open) {
        ngx_http_icert_country_kept(mcf, cycle->log);
    }

    mcf->event.handler = ngx_http_icert_country_timer;
    mcf->event.data = mcf;
    mcf->event.log = cycle->log;
    mcf->event.cancelable = 1;

    ngx_add_timer(&mcf->event, mcf->check);

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
