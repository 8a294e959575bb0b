/*
 * Contracts that came back, judged as icert-clerk and the portal judge them, checker included:
 *	contracts CHECKER_SOCKET FOLDER SECONDS
 * FOLDER has manifest.tsv of tests/lib/contracts.mjs.  Prints contracts a second; fails when a verdict is not that of the manifest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/keyclient.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "procedure/contract/contract_proof.h"
#include "procedure/contract/contract_signature.h"

#define FILES_MAX 128
#define SIGNERS_MAX 2

struct contract {
	char name[64], path[512], verdict[64];
	struct pdf_original original;
	struct buf cert[SIGNERS_MAX];
	size_t signers;
};

static struct contract list[FILES_MAX];
static size_t count;

static int
load(const char *path, struct buf *out)
{
	uint8_t block[65536];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL)
		return -1;
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_put(out, block, n);
	fclose(f);
	return buf_error(out);
}

/* name, file, length, hash, signers, verdict */
static int
add(const char *folder, char *line)
{
	struct contract *c = &list[count];
	char *column[6], *rest = NULL, *names = NULL, path[512];

	for (int i = 0; i < 6; i++)
		if ((column[i] = strtok_r(i == 0 ? line : NULL, "\t", &rest)) == NULL)
			return -1;
	snprintf(c->name, sizeof(c->name), "%s", column[0]);
	snprintf(c->path, sizeof(c->path), "%s/%s", folder, column[1]);
	snprintf(c->verdict, sizeof(c->verdict), "%s", column[5]);
	c->original.len = strtoul(column[2], NULL, 10);
	if (bytes_from_hex(c->original.sha256, 32, column[3]) != 0)
		return -1;
	for (char *name = strtok_r(column[4], ",", &names); name != NULL; name = strtok_r(NULL, ",", &names)) {
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		if (c->signers == SIGNERS_MAX || load(path, &c->cert[c->signers++]) != 0)
			return -1;
	}
	count++;
	return 0;
}

static int
read_manifest(const char *folder)
{
	struct buf manifest = BUF_INIT;
	char path[512], *lines = NULL;
	int error;

	snprintf(path, sizeof(path), "%s/manifest.tsv", folder);
	if ((error = load(path, &manifest)) != 0)
		return error;
	buf_putc(&manifest, '\0');
	for (char *line = strtok_r((char *)manifest.p, "\n", &lines); line != NULL && count < FILES_MAX && error == 0;
	    line = strtok_r(NULL, "\n", &lines))
		error = add(folder, line);
	buf_free(&manifest);
	return error;
}

/* Read from disk, looked at by the checker, verified. */
static int
judge(struct keyclient *checker, const struct contract *c)
{
	struct contract_signer signer[SIGNERS_MAX];
	struct contract_signatures verdict;
	struct buf pdf = BUF_INIT;
	const char *fault = "unread";
	int pages = 0, error;

	if ((error = load(c->path, &pdf)) == 0 && (error = contract_checked(checker, pdf.p, pdf.len, &pages, &fault)) == 0 &&
	    fault == NULL) {
		for (size_t i = 0; i < c->signers; i++)
			signer[i] = (struct contract_signer){ c->cert[i].p, c->cert[i].len };
		contract_signatures_verify(pdf.p, pdf.len, &c->original, signer, c->signers, &verdict);
		fault = verdict.fault;
	}
	buf_free(&pdf);
	if (fault == NULL)
		fault = "ok";
	if (error == 0 && strcmp(fault, c->verdict) == 0)
		return 0;
	fprintf(stderr, "%s: %s, expected %s (%d)\n", c->name, fault, c->verdict, error);
	return -1;
}

int
main(int argc, char *argv[])
{
	struct keyclient checker;
	int64_t began, until;
	size_t done = 0;

	if (argc != 4 || read_manifest(argv[2]) != 0 || count == 0) {
		fprintf(stderr, "contracts CHECKER_SOCKET FOLDER SECONDS\n");
		return 2;
	}
	keyclient_init(&checker, argv[1]);
	began = clock_mono_ms();
	until = began + (int64_t)(atof(argv[3]) * 1000);
	do
		for (size_t i = 0; i < count; i++, done++)
			if (judge(&checker, &list[i]) != 0)
				return 1;
	while (clock_mono_ms() < until);
	printf("%.2f\n", (double)done * 1000 / (double)(clock_mono_ms() - began));
	keyclient_close(&checker);
	return 0;
}
