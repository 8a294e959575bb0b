#include "pki/pkcs11.h"
#include "pki/der_write.h"
#include "libicert/error.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 64
#define SIGNATURE_MAX 1024
#define LABEL_LENGTH 32		/* CK_TOKEN_INFO's, padded with spaces */

/* ECParameters: the named curve 1.2.840.10045.3.1.7 (RFC 5480, 2.1.1.1). */
static const CK_BYTE prime256v1[] = { 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };
#define POINT 65		/* octets of an uncompressed point */
#define SCALAR 32

struct pkcs11 {
	void *module;
	CK_FUNCTION_LIST *f;
	int initialised;
	CK_SESSION_HANDLE session;
	int open;
	CK_OBJECT_HANDLE key, public;
	CK_KEY_TYPE type;		/* of the chosen key */
	int chosen;
	char detail[96];
};

static int
fail(struct pkcs11 *p, const char *call, CK_RV rv, int error)
{
	snprintf(p->detail, sizeof(p->detail), "%s: 0x%08lx", call, (unsigned long)rv);
	return error;
}

const char *
pkcs11_detail(const struct pkcs11 *p)
{
	return p->detail;
}

int
pkcs11_load(struct pkcs11 **out, const char *module, const char *softhsm_conf)
{
	CK_C_GetFunctionList list;
	struct pkcs11 *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ICERT_E_MEMORY;
	if (softhsm_conf != NULL)
		setenv("SOFTHSM2_CONF", softhsm_conf, 1);
	if ((p->module = dlopen(module, RTLD_NOW | RTLD_LOCAL)) == NULL)
		goto unavailable;
	/* POSIX has dlsym give functions as object pointers. */
	*(void **)&list = dlsym(p->module, "C_GetFunctionList");
	if (list == NULL || list(&p->f) != CKR_OK || p->f->C_Initialize(NULL) != CKR_OK)
		goto unavailable;
	p->initialised = 1;
	*out = p;
	return 0;
unavailable:
	pkcs11_free(p);
	return ICERT_E_UNAVAILABLE;
}

void
pkcs11_free(struct pkcs11 *p)
{
	if (p == NULL)
		return;
	if (p->open) {
		p->f->C_Logout(p->session);
		p->f->C_CloseSession(p->session);
	}
	if (p->initialised)
		p->f->C_Finalize(NULL);
	if (p->module != NULL)
		dlclose(p->module);
	free(p);
}

static void
pad_label(CK_UTF8CHAR out[LABEL_LENGTH], const char *label)
{
	size_t n = strlen(label);

	memset(out, ' ', LABEL_LENGTH);
	memcpy(out, label, n < LABEL_LENGTH ? n : LABEL_LENGTH);
}

/* The slot of an initialised token with this label, or with label NULL the first without a token. */
static int
find_slot(struct pkcs11 *p, const char *label, CK_SLOT_ID *slot)
{
	CK_UTF8CHAR padded[LABEL_LENGTH];
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX, i;
	CK_TOKEN_INFO info;
	CK_RV rv;

	if ((rv = p->f->C_GetSlotList(CK_TRUE, slots, &n)) != CKR_OK)
		return fail(p, "C_GetSlotList", rv, ICERT_E_CRYPTO);
	if (label != NULL)
		pad_label(padded, label);
	for (i = 0; i < n; i++) {
		if (p->f->C_GetTokenInfo(slots[i], &info) != CKR_OK)
			continue;
		if (label == NULL ? (info.flags & CKF_TOKEN_INITIALIZED) == 0
		    : (info.flags & CKF_TOKEN_INITIALIZED) != 0 && memcmp(info.label, padded, LABEL_LENGTH) == 0) {
			*slot = slots[i];
			return 0;
		}
	}
	return fail(p, "no such token", 0, ICERT_E_NOT_FOUND);
}

