
#include "ngx_http_icert.h"
#include "ngx_http_icert_count.h"

#include "libicert/sanitized.h"

#if (ICERT_SANITIZED)
#include <sanitizer/lsan_interface.h>
#endif


#define NGX_HTTP_ICERT_NOTE_VARS  7


typedef struct {
    ngx_int_t   indices[NGX_HTTP_ICERT_NOTE_VARS + 1];
} ngx_http_icert_main_conf_t;


static void ngx_http_icert_note_cleanup(void *data);
static ngx_int_t ngx_http_icert_variable_note(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_icert_variable_reason(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_icert_variable_upload(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_icert_variable_version(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_icert_add_variables(ngx_conf_t *cf);
static void *ngx_http_icert_create_main_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_icert_init(ngx_conf_t *cf);
static void ngx_http_icert_exit_process(ngx_cycle_t *cycle);


static struct {
    ngx_int_t   status;
    ngx_str_t   code;
} ngx_http_icert_reasons[] = {
#define X(name, status, code)  { status, ngx_string(code) },
    NGX_HTTP_ICERT_REASONS(X)
#undef X
};


/* those of the note first: they are forgotten together */

static ngx_http_variable_t  ngx_http_icert_vars[] = {

    { ngx_string("icert_reason"), NULL, ngx_http_icert_variable_reason,
      offsetof(ngx_http_icert_note_t, reason), 0, 0 },

    { ngx_string("icert_detail"), NULL, ngx_http_icert_variable_note,
      offsetof(ngx_http_icert_note_t, detail), 0, 0 },

    { ngx_string("icert_field"), NULL, ngx_http_icert_variable_note,
      offsetof(ngx_http_icert_note_t, field), 0, 0 },

    { ngx_string("icert_limit"), NULL, ngx_http_icert_variable_note,
      offsetof(ngx_http_icert_note_t, limit), 0, 0 },

    { ngx_string("icert_limit_status"), NULL, ngx_http_icert_variable_note,
      offsetof(ngx_http_icert_note_t, limit_status), 0, 0 },

    { ngx_string("icert_ocsp_result"), NULL, ngx_http_icert_variable_note,
      offsetof(ngx_http_icert_note_t, ocsp), 0, 0 },

    { ngx_string("icert_upload"), NULL, ngx_http_icert_variable_upload,
      0, 0, 0 },

    { ngx_string("icert_module_version"), NULL,
      ngx_http_icert_variable_version, 0, 0, 0 },

      ngx_http_null_variable
};


static ngx_http_module_t  ngx_http_icert_module_ctx = {
    ngx_http_icert_add_variables,          /* preconfiguration */
    ngx_http_icert_init,                   /* postconfiguration */

    ngx_http_icert_create_main_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_icert_module = {
    NGX_MODULE_V1,
    &ngx_http_icert_module_ctx,            /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_icert_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * A build under sanitizers looks for leaks while nginx and its libraries still
 * hold all that is theirs: whatever nothing points to now is of a request.
 */

static void
ngx_http_icert_exit_process(ngx_cycle_t *cycle)
{
#if (ICERT_SANITIZED)
    (void) __lsan_do_recoverable_leak_check();
#endif
}


/*
 * nginx runs the handlers of a phase from the one added last to the one added
 * first, and those of loaded modules are added last.  Ours stand at the other
 * end: realip may say only in this phase whose request it is.
 */

ngx_int_t
ngx_http_icert_preaccess(ngx_conf_t *cf, ngx_http_handler_pt handler)
{
    ngx_array_t                *a;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    a = &cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers;

    if (ngx_array_push(a) == NULL) {
        return NGX_ERROR;
    }

    h = a->elts;
    ngx_memmove(h + 1, h, (a->nelts - 1) * sizeof(ngx_http_handler_pt));
    *h = handler;

    return NGX_OK;
}


/*
 * An internal redirect clears the contexts of modules, and error_page is one,
 * so the note hangs on the pool as well.
 */

ngx_http_icert_note_t *
ngx_http_icert_note_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_icert_note_t  *note;

    r = r->main;

    note = ngx_http_get_module_ctx(r, ngx_http_icert_module);
    if (note) {
        return note;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_icert_note_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_http_icert_module);
            return cln->data;
        }
    }

    return NULL;
}


ngx_http_icert_note_t *
ngx_http_icert_note_make(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_icert_note_t  *note;

    note = ngx_http_icert_note_get(r);
    if (note) {
        return note;
    }

    r = r->main;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_icert_note_t));
    if (cln == NULL) {
        return NULL;
    }

    note = cln->data;
    ngx_memzero(note, sizeof(ngx_http_icert_note_t));
    cln->handler = ngx_http_icert_note_cleanup;

    ngx_http_set_ctx(r, note, ngx_http_icert_module);

    return note;
}


static void
ngx_http_icert_note_cleanup(void *data)
{
    /* only marks the note in the pool's list */
}


void
ngx_http_icert_note_changed(ngx_http_request_t *r)
{
    ngx_uint_t                   i;
    ngx_http_variable_value_t   *v;
    ngx_http_icert_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_icert_module);

    for (i = 0; i < NGX_HTTP_ICERT_NOTE_VARS + 1; i++) {
        v = &r->main->variables[imcf->indices[i]];
        v->valid = 0;
        v->not_found = 0;
    }
}


