
/* An OCSP question as it comes over HTTP: by GET, HEAD and POST. */

#include "ngx_http_icert_ocsp.h"


static ngx_int_t ngx_http_icert_ocsp_method(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_ocsp_get(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_ocsp_post(ngx_http_request_t *r);
static void ngx_http_icert_ocsp_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_ocsp_body_answer(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_ocsp_too_large(ngx_http_request_t *r);


static ngx_str_t  ngx_http_icert_ocsp_request_type =
    ngx_string("application/ocsp-request");


ngx_int_t
ngx_http_icert_ocsp_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_icert_ocsp_post(r);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_icert_ocsp_method(r);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_icert_ocsp_get(r);
}


static ngx_int_t
ngx_http_icert_ocsp_method(ngx_http_request_t *r)
{
    static u_char  allow[] = "GET, HEAD, POST";

    ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_METHOD);

    /* a cache may keep a 405 unless it is told not to */

    if (ngx_http_icert_add_header(r, "Allow", allow, sizeof(allow) - 1)
        != NGX_OK
        || ngx_http_icert_no_store(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


static ngx_int_t
ngx_http_icert_ocsp_malformed(ngx_http_request_t *r,
    ngx_http_icert_count_e cause)
{
    ngx_http_icert_count(cause);

    return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_MALFORMED,
                                     NGX_HTTP_ICERT_COUNT_MALFORMED);
}


/*
 * The path as the client sent it: in r->uri "//", "%2F" and dots are gone,
 * and base64 needs the first two.
 */

static ngx_int_t
ngx_http_icert_ocsp_get(ngx_http_request_t *r)
{
    int                        unpadded;
    long                       len;
    u_char                    *p, *last, *query, question[OCSP_REQUEST_MAX];
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    p = r->unparsed_uri.data;
    last = p + r->unparsed_uri.len;

    query = ngx_strlchr(p, last, '?');
    if (query) {
        last = query;
    }

    /* an address in a certificate may have a slash too many before the path */

    while (last - p > 1 && p[1] == '/') {
        p++;
    }

    if ((size_t) (last - p) < clcf->name.len
        || ngx_memcmp(p, clcf->name.data, clcf->name.len) != 0)
    {
        return ngx_http_icert_ocsp_malformed(r, NGX_HTTP_ICERT_COUNT_BAD_PATH);
    }

    p += clcf->name.len;

    len = ocsp_request_from_path((char *) p, last - p, question,
                                 sizeof(question), &unpadded);
    if (len < 0) {
        return ngx_http_icert_ocsp_malformed(r, NGX_HTTP_ICERT_COUNT_BAD_PATH);
    }

    if (unpadded) {
        ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_NO_PADDING);
    }

    return ngx_http_icert_ocsp_answer(r, question, len, 1);
}


static ngx_uint_t
ngx_http_icert_ocsp_is_request(ngx_str_t *type)
{
    size_t  len;

    len = ngx_http_icert_ocsp_request_type.len;

    return type->len >= len
           && ngx_strncasecmp(type->data,
                              ngx_http_icert_ocsp_request_type.data, len)
              == 0
           && (type->len == len
               || type->data[len] == ';' || type->data[len] == ' ');
}


static ngx_int_t
ngx_http_icert_ocsp_post(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r->headers_in.content_length_n > OCSP_REQUEST_MAX) {
        return ngx_http_icert_ocsp_too_large(r);
    }

    if (r->headers_in.content_type == NULL) {
        ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_NO_TYPE);

    } else if (!ngx_http_icert_ocsp_is_request(
                                      &r->headers_in.content_type->value))
    {
        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }

        return ngx_http_icert_ocsp_malformed(r, NGX_HTTP_ICERT_COUNT_BAD_TYPE);
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_icert_ocsp_body);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_http_icert_ocsp_body(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_icert_ocsp_body_answer(r));
}


/* a question in one buffer, as nearly all are, is read where it lies */

static ngx_int_t
ngx_http_icert_ocsp_body_answer(ngx_http_request_t *r)
{
    size_t        size, len;
    u_char        question[OCSP_REQUEST_MAX];
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    len = 0;

    cl = r->request_body ? r->request_body->bufs : NULL;

    if (cl && cl->next == NULL && !cl->buf->in_file
        && cl->buf->last - cl->buf->pos <= OCSP_REQUEST_MAX)
    {
        return ngx_http_icert_ocsp_answer(r, cl->buf->pos,
                                          cl->buf->last - cl->buf->pos, 1);
    }

    for ( /* void */ ; cl; cl = cl->next) {

        b = cl->buf;

        /* the buffer holds every question there can be: more goes to a file */

        if (b->in_file && ngx_buf_size(b) > OCSP_REQUEST_MAX) {
            return ngx_http_icert_ocsp_too_large(r);
        }

        if (b->in_file) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "an OCSP question was written to a file");
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        size = b->last - b->pos;

        if (size > OCSP_REQUEST_MAX - len) {
            return ngx_http_icert_ocsp_too_large(r);
        }

        if (size) {
            ngx_memcpy(question + len, b->pos, size);
            len += size;
        }
    }

    return ngx_http_icert_ocsp_answer(r, question, len, 1);
}


static ngx_int_t
ngx_http_icert_ocsp_too_large(ngx_http_request_t *r)
{
    ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_TOO_LARGE);

    return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
}


/* what was handed on and got no live answer: what is stored, or tryLater */

ngx_int_t
ngx_http_icert_ocsp_stored_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_icert_note_t  *note;

    note = ngx_http_icert_note_get(r);

    if (note == NULL || note->question.len == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_icert_ocsp_answer(r, note->question.data,
                                      note->question.len, 0);
}
