/*
 * nginx's pools, each allocation a malloc of its own: AddressSanitizer then
 * sees what runs over its end and what is used after its pool, where in a pool
 * it would be a neighbour's octets.  Linked into the module with --wrap, so
 * that the module's own calls come here and nginx's do not; what belongs to a
 * pool is freed when the pool is destroyed, after the module's own cleanups.
 */

#include <ngx_config.h>
#include <ngx_core.h>


typedef struct poison_chunk_s  poison_chunk_t;

struct poison_chunk_s {
    void            *p;
    poison_chunk_t  *next;
};


void *__wrap_ngx_palloc(ngx_pool_t *pool, size_t size);
void *__wrap_ngx_pnalloc(ngx_pool_t *pool, size_t size);
void *__wrap_ngx_pcalloc(ngx_pool_t *pool, size_t size);
ngx_int_t __wrap_ngx_pfree(ngx_pool_t *pool, void *p);
ngx_buf_t *__wrap_ngx_create_temp_buf(ngx_pool_t *pool, size_t size);
ngx_array_t *__wrap_ngx_array_create(ngx_pool_t *pool, ngx_uint_t n,
    size_t size);
void *__wrap_ngx_array_push(ngx_array_t *a);
ngx_pool_cleanup_t *__wrap_ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size);

ngx_pool_cleanup_t *__real_ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size);


static void
poison_free(void *data)
{
    poison_chunk_t **list = data;

    poison_chunk_t  *chunk, *next;

    for (chunk = *list; chunk; chunk = next) {
        next = chunk->next;
        free(chunk->p);
        free(chunk);
    }
}


/*
 * A pool's cleanups run newest first.  Ours is older than every other of the
 * module, which may still look at what it frees, and newer than the one that
 * unloads the module.
 */

static poison_chunk_t **
poison_list(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == poison_free) {
            return cln->data;
        }
    }

    cln = __real_ngx_pool_cleanup_add(pool, sizeof(poison_chunk_t *));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = poison_free;
    *(poison_chunk_t **) cln->data = NULL;

    return cln->data;
}


void *
__wrap_ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    poison_chunk_t  *chunk, **list;

    list = poison_list(pool);
    chunk = malloc(sizeof(poison_chunk_t));

    if (list == NULL || chunk == NULL) {
        free(chunk);
        return NULL;
    }

    /* what nobody has written is not zero by chance */

    chunk->p = malloc(size);
    if (chunk->p == NULL) {
        free(chunk);
        return NULL;
    }

    ngx_memset(chunk->p, 0xa5, size);

    chunk->next = *list;
    *list = chunk;

    return chunk->p;
}


void *
__wrap_ngx_palloc(ngx_pool_t *pool, size_t size)
{
    return __wrap_ngx_pnalloc(pool, size);
}


void *
__wrap_ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = __wrap_ngx_pnalloc(pool, size);
    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


ngx_int_t
__wrap_ngx_pfree(ngx_pool_t *pool, void *p)
{
    poison_chunk_t  *chunk, **at;

    at = poison_list(pool);

    for ( /* void */ ; at && *at; at = &(*at)->next) {
        chunk = *at;

        if (chunk->p == p) {
            *at = chunk->next;
            free(chunk->p);
            free(chunk);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_buf_t *
__wrap_ngx_create_temp_buf(ngx_pool_t *pool, size_t size)
{
    ngx_buf_t  *b;

    b = __wrap_ngx_pcalloc(pool, sizeof(ngx_buf_t));
    if (b == NULL) {
        return NULL;
    }

    b->start = __wrap_ngx_pnalloc(pool, size);
    if (b->start == NULL) {
        return NULL;
    }

    b->pos = b->start;
    b->last = b->start;
    b->end = b->last + size;
    b->temporary = 1;

    return b;
}


ngx_array_t *
__wrap_ngx_array_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_array_t  *a;

    a = __wrap_ngx_pnalloc(pool, sizeof(ngx_array_t));
    if (a == NULL) {
        return NULL;
    }

    a->nelts = 0;
    a->size = size;
    a->nalloc = n;
    a->pool = pool;
    a->elts = __wrap_ngx_pnalloc(pool, n * size);

    return a->elts ? a : NULL;
}


/* Growing moves the elements and frees where they were: who keeps a pointer
 * to one over a push is seen. */

void *
__wrap_ngx_array_push(ngx_array_t *a)
{
    void        *elts;
    ngx_uint_t   n;

    if (a->nelts == a->nalloc) {

        n = a->nalloc ? 2 * a->nalloc : 1;

        elts = __wrap_ngx_pnalloc(a->pool, n * a->size);
        if (elts == NULL) {
            return NULL;
        }

        ngx_memcpy(elts, a->elts, a->nelts * a->size);
        (void) __wrap_ngx_pfree(a->pool, a->elts);

        a->elts = elts;
        a->nalloc = n;
    }

    return (u_char *) a->elts + a->size * a->nelts++;
}


ngx_pool_cleanup_t *
__wrap_ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t  *cln;

    if (poison_list(pool) == NULL) {
        return NULL;
    }

    cln = __real_ngx_pool_cleanup_add(pool, 0);

    if (cln && size) {
        cln->data = __wrap_ngx_pnalloc(pool, size);
        if (cln->data == NULL) {
            return NULL;
        }
    }

    return cln;
}
