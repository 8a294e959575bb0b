
/*
 * What the configuration says of uploads, and what it may not say.
 */

#include "ngx_http_icert_upload.h"


#define NGX_HTTP_ICERT_UPLOAD_FILES_MAX  20
#define NGX_HTTP_ICERT_UPLOAD_PARTS_MAX  100
#define NGX_HTTP_ICERT_UPLOAD_FIELD_MAX  65536


/* their configuration begins with an ngx_http_upstream_conf_t */

extern ngx_module_t  ngx_http_fastcgi_module;
extern ngx_module_t  ngx_http_proxy_module;


/* 0: no type has this name */

static ngx_uint_t
ngx_http_icert_upload_type_bit(ngx_conf_t *cf, u_char *name, size_t len)
{
    ngx_uint_t                          i;
    enum sniff_type                     type;
    ngx_http_icert_upload_main_conf_t  *umcf;

    type = sniff_by_name((char *) name, len);
    if (type != SNIFF_OTHER) {
        return (ngx_uint_t) 1 << type;
    }

    umcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_icert_upload_module);

    for (i = 0; i < umcf->nadded; i++) {
        if (ngx_strlen(umcf->added[i].name) == len
            && ngx_memcmp(umcf->added[i].name, name, len) == 0)
        {
            return (ngx_uint_t) 1 << (SNIFF_ADDED + i);
        }
    }

    return 0;
}


/* what it goes with is known when all has been read, at another line */

char *
ngx_http_icert_upload_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_upload_conf_t  *ucf = conf;

    ucf->file_name = cf->conf_file->file.name.data;
    ucf->line = cf->conf_file->line;

    return ngx_conf_set_flag_slot(cf, cmd, conf);
}


/* icert_upload_type NAME HEX [offset=N] */

char *
ngx_http_icert_upload_type(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_upload_main_conf_t  *umcf = conf;

    u_char              *p;
    size_t               i;
    ngx_int_t            n, offset;
    ngx_str_t           *value;
    struct sniff_magic  *magic;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "other") == 0
        || ngx_http_icert_upload_type_bit(cf, value[1].data, value[1].len))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "type \"%V\" is there already",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (umcf->nadded == SNIFF_END - SNIFF_ADDED) {
        return "stands more than 16 times";
    }

    offset = 0;

    if (cf->args->nelts == 4) {

        offset = ngx_strncmp(value[3].data, "offset=", 7) == 0
                 ? ngx_atoi(value[3].data + 7, value[3].len - 7) : NGX_ERROR;

        if (offset == NGX_ERROR || offset >= SNIFF_OCTETS) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[3]);
            return NGX_CONF_ERROR;
        }
    }

    if (value[2].len == 0 || value[2].len % 2
        || value[2].len / 2 + offset > SNIFF_OCTETS)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is not hexadecimal of "
                           "octets among the first %d", &value[2],
                           SNIFF_OCTETS);
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, value[2].len / 2);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < value[2].len / 2; i++) {

        n = ngx_hextoi(value[2].data + 2 * i, 2);

        if (n == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is not hexadecimal", &value[2]);
            return NGX_CONF_ERROR;
        }

        p[i] = (u_char) n;
    }

    magic = &umcf->added[umcf->nadded++];
    magic->name = (char *) value[1].data;
    magic->octets = p;
    magic->len = value[2].len / 2;
    magic->offset = offset;

    return NGX_CONF_OK;
}


char *
ngx_http_icert_upload_types(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_upload_conf_t  *ucf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, bit;

    if (ucf->types) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        bit = ngx_http_icert_upload_type_bit(cf, value[i].data, value[i].len);

        if (bit == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown type \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        ucf->types |= bit;
    }

    return NGX_CONF_OK;
}


/* types=A,B of a field */

static ngx_uint_t
ngx_http_icert_upload_field_types(ngx_conf_t *cf, ngx_str_t *s)
{
    u_char      *p, *end, *next;
    ngx_uint_t   types, bit;

    types = 0;
    end = s->data + s->len;

    for (p = s->data; p < end; p = next + 1) {

        next = ngx_strlchr(p, end, ',');
        if (next == NULL) {
            next = end;
        }

        bit = ngx_http_icert_upload_type_bit(cf, p, next - p);
        if (bit == 0) {
            return 0;
        }

        types |= bit;
    }

    return types;
}


