#include "pki/pem.h"

#include <openssl/evp.h>

#define LINE 48	/* octets that make 64 characters */

void
pem_certificate(struct buf *out, const uint8_t *der, size_t len)
{
	unsigned char line[66];
	size_t n;

	buf_puts(out, "-----BEGIN CERTIFICATE-----\n");
	for (; len > 0; der += n, len -= n) {
		n = len < LINE ? len : LINE;
		EVP_EncodeBlock(line, der, (int)n);
		buf_puts(out, (const char *)line);
		buf_putc(out, '\n');
	}
	buf_puts(out, "-----END CERTIFICATE-----\n");
}
