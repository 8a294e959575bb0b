
/* What an OCSP question is answered with. */

#include "ngx_http_icert_ocsp.h"


static ngx_uint_t ngx_http_icert_ocsp_find(ngx_http_icert_set_t *set,
    struct ocsp_certid *id, struct status_record *record,
    ngx_http_icert_file_t **file);
static ngx_int_t ngx_http_icert_ocsp_send(ngx_http_request_t *r,
    ngx_http_icert_file_t *file, struct status_record *record,
    ngx_uint_t algorithm, ngx_uint_t stale);
static ngx_int_t ngx_http_icert_ocsp_body_send(ngx_http_request_t *r,
    struct status_answer *answer);
static ngx_int_t ngx_http_icert_ocsp_header(ngx_http_request_t *r, off_t len);


static ngx_int_t
ngx_http_icert_ocsp_cause(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_icert_count_e cause, ngx_http_icert_count_e result)
{
    ngx_http_icert_count(cause);

    return ngx_http_icert_ocsp_error(r, status, result);
}


/* what this record lacks for this question; NGX_HTTP_ICERT_COUNT_N: nothing */

static ngx_http_icert_count_e
ngx_http_icert_ocsp_lacks(struct ocsp_request *request,
    struct status_record *record)
{
    if (request->count > 1) {
        return NGX_HTTP_ICERT_COUNT_SEVERAL;
    }

    if (record->state == STATUS_PENDING) {
        return NGX_HTTP_ICERT_COUNT_PENDING;
    }

    if (record->answer[request->certid[0].algorithm].head == NULL) {
        return NGX_HTTP_ICERT_COUNT_UNSIGNED;
    }

    if (record->next_update <= ngx_time()) {
        return NGX_HTTP_ICERT_COUNT_EXPIRED;
    }

    return NGX_HTTP_ICERT_COUNT_N;
}


ngx_int_t
ngx_http_icert_ocsp_answer(ngx_http_request_t *r, const u_char *question,
    size_t len, ngx_uint_t live)
{
    ngx_int_t                    rc;
    ngx_uint_t                   status;
    struct ocsp_certid          *id;
    struct ocsp_request          request;
    struct status_record         record;
    ngx_http_icert_set_t        *set;
    ngx_http_icert_file_t       *file;
    ngx_http_icert_count_e       lacks;
    ngx_http_icert_freshness_e   freshness;

    if (ocsp_request_parse(&request, question, len) != 0) {
        return ngx_http_icert_ocsp_cause(r, NGX_HTTP_ICERT_OCSP_MALFORMED,
                                         NGX_HTTP_ICERT_COUNT_BAD_DER,
                                         NGX_HTTP_ICERT_COUNT_MALFORMED);
    }

    id = &request.certid[0];

    if (id->algorithm < 0) {
        return ngx_http_icert_ocsp_cause(r, NGX_HTTP_ICERT_OCSP_UNAUTHORIZED,
                                         NGX_HTTP_ICERT_COUNT_BAD_HASH,
                                         NGX_HTTP_ICERT_COUNT_UNAUTHORIZED);
    }

    rc = ngx_http_icert_store_get(r, &set, &freshness);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED || freshness == NGX_HTTP_ICERT_SILENT) {
        return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_TRY_LATER,
                                         NGX_HTTP_ICERT_COUNT_STALE);
    }

    status = ngx_http_icert_ocsp_find(set, id, &record, &file);

    if (status == NGX_HTTP_ICERT_OCSP_UNAUTHORIZED) {

        /* a policy may have more to say of it ("extended revoke") */

        if (live && ngx_http_icert_ocsp_live_unknown(r)) {
            rc = ngx_http_icert_ocsp_live(r, question, len);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }

        return ngx_http_icert_ocsp_error(r, status,
                                         NGX_HTTP_ICERT_COUNT_UNAUTHORIZED);
    }

    if (status != NGX_HTTP_ICERT_OCSP_SUCCESSFUL) {
        return ngx_http_icert_ocsp_error(r, status,
                                         NGX_HTTP_ICERT_COUNT_DAMAGED);
    }

    /* what is stored answers one question without a nonce */

    lacks = ngx_http_icert_ocsp_lacks(&request, &record);

    if (live && (lacks != NGX_HTTP_ICERT_COUNT_N
                 || ngx_http_icert_ocsp_live_nonce(r, &request)))
    {
        rc = ngx_http_icert_ocsp_live(r, question, len);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (lacks != NGX_HTTP_ICERT_COUNT_N) {
        return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_TRY_LATER,
                                         lacks);
    }

    return ngx_http_icert_ocsp_send(r, file, &record, id->algorithm,
                                    freshness == NGX_HTTP_ICERT_STALE);
}


/* segments are listed newest first */

static ngx_uint_t
ngx_http_icert_ocsp_find(ngx_http_icert_set_t *set, struct ocsp_certid *id,
    struct status_record *record, ngx_http_icert_file_t **file)
{
    int                     rc, issuer;
    ngx_uint_t              i, ours;
    struct status_segment  *s;

