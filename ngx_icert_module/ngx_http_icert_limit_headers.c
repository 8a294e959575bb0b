
#include "ngx_http_icert_limit.h"


static ngx_int_t ngx_http_icert_limit_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_icert_limit_headers(ngx_http_request_t *r,
    ngx_http_icert_note_t *note);
static ngx_int_t ngx_http_icert_limit_header(ngx_http_request_t *r,
    const char *name, const char *fmt, ...);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


void
ngx_http_icert_limit_headers_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_icert_limit_header_filter;
}


static ngx_int_t
ngx_http_icert_limit_header_filter(ngx_http_request_t *r)
{
    ngx_http_icert_note_t  *note;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    note = ngx_http_icert_note_get(r);

    if (note == NULL || note->policy_name.len == 0) {
        return ngx_http_next_header_filter(r);
    }

    if (note->retry
        && ngx_http_icert_limit_header(r, "Retry-After", "%L", note->retry)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (note->headers && ngx_http_icert_limit_headers(r, note) != NGX_OK) {
        return NGX_ERROR;
    }

    if (note->legacy_headers
        && (ngx_http_icert_limit_header(r, "X-RateLimit-Limit", "%uD",
                                        note->policy_quota)
            != NGX_OK
            || ngx_http_icert_limit_header(r, "X-RateLimit-Remaining", "%uD",
                                           note->remaining)
               != NGX_OK
            || ngx_http_icert_limit_header(r, "X-RateLimit-Reset", "%L",
                                           note->reset)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static u_char *
ngx_http_icert_limit_number(u_char *p, uint64_t n)
{
    u_char  text[NGX_INT64_LEN], *d;

    d = text + NGX_INT64_LEN;

    do {
        *--d = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return ngx_cpymem(p, d, text + NGX_INT64_LEN - d);
}


/* "name"; one parameter; another */

static u_char *
ngx_http_icert_limit_item(u_char *p, ngx_str_t *name, const char *first,
    uint64_t one, const char *second, uint64_t other)
{
    *p++ = '"';
    p = ngx_cpymem(p, name->data, name->len);
    *p++ = '"';
    p = ngx_cpymem(p, first, 3);
    p = ngx_http_icert_limit_number(p, one);
    p = ngx_cpymem(p, second, 3);

    return ngx_http_icert_limit_number(p, other);
}


/* RateLimit-Policy and RateLimit: on every answer, so by hand and at once */

static ngx_int_t
ngx_http_icert_limit_headers(ngx_http_request_t *r,
    ngx_http_icert_note_t *note)
{
    u_char           *p, *end;
    ngx_table_elt_t  *policy, *limit;

    p = ngx_pnalloc(r->pool, 2 * (note->policy_name.len + sizeof("\"\";q=;w=")
                                  + 2 * NGX_INT64_LEN));
    policy = ngx_list_push(&r->headers_out.headers);

    if (p == NULL || policy == NULL) {
        return NGX_ERROR;
    }

    end = ngx_http_icert_limit_item(p, &note->policy_name, ";q=",
                                    note->policy_quota, ";w=",
                                    note->policy_window);

    policy->hash = 1;
    ngx_str_set(&policy->key, "RateLimit-Policy");
    policy->value.data = p;
    policy->value.len = end - p;

    limit = ngx_list_push(&r->headers_out.headers);
    if (limit == NULL) {
        return NGX_ERROR;
    }

    p = end;
    end = ngx_http_icert_limit_item(p, &note->policy_name, ";r=",
                                    note->remaining, ";t=", note->reset);

    limit->hash = 1;
    ngx_str_set(&limit->key, "RateLimit");
    limit->value.data = p;
    limit->value.len = end - p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_limit_header(ngx_http_request_t *r, const char *name,
    const char *fmt, ...)
{
    u_char           *p;
    va_list           args;
    ngx_table_elt_t  *h;

    /* zone names are at most 64 octets long, numbers 20 */

    p = ngx_pnalloc(r->pool, 160);
    h = ngx_list_push(&r->headers_out.headers);

    if (p == NULL || h == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    h->value.len = ngx_vslprintf(p, p + 160, fmt, args) - p;
    va_end(args);

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = p;

    return NGX_OK;
}