static ngx_int_t
ngx_http_icert_upload_field_min(ngx_http_icert_upload_field_t *f, ngx_str_t *s)
{
    u_char     *x;
    ngx_int_t   w, h;

    x = ngx_strlchr(s->data, s->data + s->len, 'x');
    if (x == NULL) {
        return NGX_ERROR;
    }

    w = ngx_atoi(s->data, x - s->data);
    h = ngx_atoi(x + 1, s->data + s->len - x - 1);

    if (w <= 0 || h <= 0 || w > 65535 || h > 65535) {
        return NGX_ERROR;
    }

    f->width = (uint32_t) w;
    f->height = (uint32_t) h;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_upload_field_parameter(ngx_conf_t *cf,
    ngx_http_icert_upload_field_t *f, ngx_str_t *value)
{
    ssize_t    size;
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = (u_char *) ngx_strchr(value->data, '=');
    s.data = s.data ? s.data + 1 : value->data + value->len;
    s.len = value->data + value->len - s.data;

    if (ngx_strcmp(value->data, "required") == 0) {
        f->required = 1;

    } else if (ngx_strcmp(value->data, "text") == 0) {
        f->text = 1;

    } else if (ngx_strncmp(value->data, "size=", 5) == 0) {

        size = ngx_parse_size(&s);
        if (size <= 0) {
            return NGX_ERROR;
        }

        f->size = size;

    } else if (ngx_strncmp(value->data, "count=", 6) == 0) {

        n = ngx_atoi(s.data, s.len);
        if (n <= 0 || n > NGX_HTTP_ICERT_UPLOAD_FILES_MAX) {
            return NGX_ERROR;
        }

        f->count = n;

    } else if (ngx_strncmp(value->data, "types=", 6) == 0) {

        f->types = ngx_http_icert_upload_field_types(cf, &s);
        if (f->types == 0) {
            return NGX_ERROR;
        }

    } else if (ngx_strncmp(value->data, "min=", 4) == 0) {
        return ngx_http_icert_upload_field_min(f, &s);

    } else {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* icert_upload_field NAME[*] [types=…] [size=…] [count=…] [min=WxH] [required] [text] */

char *
ngx_http_icert_upload_field(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_icert_upload_conf_t  *ucf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_icert_upload_field_t  *f, *fields;

    value = cf->args->elts;

    if (ucf->fields == NULL) {
        ucf->fields = ngx_array_create(cf->pool, 4,
                                       sizeof(ngx_http_icert_upload_field_t));
        if (ucf->fields == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ucf->fields->nelts == NGX_HTTP_ICERT_UPLOAD_RULES) {
        return "stands more than 32 times";
    }

    f = ngx_array_push(ucf->fields);
    if (f == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(f, sizeof(ngx_http_icert_upload_field_t));

    f->name = value[1];

    if (f->name.len && f->name.data[f->name.len - 1] == '*') {
        f->prefix = 1;
        f->name.len--;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_icert_upload_field_parameter(cf, f, &value[i])
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (f->text && (f->types || f->size || f->count || f->width)) {
        return "text has no types, size, count or min";
    }

    if (f->count == 0) {
        f->count = 1;
    }

    /* the first that fits holds: a second of the same name never would */

    fields = ucf->fields->elts;

    for (i = 0; i < ucf->fields->nelts - 1; i++) {

        if (fields[i].text == f->text && fields[i].prefix == f->prefix
            && fields[i].name.len == f->name.len
            && ngx_memcmp(fields[i].name.data, f->name.data, f->name.len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "icert_upload_field \"%V\" stands twice",
                               &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    ucf->rules |= f->text ? 2 : 1;

    return NGX_CONF_OK;
}


void *
ngx_http_icert_upload_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_icert_upload_main_conf_t  *umcf;

    umcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_upload_main_conf_t));
    if (umcf == NULL) {
        return NULL;
    }

    umcf->on_disk = NGX_CONF_UNSET;
    umcf->files = NGX_CONF_UNSET_UINT;
    umcf->free = NGX_CONF_UNSET;
    umcf->spool.root = NGX_INVALID_FILE;
    umcf->spool.folder = NGX_INVALID_FILE;

    return umcf;
}


char *
ngx_http_icert_upload_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_icert_upload_main_conf_t  *umcf = conf;

    ngx_conf_init_value(umcf->on_disk, 0);
    ngx_conf_init_uint_value(umcf->files, 1000);
    ngx_conf_init_value(umcf->free, 32 * 1024 * 1024);

    if (umcf->files == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_spool_files cannot be 0");
        return NGX_CONF_ERROR;
    }

    if (umcf->path.len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &umcf->path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    switch (ngx_http_icert_spool_tmpfs(&umcf->path)) {

    case NGX_ERROR:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "icert_upload_spool \"%V\"", &umcf->path);
        return NGX_CONF_ERROR;

    case NGX_DECLINED:
        if (!umcf->on_disk) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "icert_upload_spool \"%V\" is not on tmpfs "
                               "(icert_upload_spool_on_disk allows it)",
                               &umcf->path);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void *
ngx_http_icert_upload_create_conf(ngx_conf_t *cf)
{
    ngx_http_icert_upload_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_upload_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->types = 0;
     *     conf->fields = NULL;
     *     conf->rules = 0;
     *     conf->file_name = NULL;
     *     conf->line = 0;
     */

    conf->enable = NGX_CONF_UNSET;
    conf->session = NGX_CONF_UNSET_PTR;
    conf->discard = NGX_CONF_UNSET;
    conf->file_size = NGX_CONF_UNSET_SIZE;
    conf->files = NGX_CONF_UNSET_UINT;
    conf->parts = NGX_CONF_UNSET_UINT;
    conf->field_size = NGX_CONF_UNSET_SIZE;
    conf->deadline = NGX_CONF_UNSET_MSEC;
    conf->min_rate = NGX_CONF_UNSET_SIZE;
    conf->linger_size = NGX_CONF_UNSET_SIZE;
    conf->linger_time = NGX_CONF_UNSET_MSEC;

    return conf;
}


char *
ngx_http_icert_upload_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_icert_upload_conf_t  *prev = parent;
    ngx_http_icert_upload_conf_t  *conf = child;

    ngx_http_upstream_conf_t           *fastcgi, *proxy;
    ngx_http_icert_upload_main_conf_t  *umcf;

    if (conf->enable == NGX_CONF_UNSET) {
        conf->file_name = prev->file_name;
        conf->line = prev->line;
    }

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_ptr_value(conf->session, prev->session, NULL);
    ngx_conf_merge_value(conf->discard, prev->discard, 0);
    ngx_conf_merge_size_value(conf->file_size, prev->file_size,
                              2 * 1024 * 1024);
    ngx_conf_merge_uint_value(conf->files, prev->files,
                              NGX_HTTP_ICERT_UPLOAD_FILES_MAX);
    ngx_conf_merge_uint_value(conf->parts, prev->parts, 40);
    ngx_conf_merge_size_value(conf->field_size, prev->field_size, 8192);
    ngx_conf_merge_msec_value(conf->deadline, prev->deadline, 120000);
    ngx_conf_merge_size_value(conf->min_rate, prev->min_rate, 512);
    ngx_conf_merge_size_value(conf->linger_size, prev->linger_size, 1 << 20);
    ngx_conf_merge_msec_value(conf->linger_time, prev->linger_time, 1000);

    if (conf->fields == NULL) {
        conf->fields = prev->fields;
        conf->rules = prev->rules;
    }

    if (conf->types == 0) {
        conf->types = prev->types ? prev->types
                      : (1 << SNIFF_PDF | 1 << SNIFF_JPEG | 1 << SNIFF_PNG);
    }

    if (conf->files > NGX_HTTP_ICERT_UPLOAD_FILES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_files %ui is above %d", conf->files,
                           NGX_HTTP_ICERT_UPLOAD_FILES_MAX);
        return NGX_CONF_ERROR;
    }

    if (conf->parts == 0 || conf->parts > NGX_HTTP_ICERT_UPLOAD_PARTS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_parts %ui is not 1 to %d",
                           conf->parts, NGX_HTTP_ICERT_UPLOAD_PARTS_MAX);
        return NGX_CONF_ERROR;
    }

    if (conf->field_size > NGX_HTTP_ICERT_UPLOAD_FIELD_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_field_size %uz is above %d",
                           conf->field_size, NGX_HTTP_ICERT_UPLOAD_FIELD_MAX);
        return NGX_CONF_ERROR;
    }

    if (conf->file_size == 0 || conf->deadline == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload_file_size and icert_upload_deadline "
                           "cannot be 0");
        return NGX_CONF_ERROR;
    }

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    umcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_icert_upload_module);

    if (umcf->path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload in %s:%ui needs icert_upload_spool",
                           conf->file_name, conf->line);
        return NGX_CONF_ERROR;
    }

    umcf->used = 1;

    fastcgi = ngx_http_conf_get_module_loc_conf(cf, ngx_http_fastcgi_module);
    proxy = ngx_http_conf_get_module_loc_conf(cf, ngx_http_proxy_module);

    if (!fastcgi->request_buffering || !proxy->request_buffering) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_upload in %s:%ui needs "
                           "fastcgi_request_buffering and "
                           "proxy_request_buffering on",
                           conf->file_name, conf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
