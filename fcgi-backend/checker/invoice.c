#include "checker/invoice.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "libicert/error.h"
#include "libicert/utf8.h"

/* The largest amount: ten digits of dollars. */
#define DOLLARS_DIGITS	10

static int
named(const xmlNode *e, const char *name)
{
	return e->type == XML_ELEMENT_NODE && e->ns == NULL && strcmp((const char *)e->name, name) == 0;
}

/* The only child of that name; NULL: none, or several. */
static xmlNode *
child(const xmlNode *parent, const char *name)
{
	xmlNode *found = NULL;

	for (xmlNode *e = parent != NULL ? parent->children : NULL; e != NULL; e = e->next)
		if (named(e, name)) {
			if (found != NULL)
				return NULL;
			found = e;
		}
	return found;
}

/* The text of an element that holds text alone, to be freed with xmlFree. */
static xmlChar *
text_of(const xmlNode *e)
{
	for (const xmlNode *c = e != NULL ? e->children : NULL; c != NULL; c = c->next)
		if (c->type != XML_TEXT_NODE && c->type != XML_CDATA_SECTION_NODE)
			return NULL;
	return e != NULL ? xmlNodeGetContent(e) : NULL;
}

/* Without the white space around it. */
static char *
trimmed(char *text)
{
	size_t n;

	text += strspn(text, " \t\r\n");
	n = strlen(text);
	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		n--;
	text[n] = '\0';
	return text;
}

static int
take(const xmlNode *parent, const char *name, char *out, size_t size)
{
	xmlChar *text = text_of(child(parent, name));
	char *one = text != NULL ? trimmed((char *)text) : NULL;
	int error = ICERT_E_MALFORMED;

	if (one != NULL && strlen(one) < size && utf8_printable(one, strlen(one))) {
		strcpy(out, one);
		error = 0;
	}
	xmlFree(text);
	return error;
}

/* "23", "23.4" or "23.45" in cents. */
static int
cents(const xmlNode *parent, const char *name, int64_t *out)
{
	char text[DOLLARS_DIGITS + 4];
	size_t whole, part = 0;

	if (take(parent, name, text, sizeof text) != 0)
		return ICERT_E_MALFORMED;
	whole = strspn(text, "0123456789");
	if (text[whole] == '.') {
		part = strspn(text + whole + 1, "0123456789");
		if (part == 0)
			return ICERT_E_MALFORMED;
	}
	if (whole == 0 || whole > DOLLARS_DIGITS || part > 2 || text[whole + (part != 0 ? part + 1 : 0)] != '\0')
		return ICERT_E_MALFORMED;
	*out = 0;
	for (size_t i = 0; i < whole; i++)
		*out = *out * 10 + text[i] - '0';
	for (size_t i = 0; i < 2; i++)
		*out = *out * 10 + (i < part ? text[whole + 1 + i] - '0' : 0);
	return 0;
}

static int
take_head(struct invoice *v, const xmlNode *head)
{
	char point[4];

	if (take(head, "claveAcceso", v->access_key, sizeof v->access_key) != 0 ||
	    take(head, "codDoc", v->document, sizeof v->document) != 0 ||
	    take(head, "ambiente", v->environment, sizeof v->environment) != 0 ||
	    take(head, "ruc", v->ruc, sizeof v->ruc) != 0 || take(head, "estab", v->place, 4) != 0 ||
	    take(head, "ptoEmi", point, sizeof point) != 0 || take(head, "secuencial", v->sequence, sizeof v->sequence) != 0)
		return ICERT_E_MALFORMED;
	strcat(v->place, point);
	return 0;
}

/* "23/11/2026" as "2026-11-23"; whether it is a day, the key says. */
static int
take_day(struct invoice *v, const xmlNode *body)
{
	char text[11];

	if (take(body, "fechaEmision", text, sizeof text) != 0 || strlen(text) != 10 || text[2] != '/' || text[5] != '/')
		return ICERT_E_MALFORMED;
	snprintf(v->day, sizeof v->day, "%.4s-%.2s-%.2s", text + 6, text + 3, text);
	return 0;
}

