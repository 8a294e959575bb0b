
#ifndef _NGX_HTTP_ICERT_STORE_H_INCLUDED_
#define _NGX_HTTP_ICERT_STORE_H_INCLUDED_


#include "ngx_http_icert.h"

#include <libicert/status.h>


#define NGX_HTTP_ICERT_SEGMENTS  8


typedef struct ngx_http_icert_tag_s  ngx_http_icert_tag_t;


/* one file of a store, mapped; sets that follow one another share it */

typedef struct {
    ngx_uint_t               refs;
    struct status_entry      entry;
    const void              *map;
    struct status_segment    segment;    /* of a segment */
    ngx_http_icert_tag_t    *tags;       /* digests of its answers */
    ngx_uint_t               tags_n;
} ngx_http_icert_file_t;


/* one manifest with its files; dropped with the last request on it */

typedef struct {
    ngx_uint_t               refs;
    ngx_uint_t               segments;
    struct status_manifest   manifest;
    ngx_http_icert_file_t   *file[STATUS_ENTRIES_MAX];
    ngx_http_icert_file_t   *segment[NGX_HTTP_ICERT_SEGMENTS];
} ngx_http_icert_set_t;


/* how a store is configured */

typedef struct {
    ngx_str_t                folder;
    ngx_str_t                key_file;
    ngx_str_t                high_water;
    ngx_msec_t               poll;
    time_t                   stale_soft;
    time_t                   stale_hard;
    off_t                    verify_limit;
} ngx_http_icert_store_settings_t;


typedef struct {
    ngx_http_icert_store_settings_t  conf;
    u_char                   key[STATUS_SEAL_KEY];

    /* of a worker */

    ngx_http_icert_set_t    *set;
    uint64_t                 high;       /* highest epoch ever taken */
    ngx_event_t              event;
    ngx_connection_t        *watch;      /* inotify on the folder; NULL: it is polled */
    int                      watched;    /* what the folder is called there */
    struct stat              seen;       /* the manifest last looked at */
    ngx_msec_t               tried;
    unsigned                 refused:1;  /* it was not taken */
    unsigned                 broken:1;   /* the high-water file is not to be read */
} ngx_http_icert_store_t;


typedef struct {
    ngx_array_t              stores;     /* of ngx_http_icert_store_t * */
} ngx_http_icert_store_main_conf_t;


typedef struct {
    ngx_http_icert_store_settings_t  settings;
    time_t                   max_age;
    ngx_http_icert_store_t  *store;      /* NULL: none is configured here */
} ngx_http_icert_store_conf_t;


typedef enum {
    NGX_HTTP_ICERT_FRESH = 0,
    NGX_HTTP_ICERT_STALE,        /* past the soft limit: max-age is halved */
    NGX_HTTP_ICERT_SILENT        /* past the hard limit: no answers */
} ngx_http_icert_freshness_e;


/*
 * The current set of the store of this location, held until the request ends.
 * NGX_DECLINED: there is none yet, NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_icert_store_get(ngx_http_request_t *r,
    ngx_http_icert_set_t **set, ngx_http_icert_freshness_e *freshness);

ngx_http_icert_freshness_e ngx_http_icert_store_freshness(
    ngx_http_icert_store_t *store);


/*
 * Looks at the manifest, and takes the set it names if it is another and to be
 * believed; if not, the log says why and the one before stays.
 */

void ngx_http_icert_store_look(ngx_http_icert_store_t *store, ngx_log_t *log);

void ngx_http_icert_set_release(void *set);


/*
 * From now on a manifest that is put in place is noticed: by inotify, or by
 * looking every so often where that is not to be had.
 */

void ngx_http_icert_watch_start(ngx_http_icert_store_t *store,
    ngx_cycle_t *cycle);
void ngx_http_icert_watch_end(ngx_http_icert_store_t *store);


/*
 * SHA-256 of a stored answer, head and tail, computed when it is first asked
 * for in this worker.  NULL: no memory.
 */

const u_char *ngx_http_icert_tag(ngx_http_icert_file_t *file,
    struct status_record *record, ngx_uint_t algorithm);
void ngx_http_icert_tags_free(ngx_http_icert_file_t *file);


/*
 * Last-Modified, ETag, Expires and Cache-Control, and the 304 when the client
 * has it already (RFC 9110, 13.2.2).
 */

typedef struct {
    time_t         this_update;    /* 0: none */
    time_t         next_update;    /* 0: none */
    time_t         max_age;        /* policy, seconds */
    ngx_uint_t     stale;          /* halves it */
    const u_char  *digest;         /* STATUS_DIGEST octets */
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


extern ngx_module_t  ngx_http_icert_store_module;


#endif /* _NGX_HTTP_ICERT_STORE_H_INCLUDED_ */
