
#ifndef _NGX_HTTP_ICERT_OCSP_H_INCLUDED_
#define _NGX_HTTP_ICERT_OCSP_H_INCLUDED_


#include "ngx_http_icert_store.h"

#include <libicert/gcra.h>
#include <libicert/ocsp_request.h>


typedef struct {
    ngx_flag_t     enable;

    /* live answers; the counters are those of one worker */

    ngx_str_t      live;         /* named location; empty: none */
    ngx_uint_t     ignore_nonce;
    ngx_uint_t     pending_max;
    ngx_uint_t     pending;
    struct gcra    gcra;
    int64_t        tat;
} ngx_http_icert_ocsp_conf_t;


/* whether this request's nonce asks for a live answer (RFC 9654) */

ngx_uint_t ngx_http_icert_ocsp_live_nonce(ngx_http_request_t *r,
    struct ocsp_request *request);

/*
 * Hands the question on.  NGX_DECLINED: there is nobody to hand it to, or the
 * budget is used up; then what is stored has to do.
 */

ngx_int_t ngx_http_icert_ocsp_live(ngx_http_request_t *r,
    const u_char *question, size_t len);

char *ngx_http_icert_ocsp_live_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_icert_ocsp_live_variables(ngx_conf_t *cf);

/* what the log says of the question */

ngx_int_t ngx_http_icert_ocsp_result(ngx_http_request_t *r,
    const char *result);


extern ngx_module_t  ngx_http_icert_ocsp_module;


#endif /* _NGX_HTTP_ICERT_OCSP_H_INCLUDED_ */
