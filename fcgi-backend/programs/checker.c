/*
 * icert-checker --config FILE: looks at strangers' files, one forked child a file.
 * It holds no secret and, once started, no right but to fork such children.  docs/key-protocol.md.
 */
#include "checker/check.h"
#include "checker/invoice.h"
#include "checker/walls.h"
#include "keys/serve.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/sandbox.h"

static int
on_check(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	enum check_kind expected = (enum check_kind)message_get(q->message, TAG_KIND, 0)->p[0];
	enum check_purpose purpose = (enum check_purpose)message_get(q->message, TAG_PURPOSE, 0)->p[0];
	struct check check;
	uint8_t type;
	int error;

	(void)ctx;
	if (expected > CHECK_IMAGE || purpose < CHECK_DOCUMENT || purpose > CHECK_INVOICE)
		return ICERT_E_INVALID;
	error = check_file(q->fd, expected, purpose, &check, &r->fd);
	if (error != 0)
		return error;
	type = (uint8_t)check.type;
	message_put(&r->body, TAG_TYPE, &type, 1);
	message_put_number(&r->body, TAG_FLAGS, check.flags);
	message_put_number(&r->body, TAG_WIDTH, check.width);
	message_put_number(&r->body, TAG_HEIGHT, check.height);
	message_put_number(&r->body, TAG_PAGES, check.pages);
	message_put_number(&r->body, TAG_MEAN, check.mean);
	message_put_number(&r->body, TAG_DEVIATION, check.deviation);
	for (size_t i = 0; i < check.n_printed; i++)
		message_put_string(&r->body, TAG_CODE, check.printed[i]);
	return 0;
}

static int
on_invoice(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct invoice_fault fault;
	struct invoice invoice;
	int error = invoice_file(q->fd, &invoice, &fault);

	(void)ctx;
	if (error != 0 && fault.code[0] == '\0')
		return error;
	message_put_string(&r->body, TAG_LABEL, fault.code);
	message_put_string(&r->body, TAG_DETAIL, fault.element);
	if (error == 0)
		invoice_put(&r->body, &invoice);
	return 0;
}

static const struct serve_op ops[] = {
	{
		.op = OP_CHECK, .sockets = "checker-portal checker-desk checker-clerk", .handler = on_check,
		.forked = 1, .seconds = CHECKER_SECONDS, .enter = checker_enter_child
	},
	{
		.op = OP_INVOICE, .sockets = "checker-desk", .handler = on_invoice,
		.forked = 1, .seconds = CHECKER_SECONDS, .enter = checker_enter_child
	}
};

int
main(int argc, char *argv[])
{
	const struct serve serve = { .ops = ops, .n = sizeof ops / sizeof ops[0] };
	struct serve_sockets sockets;
	static struct config config;	/* for as long as the program runs */
	int error;

	config_start(&config, "icert-checker", argc, argv);
	config_free(&config);
	if (serve_sockets(&sockets) != 0)
		return 1;
	error = sandbox_keep_only(sockets.fd, sockets.n);
	if (error == 0)
		error = checker_enter();
	if (error == 0)
		error = serve_run(&serve, &sockets);
	if (error != 0)
		log_error("stopped", "%s", icert_err_code(error));
	return error == 0 ? 0 : 1;
}
