
#ifndef _NGX_HTTP_ICERT_HAND_H_INCLUDED_
#define _NGX_HTTP_ICERT_HAND_H_INCLUDED_


#include "ngx_http_icert.h"

#include <libicert/siphash.h>


/*
 * Requests in hand.  A slot is a key and a worker: what a worker that was
 * killed held is known, and taken back.
 */

#define NGX_HTTP_ICERT_HAND_WAYS      64     /* slots that are looked through */
#define NGX_HTTP_ICERT_HAND_MAX       8      /* zones of a location */
#define NGX_HTTP_ICERT_HAND_MIN_SIZE  (8 * ngx_pagesize)


typedef struct {
    uint64_t                    key;         /* of the value, under the seed */
    int32_t                     worker;      /* its process */
    uint32_t                    n;           /* requests; 0: the slot is free */
} ngx_http_icert_hand_slot_t;


typedef struct {
    u_char                      seed[SIPHASH_SEED];
    uint32_t                    buckets;
    ngx_http_icert_hand_slot_t *slots;       /* WAYS of each bucket */
} ngx_http_icert_hand_table_t;


typedef struct {
    ngx_http_icert_hand_table_t *table;
    ngx_slab_pool_t             *pool;
    ngx_http_complex_value_t     key;
    ngx_str_t                    name;
} ngx_http_icert_hand_zone_t;


/*
 * One more of that key, of at most as many.  NGX_OK; NGX_BUSY: there are as
 * many; NGX_ERROR: no slot is free.  *slot is what ngx_http_icert_hand_back()
 * gives back.
 */

ngx_int_t ngx_http_icert_hand_take(ngx_http_icert_hand_zone_t *z,
    ngx_str_t *value, ngx_uint_t most, ngx_http_icert_hand_slot_t **slot);
void ngx_http_icert_hand_back(ngx_http_icert_hand_zone_t *z,
    ngx_http_icert_hand_slot_t *slot);

/* frees what processes held that are no more, and what one of our number did when we begin */

void ngx_http_icert_hand_sweep(ngx_http_icert_hand_zone_t *z,
    ngx_uint_t begin);

/* shared memory: kept over a reload */

ngx_int_t ngx_http_icert_hand_init_zone(ngx_shm_zone_t *zone, void *old);


#endif /* _NGX_HTTP_ICERT_HAND_H_INCLUDED_ */
