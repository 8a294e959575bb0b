#include "checker/invoice.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "checker/check.h"
#include "libicert/buf.h"
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
fault(struct invoice_fault *f, const char *code, const char *element)
{
	snprintf(f->code, sizeof f->code, "%s", code);
	snprintf(f->element, sizeof f->element, "%s", element);
	return ICERT_E_MALFORMED;
}

static int
take(struct invoice_fault *f, const xmlNode *parent, const char *name, char *out, size_t size)
{
	xmlChar *text = text_of(child(parent, name));
	char *one = text != NULL ? trimmed((char *)text) : NULL;
	int error = 0;

	if (one != NULL && strlen(one) < size && utf8_printable(one, strlen(one)))
		strcpy(out, one);
	else
		error = fault(f, "element", name);
	xmlFree(text);
	return error;
}

/* "23", "23.4" or "23.45" in cents. */
static int
cents(struct invoice_fault *f, const xmlNode *parent, const char *name, int64_t *out)
{
	char text[DOLLARS_DIGITS + 4];
	size_t whole, part = 0;

	if (take(f, parent, name, text, sizeof text) != 0)
		return ICERT_E_MALFORMED;
	whole = strspn(text, "0123456789");
	if (text[whole] == '.') {
		part = strspn(text + whole + 1, "0123456789");
		if (part == 0)
			return fault(f, "element", name);
	}
	if (whole == 0 || whole > DOLLARS_DIGITS || part > 2 || text[whole + (part != 0 ? part + 1 : 0)] != '\0')
		return fault(f, "element", name);
	*out = 0;
	for (size_t i = 0; i < whole; i++)
		*out = *out * 10 + text[i] - '0';
	for (size_t i = 0; i < 2; i++)
		*out = *out * 10 + (i < part ? text[whole + 1 + i] - '0' : 0);
	return 0;
}

static int
take_head(struct invoice *v, struct invoice_fault *f, const xmlNode *head)
{
	char point[4];

	if (take(f, head, "claveAcceso", v->access_key, sizeof v->access_key) != 0 ||
	    take(f, head, "codDoc", v->document, sizeof v->document) != 0 ||
	    take(f, head, "ambiente", v->environment, sizeof v->environment) != 0 ||
	    take(f, head, "ruc", v->ruc, sizeof v->ruc) != 0 || take(f, head, "estab", v->place, 4) != 0 ||
	    take(f, head, "ptoEmi", point, sizeof point) != 0 || take(f, head, "secuencial", v->sequence, sizeof v->sequence) != 0)
		return ICERT_E_MALFORMED;
	strcat(v->place, point);
	return 0;
}

/* "23/11/2026" as "2026-11-23"; whether it is a day, the key says. */
static int
take_day(struct invoice *v, struct invoice_fault *f, const xmlNode *body)
{
	char text[11];

	if (take(f, body, "fechaEmision", text, sizeof text) != 0)
		return ICERT_E_MALFORMED;
	if (strlen(text) != 10 || text[2] != '/' || text[5] != '/')
		return fault(f, "element", "fechaEmision");
	snprintf(v->day, sizeof v->day, "%.4s-%.2s-%.2s", text + 6, text + 3, text);
	return 0;
}

static int
take_taxes(struct invoice *v, struct invoice_fault *f, const xmlNode *taxes)
{
	int64_t one;

	if (taxes == NULL)
		return fault(f, "element", "totalConImpuestos");
	for (const xmlNode *e = taxes->children; e != NULL; e = e->next) {
		if (!named(e, "totalImpuesto"))
			continue;
		if (cents(f, e, "valor", &one) != 0)
			return ICERT_E_MALFORMED;
		v->tax += one;
	}
	return 0;
}

static int
take_body(struct invoice *v, struct invoice_fault *f, const xmlNode *body, const char *total)
{
	if (take_day(v, f, body) != 0 || take(f, body, "tipoIdentificacionComprador", v->buyer_kind, sizeof v->buyer_kind) != 0 ||
	    take(f, body, "identificacionComprador", v->buyer, sizeof v->buyer) != 0 ||
	    take(f, body, "razonSocialComprador", v->buyer_name, sizeof v->buyer_name) != 0 ||
	    cents(f, body, "totalSinImpuestos", &v->net) != 0 || cents(f, body, total, &v->total) != 0 ||
	    take_taxes(v, f, child(body, "totalConImpuestos")) != 0)
		return ICERT_E_MALFORMED;
	for (const xmlNode *e = body != NULL ? body->children : NULL; e != NULL; e = e->next)
		if (named(e, "moneda") && take(f, body, "moneda", v->currency, sizeof v->currency) != 0)
			return ICERT_E_MALFORMED;
	return 0;
}

