#include "libicert/ber.h"
#include "libicert/der.h"

#define CONSTRUCTED	0x20
#define OCTETS_IN_PIECES (DER_OCTET_STRING | CONSTRUCTED)

/* What is left to read. */
struct ber {
	const uint8_t	*p;
	size_t		 len;
};

static int	convert(struct ber *, int depth, int piece, struct buf *out);

/* Tag and length; *indefinite: the length is not said, an end of contents ends it. */
static int
take_head(struct ber *b, int *tag, size_t *length, int *indefinite)
{
	size_t	octets;

	*indefinite = 0;
	if (b->len < 2 || (b->p[0] & 0x1f) == 0x1f)
		return ICERT_E_MALFORMED;
	*tag = b->p[0];
	*length = b->p[1];
	b->p += 2;
	b->len -= 2;
	if (*length < 0x80)
		return *length > b->len ? ICERT_E_MALFORMED : 0;
	octets = *length & 0x7f;
	*length = 0;
	if (octets == 0) {
		/* X.690, 8.1.3.2: only what is constructed. */
		*indefinite = 1;
		return (*tag & CONSTRUCTED) == 0 ? ICERT_E_MALFORMED : 0;
	}
	if (octets > b->len || octets > 8)
		return ICERT_E_MALFORMED;
	for (; octets > 0; octets--, b->p++, b->len--) {
		if (*length >> 24 != 0)
			return ICERT_E_MALFORMED;
		*length = *length << 8 | *b->p;
	}
	return *length > b->len ? ICERT_E_MALFORMED : 0;
}

static void
put_element(struct buf *out, int tag, const struct buf *contents)
{
	uint8_t	length[sizeof(size_t)];
	size_t	n = 0;

	for (size_t left = contents->len; left > 0; left >>= 8)
		length[sizeof(length) - ++n] = (uint8_t)left;
	buf_putc(out, tag);
	if (contents->len >= 0x80)
		buf_putc(out, (int)(0x80 | n));
	else if (n == 0)
		buf_putc(out, 0);
	buf_put(out, length + sizeof(length) - n, n);
	buf_put(out, contents->p, contents->len);
}

/* The elements inside one, to its end. */
static int
convert_all(struct ber *b, int indefinite, int depth, int piece, struct buf *contents)
{
	int	rc;

	for (;;) {
		if (indefinite) {
			if (b->len >= 2 && b->p[0] == 0 && b->p[1] == 0) {
				b->p += 2;
				b->len -= 2;
				return 0;
			}
		} else if (b->len == 0) {
			return 0;
		}
		if ((rc = convert(b, depth, piece, contents)) != 0)
			return rc;
	}
}

/* One element; as a piece of an octet string, its octets alone. */
static int
convert(struct ber *b, int depth, int piece, struct buf *out)
{
	struct buf	contents = BUF_INIT;
	struct ber	inside;
	size_t		length;
	int		tag, indefinite, octets, rc;

	if (depth > BER_DEPTH_MAX)
		return ICERT_E_MALFORMED;
	/* A tag of zero is the end of contents, which ends nothing here. */
	if ((rc = take_head(b, &tag, &length, &indefinite)) != 0 || tag == 0)
		return ICERT_E_MALFORMED;
	if (piece && tag != DER_OCTET_STRING && tag != OCTETS_IN_PIECES)
		return ICERT_E_MALFORMED;
	octets = piece || tag == OCTETS_IN_PIECES;
	inside.p = b->p;
	inside.len = indefinite ? b->len : length;
	if ((tag & CONSTRUCTED) == 0)
		buf_put(&contents, inside.p, length);
	else
		rc = convert_all(&inside, indefinite, depth + 1, octets, &contents);
	if (rc == 0 && indefinite)
		length = (size_t)(inside.p - b->p);
	if (rc == 0 && (rc = buf_error(&contents)) == 0) {
		b->p += length;
		b->len -= length;
		if (piece)
			buf_put(out, contents.p, contents.len);
		else
			put_element(out, tag == OCTETS_IN_PIECES ? DER_OCTET_STRING : tag, &contents);
	}
	buf_free(&contents);
	return rc;
}

int
ber_to_der(const uint8_t *p, size_t len, size_t *used, struct buf *out)
{
	struct ber	b = { p, len };
	int		rc;

	if ((rc = convert(&b, 0, 0, out)) != 0)
		return rc;
	*used = len - b.len;
	return buf_error(out);
}
