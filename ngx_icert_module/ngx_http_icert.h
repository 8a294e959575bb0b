
#ifndef _NGX_HTTP_ICERT_H_INCLUDED_
#define _NGX_HTTP_ICERT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_icert_reason.h"


#define NGX_HTTP_ICERT_VERSION  "0.2.0"


/* what our modules know of one client request; survives internal redirects */

typedef struct {
    ngx_str_t   reason;        /* stable code of a refusal */
    ngx_str_t   detail;        /* which rule, for malformed input */
    ngx_str_t   field;         /* form field of a refusal, percent-encoded */
    ngx_str_t   limit;         /* policy that refused, or would have */
    ngx_str_t   limit_status;  /* how the limits were passed */
    ngx_str_t   ocsp;          /* result of an OCSP question */
    ngx_str_t   country;       /* looked up once: the database may be replaced */
    ngx_str_t   question;      /* its DER, once it was handed on to be answered live */

    ngx_str_t   policy_name;   /* tightest policy that was asked */
    uint32_t    policy_quota;
    int64_t     policy_window; /* seconds */
    uint32_t    remaining;
    int64_t     reset;         /* seconds */
    int64_t     retry;         /* seconds; 0: no promise */

    ngx_recv_pt linger_recv;   /* the connection's own, once a body was refused */
    size_t      linger_left;   /* octets that are still read of it */
    ngx_msec_t  linger_time, linger_until;

    unsigned    answered:1;    /* the head of that answer has left */
    unsigned    limited:1;
    unsigned    in_hand:1;     /* asked how many are in hand */
    unsigned    headers:1;     /* as the location that asked has it, whatever answers */
    unsigned    legacy_headers:1;
    unsigned    upload:1;      /* the body is a hand-over stream */
} ngx_http_icert_note_t;


/* the note of a request; NULL when there is none, or no memory for it */

ngx_http_icert_note_t *ngx_http_icert_note_get(ngx_http_request_t *r);
ngx_http_icert_note_t *ngx_http_icert_note_make(ngx_http_request_t *r);

/* a value of a note was set: variables evaluated before must be again */

void ngx_http_icert_note_changed(ngx_http_request_t *r);

/*
 * Notes, logs and counts a refusal and returns its status; detail is NULL or
 * a string that outlives the request.
 */

ngx_int_t ngx_http_icert_refuse(ngx_http_request_t *r,
    ngx_http_icert_reason_e reason, const char *detail);


/* a handler that runs after nginx's own, and after those of ours that called this before */

ngx_int_t ngx_http_icert_preaccess(ngx_conf_t *cf,
    ngx_http_handler_pt handler);


/* two capitals or "unknown", the same throughout a request; constant storage or r->pool */

ngx_int_t ngx_http_icert_country(ngx_http_request_t *r, ngx_str_t *value);


/*
 * The client's network as a variable: for logs, where nobody must be found
 * (/24, /48), or for limits, where one is meant (the address, or IPv6's /64).
 */

#define NGX_HTTP_ICERT_NET_LOG  0
#define NGX_HTTP_ICERT_NET_KEY  1

ngx_int_t ngx_http_icert_net_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


/* nginx's slots of these names, with an error that names the value too */

char *ngx_http_icert_set_num_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_set_size_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_set_off_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_set_sec_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_set_msec_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


extern ngx_module_t  ngx_http_icert_module;


/*
 * For what is wrong with this instance and not with the request that has met
 * it: no address and no target beside it, as a request's log would have, and
 * once a second at most, however many meet it.
 */

#define ngx_http_icert_log_state(err, ...)                                    \
    do {                                                                      \
        static time_t  told;                                                  \
                                                                              \
        if (told != ngx_time()) {                                             \
            told = ngx_time();                                                \
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err, __VA_ARGS__);     \
        }                                                                     \
    } while (0)


#endif /* _NGX_HTTP_ICERT_H_INCLUDED_ */