/* Which document it takes back: an invoice, "001-002-000000123". */
static int
take_modified(struct invoice *v, struct invoice_fault *f, const xmlNode *body)
{
	char document[4];

	if (take(f, body, "codDocModificado", document, sizeof document) != 0 ||
	    take(f, body, "numDocModificado", v->modifies, sizeof v->modifies) != 0)
		return ICERT_E_MALFORMED;
	return strcmp(document, "01") == 0 ? 0 : fault(f, "element", "codDocModificado");
}

static int
take_document(struct invoice *v, struct invoice_fault *f, const xmlNode *root)
{
	const xmlNode *body = child(root, named(root, "factura") ? "infoFactura" : "infoNotaCredito");
	int error = take_head(v, f, child(root, "infoTributaria"));

	if (error == 0 && named(root, "factura"))
		return take_body(v, f, body, "importeTotal");
	if (error == 0 && (error = take_body(v, f, body, "valorModificacion")) == 0)
		error = take_modified(v, f, body);
	return error;
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

static int read_at(struct invoice *, struct invoice_fault *, const char *xml, size_t n, int wrapped);

/* What the authority gives back: its word, and the document as text within. */
static int
take_authorised(struct invoice *v, struct invoice_fault *f, const xmlNode *root)
{
	char state[32], number[128], *within;
	xmlChar *inner;
	int error;

	if (take(f, root, "estado", state, sizeof state) != 0 || strcmp(state, "AUTORIZADO") != 0)
		return fault(f, "unauthorised", "");
	if ((inner = text_of(child(root, "comprobante"))) == NULL)
		return fault(f, "element", "comprobante");
	within = trimmed((char *)inner);
	error = read_at(v, f, within, strlen(within), 1);
	xmlFree(inner);
	/* Of another document than the one within. */
	if (error == 0 && (take(f, root, "numeroAutorizacion", number, sizeof number) != 0 || strcmp(number, v->access_key) != 0))
		error = fault(f, "element", "numeroAutorizacion");
	return error;
}

static int
read_at(struct invoice *v, struct invoice_fault *f, const char *xml, size_t n, int wrapped)
{
	xmlDoc *doc;
	xmlNode *root;
	int error;

	if (n >= 3 && memcmp(xml, "\xef\xbb\xbf", 3) == 0) {
		xml += 3;
		n -= 3;
	}
	if (!utf8_text(xml, n) || declared_otherwise(xml, n))
		return fault(f, "encoding", "");
	if (declares(xml, n))
		return fault(f, "doctype", "");
	doc = xmlReadMemory(xml, (int)n, NULL, "UTF-8", XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (doc == NULL || (root = xmlDocGetRootElement(doc)) == NULL)
		error = fault(f, "xml", "");
	else if (named(root, "factura") || named(root, "notaCredito"))
		error = take_document(v, f, root);
	else if (!wrapped && named(root, "autorizacion"))
		error = take_authorised(v, f, root);
	else
		error = fault(f, "root", "");
	xmlFreeDoc(doc);
	return error;
}

int
invoice_xml_read(struct invoice *v, const char *xml, size_t n, struct invoice_fault *f)
{
	memset(v, 0, sizeof *v);
	memset(f, 0, sizeof *f);
	if (n <= INVOICE_XML_MAX)
		return read_at(v, f, xml, n, 0);
	fault(f, "size", "");
	return ICERT_E_TOO_LARGE;
}

int
invoice_file(int fd, struct invoice *v, struct invoice_fault *f)
{
	struct buf file = BUF_INIT;
	int error = check_read(fd, INVOICE_XML_MAX, &file);

	memset(f, 0, sizeof *f);
	if (error == 0)
		error = invoice_xml_read(v, (const char *)file.p, file.len, f);
	else if (error == ICERT_E_TOO_LARGE)
		fault(f, "size", "");
	buf_free(&file);
	return error;
}
