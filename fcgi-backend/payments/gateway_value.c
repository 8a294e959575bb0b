/* What the bodies of gateways hold: texts, amounts, moments, signatures.  All of it may be a stranger's. */
#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libicert/error.h"
#include "libicert/id.h"
#include "payments/gateway_adapter.h"
#include "payments/tariff.h"

#define DIGITS_MAX 12
#define EVENT_HASHED 24          /* octets of the digest in an event's id */
#define DEPTH_MAX 32             /* of nested objects and arrays; no gateway comes near */

int
gateway_text(const json_t *object, const char *name, char *out, size_t size, int required)
{
	const char *text = json_string_value(json_object_get(object, name));

	out[0] = '\0';
	if (text == NULL)
		return required ? ICERT_E_MALFORMED : 0;
	if (strlen(text) >= size)
		return ICERT_E_MALFORMED;
	strcpy(out, text);
	return 0;
}

int
gateway_text_or_number(const json_t *object, const char *name, char *out, size_t size, int required)
{
	const json_t *value = json_object_get(object, name);
	char digits[24];

	if (!json_is_integer(value))
		return gateway_text(object, name, out, size, required);
	snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	out[0] = '\0';
	if (strlen(digits) >= size)
		return ICERT_E_MALFORMED;
	strcpy(out, digits);
	return 0;
}

int
gateway_cents(const json_t *value, int64_t *cents)
{
	double hundredths, whole;

	if (json_is_string(value))
		return tariff_parse(json_string_value(value), cents) == 0 ? 0 : ICERT_E_MALFORMED;
	if (json_is_integer(value)) {
		if (json_integer_value(value) < 0 || json_integer_value(value) > TARIFF_CENTS_MAX / 100)
			return ICERT_E_MALFORMED;
		*cents = json_integer_value(value) * 100;
		return 0;
	}
	if (!json_is_real(value))
		return ICERT_E_MALFORMED;
	hundredths = json_real_value(value) * 100;
	whole = round(hundredths);
	/* 31.05 is not exact in binary; half a cent is another amount. */
	if (!(whole >= 0 && whole <= (double)TARIFF_CENTS_MAX) || fabs(hundredths - whole) > 1e-4)
		return ICERT_E_MALFORMED;
	*cents = (int64_t)whole;
	return 0;
}

void
gateway_amount(int64_t cents, char out[24])
{
	snprintf(out, 24, "%" PRId64 ".%02" PRId64, cents / 100, cents % 100);
}

json_t *
gateway_amount_json(int64_t cents)
{
	return cents % 100 == 0 ? json_integer(cents / 100) : json_real((double)cents / 100);
}

/* n digits. */
static int
number(const char **p, int n, int *out)
{
	for (*out = 0; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return 0;
		*out = *out * 10 + (**p - '0');
	}
	return 1;
}

static int
offset(const char *p, int *seconds)
{
	int sign = *p == '-' ? -1 : 1, hours, minutes;

	*seconds = 0;
	if (strcmp(p, "Z") == 0)
		return 1;
	if (*p != '+' && *p != '-')
		return 0;
	p++;
	if (!number(&p, 2, &hours))
		return 0;
	if (*p == ':')
		p++;
	if (!number(&p, 2, &minutes) || *p != '\0' || hours > 14 || minutes > 59)
		return 0;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return 1;
}

int
gateway_time(const char *text, int64_t *at)
{
	const char *p = text;
	struct tm tm = { 0 };
	int away;

	if (!number(&p, 4, &tm.tm_year) || *p++ != '-' || !number(&p, 2, &tm.tm_mon) || *p++ != '-' ||
	    !number(&p, 2, &tm.tm_mday) || (*p != 'T' && *p != ' ') || (p++, !number(&p, 2, &tm.tm_hour)) || *p++ != ':' ||
	    !number(&p, 2, &tm.tm_min) || *p++ != ':' || !number(&p, 2, &tm.tm_sec))
		return ICERT_E_MALFORMED;
	if (*p == '.' && strspn(p + 1, "0123456789") > 0)
		p += 1 + strspn(p + 1, "0123456789");
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60 || !offset(p, &away))
		return ICERT_E_MALFORMED;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*at = (int64_t)timegm(&tm) - away;
	return 0;
}

