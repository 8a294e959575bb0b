#include "pki/pkcs12.h"

#include "libicert/error.h"

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

#define SALT_MAX 16
#define CIPHER_KEY 32

/* What a profile is, in OpenSSL's terms. */
struct method {
	int pbe;		/* of key and certificates: a cipher stands for PBES2 with HMAC-SHA-256 */
	const EVP_CIPHER *(*cipher)(void);	/* of PBES2; NULL: the PKCS#12 derivation */
	int salt;		/* octets */
	const EVP_MD *(*mac)(void);
};

static int
method_of(enum pkcs12_profile profile, struct method *m)
{
	switch (profile) {
	case PKCS12_MODERN:
		*m = (struct method){ NID_aes_256_cbc, EVP_aes_256_cbc, SALT_MAX, EVP_sha256 };
		return 0;
	case PKCS12_LEGACY:
		*m = (struct method){ NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NULL, 8, EVP_sha1 };
		return 0;
	}
	return ICERT_E_INVALID;
}

/* Everything that is made on the way, freed in one place. */
struct work {
	PKCS8_PRIV_KEY_INFO *p8;
	EVP_PKEY *key;
	X509 *cert[CHAIN_MAX];
	uint8_t id[20];			/* localKeyID: SHA-1 of the holder's certificate */
	STACK_OF(PKCS12_SAFEBAG) *key_bags;
	STACK_OF(PKCS12_SAFEBAG) *cert_bags;
	STACK_OF(PKCS7) *safes;
	PKCS12 *file;
	/* PBES2: one salt for both parts, so that one derivation of ours encrypts the certificates and opens the
	 * key that OpenSSL encrypted under a derivation of its own. */
	uint8_t salt[SALT_MAX], derived[CIPHER_KEY];
};

static void
work_free(struct work *w)
{
	OPENSSL_cleanse(w->derived, sizeof(w->derived));
	PKCS12_free(w->file);
	sk_PKCS7_pop_free(w->safes, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(w->key_bags, PKCS12_SAFEBAG_free);
	sk_PKCS12_SAFEBAG_pop_free(w->cert_bags, PKCS12_SAFEBAG_free);
	for (size_t i = 0; i < CHAIN_MAX; i++)
		X509_free(w->cert[i]);
	EVP_PKEY_free(w->key);
	PKCS8_PRIV_KEY_INFO_free(w->p8);
}

static int
read_parts(const struct pkcs12 *in, struct work *w)
{
	const uint8_t *p = in->key;

	w->p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)in->key_len);
	if (w->p8 == NULL || p != in->key + in->key_len)
		return ICERT_E_MALFORMED;
	w->key = EVP_PKCS82PKEY(w->p8);
	if (w->key == NULL)
		return ICERT_E_MALFORMED;
	for (size_t i = 0; i < in->n; i++) {
		p = in->cert[i].der;
		w->cert[i] = d2i_X509(NULL, &p, (long)in->cert[i].len);
		if (w->cert[i] == NULL || p != in->cert[i].der + in->cert[i].len)
			return ICERT_E_MALFORMED;
	}
	if (X509_check_private_key(w->cert[0], w->key) != 1)
		return ICERT_E_MISMATCH;
	return X509_digest(w->cert[0], EVP_sha1(), w->id, NULL) == 1 ? 0 : ICERT_E_CRYPTO;
}

static int
name_bag(const struct pkcs12 *in, const struct work *w, PKCS12_SAFEBAG *bag)
{
	uint8_t id[sizeof(w->id)];

	memcpy(id, w->id, sizeof(id));
	if (PKCS12_add_localkeyid(bag, id, sizeof(id)) != 1)
		return 0;
	return in->friendly_name[0] == 0 ||
	    PKCS12_add_friendlyname_utf8(bag, in->friendly_name, (int)strlen(in->friendly_name)) == 1;
}

/* PBES2 with that salt and an initialisation vector of its own (RFC 8018 6.2). */
static X509_ALGOR *
pbes2(const struct pkcs12 *in, const struct method *m, struct work *w)
{
	return PKCS5_pbe2_set_iv(m->cipher(), in->iterations, w->salt, m->salt, NULL, NID_hmacWithSHA256);
}

static int
derive(const struct pkcs12 *in, const struct method *m, struct work *w)
{
	if (m->cipher == NULL)
		return 0;
	return RAND_bytes(w->salt, m->salt) == 1 && PKCS5_PBKDF2_HMAC(in->password, (int)strlen(in->password), w->salt,
	    m->salt, in->iterations, EVP_sha256(), sizeof(w->derived), w->derived) == 1 ? 0 : ICERT_E_CRYPTO;
}

