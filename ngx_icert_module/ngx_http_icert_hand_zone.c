
#include "ngx_http_icert_hand.h"

#include <openssl/rand.h>


ngx_int_t
ngx_http_icert_hand_take(ngx_http_icert_hand_zone_t *z, ngx_str_t *value,
    ngx_uint_t most, ngx_http_icert_hand_slot_t **slot)
{
    uint64_t                      key;
    ngx_uint_t                    i, n;
    ngx_http_icert_hand_slot_t   *s, *own, *empty;
    ngx_http_icert_hand_table_t  *table;

    table = z->table;
    key = siphash(table->seed, value->data, value->len);
    s = &table->slots[key % table->buckets * NGX_HTTP_ICERT_HAND_WAYS];
    own = NULL;
    empty = NULL;

    ngx_shmtx_lock(&z->pool->mutex);

    for (i = 0, n = 0; i < NGX_HTTP_ICERT_HAND_WAYS; i++, s++) {

        if (s->n == 0) {
            empty = s;
            continue;
        }

        if (s->key == key) {
            n += s->n;

            if (s->worker == ngx_pid) {
                own = s;
            }
        }
    }

    if (n >= most || (own == NULL && empty == NULL)) {
        ngx_shmtx_unlock(&z->pool->mutex);
        return (n >= most) ? NGX_BUSY : NGX_ERROR;
    }

    if (own == NULL) {
        own = empty;
        own->key = key;
        own->worker = ngx_pid;
    }

    own->n++;

    ngx_shmtx_unlock(&z->pool->mutex);

    *slot = own;

    return NGX_OK;
}


/* a slot stays its worker's while it holds anything */

void
ngx_http_icert_hand_back(ngx_http_icert_hand_zone_t *z,
    ngx_http_icert_hand_slot_t *slot)
{
    ngx_shmtx_lock(&z->pool->mutex);

    if (slot->worker == ngx_pid && slot->n) {
        slot->n--;
    }

    ngx_shmtx_unlock(&z->pool->mutex);
}


void
ngx_http_icert_hand_sweep(ngx_http_icert_hand_zone_t *z, ngx_uint_t begin)
{
    size_t                        i, n;
    int32_t                       lives;
    ngx_http_icert_hand_slot_t   *s;
    ngx_http_icert_hand_table_t  *table;

    table = z->table;
    n = (size_t) table->buckets * NGX_HTTP_ICERT_HAND_WAYS;
    lives = begin ? -1 : ngx_pid;

    ngx_shmtx_lock(&z->pool->mutex);

    for (i = 0; i < n; i++) {
        s = &table->slots[i];

        if (s->n == 0 || s->worker == lives) {
            continue;
        }

        if ((begin && s->worker == ngx_pid)
            || (kill(s->worker, 0) == -1 && ngx_errno == ESRCH))
        {
            s->n = 0;
            continue;
        }

        lives = s->worker;
    }

    ngx_shmtx_unlock(&z->pool->mutex);
}


ngx_int_t
ngx_http_icert_hand_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_icert_hand_zone_t  *old = data;

    size_t                       size;
    ngx_http_icert_hand_zone_t  *z;

    z = zone->data;

    if (old) {
        z->table = old->table;
        z->pool = old->pool;
        return NGX_OK;
    }

    z->pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        z->table = z->pool->data;
        return NGX_OK;
    }

    /* half of it at most: the slab gives whole pages, and keeps some itself */

    z->table = ngx_slab_calloc(z->pool, sizeof(ngx_http_icert_hand_table_t));
    if (z->table == NULL) {
        return NGX_ERROR;
    }

    z->pool->data = z->table;

    if (RAND_bytes(z->table->seed, SIPHASH_SEED) != 1) {
        return NGX_ERROR;
    }

    size = NGX_HTTP_ICERT_HAND_WAYS * sizeof(ngx_http_icert_hand_slot_t);
    z->table->buckets = zone->shm.size / 2 / size;

    z->table->slots = ngx_slab_calloc(z->pool, z->table->buckets * size);

    return z->table->slots ? NGX_OK : NGX_ERROR;
}
