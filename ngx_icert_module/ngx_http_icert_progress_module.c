
/*
 * How far an upload has come, for the page it is sent from: a table of fixed
 * size in shared memory.  Who asks has to state the id that the page chose and
 * to be the owner, by cookie, of the request that carries it: neither is kept,
 * only a digest of both.
 */

#include "ngx_http_icert_count.h"
#include "ngx_http_icert_progress.h"

#include <openssl/sha.h>


#define NGX_HTTP_ICERT_PROGRESS_ID    32    /* hexadecimal digits: 128 bits */
#define NGX_HTTP_ICERT_PROGRESS_WAYS  8     /* slots that a key may have */
#define NGX_HTTP_ICERT_PROGRESS_LIFE  600   /* seconds, since it last moved */


typedef struct {
    ngx_uint_t                       n;     /* a multiple of the ways */
    ngx_http_icert_progress_slot_t   slots[1];
} ngx_http_icert_progress_table_t;


typedef struct {
    ngx_shm_zone_t                  *zone;
} ngx_http_icert_progress_main_conf_t;


typedef struct {
    ngx_http_complex_value_t        *id;
    ngx_http_complex_value_t        *owner;
    ngx_uint_t                       report;
} ngx_http_icert_progress_conf_t;


static char *ngx_http_icert_progress_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_icert_progress(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_icert_progress_report(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_icert_progress_handler(ngx_http_request_t *r);
static void *ngx_http_icert_progress_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_icert_progress_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_progress_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_str_t  ngx_http_icert_progress_states[] = {
    ngx_string("unknown"),
    ngx_string("receiving"),
    ngx_string("received"),
    ngx_string("refused"),
    ngx_string("aborted")
};


static ngx_command_t  ngx_http_icert_progress_commands[] = {

    { ngx_string("icert_upload_progress_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_icert_progress_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_upload_progress"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_icert_progress,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_upload_progress_report"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_icert_progress_report,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_icert_progress_module_ctx = {
    NULL,                                      /* preconfiguration */
    NULL,                                      /* postconfiguration */

    ngx_http_icert_progress_create_main_conf,  /* create main configuration */
    NULL,                                      /* init main configuration */

    NULL,                                      /* create server configuration */
    NULL,                                      /* merge server configuration */

    ngx_http_icert_progress_create_conf,       /* create location config */
    ngx_http_icert_progress_merge_conf         /* merge location config */
};


ngx_module_t  ngx_http_icert_progress_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_progress_module_ctx,       /* module context */
    ngx_http_icert_progress_commands,          /* module directives */
    NGX_HTTP_MODULE,                           /* module type */
    NULL,                                      /* init master */
    NULL,                                      /* init module */
    NULL,                                      /* init process */
    NULL,                                      /* init thread */
    NULL,                                      /* exit thread */
    NULL,                                      /* exit process */
    NULL,                                      /* exit master */
    NGX_MODULE_V1_PADDING
};


/* NGX_DECLINED: no id of the right form, or nobody who owns it */

static ngx_int_t
ngx_http_icert_progress_key(ngx_http_request_t *r, u_char *key)
{
    u_char                           digest[SHA256_DIGEST_LENGTH];
    ngx_str_t                        id, owner;
    ngx_uint_t                       i;
    SHA256_CTX                       sha;
    ngx_http_icert_progress_conf_t  *pcf;

    pcf = ngx_http_get_module_loc_conf(r, ngx_http_icert_progress_module);

    if (pcf->id == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_complex_value(r, pcf->id, &id) != NGX_OK
        || ngx_http_complex_value(r, pcf->owner, &owner) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (id.len != NGX_HTTP_ICERT_PROGRESS_ID || owner.len == 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < id.len; i++) {
        if (!(id.data[i] >= '0' && id.data[i] <= '9')
            && !(id.data[i] >= 'a' && id.data[i] <= 'f'))
        {
            return NGX_DECLINED;
        }
    }

    /* the id is of one length: no two pairs are the same octets */

    if (SHA256_Init(&sha) != 1
        || SHA256_Update(&sha, id.data, id.len) != 1
        || SHA256_Update(&sha, owner.data, owner.len) != 1
        || SHA256_Final(digest, &sha) != 1)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(key, digest, NGX_HTTP_ICERT_PROGRESS_KEY);

    return NGX_OK;
}


static ngx_http_icert_progress_slot_t *
ngx_http_icert_progress_slots(ngx_http_request_t *r, u_char *key,
    ngx_slab_pool_t **pool)
{
    uint32_t                              hash;
    ngx_http_icert_progress_table_t      *table;
    ngx_http_icert_progress_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_icert_progress_module);

    table = pmcf->zone->data;
    *pool = (ngx_slab_pool_t *) pmcf->zone->shm.addr;

    ngx_memcpy(&hash, key, sizeof(hash));

    return &table->slots[hash % (table->n / NGX_HTTP_ICERT_PROGRESS_WAYS)
                         * NGX_HTTP_ICERT_PROGRESS_WAYS];
}


/* A worker that was killed has ended nothing. */

static ngx_uint_t
ngx_http_icert_progress_lives(ngx_http_icert_progress_slot_t *s)
{
    return s->state == NGX_HTTP_ICERT_PROGRESS_RECEIVING
           && ngx_time() - s->seen < NGX_HTTP_ICERT_PROGRESS_LIFE
           && (kill(s->worker, 0) == 0 || ngx_errno == EPERM);
}


void
ngx_http_icert_progress_start(ngx_http_request_t *r,
    ngx_http_icert_progress_t *progress)
{
    ngx_uint_t                       i;
    ngx_slab_pool_t                 *pool;
    ngx_http_icert_progress_slot_t  *slots, *s, *found;

    progress->slot = NULL;

    if (ngx_http_icert_progress_key(r, progress->key) != NGX_OK) {
        return;
    }

    slots = ngx_http_icert_progress_slots(r, progress->key, &pool);
    found = NULL;

    ngx_shmtx_lock(&pool->mutex);

    for (i = 0; i < NGX_HTTP_ICERT_PROGRESS_WAYS; i++) {
        s = &slots[i];

        if (s->state != NGX_HTTP_ICERT_PROGRESS_FREE
            && ngx_memcmp(s->key, progress->key, NGX_HTTP_ICERT_PROGRESS_KEY)
               == 0)
        {
            found = s;
            break;
        }

        /* what is being received makes no room; of the rest the oldest does */

        if (ngx_http_icert_progress_lives(s)) {
            continue;
        }

        if (found == NULL || s->seen < found->seen) {
            found = s;
        }
    }

    if (found) {
        ngx_memcpy(found->key, progress->key, NGX_HTTP_ICERT_PROGRESS_KEY);
        found->size = r->headers_in.content_length_n;
        found->received = 0;
        found->seen = ngx_time();
        found->reason = 0;
        found->worker = ngx_pid;
        found->state = NGX_HTTP_ICERT_PROGRESS_RECEIVING;
    }

    ngx_shmtx_unlock(&pool->mutex);

    progress->slot = found;
}


void
ngx_http_icert_progress_moved(ngx_http_icert_progress_t *progress,
    off_t received)
{
    ngx_http_icert_progress_slot_t  *s;

    s = progress->slot;

    /* what stood still for too long is another's by now */

    if (s == NULL
        || ngx_memcmp(s->key, progress->key, NGX_HTTP_ICERT_PROGRESS_KEY) != 0)
    {
        return;
    }

    s->received = received;
    s->seen = ngx_time();
}


void
ngx_http_icert_progress_end(ngx_http_icert_progress_t *progress,
    ngx_http_icert_progress_e state, ngx_uint_t reason)
{
    ngx_http_icert_progress_slot_t  *s;

    s = progress->slot;
    progress->slot = NULL;

    if (s == NULL
        || ngx_memcmp(s->key, progress->key, NGX_HTTP_ICERT_PROGRESS_KEY) != 0)
    {
        return;
    }

    s->reason = reason;
    s->seen = ngx_time();
    s->state = state;
}


static ngx_int_t
ngx_http_icert_progress_handler(ngx_http_request_t *r)
{
    u_char                           key[NGX_HTTP_ICERT_PROGRESS_KEY], *p;
    ngx_int_t                        rc;
    ngx_str_t                        type = ngx_string("application/json");
    ngx_uint_t                       i;
    ngx_slab_pool_t                 *pool;
    ngx_table_elt_t                 *h;
    ngx_http_complex_value_t         cv;
    ngx_http_icert_progress_slot_t  *slots, found;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    ngx_memzero(&found, sizeof(found));

    rc = ngx_http_icert_progress_key(r, key);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK) {
        slots = ngx_http_icert_progress_slots(r, key, &pool);

        ngx_shmtx_lock(&pool->mutex);

        for (i = 0; i < NGX_HTTP_ICERT_PROGRESS_WAYS; i++) {
            if (slots[i].state != NGX_HTTP_ICERT_PROGRESS_FREE
                && ngx_memcmp(slots[i].key, key, sizeof(key)) == 0)
            {
                found = slots[i];
                break;
            }
        }

        ngx_shmtx_unlock(&pool->mutex);

        if (ngx_time() - found.seen >= NGX_HTTP_ICERT_PROGRESS_LIFE) {
            found.state = NGX_HTTP_ICERT_PROGRESS_FREE;

        } else if (found.state == NGX_HTTP_ICERT_PROGRESS_RECEIVING
                   && !ngx_http_icert_progress_lives(&found))
        {
            found.state = NGX_HTTP_ICERT_PROGRESS_ABORTED;
        }
    }

    h = ngx_list_push(&r->headers_out.headers);
    p = ngx_pnalloc(r->pool, 256);
    if (h == NULL || p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value.data = p;

    p = ngx_sprintf(p, "{\"state\":\"%V\"",
                    &ngx_http_icert_progress_states[found.state]);

    if (found.state != NGX_HTTP_ICERT_PROGRESS_FREE) {
        p = ngx_sprintf(p, ",\"received\":%L", found.received);

        if (found.size >= 0) {
            p = ngx_sprintf(p, ",\"size\":%L", found.size);
        }
    }

    if (found.state == NGX_HTTP_ICERT_PROGRESS_REFUSED) {
        p = ngx_sprintf(p, ",\"reason\":\"%V\"",
                        ngx_http_icert_count_label(
                              NGX_HTTP_ICERT_COUNT_REFUSED + found.reason));
    }

    *p++ = '}';
    *p++ = '\n';
    cv.value.len = p - cv.value.data;

    return ngx_http_send_response(r, found.state ? NGX_HTTP_OK
                                                 : NGX_HTTP_NOT_FOUND,
                                  &type, &cv);
}


/* the table outlives a reload, unless its size is another */

static ngx_int_t
ngx_http_icert_progress_init(ngx_shm_zone_t *zone, void *old)
{
    size_t                            size;
    ngx_uint_t                        n;
    ngx_slab_pool_t                  *pool;
    ngx_http_icert_progress_table_t  *table;

    if (old) {
        zone->data = old;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    /* half of it at most: the slab gives whole pages, and keeps some itself */

    n = zone->shm.size / 2 / sizeof(ngx_http_icert_progress_slot_t);
    n -= n % NGX_HTTP_ICERT_PROGRESS_WAYS;
    size = sizeof(ngx_http_icert_progress_table_t)
           + n * sizeof(ngx_http_icert_progress_slot_t);

    table = ngx_slab_calloc(pool, size);
    if (table == NULL) {
        return NGX_ERROR;
    }

    table->n = n;
    pool->data = table;
    zone->data = table;

    return NGX_OK;
}


static char *
ngx_http_icert_progress_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_progress_main_conf_t  *pmcf = conf;

    ssize_t     size;
    ngx_str_t  *value, name = ngx_string("icert_upload_progress");

    if (pmcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\": at least %uz",
                           &value[1], 8 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    pmcf->zone = ngx_shared_memory_add(cf, &name, size,
                                       &ngx_http_icert_progress_module);
    if (pmcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    pmcf->zone->init = ngx_http_icert_progress_init;

    return NGX_CONF_OK;
}


/* icert_upload_progress ID OWNER */

static char *
ngx_http_icert_progress(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_progress_conf_t  *pcf = conf;

    ngx_uint_t                           i;
    ngx_str_t                           *value;
    ngx_http_complex_value_t            *cv;
    ngx_http_compile_complex_value_t     ccv;
    ngx_http_icert_progress_main_conf_t *pmcf;

    if (pcf->id) {
        return "is duplicate";
    }

    pmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_icert_progress_module);
    if (pmcf->zone == NULL) {
        return "needs icert_upload_progress_zone before it";
    }

    value = cf->args->elts;

    cv = ngx_pcalloc(cf->pool, 2 * sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < 2; i++) {
        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = &value[i + 1];
        ccv.complex_value = &cv[i];

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    pcf->id = &cv[0];
    pcf->owner = &cv[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_icert_progress_report(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_progress_conf_t  *pcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_icert_progress_handler;
    pcf->report = 1;

    return NGX_CONF_OK;
}


static void *
ngx_http_icert_progress_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_progress_main_conf_t));
}


static void *
ngx_http_icert_progress_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_progress_conf_t));
}


static char *
ngx_http_icert_progress_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_progress_conf_t  *prev = parent;
    ngx_http_icert_progress_conf_t  *conf = child;

    if (conf->id == NULL) {
        conf->id = prev->id;
        conf->owner = prev->owner;
    }

    if (conf->report && conf->id == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_progress_report needs "
                           "icert_upload_progress");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
