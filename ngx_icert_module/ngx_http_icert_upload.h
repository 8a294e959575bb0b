
#ifndef _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_
#define _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_


#include "ngx_http_icert.h"

#include <openssl/evp.h>

#include <libicert/handover.h>
#include <libicert/multipart.h>
#include <libicert/sniff.h>


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


typedef struct {
    ngx_flag_t                  enable;
    ngx_flag_t                  discard;
    size_t                      file_size;
    ngx_uint_t                  files;
    ngx_uint_t                  parts;
    size_t                      field_size;
    ngx_uint_t                  types;       /* bits by enum sniff_type */
    ngx_msec_t                  deadline;
    size_t                      min_rate;    /* octets a second */
} ngx_http_icert_upload_conf_t;


typedef struct {
    ngx_str_t                   path;
    ngx_flag_t                  on_disk;
    ngx_uint_t                  used;        /* a location takes uploads */
    ngx_http_icert_spool_t      spool;
} ngx_http_icert_upload_main_conf_t;


extern ngx_module_t  ngx_http_icert_upload_module;


/* of the module's table, and the directive icert_upload_types */

char *ngx_http_icert_upload_types(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void *ngx_http_icert_upload_create_main_conf(ngx_conf_t *cf);
char *ngx_http_icert_upload_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_icert_upload_create_conf(ngx_conf_t *cf);
char *ngx_http_icert_upload_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);


/* a part that is complete, or being read when it is the last */

typedef struct {
    struct handover_record      record;
    size_t                      room;        /* of record.value */
    u_char                      sha256[HANDOVER_SHA256];
    u_char                      spool[NGX_HTTP_ICERT_SPOOL_NAME];
    unsigned                    spooled:1;
} ngx_http_icert_upload_part_t;


typedef struct {
    ngx_http_request_t             *request;
    ngx_http_icert_upload_conf_t   *conf;
    ngx_http_icert_spool_t         *spool;
    struct multipart                parser;
    ngx_event_t                     event;   /* deadline and minimum rate */
    ngx_msec_t                      start;
    off_t                           received;

    ngx_array_t                     parts;   /* ngx_http_icert_upload_part_t */
    ngx_uint_t                      files;
    size_t                          field_octets;  /* names and values */
    ngx_int_t                       status;  /* HTTP, once refused */

    /* of the part being read */

    EVP_MD_CTX                     *md;
    ngx_fd_t                        fd;
    u_char                          head[SNIFF_OCTETS];
    size_t                          head_len;

    unsigned                        file:1;
    unsigned                        named:1;
    unsigned                        typed:1;
    unsigned                        done:1;  /* the body is complete */
} ngx_http_icert_upload_ctx_t;


/* the parser's events; data is an ngx_http_icert_upload_ctx_t */

int ngx_http_icert_upload_event(void *arg, const struct multipart_event *e);

/* notes the reason, and the field of the last part; returns the status */

ngx_int_t ngx_http_icert_upload_refuse(ngx_http_icert_upload_ctx_t *ctx,
    ngx_int_t status, const char *reason, const char *detail);


#endif /* _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_ */
