
#ifndef _NGX_HTTP_ICERT_LIMIT_H_INCLUDED_
#define _NGX_HTTP_ICERT_LIMIT_H_INCLUDED_


#include "ngx_http_icert.h"

#include <libicert/gcra.h>
#include <libicert/siphash.h>


#define NGX_HTTP_ICERT_LIMIT_KEY  16
#define NGX_HTTP_ICERT_LIMIT_MAX       8      /* policies of a location */
#define NGX_HTTP_ICERT_LIMIT_COST_MAX  1000000
#define NGX_HTTP_ICERT_LIMIT_RATES     64     /* of countries, a zone */
#define NGX_HTTP_ICERT_LIMIT_COUNTRIES (26 * 26 + 1)   /* the last: unknown */
#define NGX_HTTP_ICERT_LIMIT_MIN_SIZE  (8 * ngx_pagesize)


#define NGX_HTTP_ICERT_KEY_ADDRESS     0
#define NGX_HTTP_ICERT_KEY_COUNTRY     1
#define NGX_HTTP_ICERT_KEY_COMPLEX     2


/* what becomes of a request at a policy; a dry run's has names of its own */

typedef enum {
    NGX_HTTP_ICERT_LIMIT_PASSED = 0,
    NGX_HTTP_ICERT_LIMIT_DELAYED,
    NGX_HTTP_ICERT_LIMIT_REFUSED,
    NGX_HTTP_ICERT_LIMIT_DELAYED_DRY,
    NGX_HTTP_ICERT_LIMIT_REFUSED_DRY,
    NGX_HTTP_ICERT_LIMIT_RESULTS
} ngx_http_icert_limit_result_e;


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
    uint64_t                    results[NGX_HTTP_ICERT_LIMIT_RESULTS];
    uint32_t                   *buckets;
    ngx_http_icert_limit_node_t *nodes;      /* nodes[0] is not used */
} ngx_http_icert_limit_shctx_t;


typedef struct {
    ngx_http_icert_limit_shctx_t *sh;
    ngx_slab_pool_t              *shpool;
    struct gcra                   gcra;      /* of everywhere that is not named */
    struct gcra                  *rates;     /* of countries */
    ngx_uint_t                    n_rates;
    u_char                       *countries; /* place in rates, from 1; by code */
    ngx_uint_t                    kind;      /* of the key */
    ngx_str_t                     key_text;  /* as configured */
    ngx_http_complex_value_t      key;
    ngx_str_t                     name;
} ngx_http_icert_limit_zone_t;


typedef struct {
    ngx_shm_zone_t             *zone;
    uint32_t                    cost;
    uint32_t                    at_once;     /* of the burst; what is over it waits */
} ngx_http_icert_limit_t;


typedef struct {
    ngx_array_t                 zones;       /* ngx_shm_zone_t *, in their order */
} ngx_http_icert_limit_main_conf_t;


typedef struct {
    ngx_array_t                *limits;      /* ngx_http_icert_limit_t */
    ngx_array_t                *allow;       /* ngx_cidr_t: never limited */
    ngx_flag_t                  off;
    ngx_flag_t                  dry_run;
    ngx_uint_t                  status;
    ngx_flag_t                  headers;
    ngx_flag_t                  legacy_headers;
} ngx_http_icert_limit_conf_t;


extern ngx_module_t  ngx_http_icert_limit_module;


/*
 * The directives icert_limit_zone, icert_limit_country, icert_limit and
 * icert_limit_allow.
 */

char *ngx_http_icert_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_limit_country(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_icert_limit_allow(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* which rate of the policy holds for a country: two capitals or "unknown" */

const struct gcra *ngx_http_icert_limit_rate(ngx_http_icert_limit_zone_t *z,
    ngx_str_t *country);

/* one question to a policy */

typedef struct {
    u_char                      key[NGX_HTTP_ICERT_LIMIT_KEY];
    const struct gcra          *gcra;
    uint32_t                    cost;
    uint32_t                    at_once;
    ngx_flag_t                  dry_run;
    struct gcra_answer          answer;
    int64_t                     delay;       /* ns to wait, once charged */
} ngx_http_icert_limit_question_t;

/* asks the policy for a key; charges it when commit is set and it allows */

void ngx_http_icert_limit_ask(ngx_http_icert_limit_zone_t *z,
    ngx_http_icert_limit_question_t *q, int64_t now, ngx_uint_t commit);

/* $icert_limit_counts: what the policies did, as Prometheus' text */

ngx_int_t ngx_http_icert_limit_counts(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* what is said of a policy on every answer: RateLimit and its like; once */

void ngx_http_icert_limit_headers_init(void);

/* shared memory: kept over a reload, empty when new or of another size */

ngx_int_t ngx_http_icert_limit_init_zone(ngx_shm_zone_t *zone,
    void *data);


/* of the preaccess phase; what a decision costs is measured of it by this name */

ngx_int_t ngx_http_icert_limit_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ICERT_LIMIT_H_INCLUDED_ */
