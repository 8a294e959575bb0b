#include "pki/pkcs12.h"

#include "libicert/error.h"

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

/* What a profile is, in OpenSSL's terms. */
struct method {
	int pbe;		/* of key and certificates: a cipher stands for PBES2 with HMAC-SHA-256 */
	int salt;		/* octets */
	const EVP_MD *(*mac)(void);
};

static int
method_of(enum pkcs12_profile profile, struct method *m)
{
	switch (profile) {
	case PKCS12_MODERN:
		*m = (struct method){ NID_aes_256_cbc, 16, EVP_sha256 };
		return 0;
	case PKCS12_LEGACY:
		*m = (struct method){ NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 8, EVP_sha1 };
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
};

static void
work_free(struct work *w)
{
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

static int
make_key_bag(const struct pkcs12 *in, const struct method *m, struct work *w)
{
	PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_pkcs8_encrypt_ex(m->pbe, in->password, -1, NULL, m->salt,
	    in->iterations, w->p8, NULL, NULL);

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

static int
assemble(const struct pkcs12 *in, const struct method *m, struct work *w)
{
	int error;

	w->safes = sk_PKCS7_new_null();
	if (w->safes == NULL)
		return ICERT_E_MEMORY;
	error = push_safe(w, PKCS12_pack_p7encdata_ex(m->pbe, in->password, -1, NULL, m->salt, in->iterations,
	    w->cert_bags, NULL, NULL));
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

/*
 * What was written is read again, and the key opened with the password: it is the one thing of the file that nobody could make
 * again.  Certificates and checksum are the same password's work on what is also kept elsewhere; to open them too would
 * take as long as packing did.
 */
static int
opens(const struct pkcs12 *in, const uint8_t *der, size_t len, const struct work *w)
{
	const uint8_t *p = der;
	PKCS12 *file = d2i_PKCS12(NULL, &p, (long)len);
	STACK_OF(PKCS7) *safes = file != NULL ? PKCS12_unpack_authsafes(file) : NULL;
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	const PKCS12_SAFEBAG *bag = safes != NULL ? key_bag_of(safes, &bags) : NULL;
	PKCS8_PRIV_KEY_INFO *p8 = bag != NULL ? PKCS12_decrypt_skey(bag, in->password, -1) : NULL;
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
append(const struct pkcs12 *in, const struct work *w, struct buf *out)
{
	int len = i2d_PKCS12(w->file, NULL);
	uint8_t *p;
	uint8_t *end;

	if (len <= 0)
		return ICERT_E_CRYPTO;
	p = end = buf_room(out, (size_t)len);
	if (p == NULL)
		return buf_error(out);
	if (i2d_PKCS12(w->file, &end) != len || !opens(in, p, (size_t)len, w))
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
		error = make_key_bag(in, &m, &w);
	if (error == 0)
		error = make_cert_bags(in, &w);
	if (error == 0)
		error = assemble(in, &m, &w);
	if (error == 0)
		error = append(in, &w, out);
	work_free(&w);
	return error;
}
