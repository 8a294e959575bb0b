
#ifndef _NGX_HTTP_ICERT_STORE_H_INCLUDED_
#define _NGX_HTTP_ICERT_STORE_H_INCLUDED_


#include "ngx_http_icert.h"

#include <libicert/status.h>


#define NGX_HTTP_ICERT_SEGMENTS  8


/* one manifest with its files mapped; dropped with the last request on it */

typedef struct {
    ngx_uint_t               refs;
    ngx_uint_t               segments;
    struct status_manifest   manifest;
    const void              *map[STATUS_ENTRIES_MAX];
    struct status_segment    segment[NGX_HTTP_ICERT_SEGMENTS];
} ngx_http_icert_set_t;


typedef enum {
    NGX_HTTP_ICERT_FRESH = 0,
    NGX_HTTP_ICERT_STALE,        /* past the soft limit: max-age is halved */
    NGX_HTTP_ICERT_SILENT        /* past the hard limit: no answers */
} ngx_http_icert_freshness_e;


/*
 * The current set, held until the request ends.  NGX_DECLINED: there is none
 * yet, NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_icert_store_get(ngx_http_request_t *r,
    ngx_http_icert_set_t **set, ngx_http_icert_freshness_e *freshness);


/*
 * Last-Modified, ETag, Expires and Cache-Control, and the 304 when the client
 * has it already (RFC 9110, 13.2.2).  etag: hexadecimal digits, without quotes.
 */

typedef struct {
    time_t       this_update;    /* 0: none */
    time_t       next_update;    /* 0: none */
    time_t       max_age;        /* policy, seconds */
    ngx_uint_t   stale;          /* halves it */
    u_char       digest[STATUS_DIGEST];
} ngx_http_icert_validity_t;

ngx_int_t ngx_http_icert_validators(ngx_http_request_t *r,
    ngx_http_icert_validity_t *validity, ngx_uint_t *not_modified);

ngx_int_t ngx_http_icert_no_store(ngx_http_request_t *r);
ngx_int_t ngx_http_icert_add_header(ngx_http_request_t *r, const char *name,
    u_char *value, size_t len);


/* the publisher's key: STATUS_SEAL_KEY octets, raw or hexadecimal */

ngx_int_t ngx_http_icert_store_key(ngx_conf_t *cf, ngx_str_t *path,
    u_char *key);

/*
 * The highest epoch ever taken; an empty path keeps none.  A file that is
 * there and cannot be read is NGX_ERROR: no set may be taken then.
 */

ngx_int_t ngx_http_icert_high_water_read(ngx_str_t *path, uint64_t *epoch,
    ngx_log_t *log);
void ngx_http_icert_high_water_write(ngx_str_t *path, uint64_t epoch,
    ngx_log_t *log);


typedef struct {
    time_t       max_age;
} ngx_http_icert_store_conf_t;

extern ngx_module_t  ngx_http_icert_store_module;


#endif /* _NGX_HTTP_ICERT_STORE_H_INCLUDED_ */
