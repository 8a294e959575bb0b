
#include "ngx_http_icert_limit.h"

#include <openssl/rand.h>


static uint32_t ngx_http_icert_limit_find(ngx_http_icert_limit_shctx_t *sh,
    u_char *key, uint32_t bucket);
static uint32_t ngx_http_icert_limit_insert(ngx_http_icert_limit_shctx_t *sh,
    u_char *key, uint32_t bucket, int64_t now, ngx_uint_t *lost);
static void ngx_http_icert_limit_unlink(ngx_http_icert_limit_shctx_t *sh,
    uint32_t i);
static void ngx_http_icert_limit_newest(ngx_http_icert_limit_shctx_t *sh,
    uint32_t i);


void
ngx_http_icert_limit_ask(ngx_http_icert_limit_zone_t *z,
    ngx_http_icert_limit_question_t *q, int64_t now, ngx_uint_t commit)
{
    int64_t                        tat, at_once;
    uint32_t                       i, bucket;
    ngx_uint_t                     lost;
    ngx_http_icert_limit_shctx_t  *sh;

    sh = z->sh;
    lost = 0;
    bucket = siphash(sh->seed, q->key, NGX_HTTP_ICERT_LIMIT_KEY) % sh->n;

    /* a burst above what passes at once is spread out at the rate */

    at_once = q->gcra->interval * q->at_once;

    ngx_shmtx_lock(&z->shpool->mutex);

    i = ngx_http_icert_limit_find(sh, q->key, bucket);

    tat = i ? sh->nodes[i].tat : 0;

    gcra_ask(q->gcra, &tat, now, q->cost, &q->answer);

    q->delay = ngx_max(q->answer.ahead - at_once, 0);

    if (!q->answer.allowed) {
        sh->results[q->dry_run ? NGX_HTTP_ICERT_LIMIT_REFUSED_DRY
                               : NGX_HTTP_ICERT_LIMIT_REFUSED]++;

        /*
         * Unchanged, but for a clock that went back.  Who goes on asking is
         * remembered: forgotten, he would have a whole burst again.
         */

        if (i) {
            sh->nodes[i].tat = tat;
            ngx_http_icert_limit_newest(sh, i);
        }

    } else if (commit) {

        if (i == 0) {
            i = ngx_http_icert_limit_insert(sh, q->key, bucket, now, &lost);
        }

        sh->nodes[i].tat = tat;
        ngx_http_icert_limit_newest(sh, i);

        sh->results[q->delay <= 0 ? NGX_HTTP_ICERT_LIMIT_PASSED
                    : q->dry_run ? NGX_HTTP_ICERT_LIMIT_DELAYED_DRY
                                 : NGX_HTTP_ICERT_LIMIT_DELAYED]++;
    }

    ngx_shmtx_unlock(&z->shpool->mutex);

    if (lost) {
        ngx_http_icert_log_state(0, "icert_limit_zone \"%V\" is too small: keys "
                                 "are forgotten before their time", &z->name);
    }
}


static uint32_t
ngx_http_icert_limit_find(ngx_http_icert_limit_shctx_t *sh, u_char *key,
    uint32_t bucket)
{
    uint32_t  i, steps;

    /* bounded, should a worker have died in the middle of a change */

    for (i = sh->buckets[bucket], steps = 0;
         i && i <= sh->n && steps <= sh->n;
         i = sh->nodes[i].next, steps++)
    {
        if (ngx_memcmp(sh->nodes[i].key, key, NGX_HTTP_ICERT_LIMIT_KEY) == 0) {
            return i;
        }
    }

    return 0;
}