int
pkcs11_init_token(struct pkcs11 *p, const char *label, const char *pin)
{
	CK_UTF8CHAR padded[LABEL_LENGTH];
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slot;
	CK_RV rv;
	int error;

	if (find_slot(p, label, &slot) == 0)
		return fail(p, "C_InitToken", 0, ICERT_E_EXISTS);
	if ((error = find_slot(p, NULL, &slot)) != 0)
		return error;
	pad_label(padded, label);
	if ((rv = p->f->C_InitToken(slot, (CK_UTF8CHAR_PTR)pin, strlen(pin), padded)) != CKR_OK)
		return fail(p, "C_InitToken", rv, ICERT_E_CRYPTO);
	/* SoftHSM2 gives an initialised token another slot number. */
	if ((error = find_slot(p, label, &slot)) != 0)
		return error;
	rv = p->f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
	if (rv != CKR_OK)
		return fail(p, "C_OpenSession", rv, ICERT_E_CRYPTO);
	rv = p->f->C_Login(session, CKU_SO, (CK_UTF8CHAR_PTR)pin, strlen(pin));
	if (rv == CKR_OK)
		rv = p->f->C_InitPIN(session, (CK_UTF8CHAR_PTR)pin, strlen(pin));
	p->f->C_Logout(session);
	p->f->C_CloseSession(session);
	return rv == CKR_OK ? 0 : fail(p, "C_InitPIN", rv, ICERT_E_CRYPTO);
}

int
pkcs11_login(struct pkcs11 *p, const char *label, const char *pin)
{
	CK_SLOT_ID slot;
	CK_RV rv;
	int error;

	if ((error = find_slot(p, label, &slot)) != 0)
		return error;
	rv = p->f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &p->session);
	if (rv != CKR_OK)
		return fail(p, "C_OpenSession", rv, ICERT_E_CRYPTO);
	p->open = 1;
	rv = p->f->C_Login(p->session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin));
	if (rv == CKR_OK)
		return 0;
	return fail(p, "C_Login", rv, rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED ? ICERT_E_DENIED
	    : ICERT_E_CRYPTO);
}

/* The first object of this class with this label: 0, ICERT_E_NOT_FOUND, ICERT_E_CRYPTO. */
static int
find_key(struct pkcs11 *p, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *handle)
{
	CK_ATTRIBUTE wanted[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) },
	};
	CK_ULONG n = 0;
	CK_RV rv;

	if ((rv = p->f->C_FindObjectsInit(p->session, wanted, 2)) != CKR_OK)
		return fail(p, "C_FindObjectsInit", rv, ICERT_E_CRYPTO);
	rv = p->f->C_FindObjects(p->session, handle, 1, &n);
	p->f->C_FindObjectsFinal(p->session);
	if (rv != CKR_OK)
		return fail(p, "C_FindObjects", rv, ICERT_E_CRYPTO);
	return n == 1 ? 0 : fail(p, "no such key", 0, ICERT_E_NOT_FOUND);
}

/* What every private key of ours is, and what its public half is not. */
static int
make(struct pkcs11 *p, const char *label, CK_MECHANISM_TYPE type, CK_ATTRIBUTE *of_type, size_t of_type_n)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	void *name = (void *)(uintptr_t)label;
	CK_ULONG name_len = strlen(label);
	CK_ATTRIBUTE public[8] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_VERIFY, &yes, sizeof(yes) },
		{ CKA_ENCRYPT, &no, sizeof(no) },
		{ CKA_WRAP, &no, sizeof(no) },
		{ CKA_LABEL, name, name_len },
		{ CKA_ID, name, name_len },
	};
	CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SENSITIVE, &yes, sizeof(yes) },
		{ CKA_EXTRACTABLE, &no, sizeof(no) },
		{ CKA_SIGN, &yes, sizeof(yes) },
		{ CKA_DECRYPT, &no, sizeof(no) },
		{ CKA_UNWRAP, &no, sizeof(no) },
		{ CKA_LABEL, name, name_len },
		{ CKA_ID, name, name_len },
	};
	CK_OBJECT_HANDLE handle, other;
	CK_RV rv;

	if (find_key(p, CKO_PRIVATE_KEY, label, &handle) == 0)
		return fail(p, "C_GenerateKeyPair", 0, ICERT_E_EXISTS);
	memcpy(&public[6], of_type, of_type_n * sizeof(*of_type));
	rv = p->f->C_GenerateKeyPair(p->session, &mechanism, public, 6 + of_type_n, private,
	    sizeof(private) / sizeof(private[0]), &other, &handle);
	return rv == CKR_OK ? 0 : fail(p, "C_GenerateKeyPair", rv, ICERT_E_CRYPTO);
}

