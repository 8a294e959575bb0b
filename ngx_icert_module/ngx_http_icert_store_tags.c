
/*
 * The ETag of an answer is its SHA-256 (RFC 9919, 5.2).  The store has no room
 * for it, and to compute it costs more than all else that an answer needs, so
 * a worker remembers what it has computed: a table beside each mapped segment,
 * by the slot through which the record was found.  Nobody shares it, it takes
 * no lock, and pages that no answer has touched are never there.
 */

#include "ngx_http_icert_store.h"

#include <sys/mman.h>

#include <openssl/evp.h>


#define NGX_HTTP_ICERT_TAGS_MAX  (1 << 18)


struct ngx_http_icert_tag_s {
    uint64_t     whose;              /* slot and algorithm, never 0 */
    u_char       digest[STATUS_DIGEST];
};


static ngx_int_t
ngx_http_icert_tag_digest(struct status_answer *answer, u_char *digest)
{
    static EVP_MD      *sha256;
    static EVP_MD_CTX  *ctx;

    if (ctx == NULL) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        ctx = EVP_MD_CTX_new();
    }

    return (ctx && sha256
            && EVP_DigestInit_ex(ctx, sha256, NULL) == 1
            && EVP_DigestUpdate(ctx, answer->head, answer->head_len) == 1
            && EVP_DigestUpdate(ctx, answer->tail, answer->tail_len) == 1
            && EVP_DigestFinal_ex(ctx, digest, NULL) == 1)
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_icert_tags_make(ngx_http_icert_file_t *file)
{
    void  *p;

    /* both are powers of two */

    file->tags_n = (ngx_uint_t) ngx_min(file->segment.slots,
                                        NGX_HTTP_ICERT_TAGS_MAX);

    p = mmap(NULL, file->tags_n * sizeof(ngx_http_icert_tag_t),
             PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE,
             -1, 0);

    file->tags = (p == MAP_FAILED) ? NULL : p;
}


const u_char *
ngx_http_icert_tag(ngx_http_icert_file_t *file, struct status_record *record,
    ngx_uint_t algorithm)
{
    uint64_t               whose;
    ngx_uint_t             n;
    ngx_http_icert_tag_t  *tag;

    static u_char          digest[STATUS_DIGEST];

    if (file->tags == NULL) {
        ngx_http_icert_tags_make(file);
    }

    if (file->tags == NULL) {
        return (ngx_http_icert_tag_digest(&record->answer[algorithm], digest)
                == NGX_OK) ? digest : NULL;
    }

    /* the second algorithm's begin half a table further on */

    whose = (record->slot * STATUS_ALGORITHMS + algorithm) + 1;
    n = (record->slot + algorithm * (file->tags_n / 2)) & (file->tags_n - 1);
    tag = &file->tags[n];

    if (tag->whose != whose) {

        tag->whose = 0;

        if (ngx_http_icert_tag_digest(&record->answer[algorithm], tag->digest)
            != NGX_OK)
        {
            return NULL;
        }

        tag->whose = whose;
    }

    return tag->digest;
}


void
ngx_http_icert_tags_free(ngx_http_icert_file_t *file)
{
    if (file->tags) {
        (void) munmap(file->tags, file->tags_n * sizeof(ngx_http_icert_tag_t));
        file->tags = NULL;
    }
}
