
#ifndef _NGX_HTTP_ICERT_OCSP_H_INCLUDED_
#define _NGX_HTTP_ICERT_OCSP_H_INCLUDED_


#include "ngx_http_icert_count.h"
#include "ngx_http_icert_store.h"

#include <libicert/gcra.h>
#include <libicert/ocsp_request.h>


/* OCSPResponseStatus, RFC 6960, 4.2.1 */

#define NGX_HTTP_ICERT_OCSP_SUCCESSFUL    0
#define NGX_HTTP_ICERT_OCSP_MALFORMED     1
#define NGX_HTTP_ICERT_OCSP_INTERNAL      2
#define NGX_HTTP_ICERT_OCSP_TRY_LATER     3
#define NGX_HTTP_ICERT_OCSP_UNAUTHORIZED  6


typedef struct {
    ngx_flag_t     enable;

    /* live answers; the counters are those of one worker */

    ngx_str_t      live;         /* named location; empty: none */
    ngx_uint_t     ignore_nonce;
    ngx_uint_t     unknown;      /* what no segment knows is handed on too */
    ngx_uint_t     pending_max;
    ngx_uint_t     pending;
    struct gcra    gcra;
    int64_t        tat;
} ngx_http_icert_ocsp_conf_t;


ngx_int_t ngx_http_icert_ocsp_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_icert_ocsp_stored_handler(ngx_http_request_t *r);

/*
 * Answers a question in DER, and returns what a content handler returns.
 * live: it may be handed on to be signed for.
 */

ngx_int_t ngx_http_icert_ocsp_answer(ngx_http_request_t *r,
    const u_char *question, size_t len, ngx_uint_t live);

/* the five octets of an OCSPResponse without a response */

ngx_int_t ngx_http_icert_ocsp_error(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_icert_count_e result);


/* whether this request's nonce asks for a live answer (RFC 9654) */

ngx_uint_t ngx_http_icert_ocsp_live_nonce(ngx_http_request_t *r,
    struct ocsp_request *request);

/* whether what no segment knows is handed on */

ngx_uint_t ngx_http_icert_ocsp_live_unknown(ngx_http_request_t *r);

/*
 * Hands the question on.  NGX_DECLINED: there is nobody to hand it to, or the
 * budget is used up; then what is stored has to do.
 */

ngx_int_t ngx_http_icert_ocsp_live(ngx_http_request_t *r,
    const u_char *question, size_t len);

char *ngx_http_icert_ocsp_live_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_icert_ocsp_live_variables(ngx_conf_t *cf);

/* counts what became of the question, and tells the log */

ngx_int_t ngx_http_icert_ocsp_result(ngx_http_request_t *r,
    ngx_http_icert_count_e result);


extern ngx_module_t  ngx_http_icert_ocsp_module;


#endif /* _NGX_HTTP_ICERT_OCSP_H_INCLUDED_ */