ngx_int_t
ngx_http_icert_refuse(ngx_http_request_t *r, ngx_http_icert_reason_e reason,
    const char *detail)
{
    ngx_http_icert_note_t  *note;

    ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_REFUSED + reason);

    note = ngx_http_icert_note_make(r);
    if (note == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    note->reason = ngx_http_icert_reasons[reason].code;
    note->detail.data = (u_char *) (detail ? detail : "");
    note->detail.len = ngx_strlen(note->detail.data);

    ngx_http_icert_note_changed(r);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "icert refused: %V%s%s", &note->reason, detail ? " " : "",
                  detail ? detail : "");

    return ngx_http_icert_reasons[reason].status;
}


static ngx_int_t
ngx_http_icert_variable_note(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              *s;
    ngx_http_icert_note_t  *note;

    note = ngx_http_icert_note_get(r);

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    if (note == NULL) {
        v->len = 0;
        v->data = (u_char *) "";
        return NGX_OK;
    }

    s = (ngx_str_t *) ((char *) note + data);
    v->len = s->len;
    v->data = s->data ? s->data : (u_char *) "";

    return NGX_OK;
}


/* what nginx itself refused has a reason too: "http_413" */

static ngx_int_t
ngx_http_icert_variable_reason(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char      *p;
    ngx_uint_t   status;

    if (ngx_http_icert_variable_note(r, v, data) != NGX_OK) {
        return NGX_ERROR;
    }

    status = r->main->err_status;

    /* who fell silent is sent nothing, so it is no error page's status */

    if (r->main->headers_out.status == NGX_HTTP_REQUEST_TIME_OUT
        && !r->main->header_sent)
    {
        status = NGX_HTTP_REQUEST_TIME_OUT;
    }

    if (v->len || status < NGX_HTTP_BAD_REQUEST) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, sizeof("http_000"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, "http_%03ui", status % 1000) - p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_variable_upload(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_icert_note_t  *note;

    note = ngx_http_icert_note_get(r);

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) "1";
    v->len = (note && note->upload) ? 1 : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_variable_version(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) NGX_HTTP_ICERT_VERSION;
    v->len = sizeof(NGX_HTTP_ICERT_VERSION) - 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_icert_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_http_icert_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_icert_main_conf_t));
}


static ngx_int_t
ngx_http_icert_init(ngx_conf_t *cf)
{
    ngx_str_t                    name = ngx_string("content_length");
    ngx_uint_t                   i;
    ngx_http_icert_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_icert_module);

    for (i = 0; i < NGX_HTTP_ICERT_NOTE_VARS; i++) {
        imcf->indices[i] = ngx_http_get_variable_index(cf,
                                               &ngx_http_icert_vars[i].name);
        if (imcf->indices[i] == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    /* the upload filter changes it under way */

    imcf->indices[i] = ngx_http_get_variable_index(cf, &name);
    if (imcf->indices[i] == NGX_ERROR) {
        return NGX_ERROR;
    }

    return NGX_OK;
}
