
/*
 * OCSP questions that what is stored cannot answer, or not as they ask for it:
 * with a nonce, with several CertIDs, with a hash that is not signed
 * beforehand.  They go to a location that asks icert-ocsp, within a budget:
 * signing must never slow what is stored.
 */


#include "ngx_http_icert_ocsp.h"


static void ngx_http_icert_ocsp_live_ended(void *data);
static ngx_int_t ngx_http_icert_ocsp_live_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_str_t  ngx_http_icert_ocsp_live_name =
    ngx_string("icert_ocsp_request");


ngx_uint_t
ngx_http_icert_ocsp_live_nonce(ngx_http_request_t *r,
    struct ocsp_request *request)
{
    ngx_http_icert_ocsp_conf_t  *ocf;

    ocf = ngx_http_get_module_loc_conf(r, ngx_http_icert_ocsp_module);

    return !ocf->ignore_nonce && request->nonce
           && request->nonce_len >= OCSP_NONCE_ECHO_MIN
           && request->nonce_len <= OCSP_NONCE_ECHO_MAX;
}


ngx_uint_t
ngx_http_icert_ocsp_live_unknown(ngx_http_request_t *r)
{
    ngx_http_icert_ocsp_conf_t  *ocf;

    ocf = ngx_http_get_module_loc_conf(r, ngx_http_icert_ocsp_module);

    return ocf->unknown;
}


ngx_int_t
ngx_http_icert_ocsp_live(ngx_http_request_t *r, const u_char *question,
    size_t len)
{
    struct gcra_answer            answer;
    ngx_pool_cleanup_t           *cln;
    ngx_http_icert_note_t        *note;
    ngx_http_icert_ocsp_conf_t   *ocf, **counted;

    ocf = ngx_http_get_module_loc_conf(r, ngx_http_icert_ocsp_module);

    if (ocf->live.len == 0) {
        return NGX_DECLINED;
    }

    if (ocf->pending >= ocf->pending_max) {
        ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_BUDGET);
        return NGX_DECLINED;
    }

    gcra_ask(&ocf->gcra, &ocf->tat, (int64_t) ngx_current_msec * 1000000, 1,
             &answer);

    if (!answer.allowed) {
        ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_BUDGET);
        return NGX_DECLINED;
    }

    note = ngx_http_icert_note_make(r);
    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_icert_ocsp_conf_t *));

    if (note == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    note->question.data = ngx_pnalloc(r->pool, len);
    if (note->question.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(note->question.data, question, len);
    note->question.len = len;

    if (ngx_http_icert_ocsp_result(r, NGX_HTTP_ICERT_COUNT_LIVE) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    counted = cln->data;
    *counted = ocf;
    cln->handler = ngx_http_icert_ocsp_live_ended;
    ocf->pending++;

    return ngx_http_named_location(r, &ocf->live);
}


static void
ngx_http_icert_ocsp_live_ended(void *data)
{
    ngx_http_icert_ocsp_conf_t  **counted = data;

    (*counted)->pending--;
}


static ngx_int_t
ngx_http_icert_ocsp_live_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t               encoded;
    ngx_http_icert_note_t  *note;

    note = ngx_http_icert_note_get(r);

    if (note == NULL || note->question.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    encoded.data = ngx_pnalloc(r->pool,
                               ngx_base64_encoded_length(note->question.len));
    if (encoded.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&encoded, &note->question);

    v->data = encoded.data;
    v->len = encoded.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_icert_ocsp_live_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_http_icert_ocsp_live_name, 0);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_icert_ocsp_live_variable;

    return NGX_OK;
}


/*
 * icert_ocsp_live @location rate=N pending=N [nonce=ignore] [unknown=live];
 * of each worker
 */

char *
ngx_http_icert_ocsp_live_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_ocsp_conf_t  *ocf = conf;

    ngx_int_t    rate, pending;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (ocf->live.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    rate = 2000;
    pending = 64;

    if (value[1].len < 2 || value[1].data[0] != '@') {
        return "needs the name of a named location first";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0) {
            rate = ngx_atoi(value[i].data + 5, value[i].len - 5);

        } else if (ngx_strncmp(value[i].data, "pending=", 8) == 0) {
            pending = ngx_atoi(value[i].data + 8, value[i].len - 8);

        } else if (ngx_strcmp(value[i].data, "nonce=ignore") == 0) {
            ocf->ignore_nonce = 1;

        } else if (ngx_strcmp(value[i].data, "unknown=live") == 0) {
            ocf->unknown = 1;

        } else {
            rate = NGX_ERROR;
        }

        if (rate < 1 || rate > 100000 || pending < 1 || pending > 65536) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "icert_ocsp_live: invalid value \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (gcra_init(&ocf->gcra, (uint32_t) rate, 1, (uint32_t) rate) != 0) {
        return "has an invalid rate";
    }

    ocf->live = value[1];
    ocf->pending_max = (ngx_uint_t) pending;

    return NGX_CONF_OK;
}