/* OpenSSL derives for itself here: what we derive is checked against it. */
static PKCS12_SAFEBAG *
encrypt_key(const struct pkcs12 *in, const struct method *m, struct work *w)
{
	X509_ALGOR *pbe;
	X509_SIG *sealed;
	PKCS12_SAFEBAG *bag;

	if (m->cipher == NULL)
		return PKCS12_SAFEBAG_create_pkcs8_encrypt_ex(m->pbe, in->password, -1, NULL, m->salt, in->iterations, w->p8,
		    NULL, NULL);
	if ((pbe = pbes2(in, m, w)) == NULL)
		return NULL;
	if ((sealed = PKCS8_set0_pbe(in->password, -1, w->p8, pbe)) == NULL) {
		X509_ALGOR_free(pbe);
		return NULL;
	}
	if ((bag = PKCS12_SAFEBAG_create0_pkcs8(sealed)) == NULL)
		X509_SIG_free(sealed);
	return bag;
}

static int
make_key_bag(const struct pkcs12 *in, const struct method *m, struct work *w)
{
	PKCS12_SAFEBAG *bag = encrypt_key(in, m, w);

	if (bag == NULL)
		return ICERT_E_CRYPTO;
	w->key_bags = sk_PKCS12_SAFEBAG_new_null();
	if (w->key_bags == NULL || !name_bag(in, w, bag) || sk_PKCS12_SAFEBAG_push(w->key_bags, bag) == 0) {
		PKCS12_SAFEBAG_free(bag);
		return ICERT_E_MEMORY;
	}
	return 0;
}

static int
make_cert_bags(const struct pkcs12 *in, struct work *w)
{
	w->cert_bags = sk_PKCS12_SAFEBAG_new_null();
	if (w->cert_bags == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < in->n; i++) {
		PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_cert(w->cert[i]);

		if (bag == NULL || (i == 0 && !name_bag(in, w, bag)) || sk_PKCS12_SAFEBAG_push(w->cert_bags, bag) == 0) {
			PKCS12_SAFEBAG_free(bag);
			return ICERT_E_MEMORY;
		}
	}
	return 0;
}

static int
push_safe(struct work *w, PKCS7 *safe)
{
	if (safe != NULL && sk_PKCS7_push(w->safes, safe) > 0)
		return 0;
	PKCS7_free(safe);
	return ICERT_E_CRYPTO;
}

/* AES-256-CBC under the derived key, one way or the other, with the vector that stands in the parameters. */
static int
crypt(const struct work *w, const X509_ALGOR *pbe, int encrypt, const uint8_t *in, int len, uint8_t *out, int *out_len)
{
	const ASN1_STRING *vector = NULL;
	const void *value;
	PBE2PARAM *params;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int type, last = 0, ok;

	X509_ALGOR_get0(NULL, &type, &value, pbe);
	params = type == V_ASN1_SEQUENCE ? ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), pbe->parameter) : NULL;
	if (params != NULL) {
		X509_ALGOR_get0(NULL, &type, &value, params->encryption);
		vector = type == V_ASN1_OCTET_STRING ? value : NULL;
	}
	ok = ctx != NULL && vector != NULL && ASN1_STRING_length(vector) == EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()) &&
	    EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, w->derived, ASN1_STRING_get0_data(vector), encrypt) == 1 &&
	    EVP_CipherUpdate(ctx, out, out_len, in, len) == 1 && EVP_CipherFinal_ex(ctx, out + *out_len, &last) == 1;
	*out_len += last;
	PBE2PARAM_free(params);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* The certificates as EncryptedData (RFC 7292 5.1), under the key that is derived already. */
static PKCS7 *
encrypt_certs(const struct pkcs12 *in, const struct method *m, struct work *w)
{
	PKCS7 *safe;
	X509_ALGOR *pbe;
	PKCS7_ENC_CONTENT *content;
	uint8_t *plain = NULL, *sealed = NULL;
	int len, sealed_len = 0, ok;

	if (m->cipher == NULL)
		return PKCS12_pack_p7encdata_ex(m->pbe, in->password, -1, NULL, m->salt, in->iterations, w->cert_bags, NULL, NULL);
	safe = PKCS7_new();
	pbe = pbes2(in, m, w);
	len = ASN1_item_i2d((const ASN1_VALUE *)w->cert_bags, &plain, ASN1_ITEM_rptr(PKCS12_SAFEBAGS));
	ok = safe != NULL && pbe != NULL && len > 0 && (sealed = OPENSSL_malloc((size_t)len + EVP_MAX_BLOCK_LENGTH)) != NULL &&
	    crypt(w, pbe, 1, plain, len, sealed, &sealed_len) && PKCS7_set_type(safe, NID_pkcs7_encrypted) == 1;
	if (ok) {
		content = safe->d.encrypted->enc_data;
		X509_ALGOR_free(content->algorithm);
		content->algorithm = pbe;
		pbe = NULL;
		if (content->enc_data == NULL)
			content->enc_data = ASN1_OCTET_STRING_new();
		ok = content->enc_data != NULL && ASN1_OCTET_STRING_set(content->enc_data, sealed, sealed_len) == 1;
	}
	X509_ALGOR_free(pbe);
	OPENSSL_free(plain);
	OPENSSL_free(sealed);
	if (ok)
		return safe;
	PKCS7_free(safe);
	return NULL;
}

