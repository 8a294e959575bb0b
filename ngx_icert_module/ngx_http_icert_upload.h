
#ifndef _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_
#define _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_


#include "ngx_http_icert.h"


/* "<worker's folder>/<32 hexadecimal digits>" and NUL */

#define NGX_HTTP_ICERT_SPOOL_NAME  (NGX_INT64_LEN + 1 + 32 + 1)


typedef struct {
    ngx_fd_t   root;           /* the spool folder */
    ngx_fd_t   folder;         /* this worker's, locked as long as it lives */
    u_char     name[NGX_INT64_LEN + 1];
} ngx_http_icert_spool_t;


/*
 * Opens the spool, makes this worker's folder and removes the folders of
 * workers that are gone: those that nobody holds the lock of.
 */

ngx_int_t ngx_http_icert_spool_open(ngx_http_icert_spool_t *spool,
    ngx_str_t *path, ngx_log_t *log);
void ngx_http_icert_spool_close(ngx_http_icert_spool_t *spool);

/* NGX_OK when the path is on tmpfs */

ngx_int_t ngx_http_icert_spool_tmpfs(ngx_str_t *path);

/* name has room for NGX_HTTP_ICERT_SPOOL_NAME; NGX_INVALID_FILE on failure */

ngx_fd_t ngx_http_icert_spool_create(ngx_http_icert_spool_t *spool,
    u_char *name, ngx_log_t *log);
void ngx_http_icert_spool_remove(ngx_http_icert_spool_t *spool, u_char *name,
    ngx_log_t *log);


#endif /* _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_ */
