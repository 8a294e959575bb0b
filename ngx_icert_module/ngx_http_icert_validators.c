
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


/*
 * An IMF-fixdate.  All answers of a base were signed within minutes, so their
 * times are few and are written once.
 */

#define NGX_HTTP_ICERT_DATES  1024

static u_char *
ngx_http_icert_date(u_char *p, time_t t)
{
    ngx_uint_t  n;

    static struct {
        time_t  t;
        u_char  text[sizeof("Mon, 28 Sep 1970 06:00:00 GMT") - 1];
    } kept[NGX_HTTP_ICERT_DATES];

    n = (ngx_uint_t) t % NGX_HTTP_ICERT_DATES;

    if (kept[n].t != t || t == 0) {
        kept[n].t = t;
        (void) ngx_http_time(kept[n].text, t);
    }

    return ngx_cpymem(p, kept[n].text, sizeof(kept[n].text));
}


static ngx_table_elt_t *
ngx_http_icert_header(ngx_http_request_t *r, const char *name, size_t len,
    u_char *value, u_char *last)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = len;
    h->value.data = value;
    h->value.len = last - value;

    return h;
}

#define ngx_http_icert_header_of(r, name, value, last)                       \
    ngx_http_icert_header(r, name, sizeof(name) - 1, value, last)


static time_t
ngx_http_icert_age(ngx_http_icert_validity_t *validity)
{
    time_t  age, left;

    age = validity->max_age;

    if (validity->stale) {
        age /= 2;
    }

    /* spread, so that caches do not come back together */

    age -= (age / 10) ? ngx_random() % (age / 10) : 0;

    if (validity->next_update) {
        left = validity->next_update - ngx_time() - 1;
        age = ngx_max(0, ngx_min(age, left));
    }

    return age;
}


static ngx_uint_t
ngx_http_icert_not_modified(ngx_http_request_t *r, time_t this_update)
{
    time_t  since;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return 0;
    }

    if (r->headers_in.if_none_match) {
        return ngx_http_icert_has_etag(&r->headers_in.if_none_match->value,
                                       &r->headers_out.etag->value);
    }

    if (r->headers_in.if_modified_since && this_update) {
        since = ngx_parse_http_time(r->headers_in.if_modified_since->value.data,
                                 r->headers_in.if_modified_since->value.len);
        return (since != NGX_ERROR && since >= this_update);
    }

    return 0;
}


ngx_int_t
ngx_http_icert_validators(ngx_http_request_t *r,
    ngx_http_icert_validity_t *validity, ngx_uint_t *not_modified)
{
    u_char           *p, *value;
    ngx_table_elt_t  *h;

    static u_char  policy[] = ", public, no-transform, must-revalidate";

    p = ngx_pnalloc(r->pool, 2 + 2 * STATUS_DIGEST
                             + sizeof("max-age=") + NGX_TIME_T_LEN
                             + sizeof(policy)
                             + 2 * sizeof("Mon, 28 Sep 1970 06:00:00 GMT"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value = p;
    *p++ = '"';
    p = ngx_hex_dump(p, (u_char *) validity->digest, STATUS_DIGEST);
    *p++ = '"';

    h = ngx_http_icert_header_of(r, "ETag", value, p);
    if (h == NULL) {
        return NGX_ERROR;
    }

    r->headers_out.etag = h;

    value = p;
    p = ngx_cpymem(p, "max-age=", sizeof("max-age=") - 1);
    p = ngx_sprintf(p, "%T", ngx_http_icert_age(validity));
    p = ngx_cpymem(p, policy, sizeof(policy) - 1);

    if (ngx_http_icert_header_of(r, "Cache-Control", value, p) == NULL) {
        return NGX_ERROR;
    }

    if (validity->next_update) {
        value = p;
        p = ngx_http_icert_date(p, validity->next_update);

        if (ngx_http_icert_header_of(r, "Expires", value, p) == NULL) {
            return NGX_ERROR;
        }
    }

    if (validity->this_update) {
        value = p;
        p = ngx_http_icert_date(p, validity->this_update);

        h = ngx_http_icert_header_of(r, "Last-Modified", value, p);
        if (h == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.last_modified = h;
        r->headers_out.last_modified_time = validity->this_update;
    }

    /* decided here, as RFC 9110 has it and not as if_modified_since says */

    r->disable_not_modified = 1;
    *not_modified = ngx_http_icert_not_modified(r, validity->this_update);

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
