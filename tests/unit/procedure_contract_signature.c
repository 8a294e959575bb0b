/*
 * The verdict on signed contracts, over a corpus made at test time by tests/lib/contracts.mjs: its manifest says what
 * each has to come to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "libicert/buf.h"
#include "procedure/contract/contract_signature.h"

#define CASES_MIN 60

static char folder[] = "/tmp/icert-contracts-XXXXXX";

static int
setup(void **state)
{
	char command[512];
	const char *drawn = "build/asan/test/documents_contract_pdf";

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	if (access(drawn, X_OK) == 0)
		snprintf(command, sizeof(command), "%s %s/contract.pdf >/dev/null && node tests/lib/contracts.mjs %s %s/contract.pdf", drawn,
		    folder, folder, folder);
	else
		snprintf(command, sizeof(command), "node tests/lib/contracts.mjs %s", folder);
	return system(command);
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void
load(const char *name, struct buf *out)
{
	char path[256];
	uint8_t block[65536];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_put(out, block, n);
	fclose(f);
	assert_int_equal(buf_error(out), 0);
}

/* name, file, length, hash, signers, verdict */
static const char *
verdict(char *column[6], struct contract_signatures *out)
{
	struct buf pdf = BUF_INIT;
	struct buf cert[2] = { BUF_INIT, BUF_INIT };
	struct contract_signer signer[2];
	struct pdf_original original;
	char *rest = NULL;
	size_t n = 0;

	load(column[1], &pdf);
	original.len = strtoul(column[2], NULL, 10);
	assert_int_equal(bytes_from_hex(original.sha256, 32, column[3]), 0);
	for (char *name = strtok_r(column[4], ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest), n++) {
		assert_true(n < 2);
		load(name, &cert[n]);
		signer[n] = (struct contract_signer){ cert[n].p, cert[n].len };
	}
	contract_signatures_verify(pdf.p, pdf.len, &original, signer, n, out);
	if (out->fault == NULL) {
		assert_int_equal(out->verified, n);
		/* One octet turned over in what is signed, or in the signature: never good. */
		for (size_t at = 7; at < pdf.len; at += pdf.len / 23 + 1) {
			struct contract_signatures again;
			const struct pdf_signature *last = &out->changes.signature[out->changes.n - 1];

			/* The outermost headers of the CMS are not what was signed; a revision of validation data is signed by nobody. */
			if (at >= last->end || (at > last->gap && at < last->gap + 200))
				continue;
			pdf.p[at] ^= 1;
			contract_signatures_verify(pdf.p, pdf.len, &original, signer, n, &again);
			assert_non_null(again.fault);
			pdf.p[at] ^= 1;
		}
	}
	buf_free(&pdf);
	buf_free(&cert[0]);
	buf_free(&cert[1]);
	return out->fault == NULL ? "ok" : out->fault;
}

static void
corpus(void **state)
{
	struct buf manifest = BUF_INIT;
	char *lines = NULL;
	int cases = 0;
	int wrong = 0;

	(void)state;
	load("manifest.tsv", &manifest);
	for (char *line = strtok_r((char *)manifest.p, "\n", &lines); line != NULL; line = strtok_r(NULL, "\n", &lines), cases++) {
		struct contract_signatures out;
		char *column[6], *rest = NULL;
		const char *found;

		for (int i = 0; i < 6; i++)
			assert_non_null(column[i] = strtok_r(i == 0 ? line : NULL, "\t", &rest));
		found = verdict(column, &out);
		if (strcmp(found, column[5]) != 0) {
			print_message("%s: %s, expected %s (revision %zu, object %u)\n", column[0], found, column[5],
			    out.changes.revision, out.changes.object);
			wrong++;
		}
	}
	buf_free(&manifest);
	assert_int_equal(wrong, 0);
	assert_true(cases >= CASES_MIN);
}

/* Every code has its sentence. */
static void
sentences(void **state)
{
	struct buf json = BUF_INIT;
	uint8_t block[65536];
	FILE *f = fopen("fcgi-backend/views/catalogue/contract_faults.json", "rb");
	const char *code;
	char key[96];

	(void)state;
	assert_non_null(f);
	buf_put(&json, block, fread(block, 1, sizeof(block), f));
	fclose(f);
	for (int i = 1; i < PDF_FAULT_COUNT + CMS_FAULT_COUNT; i++) {
		code = i < PDF_FAULT_COUNT ? pdf_fault_code((enum pdf_fault)i) : cms_fault_code((enum cms_fault)(i - PDF_FAULT_COUNT));
		if (strcmp(code, "memory") == 0 || strcmp(code, "ok") == 0)
			continue;
		snprintf(key, sizeof(key), "\"contract_fault.%s\"", code);
		if (strstr(buf_str(&json), key) == NULL)
			fail_msg("no sentence for %s", code);
	}
	buf_free(&json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(corpus), cmocka_unit_test(sentences) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