    ours = 0;

    for (i = 0; i < set->segments; i++) {

        s = &set->segment[i]->segment;

        issuer = status_segment_issuer(s, id->algorithm, id->name_hash,
                                       id->key_hash);
        if (issuer < 0) {
            continue;
        }

        ours = 1;

        rc = status_segment_find(s, issuer, id->serial, id->serial_len,
                                 record);
        if (rc == 1) {
            *file = set->segment[i];
            return NGX_HTTP_ICERT_OCSP_SUCCESSFUL;
        }

        if (rc < 0) {
            return NGX_HTTP_ICERT_OCSP_INTERNAL;
        }
    }

    ngx_http_icert_count(ours ? NGX_HTTP_ICERT_COUNT_NO_SERIAL
                              : NGX_HTTP_ICERT_COUNT_NO_ISSUER);

    return NGX_HTTP_ICERT_OCSP_UNAUTHORIZED;
}


static ngx_int_t
ngx_http_icert_ocsp_send(ngx_http_request_t *r, ngx_http_icert_file_t *file,
    struct status_record *record, ngx_uint_t algorithm, ngx_uint_t stale)
{
    ngx_int_t                     rc;
    ngx_uint_t                    not_modified;
    struct status_answer         *answer;
    ngx_http_icert_validity_t     validity;
    ngx_http_icert_store_conf_t  *scf;

    scf = ngx_http_get_module_loc_conf(r, ngx_http_icert_store_module);
    answer = &record->answer[algorithm];

    validity.this_update = record->this_update;
    validity.next_update = record->next_update;
    validity.max_age = scf->max_age;
    validity.stale = stale;
    validity.digest = ngx_http_icert_tag(file, record, algorithm);

    if (validity.digest == NULL
        || ngx_http_icert_ocsp_result(r, record->state == STATUS_GOOD
                                         ? NGX_HTTP_ICERT_COUNT_GOOD
                                         : NGX_HTTP_ICERT_COUNT_REVOKED)
           != NGX_OK
        || ngx_http_icert_validators(r, &validity, &not_modified) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (not_modified) {
        ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_NOT_MODIFIED);

        r->headers_out.status = NGX_HTTP_NOT_MODIFIED;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    rc = ngx_http_icert_ocsp_header(r, (off_t) answer->head_len
                                       + answer->tail_len);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_icert_ocsp_body_send(r, answer);
}


static ngx_int_t
ngx_http_icert_ocsp_header(ngx_http_request_t *r, off_t len)
{
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = len;
    ngx_str_set(&r->headers_out.content_type, "application/ocsp-response");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    return ngx_http_send_header(r);
}


/* straight from the map: record and tail as two buffers */

static ngx_int_t
ngx_http_icert_ocsp_body_send(ngx_http_request_t *r,
    struct status_answer *answer)
{
    ngx_buf_t    *b;
    ngx_chain_t   out[2];

    b = ngx_pcalloc(r->pool, 2 * sizeof(ngx_buf_t));
    if (b == NULL) {
        return NGX_ERROR;
    }

    b[0].pos = b[0].start = (u_char *) answer->head;
    b[0].last = b[0].end = b[0].pos + answer->head_len;
    b[0].memory = 1;

    out[0].buf = &b[0];

    if (answer->tail_len == 0) {
        b[0].last_buf = 1;
        b[0].last_in_chain = 1;
        out[0].next = NULL;

        return ngx_http_output_filter(r, out);
    }

    b[1].pos = b[1].start = (u_char *) answer->tail;
    b[1].last = b[1].end = b[1].pos + answer->tail_len;
    b[1].memory = 1;
    b[1].last_buf = 1;
    b[1].last_in_chain = 1;

    out[0].next = &out[1];
    out[1].buf = &b[1];
    out[1].next = NULL;

    return ngx_http_output_filter(r, out);
}


ngx_int_t
ngx_http_icert_ocsp_error(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_icert_count_e result)
{
    u_char       *p;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    p = ngx_pnalloc(r->pool, 5);
    b = ngx_calloc_buf(r->pool);

    if (p == NULL || b == NULL
        || ngx_http_icert_ocsp_result(r, result) != NGX_OK
        || ngx_http_icert_no_store(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* SEQUENCE { ENUMERATED status } */

    p[0] = 0x30;
    p[1] = 0x03;
    p[2] = 0x0a;
    p[3] = 0x01;
    p[4] = (u_char) status;

    rc = ngx_http_icert_ocsp_header(r, 5);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = p;
    b->last = p + 5;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_icert_ocsp_result(ngx_http_request_t *r,
    ngx_http_icert_count_e result)
{
    ngx_http_icert_note_t  *note;

    ngx_http_icert_count(result);

    note = ngx_http_icert_note_make(r);
    if (note == NULL) {
        return NGX_ERROR;
    }

    note->ocsp = *ngx_http_icert_count_label(result);

    ngx_http_icert_note_changed(r);

    return NGX_OK;
}