static int
assemble(const struct pkcs12 *in, const struct method *m, struct work *w)
{
	int error;

	w->safes = sk_PKCS7_new_null();
	if (w->safes == NULL)
		return ICERT_E_MEMORY;
	error = push_safe(w, encrypt_certs(in, m, w));
	if (error == 0)
		error = push_safe(w, PKCS12_pack_p7data(w->key_bags));
	if (error != 0)
		return error;
	w->file = PKCS12_add_safes(w->safes, NID_pkcs7_data);
	if (w->file == NULL ||
	    PKCS12_set_mac(w->file, in->password, -1, NULL, m->salt, in->iterations, m->mac()) != 1)
		return ICERT_E_CRYPTO;
	return 0;
}

/* The first bag with a key in a content that is not encrypted as a whole. */
static const PKCS12_SAFEBAG *
key_bag_of(const STACK_OF(PKCS7) *safes, STACK_OF(PKCS12_SAFEBAG) **bags)
{
	for (int i = 0; i < sk_PKCS7_num(safes); i++) {
		if (OBJ_obj2nid(sk_PKCS7_value(safes, i)->type) != NID_pkcs7_data)
			continue;
		*bags = PKCS12_unpack_p7data(sk_PKCS7_value(safes, i));
		if (sk_PKCS12_SAFEBAG_num(*bags) > 0)
			return sk_PKCS12_SAFEBAG_value(*bags, 0);
	}
	return NULL;
}

/* The key in its bag, opened: with what we derived from the password, or by OpenSSL. */
static PKCS8_PRIV_KEY_INFO *
open_key(const struct pkcs12 *in, const struct method *m, const PKCS12_SAFEBAG *bag, const struct work *w)
{
	const X509_SIG *sealed = PKCS12_SAFEBAG_get0_pkcs8(bag);
	const X509_ALGOR *pbe;
	const ASN1_OCTET_STRING *data;
	PKCS8_PRIV_KEY_INFO *p8 = NULL;
	uint8_t *plain;
	const uint8_t *p;
	int len = 0, room;

	if (m->cipher == NULL || sealed == NULL)
		return PKCS12_decrypt_skey(bag, in->password, -1);
	X509_SIG_get0(sealed, &pbe, &data);
	room = ASN1_STRING_length(data) + EVP_MAX_BLOCK_LENGTH;
	if ((plain = OPENSSL_malloc((size_t)room)) == NULL)
		return NULL;
	p = plain;
	if (crypt(w, pbe, 0, ASN1_STRING_get0_data(data), ASN1_STRING_length(data), plain, &len))
		p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, len);
	OPENSSL_clear_free(plain, (size_t)room);
	return p8;
}

/*
 * What was written is read again, and the key opened with the password: it is the one thing of the file that nobody could make
 * again.  Two derivations that know nothing of each other, OpenSSL's when it encrypted the key and ours, must have come to the
 * same.  Certificates and checksum are the same password's work on what is also kept elsewhere.
 */
static int
opens(const struct pkcs12 *in, const struct method *m, const uint8_t *der, size_t len, const struct work *w)
{
	const uint8_t *p = der;
	PKCS12 *file = d2i_PKCS12(NULL, &p, (long)len);
	STACK_OF(PKCS7) *safes = file != NULL ? PKCS12_unpack_authsafes(file) : NULL;
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	const PKCS12_SAFEBAG *bag = safes != NULL ? key_bag_of(safes, &bags) : NULL;
	PKCS8_PRIV_KEY_INFO *p8 = bag != NULL ? open_key(in, m, bag, w) : NULL;
	EVP_PKEY *key = p8 != NULL ? EVP_PKCS82PKEY(p8) : NULL;
	int ok = key != NULL && p == der + len && PKCS12_mac_present(file) && EVP_PKEY_eq(key, w->key) == 1;

	EVP_PKEY_free(key);
	PKCS8_PRIV_KEY_INFO_free(p8);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	PKCS12_free(file);
	return ok;
}

static int
append(const struct pkcs12 *in, const struct method *m, const struct work *w, struct buf *out)
{
	int len = i2d_PKCS12(w->file, NULL);
	uint8_t *p;
	uint8_t *end;

	if (len <= 0)
		return ICERT_E_CRYPTO;
	p = end = buf_room(out, (size_t)len);
	if (p == NULL)
		return buf_error(out);
	if (i2d_PKCS12(w->file, &end) != len || !opens(in, m, p, (size_t)len, w))
		return ICERT_E_CRYPTO;
	buf_took(out, (size_t)len);
	return 0;
}

int
pkcs12_make(const struct pkcs12 *in, struct buf *out)
{
	struct work w = { .p8 = NULL };
	struct method m;
	int error = method_of(in->profile, &m);

	if (error != 0 || in->n == 0 || in->n > CHAIN_MAX || in->iterations < 1)
		return ICERT_E_INVALID;
	error = read_parts(in, &w);
	if (error == 0)
		error = derive(in, &m, &w);
	if (error == 0)
		error = make_key_bag(in, &m, &w);
	if (error == 0)
		error = make_cert_bags(in, &w);
	if (error == 0)
		error = assemble(in, &m, &w);
	if (error == 0)
		error = append(in, &m, &w, out);
	work_free(&w);
	return error;
}
