/*
 * What ocsp_post is measured against: nginx that reads the body of a request, as any answer to a POST must, and then sends
 * what `return` would send, by the same function.  `return` itself throws the body away unread.
 *
 *	bench_return TYPE TEXT;		in a location
 *
 * And limit_cost: what one decision of a limit costs, asked of the handlers themselves.  limit_req is static in nginx's binary, so both are
 * called as nginx's phases would call them, with a request that differs from the location's own in its address and in what belongs to one request alone:
 * pool, contexts, variables.  Those are set back before each decision, whoever decides, and what that takes by itself is subtracted from both.
 * The same addresses in the same shuffled order; each side reads its key and its clock as it does in service; all have been seen once before.
 *
 *	bench_decide;			in a location with icert_limit and limit_req; ?ours, ?limit_req
 */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <dlfcn.h>

#define BENCH_KEYS	100000
#define BENCH_PASSES	5
#define BENCH_POOL	4096

typedef struct {
	ngx_str_t		  type;
	ngx_http_complex_value_t  text;
} bench_conf_t;

static char *bench_return(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static void *bench_create(ngx_conf_t *cf);
static char *bench_decide(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t bench_init(ngx_conf_t *cf);

static ngx_http_handler_pt  bench_limit_req;

static ngx_command_t  bench_commands[] = {
	{ ngx_string("bench_return"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE2, bench_return, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
	{ ngx_string("bench_decide"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, bench_decide, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
	ngx_null_command
};

static ngx_http_module_t  bench_context = { NULL, bench_init, NULL, NULL, NULL, NULL, bench_create, NULL };

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


static ngx_module_t *
bench_module(ngx_cycle_t *cycle, const char *name)
{
	ngx_uint_t  i;

	for (i = 0; cycle->modules[i]; i++) {
		if (ngx_strcmp(cycle->modules[i]->name, name) == 0) {
			return cycle->modules[i];
		}
	}

	return NULL;
}


/* What limit_req puts into the phase is its handler, and nothing else is put there: it is asked to once more, and that is taken away again. */

static ngx_int_t
bench_init(ngx_conf_t *cf)
{
	ngx_http_core_main_conf_t  *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
	ngx_module_t		   *module = bench_module(cf->cycle, "ngx_http_limit_req_module");
	ngx_array_t		   *handlers = &main->phases[NGX_HTTP_PREACCESS_PHASE].handlers;

	if (module == NULL || ((ngx_http_module_t *) module->ctx)->postconfiguration(cf) != NGX_OK) {
		return NGX_ERROR;
	}

	bench_limit_req = ((ngx_http_handler_pt *) handlers->elts)[--handlers->nelts];
	return NGX_OK;
}


/* Ours put other handlers there too, so it is looked for by its name; nothing else of that phase is measured by mistake. */

static ngx_http_handler_pt
bench_ours(ngx_http_request_t *r)
{
	ngx_http_core_main_conf_t  *main = ngx_http_get_module_main_conf(r, ngx_http_core_module);
	ngx_array_t		   *handlers = &main->phases[NGX_HTTP_PREACCESS_PHASE].handlers;
	ngx_http_handler_pt	   *handler = handlers->elts;
	ngx_uint_t		    i;
	Dl_info			    of;

	for (i = 0; i < handlers->nelts; i++) {
		if (dladdr((void *) (uintptr_t) handler[i], &of) && of.dli_sname != NULL
		    && ngx_strcmp(of.dli_sname, "ngx_http_icert_limit_handler") == 0) {
			return handler[i];
		}
	}

	return NULL;
}


static ngx_int_t
bench_nobody(ngx_http_request_t *r)
{
	(void) r;
	return NGX_DECLINED;
}


/* Nanoseconds of CPU for each decision, or a negative number when one was not to let pass. */

static double
bench_loop(ngx_http_request_t *r, ngx_http_handler_pt handler, in_addr_t *address, ngx_uint_t passes)
{
	ngx_http_core_main_conf_t  *main = ngx_http_get_module_main_conf(r, ngx_http_core_module);
	ngx_http_request_t	    request = *r;
	ngx_connection_t	    connection = *r->connection;
	struct sockaddr_in	    sin = { .sin_family = AF_INET };
	struct timespec		    from, to;
	size_t			    variables = main->variables.nelts * sizeof(ngx_http_variable_value_t);
	ngx_uint_t		    i, pass, wrong = 0;

	request.main = &request;
	request.connection = &connection;
	request.ctx = ngx_pcalloc(r->pool, ngx_http_max_module * sizeof(void *));
	request.variables = ngx_pcalloc(r->pool, variables);
	request.pool = ngx_create_pool(BENCH_POOL, r->connection->log);
	connection.sockaddr = (struct sockaddr *) &sin;
	connection.socklen = sizeof(sin);

	(void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);

	for (pass = 0; pass < passes; pass++) {
		for (i = 0; i < BENCH_KEYS; i++) {
			sin.sin_addr.s_addr = address[i];
			request.limit_req_status = 0;
			request.pool->cleanup = NULL;
			ngx_reset_pool(request.pool);
			ngx_memzero(request.ctx, ngx_http_max_module * sizeof(void *));
			ngx_memzero(request.variables, variables);
			wrong += (handler(&request) != NGX_DECLINED);
		}
	}

	(void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);

	request.pool->cleanup = NULL;
	ngx_destroy_pool(request.pool);
	return wrong ? -1 : ((double) (to.tv_sec - from.tv_sec) * 1e9 + (double) (to.tv_nsec - from.tv_nsec)) / (double) (BENCH_KEYS * passes);
}


static ngx_int_t
bench_decide_handler(ngx_http_request_t *r)
{
	in_addr_t		 *address = ngx_palloc(r->pool, BENCH_KEYS * sizeof(in_addr_t)), swapped;
	ngx_http_complex_value_t  text = { .value = ngx_null_string };
	ngx_str_t		  type = ngx_string("text/plain");
	ngx_http_handler_pt	  handler = r->args.len && r->args.data[0] == 'o' ? bench_ours(r) : bench_limit_req;
	ngx_uint_t		  i, j, random = 1;
	double			  ns;

	text.value.data = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);

	if (address == NULL || handler == NULL || text.value.data == NULL) {
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	}

	for (i = 0; i < BENCH_KEYS; i++) {
		address[i] = htonl(0x0a000000 + (in_addr_t) i * 7);
	}

	for (i = BENCH_KEYS - 1; i > 0; i--) {
		random = random * 6364136223846793005 + 1442695040888963407;
		j = (random >> 33) % (i + 1);
		swapped = address[i];
		address[i] = address[j];
		address[j] = swapped;
	}

	(void) bench_loop(r, handler, address, 1);
	ns = bench_loop(r, handler, address, BENCH_PASSES);

	if (ns < 0) {
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	}

	ns -= bench_loop(r, bench_nobody, address, BENCH_PASSES);
	text.value.len = ngx_sprintf(text.value.data, "%.1f", ns) - text.value.data;
	return ngx_http_send_response(r, NGX_HTTP_OK, &type, &text);
}


static char *
bench_decide(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
	ngx_http_core_loc_conf_t  *location = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

	(void) cmd;
	(void) conf;
	location->handler = bench_decide_handler;
	return NGX_CONF_OK;
}