int
pkcs11_make_rsa(struct pkcs11 *p, const char *label, unsigned bits)
{
	CK_BYTE exponent[] = { 1, 0, 1 };
	CK_ULONG modulus = bits;
	CK_ATTRIBUTE of_type[] = {
		{ CKA_MODULUS_BITS, &modulus, sizeof(modulus) },
		{ CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent) },
	};

	return make(p, label, CKM_RSA_PKCS_KEY_PAIR_GEN, of_type, 2);
}

int
pkcs11_make_p256(struct pkcs11 *p, const char *label)
{
	CK_BYTE curve[sizeof(prime256v1)];
	CK_ATTRIBUTE of_type[] = { { CKA_EC_PARAMS, curve, sizeof(curve) } };

	memcpy(curve, prime256v1, sizeof(curve));
	return make(p, label, CKM_EC_KEY_PAIR_GEN, of_type, 1);
}

int
pkcs11_destroy(struct pkcs11 *p, const char *label)
{
	static const CK_OBJECT_CLASS halves[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY };
	CK_OBJECT_HANDLE handle;
	CK_RV rv;
	int i, error;

	p->chosen = 0;
	for (i = 0; i < 2; i++) {
		if ((error = find_key(p, halves[i], label, &handle)) == ICERT_E_NOT_FOUND)
			continue;
		if (error != 0)
			return error;
		if ((rv = p->f->C_DestroyObject(p->session, handle)) != CKR_OK)
			return fail(p, "C_DestroyObject", rv, ICERT_E_CRYPTO);
	}
	return 0;
}

int
pkcs11_choose(struct pkcs11 *p, const char *label)
{
	CK_BBOOL extractable = CK_TRUE, sensitive = CK_FALSE;
	CK_ATTRIBUTE asked[] = {
		{ CKA_EXTRACTABLE, &extractable, sizeof(extractable) },
		{ CKA_SENSITIVE, &sensitive, sizeof(sensitive) },
		{ CKA_KEY_TYPE, &p->type, sizeof(p->type) },
	};
	CK_RV rv;
	int error;

	p->chosen = 0;
	if ((error = find_key(p, CKO_PRIVATE_KEY, label, &p->key)) != 0 ||
	    (error = find_key(p, CKO_PUBLIC_KEY, label, &p->public)) != 0)
		return error;
	if ((rv = p->f->C_GetAttributeValue(p->session, p->key, asked, 3)) != CKR_OK)
		return fail(p, "C_GetAttributeValue", rv, ICERT_E_CRYPTO);
	if (extractable != CK_FALSE || sensitive != CK_TRUE)
		return fail(p, "the key can leave the token", 0, ICERT_E_DENIED);
	if (p->type != CKK_RSA && p->type != CKK_EC)
		return fail(p, "neither RSA nor P-256", 0, ICERT_E_UNSUPPORTED);
	p->chosen = 1;
	return 0;
}

/* CKA_EC_POINT is the point in an OCTET STRING. */
static int
spki_ec(struct pkcs11 *p, struct buf *b)
{
	CK_BYTE curve[64], point[2 + POINT];
	CK_ATTRIBUTE asked[] = {
		{ CKA_EC_PARAMS, curve, sizeof(curve) },
		{ CKA_EC_POINT, point, sizeof(point) },
	};
	size_t seq, algorithm, bits;
	CK_RV rv;

	if ((rv = p->f->C_GetAttributeValue(p->session, p->public, asked, 2)) != CKR_OK)
		return fail(p, "C_GetAttributeValue", rv, ICERT_E_CRYPTO);
	if (asked[0].ulValueLen != sizeof(prime256v1) || memcmp(curve, prime256v1, sizeof(prime256v1)) != 0 ||
	    asked[1].ulValueLen != sizeof(point) || point[0] != DER_OCTET_STRING || point[1] != POINT || point[2] != 4)
		return fail(p, "not a key on P-256", 0, ICERT_E_UNSUPPORTED);
	seq = der_open(b, DER_SEQUENCE);
	algorithm = der_open(b, DER_SEQUENCE);
	der_oid(b, "1.2.840.10045.2.1");	/* id-ecPublicKey */
	buf_put(b, prime256v1, sizeof(prime256v1));
	der_close(b, algorithm);
	bits = der_open(b, DER_BIT_STRING);
	buf_putc(b, 0);
	buf_put(b, point + 2, POINT);
	der_close(b, bits);
	der_close(b, seq);
	return buf_error(b);
}

