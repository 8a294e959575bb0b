
#include "ngx_http_icert.h"


ngx_int_t
ngx_http_icert_net_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t                len;
    u_char               *p;
    ngx_uint_t            bits;
    struct sockaddr_in    in;
#if (NGX_HAVE_INET6)
    struct sockaddr_in    mapped;
    struct sockaddr_in6   in6;
#endif
    struct sockaddr      *sa;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) "local";
    v->len = sizeof("local") - 1;

    sa = r->connection->sockaddr;

#if (NGX_HAVE_INET6)

    /* what a listener of both families hears from the older one */

    if (sa->sa_family == AF_INET6
        && IN6_IS_ADDR_V4MAPPED(&((struct sockaddr_in6 *) sa)->sin6_addr))
    {
        ngx_memzero(&mapped, sizeof(struct sockaddr_in));
        mapped.sin_family = AF_INET;
        ngx_memcpy(&mapped.sin_addr,
                   &((struct sockaddr_in6 *) sa)->sin6_addr.s6_addr[12], 4);
        sa = (struct sockaddr *) &mapped;
    }

#endif

    switch (sa->sa_family) {

    case AF_INET:
        in = *(struct sockaddr_in *) sa;
        bits = (data == NGX_HTTP_ICERT_NET_LOG) ? 24 : 32;
        in.sin_addr.s_addr &= htonl(0xffffffff << (32 - bits));
        sa = (struct sockaddr *) &in;
        len = sizeof(struct sockaddr_in);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        in6 = *(struct sockaddr_in6 *) sa;
        bits = (data == NGX_HTTP_ICERT_NET_LOG) ? 48 : 64;
        ngx_memzero(&in6.sin6_addr.s6_addr[bits / 8], 16 - bits / 8);
        sa = (struct sockaddr *) &in6;
        len = sizeof(struct sockaddr_in6);
        break;
#endif

    default:

        /* a Unix socket: for a log; a limit counts nobody by it */

        if (data == NGX_HTTP_ICERT_NET_KEY) {
            v->len = 0;
        }

        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_SOCKADDR_STRLEN + sizeof("/48") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    p += ngx_sock_ntop(sa, len, p, NGX_SOCKADDR_STRLEN, 0);
    v->len = ngx_sprintf(p, "/%ui", bits) - v->data;

    return NGX_OK;
}
