/*
 * What ocsp_post is measured against: nginx that reads the body of a request, as any answer to a POST must, and then sends
 * what `return` would send, by the same function.  `return` itself throws the body away unread.
 *
 *	bench_return TYPE TEXT;		in a location
 */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

typedef struct {
	ngx_str_t		  type;
	ngx_http_complex_value_t  text;
} bench_conf_t;

static char *bench_return(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static void *bench_create(ngx_conf_t *cf);

static ngx_command_t  bench_commands[] = {
	{ ngx_string("bench_return"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE2, bench_return, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
	ngx_null_command
};

static ngx_http_module_t  bench_context = { NULL, NULL, NULL, NULL, NULL, NULL, bench_create, NULL };

ngx_module_t  ngx_http_bench_module = {
	NGX_MODULE_V1,
	&bench_context,
	bench_commands,
	NGX_HTTP_MODULE,
	NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	NGX_MODULE_V1_PADDING
};


static void *
bench_create(ngx_conf_t *cf)
{
	return ngx_pcalloc(cf->pool, sizeof(bench_conf_t));
}


static void
bench_answer(ngx_http_request_t *r)
{
	bench_conf_t  *conf = ngx_http_get_module_loc_conf(r, ngx_http_bench_module);

	ngx_http_finalize_request(r, ngx_http_send_response(r, NGX_HTTP_OK, &conf->type, &conf->text));
}


static ngx_int_t
bench_handler(ngx_http_request_t *r)
{
	ngx_int_t  rc = ngx_http_read_client_request_body(r, bench_answer);

	return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static char *
bench_return(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
	ngx_http_compile_complex_value_t  compile;
	ngx_http_core_loc_conf_t	 *location = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
	bench_conf_t			 *bench = conf;
	ngx_str_t			 *value = cf->args->elts;

	(void) cmd;
	ngx_memzero(&compile, sizeof(compile));
	compile.cf = cf;
	compile.value = &value[2];
	compile.complex_value = &bench->text;
	bench->type = value[1];
	location->handler = bench_handler;
	return ngx_http_compile_complex_value(&compile) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}