int
pkcs11_spki(struct pkcs11 *p, struct buf *b)
{
	CK_BYTE modulus[SIGNATURE_MAX], exponent[16];
	CK_ATTRIBUTE asked[] = {
		{ CKA_MODULUS, modulus, sizeof(modulus) },
		{ CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent) },
	};
	size_t seq, algorithm, bits, key;
	CK_RV rv;

	if (!p->chosen)
		return ICERT_E_STATE;
	if (p->type == CKK_EC)
		return spki_ec(p, b);
	if ((rv = p->f->C_GetAttributeValue(p->session, p->public, asked, 2)) != CKR_OK)
		return fail(p, "C_GetAttributeValue", rv, ICERT_E_CRYPTO);
	seq = der_open(b, DER_SEQUENCE);
	algorithm = der_open(b, DER_SEQUENCE);
	der_oid(b, "1.2.840.113549.1.1.1");	/* rsaEncryption */
	der_null(b);
	der_close(b, algorithm);
	bits = der_open(b, DER_BIT_STRING);
	buf_putc(b, 0);
	key = der_open(b, DER_SEQUENCE);
	der_unsigned(b, DER_INTEGER, modulus, asked[0].ulValueLen);
	der_unsigned(b, DER_INTEGER, exponent, asked[1].ulValueLen);
	der_close(b, key);
	der_close(b, bits);
	der_close(b, seq);
	return buf_error(b);
}

static int
sign(struct pkcs11 *p, CK_MECHANISM_TYPE type, CK_BYTE *in, size_t len, CK_BYTE out[SIGNATURE_MAX], CK_ULONG *n)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };
	CK_RV rv;

	*n = SIGNATURE_MAX;
	if ((rv = p->f->C_SignInit(p->session, &mechanism, p->key)) != CKR_OK)
		return fail(p, "C_SignInit", rv, ICERT_E_CRYPTO);
	if ((rv = p->f->C_Sign(p->session, in, len, out, n)) != CKR_OK)
		return fail(p, "C_Sign", rv, ICERT_E_CRYPTO);
	return 0;
}

/* r and s one behind the other become an Ecdsa-Sig-Value (RFC 3279, 2.2.3). */
static int
sign_ec(struct pkcs11 *p, const uint8_t digest[32], struct buf *signature)
{
	CK_BYTE in[32], out[SIGNATURE_MAX];
	CK_ULONG n;
	size_t seq;
	int error;

	memcpy(in, digest, sizeof(in));
	if ((error = sign(p, CKM_ECDSA, in, sizeof(in), out, &n)) != 0)
		return error;
	if (n != 2 * SCALAR)
		return fail(p, "C_Sign gives another length", 0, ICERT_E_CRYPTO);
	seq = der_open(signature, DER_SEQUENCE);
	der_unsigned(signature, DER_INTEGER, out, SCALAR);
	der_unsigned(signature, DER_INTEGER, out + SCALAR, SCALAR);
	der_close(signature, seq);
	return buf_error(signature);
}

int
pkcs11_sign(struct pkcs11 *p, const uint8_t digest[32], struct buf *signature)
{
	/* DigestInfo { sha256, NULL, OCTET STRING of 32 } up to the digest (RFC 8017, 9.2, note 1). */
	static const uint8_t prefix[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
	    0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	CK_BYTE info[sizeof(prefix) + 32], out[SIGNATURE_MAX];
	CK_ULONG n;
	int error;

	if (!p->chosen)
		return ICERT_E_STATE;
	if (p->type == CKK_EC)
		return sign_ec(p, digest, signature);
	memcpy(info, prefix, sizeof(prefix));
	memcpy(info + sizeof(prefix), digest, 32);
	if ((error = sign(p, CKM_RSA_PKCS, info, sizeof(info), out, &n)) != 0)
		return error;
	buf_put(signature, out, n);
	return buf_error(signature);
}
