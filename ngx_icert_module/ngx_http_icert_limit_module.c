
#include "ngx_http_icert.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <libicert/gcra.h>
#include <libicert/siphash.h>


#define NGX_HTTP_ICERT_LIMIT_KEY       16
#define NGX_HTTP_ICERT_LIMIT_MAX       8      /* policies of a location */
#define NGX_HTTP_ICERT_LIMIT_COST_MAX  1000000
#define NGX_HTTP_ICERT_LIMIT_MIN_SIZE  (8 * ngx_pagesize)


#define NGX_HTTP_ICERT_KEY_ADDRESS     0
#define NGX_HTTP_ICERT_KEY_COUNTRY     1
#define NGX_HTTP_ICERT_KEY_COMPLEX     2


/* nodes refer to each other by number, 0 is none */

typedef struct {
    int64_t                     tat;         /* ns, monotonic */
    uint32_t                    next;        /* in its bucket */
    uint32_t                    newer;
    uint32_t                    older;
    uint32_t                    bucket;
    u_char                      key[NGX_HTTP_ICERT_LIMIT_KEY];
} ngx_http_icert_limit_node_t;


typedef struct {
    u_char                      seed[SIPHASH_SEED];
    uint32_t                    n;           /* nodes, and buckets */
    uint32_t                    used;
    uint32_t                    newest;
    uint32_t                    oldest;
    int64_t                     warned;      /* ns, monotonic */
    uint64_t                    evicted;     /* keys forgotten before their time */
    uint32_t                   *buckets;
    ngx_http_icert_limit_node_t *nodes;      /* nodes[0] is not used */
} ngx_http_icert_limit_shctx_t;


typedef struct {
    ngx_http_icert_limit_shctx_t *sh;
    ngx_slab_pool_t              *shpool;
    struct gcra                   gcra;
    ngx_uint_t                    kind;      /* of the key */
    ngx_str_t                     key_text;  /* as configured */
    ngx_http_complex_value_t      key;
    ngx_str_t                     name;
} ngx_http_icert_limit_zone_t;


typedef struct {
    ngx_shm_zone_t             *zone;
    uint32_t                    cost;
} ngx_http_icert_limit_t;


typedef struct {
    ngx_array_t                *limits;      /* ngx_http_icert_limit_t */
    ngx_flag_t                  off;
    ngx_flag_t                  headers;
    ngx_flag_t                  legacy_headers;
} ngx_http_icert_limit_conf_t;


static ngx_int_t ngx_http_icert_limit_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_limit_key(ngx_http_request_t *r,
    ngx_http_icert_limit_zone_t *z, u_char *key);
static void ngx_http_icert_limit_ask(ngx_http_request_t *r,
    ngx_http_icert_limit_zone_t *z, u_char *key, int64_t now, uint32_t cost,
    ngx_uint_t commit, struct gcra_answer *a);
static uint32_t ngx_http_icert_limit_find(ngx_http_icert_limit_shctx_t *sh,
    u_char *key, uint32_t *bucket);
static uint32_t ngx_http_icert_limit_insert(ngx_http_icert_limit_shctx_t *sh,
    u_char *key, uint32_t bucket, int64_t now, ngx_uint_t *lost);
static void ngx_http_icert_limit_unlink(ngx_http_icert_limit_shctx_t *sh,
    uint32_t i);
static void ngx_http_icert_limit_newest(ngx_http_icert_limit_shctx_t *sh,
    uint32_t i);
static void ngx_http_icert_limit_note(ngx_http_icert_note_t *note,
    ngx_http_icert_limit_zone_t *z, struct gcra_answer *a);
static int64_t ngx_http_icert_limit_now(void);
static ngx_int_t ngx_http_icert_limit_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_limit_header(ngx_http_request_t *r,
    const char *name, const char *fmt, ...);
static ngx_int_t ngx_http_icert_limit_init_zone(ngx_shm_zone_t *zone,
    void *data);