void
gateway_time_write(int64_t at, char out[32])
{
	time_t t = (time_t)at;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%S+00:00", &tm);
}

int
gateway_given_back(const json_t *object, const char *waits, const char *done, int *pending)
{
	char status[24];

	if (gateway_text(object, "status", status, sizeof(status), 1) != 0)
		return ICERT_E_MALFORMED;
	*pending = strcmp(status, waits) == 0;
	return *pending || strcmp(status, done) == 0 ? 0 : ICERT_E_DENIED;
}

void
gateway_order_write(const char *order, char out[GATEWAY_ORDER])
{
	size_t n = 0;

	for (; *order != '\0' && n < GATEWAY_ORDER - 1; order++)
		if (*order != '-')
			out[n++] = *order;
	out[n] = '\0';
}

int
gateway_order_read(const char *text, char order[GATEWAY_ID])
{
	order[0] = '\0';
	if (strlen(text) == GATEWAY_ORDER - 1)
		snprintf(order, GATEWAY_ID, "%.8s-%.4s-%.4s-%.4s-%.12s", text, text + 8, text + 12, text + 16, text + 20);
	if (id_valid(order))
		return 0;
	order[0] = '\0';
	return ICERT_E_MALFORMED;
}

int
gateway_id_ok(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len < GATEWAY_ID &&
	    strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-:") == len;
}

/* Without recursion: how deep brackets outside strings go. */
static int
shallow(const uint8_t *p, size_t len)
{
	int depth = 0, quoted = 0;
	size_t i;

	for (i = 0; i < len && depth <= DEPTH_MAX; i++) {
		if (quoted && p[i] == '\\')
			i++;
		else if (p[i] == '"')
			quoted = !quoted;
		else if (!quoted && (p[i] == '{' || p[i] == '['))
			depth++;
		else if (!quoted && (p[i] == '}' || p[i] == ']'))
			depth--;
	}
	return depth <= DEPTH_MAX;
}

json_t *
gateway_json(const void *body, size_t len)
{
	json_t *json;

	if (len == 0 || !shallow(body, len))
		return NULL;
	json = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		return NULL;
	}
	return json;
}

void
gateway_event_id(const void *octets, size_t len, char event_id[GATEWAY_ID])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(octets, len, digest, &n, EVP_sha256(), NULL) != 1)
		memset(digest, 0, sizeof(digest));
	strcpy(event_id, "sha256:");
	bytes_to_hex(event_id + strlen(event_id), digest, EVENT_HASHED);
}

int
gateway_hmac_holds(const struct gateway *gateway, const void *text, size_t len, const uint8_t sent[][GATEWAY_MAC], size_t n)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned made = 0;
	size_t i, k;
	int holds = 0;

	for (k = 0; k < gateway->n_secrets; k++) {
		if (HMAC(EVP_sha256(), gateway->secret[k].key, (int)gateway->secret[k].len, text, len, mac, &made) == NULL ||
		    made != GATEWAY_MAC)
			return 0;
		for (i = 0; i < n; i++)
			holds |= bytes_equal(mac, sent[i], GATEWAY_MAC);
	}
	bytes_wipe(mac, sizeof(mac));
	return holds;
}

int
gateway_secret_text(const char *text, size_t least, struct gateway_secret *out)
{
	size_t len = strlen(text);

	if (len < least || len > sizeof(out->key))
		return ICERT_E_CONFIG;
	memcpy(out->key, text, len);
	out->len = len;
	return 0;
}

int
gateway_digits(const char *text, int64_t *value)
{
	size_t len = strlen(text);

	if (len == 0 || len > DIGITS_MAX || strspn(text, "0123456789") != len)
		return 0;
	for (*value = 0; *text != '\0'; text++)
		*value = *value * 10 + (*text - '0');
	return 1;
}