static uint32_t
ngx_http_icert_limit_insert(ngx_http_icert_limit_shctx_t *sh, u_char *key,
    uint32_t bucket, int64_t now, ngx_uint_t *lost)
{
    uint32_t                      i, *p, steps;
    ngx_http_icert_limit_node_t  *node;

    if (sh->used < sh->n) {
        i = ++sh->used;
        node = &sh->nodes[i];

    } else {

        /* the least recently used; its whole burst is there again, mostly */

        i = sh->oldest;
        node = &sh->nodes[i];

        if (node->tat > now) {
            sh->evicted++;

            if (now - sh->warned > GCRA_SECOND) {
                sh->warned = now;
                *lost = 1;
            }
        }

        for (p = &sh->buckets[node->bucket], steps = 0;
             *p && *p <= sh->n && steps <= sh->n;
             p = &sh->nodes[*p].next, steps++)
        {
            if (*p == i) {
                *p = node->next;
                break;
            }
        }

        ngx_http_icert_limit_unlink(sh, i);
    }

    ngx_memcpy(node->key, key, NGX_HTTP_ICERT_LIMIT_KEY);
    node->newer = 0;
    node->older = 0;
    node->bucket = bucket;
    node->next = sh->buckets[bucket];
    sh->buckets[bucket] = i;

    return i;
}


static void
ngx_http_icert_limit_unlink(ngx_http_icert_limit_shctx_t *sh, uint32_t i)
{
    ngx_http_icert_limit_node_t  *node;

    node = &sh->nodes[i];

    if (node->newer) {
        sh->nodes[node->newer].older = node->older;

    } else if (sh->newest == i) {
        sh->newest = node->older;
    }

    if (node->older) {
        sh->nodes[node->older].newer = node->newer;

    } else if (sh->oldest == i) {
        sh->oldest = node->newer;
    }

    node->newer = 0;
    node->older = 0;
}


static void
ngx_http_icert_limit_newest(ngx_http_icert_limit_shctx_t *sh, uint32_t i)
{
    if (sh->newest == i) {
        return;
    }

    ngx_http_icert_limit_unlink(sh, i);

    sh->nodes[i].older = sh->newest;

    if (sh->newest) {
        sh->nodes[sh->newest].newer = i;
    }

    sh->newest = i;

    if (sh->oldest == 0) {
        sh->oldest = i;
    }
}


ngx_int_t
ngx_http_icert_limit_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_icert_limit_zone_t  *old = data;

    size_t                        size, per;
    u_char                       *p;
    uint32_t                      n;
    ngx_http_icert_limit_zone_t  *z;

    z = zone->data;

    if (old) {
        if (old->kind != z->kind || old->key_text.len != z->key_text.len
            || ngx_strncmp(old->key_text.data, z->key_text.data,
                           z->key_text.len)
               != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "icert_limit_zone \"%V\" uses the key \"%V\" while "
                          "previously it used the key \"%V\"",
                          &zone->shm.name, &z->key_text, &old->key_text);
            return NGX_ERROR;
        }

        z->sh = old->sh;
        z->shpool = old->shpool;

        return NGX_OK;
    }

    z->shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        z->sh = z->shpool->data;
        return NGX_OK;
    }

    /* one piece for all: nothing is allocated while requests are served */

    z->shpool->log_nomem = 0;
    per = sizeof(ngx_http_icert_limit_node_t) + sizeof(uint32_t);
    size = zone->shm.size - 2 * ngx_pagesize;

    for ( ;; ) {
        if (size < ngx_pagesize) {
            return NGX_ERROR;
        }

        p = ngx_slab_alloc(z->shpool, size);
        if (p) {
            break;
        }

        size -= ngx_pagesize;
    }

    z->sh = (ngx_http_icert_limit_shctx_t *) p;
    z->shpool->data = z->sh;

    ngx_memzero(z->sh, sizeof(ngx_http_icert_limit_shctx_t));

    if (RAND_bytes(z->sh->seed, SIPHASH_SEED) != 1) {
        return NGX_ERROR;
    }

    n = (size - sizeof(ngx_http_icert_limit_shctx_t)
         - sizeof(ngx_http_icert_limit_node_t)) / per;

    z->sh->n = n;
    z->sh->nodes = (void *) (p + sizeof(ngx_http_icert_limit_shctx_t));
    z->sh->buckets = (void *) (z->sh->nodes + n + 1);

    ngx_memzero(z->sh->nodes, (n + 1) * sizeof(ngx_http_icert_limit_node_t));
    ngx_memzero(z->sh->buckets, n * sizeof(uint32_t));

    ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                  "icert_limit_zone \"%V\" starts empty, room for %uD keys",
                  &zone->shm.name, n);

    return NGX_OK;
}
