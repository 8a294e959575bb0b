#include "crypt/keymaker.h"

#include "crypt/call.h"
#include "libicert/error.h"

/* RSA-2048 takes a fraction of a second, and now and then a few; jobs queue. */
#define MAKE_TIMEOUT 30000
#define PACK_TIMEOUT 30000

int
keymaker_make(struct keyclient *client, const char *case_id, const uint8_t private_key_key[32], struct buf *sealed,
    struct buf *spki, struct statement *word)
{
	struct call c;

	call_begin(&c, client, OP_KEY_MAKE);
	c.timeout_ms = MAKE_TIMEOUT;
	c.probe = 1;
	call_id(&c, TAG_CASE, case_id);
	call_bytes(&c, TAG_KEY, private_key_key, 32);
	call_do(&c, 1);
	call_get_buf(&c, TAG_SEALED, sealed);
	call_get_buf(&c, TAG_SPKI, spki);
	call_get_statement(&c, TAG_WORD, word);
	return call_end(&c);
}

int
keymaker_pack(struct keyclient *client, const char *case_id, const struct keymaker_pack *pack, struct buf *sealed_pkcs12,
    struct buf *sealed_envelope, uint8_t revocation_code_sha256[32])
{
	struct call c;

	if (pack->chain_n == 0 || pack->chain_n > CHAIN_MAX)
		return ICERT_E_INVALID;
	call_begin(&c, client, OP_KEY_PACK);
	c.timeout_ms = PACK_TIMEOUT;
	c.probe = 1;
	call_id(&c, TAG_CASE, case_id);
	call_bytes(&c, TAG_KEY_PRIVATE, pack->key_private, 32);
	call_bytes(&c, TAG_KEY_PKCS12, pack->key_pkcs12, 32);
	call_bytes(&c, TAG_KEY_ENVELOPE, pack->key_envelope, 32);
	call_bytes(&c, TAG_SEALED, pack->sealed_private, pack->sealed_private_len);
	for (size_t i = 0; i < pack->chain_n; i++)
		call_bytes(&c, TAG_CERT, pack->chain[i].der, pack->chain[i].len);
	call_string(&c, TAG_TEXT, pack->friendly_name);
	call_byte(&c, TAG_PROFILE, (int)pack->profile);
	call_do(&c, 1);
	call_get_buf(&c, TAG_SEALED_PKCS12, sealed_pkcs12);
	call_get_buf(&c, TAG_SEALED_ENVELOPE, sealed_envelope);
	call_get(&c, TAG_HASH, revocation_code_sha256, 32);
	return call_end(&c);
}

int
keymaker_envelope(struct keyclient *client, const char *case_id, const uint8_t key_envelope[32], struct buf *sealed_envelope,
    uint8_t revocation_code_sha256[32])
{
	struct call c;

	call_begin(&c, client, OP_KEY_ENVELOPE);
	call_id(&c, TAG_CASE, case_id);
	call_bytes(&c, TAG_KEY_ENVELOPE, key_envelope, 32);
	c.timeout_ms = PACK_TIMEOUT;
	c.probe = 1;
	call_do(&c, 1);
	call_get_buf(&c, TAG_SEALED_ENVELOPE, sealed_envelope);
	call_get(&c, TAG_HASH, revocation_code_sha256, 32);
	return call_end(&c);
}
