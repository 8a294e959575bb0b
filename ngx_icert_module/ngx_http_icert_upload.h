
#ifndef _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_
#define _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_


#include "ngx_http_icert.h"
#include "ngx_http_icert_progress.h"

#include <openssl/evp.h>

#include <libicert/dimensions.h>
#include <libicert/handover.h>
#include <libicert/multipart.h>
#include <libicert/sniff.h>


/* "<worker's folder>/<32 hexadecimal digits>" and NUL */

#define NGX_HTTP_ICERT_SPOOL_NAME  (NGX_INT64_LEN + 1 + 32 + 1)


typedef struct {
    ngx_fd_t   root;           /* the spool folder */
    ngx_fd_t   folder;         /* this worker's, locked as long as it lives */
    u_char     name[NGX_INT64_LEN + 1];
    ngx_uint_t files;          /* that are there now */
    ngx_uint_t files_max;
    off_t      free;           /* octets that stay free for others */
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

/* NGX_DECLINED while there is less room than what stays free */

ngx_int_t ngx_http_icert_spool_room(ngx_http_icert_spool_t *spool);

/*
 * name has room for NGX_HTTP_ICERT_SPOOL_NAME; NGX_INVALID_FILE on failure,
 * and when there are too many files or there is too little room
 */

ngx_fd_t ngx_http_icert_spool_create(ngx_http_icert_spool_t *spool,
    u_char *name);
void ngx_http_icert_spool_remove(ngx_http_icert_spool_t *spool, u_char *name);


/* what one field of a form may carry */

typedef struct {
    ngx_str_t                   name;        /* without the star it may end with */
    size_t                      size;        /* 0: icert_upload_file_size */
    ngx_uint_t                  count;
    ngx_uint_t                  types;       /* 0: icert_upload_types */
    uint32_t                    width;       /* of a picture, at least, however */
    uint32_t                    height;      /* it is turned; 0: any */
    unsigned                    prefix:1;
    unsigned                    text:1;      /* an ordinary field, no file */
    unsigned                    required:1;
} ngx_http_icert_upload_field_t;


#define NGX_HTTP_ICERT_UPLOAD_RULES  32


typedef struct {
    ngx_array_t                *fields;      /* ngx_http_icert_upload_field_t */
    ngx_http_complex_value_t   *session;     /* empty: nothing is read */
    ngx_uint_t                  rules;       /* 1: for files, 2: for others */
    ngx_flag_t                  enable;
    u_char                     *file_name;   /* where that stands */
    ngx_uint_t                  line;
    ngx_flag_t                  discard;
    size_t                      file_size;
    ngx_uint_t                  files;
    ngx_uint_t                  parts;
    size_t                      field_size;
    ngx_uint_t                  types;       /* bits by enum sniff_type */
    ngx_msec_t                  deadline;
    size_t                      min_rate;    /* octets a second */
    size_t                      linger_size; /* octets read after a refusal */
    ngx_msec_t                  linger_time;
} ngx_http_icert_upload_conf_t;


typedef struct {
    ngx_str_t                   path;
    ngx_flag_t                  on_disk;
    ngx_uint_t                  files;       /* of a worker */
    off_t                       free;
    struct sniff_magic          added[SNIFF_END - SNIFF_ADDED];
    ngx_uint_t                  nadded;
    ngx_uint_t                  used;        /* a location takes uploads */
    ngx_http_icert_spool_t      spool;
} ngx_http_icert_upload_main_conf_t;


extern ngx_module_t  ngx_http_icert_upload_module;


/*
 * of the module's table, and the directives icert_upload, icert_upload_type,
 * _types, _field
 */

char *ngx_http_icert_upload_enable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_upload_type(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_upload_types(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_icert_upload_field(ngx_conf_t *cf, ngx_command_t *cmd,
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
    ngx_http_icert_progress_t       progress;
    ngx_event_t                     event;   /* deadline and minimum rate */
    ngx_msec_t                      start;
    ngx_msec_t                      told;    /* how far its sender's window is */
    off_t                           received;

    ngx_array_t                     parts;   /* ngx_http_icert_upload_part_t */
    ngx_uint_t                      files;
    size_t                          field_octets;  /* names and values */
    ngx_int_t                       status;  /* HTTP, once refused */
    u_char                          seen[NGX_HTTP_ICERT_UPLOAD_RULES];

    /* of the part being read */

    ngx_http_icert_upload_field_t  *rule;    /* NULL: those of the location */
    struct dimensions               dimensions;
    EVP_MD_CTX                     *md;
    ngx_fd_t                        fd;
    u_char                          head[SNIFF_OCTETS];
    size_t                          head_len;

    unsigned                        file:1;
    unsigned                        named:1;
    unsigned                        typed:1;
    unsigned                        done:1;  /* the body is complete */
    unsigned                        plain:1; /* no multipart */
} ngx_http_icert_upload_ctx_t;


/* the parser's events; data is an ngx_http_icert_upload_ctx_t */

int ngx_http_icert_upload_event(void *arg, const struct multipart_event *e);

/* octets of the file that is the last part, and its end */

ngx_int_t ngx_http_icert_upload_file_data(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_upload_part_t *part, const u_char *p, size_t len);
ngx_int_t ngx_http_icert_upload_file_end(ngx_http_icert_upload_ctx_t *ctx);

/* NGX_DECLINED when what icert_upload_session asks for is there, or a status */

ngx_int_t ngx_http_icert_upload_admit(ngx_http_request_t *r,
    ngx_http_icert_upload_conf_t *ucf);

/* the time of a body: whole by the deadline, and never slower than asked for */

void ngx_http_icert_upload_clock(ngx_http_icert_upload_ctx_t *ctx);

/*
 * Over HTTP/2 whoever sends a body hears every few seconds that it comes: once
 * a second is often enough to call it.
 */

void ngx_http_icert_upload_window(ngx_http_icert_upload_ctx_t *ctx);

/*
 * The rest of the body will not be taken: its connection is closed in order
 * after the answer, icert_upload_linger_size or _time later at the latest.
 */

void ngx_http_icert_upload_linger(ngx_http_request_t *r);
void ngx_http_icert_upload_linger_init(void);

/*
 * What the worker behind reads in place of a body that is complete: one buffer
 * of the hand-over stream (libicert/handover.h) from the request's pool, and a
 * length that fits it.
 */

ngx_int_t ngx_http_icert_upload_replace(ngx_http_icert_upload_ctx_t *ctx,
    ngx_chain_t *out);

/* a field that has to be there and is not; NULL: all are */

ngx_http_icert_upload_field_t *ngx_http_icert_upload_missing(
    ngx_http_icert_upload_ctx_t *ctx);

/*
 * Notes the reason and the field: of the last part, or the one that is named;
 * returns the status.
 */

ngx_int_t ngx_http_icert_upload_refuse(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_reason_e reason, const char *detail);
ngx_int_t ngx_http_icert_upload_refuse_field(ngx_http_icert_upload_ctx_t *ctx,
    ngx_http_icert_reason_e reason, const char *detail, const char *name,
    size_t len);


/* of the log phase */

ngx_int_t ngx_http_icert_upload_log_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ICERT_UPLOAD_H_INCLUDED_ */
