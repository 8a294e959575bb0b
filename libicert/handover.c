#include <string.h>

#include "libicert/handover.h"

#define RECORD_HEAD	5	/* type and length */
#define FILE_FIXED	(8 + HANDOVER_SHA256 + 1 + 4 + 4)
#define TYPE_END	'E'

static uint8_t *
put_u32(uint8_t *p, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		*p++ = (uint8_t)(x >> (8 * i));
	return p;
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint8_t *
put_text(uint8_t *p, const struct handover_text *t)
{
	p = put_u32(p, (uint32_t)t->len);
	if (t->len != 0)
		memcpy(p, t->p, t->len);
	return p + t->len;
}

size_t
handover_start(uint8_t *out, size_t room)
{
	if (room >= HANDOVER_MAGIC_SIZE)
		memcpy(out, HANDOVER_MAGIC, HANDOVER_MAGIC_SIZE);
	return HANDOVER_MAGIC_SIZE;
}

size_t
handover_record(uint8_t *out, size_t room, const struct handover_record *r)
{
	uint8_t	*p = out;
	size_t	 body = 4 + r->name.len;

	if (r->kind == HANDOVER_FIELD)
		body += 4 + r->value.len;
	else
		body += 4 + r->spool.len + 4 + r->file_name.len + FILE_FIXED;
	if (room < RECORD_HEAD + body)
		return RECORD_HEAD + body;
	*p++ = (uint8_t)r->kind;
	p = put_u32(p, (uint32_t)body);
	p = put_text(p, &r->name);
	if (r->kind == HANDOVER_FIELD) {
		put_text(p, &r->value);
		return RECORD_HEAD + body;
	}
	p = put_text(p, &r->spool);
	p = put_text(p, &r->file_name);
	p = put_u32(p, (uint32_t)r->size);
	p = put_u32(p, (uint32_t)(r->size >> 32));
	memcpy(p, r->sha256, HANDOVER_SHA256);
	p += HANDOVER_SHA256;
	*p++ = (uint8_t)r->type;
	p = put_u32(p, r->width);
	put_u32(p, r->height);
	return RECORD_HEAD + body;
}

size_t
handover_end(uint8_t *out, size_t room, uint32_t records)
{
	if (room >= RECORD_HEAD + 4) {
		*out++ = TYPE_END;
		out = put_u32(out, 4);
		put_u32(out, records);
	}
	return RECORD_HEAD + 4;
}

int
handover_open(struct handover_reader *h, const void *bytes, size_t len)
{
	memset(h, 0, sizeof(*h));
	if (len < HANDOVER_MAGIC_SIZE || memcmp(bytes, HANDOVER_MAGIC, HANDOVER_MAGIC_SIZE) != 0)
		return ICERT_E_MALFORMED;
	h->p = (const uint8_t *)bytes + HANDOVER_MAGIC_SIZE;
	h->end = (const uint8_t *)bytes + len;
	return 0;
}

/* Takes a string from *p, not beyond end. */
static int
take_text(const uint8_t **p, const uint8_t *end, struct handover_text *t)
{
	size_t	len;

	if (end - *p < 4)
		return ICERT_E_MALFORMED;
	len = get_u32(*p);
	*p += 4;
	if ((size_t)(end - *p) < len)
		return ICERT_E_MALFORMED;
	t->p = (const char *)*p;
	t->len = len;
	*p += len;
	return 0;
}

static int
spool_part(const char *name, size_t len)
{
	if (len == 0 || len >= HANDOVER_SPOOL_PART || name[0] == '.')
		return 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char	c = (unsigned char)name[i];
		unsigned char	lower = c | 0x20;

		if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
			return 0;
	}
	return 1;
}

long
handover_spool_slash(const char *name, size_t len)
{
	const char	*slash = len == 0 ? NULL : memchr(name, '/', len);
	size_t		 at;

	if (slash == NULL)
		return -1;
	at = (size_t)(slash - name);
	return spool_part(name, at) && spool_part(slash + 1, len - at - 1) ? (long)at : -1;
}

static int
take_file(const uint8_t *p, const uint8_t *end, struct handover_record *r)
{
	if (take_text(&p, end, &r->name) != 0 || take_text(&p, end, &r->spool) != 0 ||
	    take_text(&p, end, &r->file_name) != 0 || end - p != FILE_FIXED ||
	    handover_spool_slash(r->spool.p, r->spool.len) < 0)
		return ICERT_E_MALFORMED;
	r->kind = HANDOVER_FILE;
	r->size = get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
	r->sha256 = p + 8;
	p += 8 + HANDOVER_SHA256;
	if (p[0] == SNIFF_OTHER || p[0] >= SNIFF_END || (p[0] >= SNIFF_TYPES && p[0] < SNIFF_ADDED))
		return ICERT_E_MALFORMED;
	r->type = (enum sniff_type)p[0];
	r->width = get_u32(p + 1);
	r->height = get_u32(p + 5);
	return 1;
}

int
handover_next(struct handover_reader *h, struct handover_record *r)
{
	const uint8_t	*p = h->p, *end;
	uint32_t	 len;

	memset(r, 0, sizeof(*r));
	if (h->end - p < RECORD_HEAD)
		return ICERT_E_TRUNCATED;
	len = get_u32(p + 1);
	if ((size_t)(h->end - p - RECORD_HEAD) < len)
		return ICERT_E_TRUNCATED;
	p += RECORD_HEAD;
	end = p + len;
	switch (h->p[0]) {
	case TYPE_END:
		if (len != 4 || end != h->end || get_u32(p) != h->records)
			return ICERT_E_MALFORMED;
		return 0;
	case HANDOVER_FIELD:
		if (take_text(&p, end, &r->name) != 0 || take_text(&p, end, &r->value) != 0 || p != end)
			return ICERT_E_MALFORMED;
		r->kind = HANDOVER_FIELD;
		break;
	case HANDOVER_FILE:
		if (take_file(p, end, r) < 0)
			return ICERT_E_MALFORMED;
		break;
	default:
		return ICERT_E_MALFORMED;
	}
	h->p = end;
	h->records++;
	return 1;
}
