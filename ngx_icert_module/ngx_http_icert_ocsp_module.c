
#include "ngx_http_icert_ocsp.h"

#include <openssl/evp.h>


/* OCSPResponseStatus, RFC 6960, 4.2.1 */

#define NGX_HTTP_ICERT_OCSP_SUCCESSFUL    0
#define NGX_HTTP_ICERT_OCSP_MALFORMED     1
#define NGX_HTTP_ICERT_OCSP_INTERNAL      2
#define NGX_HTTP_ICERT_OCSP_TRY_LATER     3
#define NGX_HTTP_ICERT_OCSP_UNAUTHORIZED  6


static ngx_int_t ngx_http_icert_ocsp_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_ocsp_method(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_ocsp_get(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_ocsp_post(ngx_http_request_t *r);
static void ngx_http_icert_ocsp_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_ocsp_body_copy(ngx_http_request_t *r,
    u_char *p, size_t *len);
static ngx_int_t ngx_http_icert_ocsp_answer(ngx_http_request_t *r,
    const u_char *question, size_t len, ngx_uint_t live);
static ngx_uint_t ngx_http_icert_ocsp_find(ngx_http_icert_set_t *set,
    struct ocsp_certid *id, struct status_record *record);
static ngx_int_t ngx_http_icert_ocsp_send(ngx_http_request_t *r,
    struct status_record *record, struct status_answer *answer,
    ngx_uint_t stale);
static ngx_int_t ngx_http_icert_ocsp_error(ngx_http_request_t *r,
    ngx_uint_t status, const char *result);
static ngx_int_t ngx_http_icert_ocsp_stored_handler(ngx_http_request_t *r);
static char *ngx_http_icert_ocsp(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_icert_ocsp_stored(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_icert_ocsp_create_conf(ngx_conf_t *cf);
static char *ngx_http_icert_ocsp_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_command_t  ngx_http_icert_ocsp_commands[] = {

    { ngx_string("icert_ocsp"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_icert_ocsp,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_icert_ocsp_conf_t, enable),
      NULL },

    { ngx_string("icert_ocsp_live"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_icert_ocsp_live_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("icert_ocsp_stored"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_icert_ocsp_stored,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_icert_ocsp_module_ctx = {
    ngx_http_icert_ocsp_live_variables,    /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_icert_ocsp_create_conf,       /* create location configuration */
    ngx_http_icert_ocsp_merge_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_icert_ocsp_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_ocsp_module_ctx,       /* module context */
    ngx_http_icert_ocsp_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_icert_ocsp_request_type =
    ngx_string("application/ocsp-request");


static ngx_int_t
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

    if (ngx_http_icert_add_header(r, "Allow", allow, sizeof(allow) - 1)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


/*
 * The path as the client sent it: in r->uri "//", "%2F" and dots are gone,
 * and base64 needs the first two.
 */

static ngx_int_t
ngx_http_icert_ocsp_get(ngx_http_request_t *r)
{
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

    if ((size_t) (last - p) < clcf->name.len
        || ngx_memcmp(p, clcf->name.data, clcf->name.len) != 0)
    {
        return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_MALFORMED,
                                         "malformed");
    }

    p += clcf->name.len;

    len = ocsp_request_from_path((char *) p, last - p, question,
                                 sizeof(question));
    if (len < 0) {
        return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_MALFORMED,
                                         "malformed");
    }

    return ngx_http_icert_ocsp_answer(r, question, len, 1);
}


static ngx_int_t
ngx_http_icert_ocsp_post(ngx_http_request_t *r)
{
    ngx_int_t   rc;
    ngx_str_t  *type;

    if (r->headers_in.content_length_n > OCSP_REQUEST_MAX) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (r->headers_in.content_type) {
        type = &r->headers_in.content_type->value;

        if (type->len < ngx_http_icert_ocsp_request_type.len
            || ngx_strncasecmp(type->data,
                               ngx_http_icert_ocsp_request_type.data,
                               ngx_http_icert_ocsp_request_type.len)
               != 0
            || (type->len > ngx_http_icert_ocsp_request_type.len
                && type->data[ngx_http_icert_ocsp_request_type.len] != ';'
                && type->data[ngx_http_icert_ocsp_request_type.len] != ' '))
        {
            rc = ngx_http_discard_request_body(r);
            if (rc != NGX_OK) {
                return rc;
            }

            return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_MALFORMED,
                                             "malformed");
        }
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_icert_ocsp_body);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_http_icert_ocsp_body(ngx_http_request_t *r)
{
    size_t     len;
    u_char     question[OCSP_REQUEST_MAX];
    ngx_int_t  rc;

    rc = ngx_http_icert_ocsp_body_copy(r, question, &len);

    if (rc == NGX_OK) {
        rc = ngx_http_icert_ocsp_answer(r, question, len, 1);
    }

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_http_icert_ocsp_body_copy(ngx_http_request_t *r, u_char *p, size_t *len)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    *len = 0;

    cl = r->request_body ? r->request_body->bufs : NULL;

    for ( /* void */ ; cl; cl = cl->next) {

        b = cl->buf;

        if (b->in_file) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "an OCSP question was written to a file");
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        size = b->last - b->pos;

        if (size > OCSP_REQUEST_MAX - *len) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        if (size) {
            ngx_memcpy(p + *len, b->pos, size);
            *len += size;
        }
    }

    return NGX_OK;
}


/* what was handed on and got no live answer: what is stored, or tryLater */

static ngx_int_t
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


static ngx_int_t
ngx_http_icert_ocsp_answer(ngx_http_request_t *r, const u_char *question,
    size_t len, ngx_uint_t live)
{
    ngx_int_t                    rc;
    ngx_uint_t                   status;
    const char                  *lacks;
    struct ocsp_certid          *id;
    struct ocsp_request          request;
    struct status_record         record;
    ngx_http_icert_set_t        *set;
    ngx_http_icert_freshness_e   freshness;

    if (ocsp_request_parse(&request, question, len) != 0) {
        return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_MALFORMED,
                                         "malformed");
    }

    id = &request.certid[0];

    if (id->algorithm < 0) {
        return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_UNAUTHORIZED,
                                         "unauthorized");
    }

    rc = ngx_http_icert_store_get(r, &set, &freshness);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED || freshness == NGX_HTTP_ICERT_SILENT) {
        return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_TRY_LATER,
                                         "stale");
    }

    status = ngx_http_icert_ocsp_find(set, id, &record);

    if (status == NGX_HTTP_ICERT_OCSP_UNAUTHORIZED) {
        return ngx_http_icert_ocsp_error(r, status, "unauthorized");
    }

    if (status != NGX_HTTP_ICERT_OCSP_SUCCESSFUL) {
        return ngx_http_icert_ocsp_error(r, status, "damaged");
    }

    /* what is stored answers one question without a nonce */

    lacks = (request.count > 1) ? "several"
            : (record.state == STATUS_PENDING) ? "pending"
            : (record.answer[id->algorithm].head == NULL) ? "unsigned"
            : (record.next_update <= ngx_time()) ? "expired" : NULL;

    if (live && (lacks || ngx_http_icert_ocsp_live_nonce(r, &request))) {
        rc = ngx_http_icert_ocsp_live(r, question, len);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (lacks) {
        return ngx_http_icert_ocsp_error(r, NGX_HTTP_ICERT_OCSP_TRY_LATER,
                                         lacks);
    }

    return ngx_http_icert_ocsp_send(r, &record, &record.answer[id->algorithm],
                                    freshness == NGX_HTTP_ICERT_STALE);
}


/* segments are listed newest first */

static ngx_uint_t
ngx_http_icert_ocsp_find(ngx_http_icert_set_t *set, struct ocsp_certid *id,
    struct status_record *record)
{
    int         rc, issuer;
    ngx_uint_t  i;

    for (i = 0; i < set->segments; i++) {

        issuer = status_segment_issuer(&set->segment[i], id->algorithm,
                                       id->name_hash, id->key_hash);
        if (issuer < 0) {
            continue;
        }

        rc = status_segment_find(&set->segment[i], issuer, id->serial,
                                 id->serial_len, record);
        if (rc == 1) {
            return NGX_HTTP_ICERT_OCSP_SUCCESSFUL;
        }

        if (rc < 0) {
            return NGX_HTTP_ICERT_OCSP_INTERNAL;
        }
    }

    return NGX_HTTP_ICERT_OCSP_UNAUTHORIZED;
}


static ngx_int_t
ngx_http_icert_ocsp_digest(struct status_answer *answer, u_char *digest)
{
    ngx_int_t    rc;
    EVP_MD_CTX  *md;

    static EVP_MD  *sha256;

    if (sha256 == NULL) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    }

    md = EVP_MD_CTX_new();

    rc = (md && sha256 && EVP_DigestInit_ex(md, sha256, NULL) == 1
          && EVP_DigestUpdate(md, answer->head, answer->head_len) == 1
          && EVP_DigestUpdate(md, answer->tail, answer->tail_len) == 1
          && EVP_DigestFinal_ex(md, digest, NULL) == 1) ? NGX_OK : NGX_ERROR;

    EVP_MD_CTX_free(md);

    return rc;
}


static ngx_int_t
ngx_http_icert_ocsp_send(ngx_http_request_t *r, struct status_record *record,
    struct status_answer *answer, ngx_uint_t stale)
{
    ngx_int_t                     rc;
    ngx_buf_t                    *head, *tail;
    ngx_uint_t                    not_modified;
    ngx_chain_t                   out[2];
    ngx_http_icert_validity_t     validity;
    ngx_http_icert_store_conf_t  *scf;

    scf = ngx_http_get_module_loc_conf(r, ngx_http_icert_store_module);

    validity.this_update = record->this_update;
    validity.next_update = record->next_update;
    validity.max_age = scf->max_age;
    validity.stale = stale;

    if (ngx_http_icert_ocsp_digest(answer, validity.digest) != NGX_OK
        || ngx_http_icert_ocsp_result(r, record->state == STATUS_GOOD
                                         ? "good" : "revoked")
           != NGX_OK
        || ngx_http_icert_validators(r, &validity, &not_modified) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (not_modified) {
        r->headers_out.status = NGX_HTTP_NOT_MODIFIED;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) answer->head_len
                                      + answer->tail_len;
    ngx_str_set(&r->headers_out.content_type, "application/ocsp-response");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    head = ngx_calloc_buf(r->pool);
    tail = ngx_calloc_buf(r->pool);

    if (head == NULL || tail == NULL) {
        return NGX_ERROR;
    }

    head->pos = head->start = (u_char *) answer->head;
    head->last = head->end = head->pos + answer->head_len;
    head->memory = 1;

    out[0].buf = head;

    if (answer->tail_len) {
        tail->pos = tail->start = (u_char *) answer->tail;
        tail->last = tail->end = tail->pos + answer->tail_len;
        tail->memory = 1;
        tail->last_buf = 1;
        tail->last_in_chain = 1;

        out[0].next = &out[1];
        out[1].buf = tail;
        out[1].next = NULL;

    } else {
        head->last_buf = 1;
        head->last_in_chain = 1;
        out[0].next = NULL;
    }

    return ngx_http_output_filter(r, out);
}


static ngx_int_t
ngx_http_icert_ocsp_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *result)
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

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = 5;
    ngx_str_set(&r->headers_out.content_type, "application/ocsp-response");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

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
ngx_http_icert_ocsp_result(ngx_http_request_t *r, const char *result)
{
    ngx_http_icert_note_t  *note;

    note = ngx_http_icert_note_make(r);
    if (note == NULL) {
        return NGX_ERROR;
    }

    note->ocsp.data = (u_char *) result;
    note->ocsp.len = ngx_strlen(result);

    ngx_http_icert_note_changed(r);

    return NGX_OK;
}


static char *
ngx_http_icert_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_ocsp_conf_t  *ocf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ocf->enable) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        if (clcf->name.len == 0 || clcf->name.data[0] != '/') {
            return "needs a location that is a path, not an expression or name";
        }

        clcf->handler = ngx_http_icert_ocsp_handler;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_icert_ocsp_stored(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->named) {
        return "needs a named location";
    }

    clcf->handler = ngx_http_icert_ocsp_stored_handler;

    return NGX_CONF_OK;
}


static void *
ngx_http_icert_ocsp_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_ocsp_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_ocsp_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_icert_ocsp_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_ocsp_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    if (conf->enable == NGX_CONF_UNSET) {
        conf->enable = 0;
    }

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* a question is read in memory, never in a file */

    if (clcf->client_body_buffer_size < OCSP_REQUEST_MAX) {
        clcf->client_body_buffer_size = OCSP_REQUEST_MAX;
    }

    return NGX_CONF_OK;
}
