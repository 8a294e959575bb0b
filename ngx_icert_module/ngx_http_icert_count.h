
#ifndef _NGX_HTTP_ICERT_COUNT_H_INCLUDED_
#define _NGX_HTTP_ICERT_COUNT_H_INCLUDED_


#include "ngx_http_icert.h"


/*
 * What is counted: metric, label, value of the label.  Fixed, so that the
 * number of series never depends on who asks what.
 */

#define NGX_HTTP_ICERT_COUNTS(X)                                             \
    /* how a question was answered, or handed on ("live") */                 \
    X(GOOD, ANSWERS, "good")                                                 \
    X(REVOKED, ANSWERS, "revoked")                                           \
    X(LIVE, ANSWERS, "live")                                                 \
    X(PENDING, ANSWERS, "pending")                                           \
    X(SEVERAL, ANSWERS, "several")                                           \
    X(UNSIGNED, ANSWERS, "unsigned")                                         \
    X(EXPIRED, ANSWERS, "expired")                                           \
    X(STALE, ANSWERS, "stale")                                               \
    X(UNAUTHORIZED, ANSWERS, "unauthorized")                                 \
    X(MALFORMED, ANSWERS, "malformed")                                       \
    X(DAMAGED, ANSWERS, "damaged")                                           \
    /* why it was answered so */                                             \
    X(METHOD, CAUSES, "method")                                              \
    X(TOO_LARGE, CAUSES, "too_large")                                        \
    X(BAD_TYPE, CAUSES, "content_type")                                      \
    X(BAD_PATH, CAUSES, "path")                                              \
    X(BAD_DER, CAUSES, "der")                                                \
    X(BAD_HASH, CAUSES, "hash")                                              \
    X(NO_ISSUER, CAUSES, "issuer")                                           \
    X(NO_SERIAL, CAUSES, "serial")                                           \
    X(BUDGET, CAUSES, "budget")                                              \
    X(NO_TYPE, CAUSES, "no_content_type")                                    \
    X(NO_PADDING, CAUSES, "no_padding")                                      \
    X(NOT_MODIFIED, CAUSES, "not_modified")                                  \
    /* manifests that were taken or refused, by each worker */               \
    X(SET_TAKEN, SETS, "taken")                                              \
    X(SET_FORGED, SETS, "forged")                                            \
    X(SET_MALFORMED, SETS, "malformed")                                      \
    X(SET_SIZE, SETS, "size")                                                \
    X(SET_OWNER, SETS, "owner")                                              \
    X(SET_ROLLBACK, SETS, "rollback")                                        \
    X(SET_SYSTEM, SETS, "system")

/* then a counter for each reason of a refusal, in their order */

typedef enum {
#define X(name, metric, label)  NGX_HTTP_ICERT_COUNT_##name,
    NGX_HTTP_ICERT_COUNTS(X)
#undef X
    NGX_HTTP_ICERT_COUNT_REFUSED,
    NGX_HTTP_ICERT_COUNT_N = NGX_HTTP_ICERT_COUNT_REFUSED
                             + NGX_HTTP_ICERT_REASON_N
} ngx_http_icert_count_e;


/* this worker's own line of the shared table: never contended */

extern ngx_atomic_t  *ngx_http_icert_counts;

#define ngx_http_icert_count(what)                                           \
    (void) ngx_atomic_fetch_add(&ngx_http_icert_counts[what], 1)


/* the label of what is counted; a constant string */

ngx_str_t *ngx_http_icert_count_label(ngx_http_icert_count_e what);


extern ngx_module_t  ngx_http_icert_count_module;


#endif /* _NGX_HTTP_ICERT_COUNT_H_INCLUDED_ */