static char *ngx_http_icert_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_icert_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_icert_limit_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_limit_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_icert_limit_init(ngx_conf_t *cf);


static ngx_command_t  ngx_http_icert_limit_commands[] = {

    { ngx_string("icert_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_icert_limit_zone,
      0,
      0,
      NULL },

    { ngx_string("icert_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
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
    NULL,                                  /* preconfiguration */
    ngx_http_icert_limit_init,             /* postconfiguration */

    NULL,                                  /* create main configuration */
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


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/*
 * All policies are asked before any is charged, so a refusal by one costs
 * nothing at the others.
 */

static ngx_int_t
ngx_http_icert_limit_handler(ngx_http_request_t *r)
{
    u_char                        keys[NGX_HTTP_ICERT_LIMIT_MAX]
                                      [NGX_HTTP_ICERT_LIMIT_KEY];
    int64_t                       now;
    ngx_int_t                     rc;
    ngx_uint_t                    i, commit, use[NGX_HTTP_ICERT_LIMIT_MAX];
    struct gcra_answer            a;
    ngx_http_icert_note_t        *note;
    ngx_http_icert_limit_t       *limits;
    ngx_http_icert_limit_zone_t  *z;
    ngx_http_icert_limit_conf_t  *lcf;

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

    limits = lcf->limits->elts;
    now = ngx_http_icert_limit_now();

    for (i = 0; i < lcf->limits->nelts; i++) {

        rc = ngx_http_icert_limit_key(r, limits[i].zone->data, keys[i]);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        use[i] = (rc == NGX_OK);
    }

    for (commit = 0; commit < 2; commit++) {

        for (i = 0; i < lcf->limits->nelts; i++) {

            if (!use[i]) {
                continue;
            }

            z = limits[i].zone->data;

            ngx_http_icert_limit_ask(r, z, keys[i], now, limits[i].cost,
                                     commit, &a);

            if (commit || !a.allowed) {
                ngx_http_icert_limit_note(note, z, &a);
            }

            if (a.allowed) {
                continue;
            }

            note->limit = z->name;
            note->retry = a.never ? 0 : gcra_seconds(a.retry);

            ngx_http_icert_refuse(r, "limit", NULL);

            return NGX_HTTP_TOO_MANY_REQUESTS;
        }
    }

    return NGX_DECLINED;
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


static void
ngx_http_icert_limit_ask(ngx_http_request_t *r, ngx_http_icert_limit_zone_t *z,
    u_char *key, int64_t now, uint32_t cost, ngx_uint_t commit,
    struct gcra_answer *a)
{
    int64_t                        tat;
    uint32_t                       i, bucket;
    ngx_uint_t                     lost;
    ngx_http_icert_limit_shctx_t  *sh;

    sh = z->sh;
    lost = 0;

    ngx_shmtx_lock(&z->shpool->mutex);

    i = ngx_http_icert_limit_find(sh, key, &bucket);

    tat = i ? sh->nodes[i].tat : 0;

    gcra_ask(&z->gcra, &tat, now, cost, a);

    if (commit && a->allowed) {

        if (i == 0) {
            i = ngx_http_icert_limit_insert(sh, key, bucket, now, &lost);
        }

        sh->nodes[i].tat = tat;
        ngx_http_icert_limit_newest(sh, i);
    }

    ngx_shmtx_unlock(&z->shpool->mutex);

    if (lost) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "icert_limit_zone \"%V\" is too small: keys are "
                      "forgotten before their time", &z->name);
    }
}


static uint32_t
ngx_http_icert_limit_find(ngx_http_icert_limit_shctx_t *sh, u_char *key,
    uint32_t *bucket)
{
    uint32_t  i, steps;

    *bucket = siphash(sh->seed, key, NGX_HTTP_ICERT_LIMIT_KEY) % sh->n;

    /* bounded, should a worker have died in the middle of a change */

    for (i = sh->buckets[*bucket], steps = 0;
         i && i <= sh->n && steps <= sh->n;
         i = sh->nodes[i].next, steps++)
    {
        if (ngx_memcmp(sh->nodes[i].key, key, NGX_HTTP_ICERT_LIMIT_KEY) == 0) {
            return i;
        }
    }

    return 0;
}


static uint32_t
ngx_http_icert_limit_insert(ngx_http_icert_limit_shctx_t *sh, u_char *key,
    uint32_t bucket, int64_t now, ngx_uint_t *lost)
{
    uint32_t                      i, *p, steps;
    ngx_http_icert_limit_node_t  *node;

    if (sh->used < sh->n) {
        i = ++sh->used;
        node = &sh->nodes[i];

    } else {

        /* the least recently used; its whole burst is there again, mostly */

        i = sh->oldest;
        node = &sh->nodes[i];

        if (node->tat > now) {
            sh->evicted++;

            if (now - sh->warned > GCRA_SECOND) {
                sh->warned = now;
                *lost = 1;
            }
        }

        for (p = &sh->buckets[node->bucket], steps = 0;
             *p && *p <= sh->n && steps <= sh->n;
             p = &sh->nodes[*p].next, steps++)
        {
            if (*p == i) {
                *p = node->next;
                break;
            }
        }

        ngx_http_icert_limit_unlink(sh, i);
    }

    ngx_memcpy(node->key, key, NGX_HTTP_ICERT_LIMIT_KEY);
    node->newer = 0;
    node->older = 0;
    node->bucket = bucket;
    node->next = sh->buckets[bucket];
    sh->buckets[bucket] = i;

    return i;
}


static void
ngx_http_icert_limit_unlink(ngx_http_icert_limit_shctx_t *sh, uint32_t i)
{
    ngx_http_icert_limit_node_t  *node;

    node = &sh->nodes[i];

    if (node->newer) {
        sh->nodes[node->newer].older = node->older;

    } else if (sh->newest == i) {
        sh->newest = node->older;
    }

    if (node->older) {
        sh->nodes[node->older].newer = node->newer;

    } else if (sh->oldest == i) {
        sh->oldest = node->newer;
    }

    node->newer = 0;
    node->older = 0;
}


static void
ngx_http_icert_limit_newest(ngx_http_icert_limit_shctx_t *sh, uint32_t i)
{
    if (sh->newest == i) {
        return;
    }

    ngx_http_icert_limit_unlink(sh, i);

    sh->nodes[i].older = sh->newest;

    if (sh->newest) {
        sh->nodes[sh->newest].newer = i;
    }

    sh->newest = i;

    if (sh->oldest == 0) {
        sh->oldest = i;
    }
}


/* keeps the tightest: what lets the least through now */

static void
ngx_http_icert_limit_note(ngx_http_icert_note_t *note,
    ngx_http_icert_limit_zone_t *z, struct gcra_answer *a)
{
    if (note->policy_name.len && a->allowed
        && note->remaining <= a->remaining)
    {
        return;
    }

    note->policy_name = z->name;
    note->policy_quota = z->gcra.burst;
    note->policy_window = gcra_seconds(z->gcra.tolerance);
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
ngx_http_icert_limit_header_filter(ngx_http_request_t *r)
{
    ngx_http_icert_note_t        *note;
    ngx_http_icert_limit_conf_t  *lcf;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    note = ngx_http_icert_note_get(r);

    if (note == NULL || note->policy_name.len == 0) {
        return ngx_http_next_header_filter(r);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_icert_limit_module);

    if (note->retry
        && ngx_http_icert_limit_header(r, "Retry-After", "%L", note->retry)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (lcf->headers
        && (ngx_http_icert_limit_header(r, "RateLimit-Policy",
                                        "\"%V\";q=%uD;w=%L",
                                        &note->policy_name, note->policy_quota,
                                        note->policy_window)
            != NGX_OK
            || ngx_http_icert_limit_header(r, "RateLimit", "\"%V\";r=%uD;t=%L",
                                           &note->policy_name, note->remaining,
                                           note->reset)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (lcf->legacy_headers
        && (ngx_http_icert_limit_header(r, "X-RateLimit-Limit", "%uD",
                                        note->policy_quota)
            != NGX_OK
            || ngx_http_icert_limit_header(r, "X-RateLimit-Remaining", "%uD",
                                           note->remaining)
               != NGX_OK
            || ngx_http_icert_limit_header(r, "X-RateLimit-Reset", "%L",
                                           note->reset)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_icert_limit_header(ngx_http_request_t *r, const char *name,
    const char *fmt, ...)
{
    u_char           *p;
    va_list           args;
    ngx_table_elt_t  *h;

    /* zone names are at most 64 octets long, numbers 20 */

    p = ngx_pnalloc(r->pool, 160);
    h = ngx_list_push(&r->headers_out.headers);

    if (p == NULL || h == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    h->value.len = ngx_vslprintf(p, p + 160, fmt, args) - p;
    va_end(args);

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_limit_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_icert_limit_zone_t  *old = data;

    size_t                        size, per;
    u_char                       *p;
    uint32_t                      n;
    ngx_http_icert_limit_zone_t  *z;

    z = zone->data;

    if (old) {
        if (old->kind != z->kind || old->key_text.len != z->key_text.len
            || ngx_strncmp(old->key_text.data, z->key_text.data,
                           z->key_text.len)
               != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "icert_limit_zone \"%V\" uses the key \"%V\" while "
                          "previously it used the key \"%V\"",
                          &zone->shm.name, &z->key_text, &old->key_text);
            return NGX_ERROR;
        }

        z->sh = old->sh;
        z->shpool = old->shpool;

        return NGX_OK;
    }

    z->shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        z->sh = z->shpool->data;
        return NGX_OK;
    }

    /* one piece for all: nothing is allocated while requests are served */

    z->shpool->log_nomem = 0;
    per = sizeof(ngx_http_icert_limit_node_t) + sizeof(uint32_t);
    size = zone->shm.size - 2 * ngx_pagesize;

    for ( ;; ) {
        if (size < ngx_pagesize) {
            return NGX_ERROR;
        }

        p = ngx_slab_alloc(z->shpool, size);
        if (p) {
            break;
        }

        size -= ngx_pagesize;
    }

    z->sh = (ngx_http_icert_limit_shctx_t *) p;
    z->shpool->data = z->sh;

    ngx_memzero(z->sh, sizeof(ngx_http_icert_limit_shctx_t));

    if (RAND_bytes(z->sh->seed, SIPHASH_SEED) != 1) {
        return NGX_ERROR;
    }

    n = (size - sizeof(ngx_http_icert_limit_shctx_t)
         - sizeof(ngx_http_icert_limit_node_t)) / per;

    z->sh->n = n;
    z->sh->nodes = (void *) (p + sizeof(ngx_http_icert_limit_shctx_t));
    z->sh->buckets = (void *) (z->sh->nodes + n + 1);

    ngx_memzero(z->sh->nodes, (n + 1) * sizeof(ngx_http_icert_limit_node_t));
    ngx_memzero(z->sh->buckets, n * sizeof(uint32_t));

    ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                  "icert_limit_zone \"%V\" starts empty, room for %uD keys",
                  &zone->shm.name, n);

    return NGX_OK;
}


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


static char *
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


static char *
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


static void *
ngx_http_icert_limit_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_limit_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_limit_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->off = NGX_CONF_UNSET;
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

    ngx_conf_merge_value(conf->headers, prev->headers, 1);
    ngx_conf_merge_value(conf->legacy_headers, prev->legacy_headers, 0);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_icert_limit_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_icert_limit_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_icert_limit_header_filter;

    return NGX_OK;
}
