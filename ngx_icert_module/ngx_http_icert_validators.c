
#include "ngx_http_icert_store.h"


static ngx_int_t
ngx_http_icert_has_etag(ngx_str_t *list, ngx_str_t *etag)
{
    u_char  *p, *last, *end;

    p = list->data;
    last = p + list->len;

    if (list->len == 1 && p[0] == '*') {
        return 1;
    }

    while (p < last) {

        if (last - p > 2 && p[0] == 'W' && p[1] == '/') {
            p += 2;
        }

        if (*p != '"') {
            return 0;
        }

        end = ngx_strlchr(p + 1, last, '"');
        if (end == NULL) {
            return 0;
        }

        end++;

        if ((size_t) (end - p) == etag->len
            && ngx_memcmp(p, etag->data, etag->len) == 0)
        {
            return 1;
        }

        for (p = end; p < last && (*p == ' ' || *p == '\t' || *p == ','); p++)
        {
            /* void */
        }
    }

    return 0;
}


ngx_int_t
ngx_http_icert_validators(ngx_http_request_t *r,
    ngx_http_icert_validity_t *validity, ngx_uint_t *not_modified)
{
    u_char           *p;
    time_t            now, age, since;
    ngx_table_elt_t  *h;

    now = ngx_time();
    age = validity->max_age;

    if (validity->stale) {
        age /= 2;
    }

    /* spread, so that caches do not come back together */

    age -= (age / 10) ? ngx_random() % (age / 10) : 0;

    if (validity->next_update && age > validity->next_update - now - 1) {
        age = ngx_max(0, validity->next_update - now - 1);
    }

    p = ngx_pnalloc(r->pool, 2 + 2 * STATUS_DIGEST);
    h = ngx_list_push(&r->headers_out.headers);

    if (p == NULL || h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "ETag");
    h->value.data = p;
    *p++ = '"';
    p = ngx_hex_dump(p, validity->digest, STATUS_DIGEST);
    *p++ = '"';
    h->value.len = p - h->value.data;
    r->headers_out.etag = h;

    p = ngx_pnalloc(r->pool, sizeof("max-age=, public, no-transform, "
                                    "must-revalidate") + NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_icert_add_header(r, "Cache-Control", p,
                                  ngx_sprintf(p, "max-age=%T, public, "
                                              "no-transform, must-revalidate",
                                              age) - p)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (validity->next_update) {

        p = ngx_pnalloc(r->pool, sizeof("Mon, 28 Sep 1970 06:00:00 GMT"));
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_icert_add_header(r, "Expires", p,
                               ngx_http_time(p, validity->next_update) - p)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (validity->this_update) {
        r->headers_out.last_modified_time = validity->this_update;
    }

    /* decided here, as RFC 9110 has it and not as if_modified_since says */

    r->disable_not_modified = 1;
    *not_modified = 0;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_OK;
    }

    if (r->headers_in.if_none_match) {
        *not_modified = ngx_http_icert_has_etag(
                                       &r->headers_in.if_none_match->value,
                                       &r->headers_out.etag->value);

    } else if (r->headers_in.if_modified_since && validity->this_update) {
        since = ngx_parse_http_time(r->headers_in.if_modified_since->value.data,
                                 r->headers_in.if_modified_since->value.len);
        *not_modified = (since != NGX_ERROR && since >= validity->this_update);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_icert_no_store(ngx_http_request_t *r)
{
    static u_char  value[] = "no-store";

    return ngx_http_icert_add_header(r, "Cache-Control", value,
                                     sizeof(value) - 1);
}


ngx_int_t
ngx_http_icert_add_header(ngx_http_request_t *r, const char *name,
    u_char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = value;
    h->value.len = len;

    return NGX_OK;
}