static int
take_body(struct invoice *v, const xmlNode *body)
{
	const xmlNode *taxes = child(body, "totalConImpuestos");
	int64_t one;

	if (take_day(v, body) != 0 || take(body, "tipoIdentificacionComprador", v->buyer_kind, sizeof v->buyer_kind) != 0 ||
	    take(body, "identificacionComprador", v->buyer, sizeof v->buyer) != 0 ||
	    take(body, "razonSocialComprador", v->buyer_name, sizeof v->buyer_name) != 0 ||
	    cents(body, "totalSinImpuestos", &v->net) != 0 || cents(body, "importeTotal", &v->total) != 0 || taxes == NULL)
		return ICERT_E_MALFORMED;
	for (const xmlNode *e = body->children; e != NULL; e = e->next)
		if (named(e, "moneda") && take(body, "moneda", v->currency, sizeof v->currency) != 0)
			return ICERT_E_MALFORMED;
	for (const xmlNode *e = taxes->children; e != NULL; e = e->next) {
		if (!named(e, "totalImpuesto"))
			continue;
		if (cents(e, "valor", &one) != 0)
			return ICERT_E_MALFORMED;
		v->tax += one;
	}
	return 0;
}

/* Nothing but comments and CDATA may begin with "<!": no DOCTYPE, so no entity, inside or out. */
static int
declares(const char *xml, size_t n)
{
	for (const char *p = xml; (p = memmem(p, n - (size_t)(p - xml), "<!", 2)) != NULL; p += 2) {
		size_t left = n - (size_t)(p - xml);

		if (!(left >= 4 && memcmp(p, "<!--", 4) == 0) && !(left >= 9 && memcmp(p, "<![CDATA[", 9) == 0))
			return 1;
	}
	return 0;
}

/* What the XML declaration says of the encoding, where it says anything, is UTF-8. */
static int
declared_otherwise(const char *xml, size_t n)
{
	const char *end, *at;

	if (n < 6 || memcmp(xml, "<?xml", 5) != 0 || (end = memmem(xml, n, "?>", 2)) == NULL ||
	    (at = memmem(xml, (size_t)(end - xml), "encoding", 8)) == NULL)
		return 0;
	for (at += 8; at < end && strchr(" \t\r\n=\"'", *at) != NULL; at++)
		continue;
	return end - at < 5 || strncasecmp(at, "UTF-8", 5) != 0;
}

static int
read_at(struct invoice *v, const char *xml, size_t n, int wrapped)
{
	xmlDoc *doc;
	xmlNode *root;
	xmlChar *inner = NULL;
	int error = ICERT_E_MALFORMED;
	char state[32], number[128], *within;

	if (n > INVOICE_XML_MAX)
		return ICERT_E_TOO_LARGE;
	if (n >= 3 && memcmp(xml, "\xef\xbb\xbf", 3) == 0) {
		xml += 3;
		n -= 3;
	}
	if (!utf8_text(xml, n) || declares(xml, n) || declared_otherwise(xml, n))
		return ICERT_E_MALFORMED;
	doc = xmlReadMemory(xml, (int)n, NULL, "UTF-8", XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (doc != NULL && (root = xmlDocGetRootElement(doc)) != NULL) {
		if (named(root, "factura")) {
			error = take_head(v, child(root, "infoTributaria"));
			if (error == 0)
				error = take_body(v, child(root, "infoFactura"));
		} else if (!wrapped && named(root, "autorizacion")) {
			if (take(root, "estado", state, sizeof state) != 0 || strcmp(state, "AUTORIZADO") != 0)
				error = ICERT_E_MISMATCH;
			else if ((inner = text_of(child(root, "comprobante"))) != NULL) {
				within = trimmed((char *)inner);
				error = read_at(v, within, strlen(within), 1);
			}
			/* Of another invoice than the one within. */
			if (error == 0 && (take(root, "numeroAutorizacion", number, sizeof number) != 0 || strcmp(number, v->access_key) != 0))
				error = ICERT_E_MALFORMED;
		}
	}
	xmlFree(inner);
	xmlFreeDoc(doc);
	return error;
}

int
invoice_xml_read(struct invoice *v, const char *xml, size_t n)
{
	memset(v, 0, sizeof *v);
	return read_at(v, xml, n, 0);
}
