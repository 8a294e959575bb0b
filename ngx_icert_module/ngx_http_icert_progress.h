
#ifndef _NGX_HTTP_ICERT_PROGRESS_H_INCLUDED_
#define _NGX_HTTP_ICERT_PROGRESS_H_INCLUDED_


#include "ngx_http_icert.h"


#define NGX_HTTP_ICERT_PROGRESS_KEY  16


typedef enum {
    NGX_HTTP_ICERT_PROGRESS_FREE = 0,
    NGX_HTTP_ICERT_PROGRESS_RECEIVING,
    NGX_HTTP_ICERT_PROGRESS_RECEIVED,
    NGX_HTTP_ICERT_PROGRESS_REFUSED,
    NGX_HTTP_ICERT_PROGRESS_ABORTED,
    NGX_HTTP_ICERT_PROGRESS_STATES
} ngx_http_icert_progress_e;


/* in shared memory */

typedef struct {
    u_char                   key[NGX_HTTP_ICERT_PROGRESS_KEY];
    int64_t                  size;           /* -1: not stated */
    int64_t                  received;
    int64_t                  seen;           /* seconds; when it last moved */
    ngx_uint_t               state;
    ngx_uint_t               reason;
    ngx_pid_t                worker;         /* that receives it */
} ngx_http_icert_progress_slot_t;


/* of one upload; slot is NULL when nobody may ask for it */

typedef struct {
    ngx_http_icert_progress_slot_t  *slot;
    u_char                           key[NGX_HTTP_ICERT_PROGRESS_KEY];
} ngx_http_icert_progress_t;


/* claims a slot where icert_upload_progress names an id and an owner */

void ngx_http_icert_progress_start(ngx_http_request_t *r,
    ngx_http_icert_progress_t *progress);
void ngx_http_icert_progress_moved(ngx_http_icert_progress_t *progress,
    off_t received);

/* once; later calls change nothing.  reason holds for REFUSED alone */

void ngx_http_icert_progress_end(ngx_http_icert_progress_t *progress,
    ngx_http_icert_progress_e state, ngx_uint_t reason);


extern ngx_module_t  ngx_http_icert_progress_module;


#endif /* _NGX_HTTP_ICERT_PROGRESS_H_INCLUDED_ */
