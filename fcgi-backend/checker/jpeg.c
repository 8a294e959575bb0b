#include "checker/check.h"
#include "checker/exif.h"
#include "checker/picture.h"
#include "libicert/error.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

/* libjpeg reports through functions; an error leaves by longjmp. */
struct reporter {
	struct jpeg_error_mgr manager;
	jmp_buf leave;
	uint32_t flags;
	int no_memory;
	int left;			/* by longjmp */
	unsigned char *made;		/* of an encoder: malloc */
	unsigned long made_len;
};

static void
on_error(j_common_ptr info)
{
	struct reporter *r = (struct reporter *)(void *)info->err;

	r->left = 1;
	r->no_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
	longjmp(r->leave, 1);
}

static void
on_message(j_common_ptr info, int level)
{
	struct reporter *r = (struct reporter *)(void *)info->err;

	if (level >= 0)
		return;
	switch (info->err->msg_code) {
	case JWRN_JPEG_EOF:
	case JWRN_HIT_MARKER:
		r->flags |= CHECK_TRUNCATED;
		break;
	case JWRN_EXTRANEOUS_DATA:	/* harmless, and many cameras do it */
	case JWRN_ADOBE_XFORM:
		break;
	default:
		r->flags |= CHECK_BROKEN;
	}
}

static void
be_silent(j_common_ptr info)
{
	(void)info;
}

static void
reporter_init(struct reporter *r)
{
	memset(r, 0, sizeof(*r));
	jpeg_std_error(&r->manager);
	r->manager.error_exit = on_error;
	r->manager.emit_message = on_message;
	r->manager.output_message = be_silent;
}

static unsigned
orientation_of(const struct jpeg_decompress_struct *d)
{
	for (jpeg_saved_marker_ptr m = d->marker_list; m != NULL; m = m->next)
		if (m->marker == JPEG_APP0 + 1)
			return exif_orientation(m->data, m->data_length);
	return 1;
}

/* CMYK to RGB, four bytes a pixel in, three out; mask is 0 for the inverted form that Adobe's programs write, else 255. */
static void
cmyk_row(const uint8_t *in, uint8_t *out, uint32_t width, uint8_t mask)
{
	for (uint32_t x = 0; x < width; x++, in += 4, out += 3)
		for (int c = 0; c < 3; c++)
			out[c] = (uint8_t)((in[c] ^ mask) * (in[3] ^ mask) / 255);
}

static void
read_rows(struct jpeg_decompress_struct *d, struct picture *p)
{
	int cmyk = d->out_color_space == JCS_CMYK;
	JSAMPARRAY row = d->mem->alloc_sarray((j_common_ptr)d, JPOOL_IMAGE, d->output_width * 4, 1);

	while (d->output_scanline < d->output_height) {
		uint8_t *to = p->pixels + (size_t)3 * p->width * d->output_scanline;

		jpeg_read_scanlines(d, row, 1);
		if (cmyk)
			cmyk_row(row[0], to, p->width, d->saw_Adobe_marker ? 0 : 255);
		else
			memcpy(to, row[0], (size_t)3 * p->width);
	}
}

static int
too_big(uint32_t width, uint32_t height)
{
	return width > CHECK_SIDE || height > CHECK_SIDE || (uint64_t)width * height > CHECK_PIXELS;
}

/* Everything between the two ends of a decompressor; its orientation. */
static unsigned
decode(struct jpeg_decompress_struct *d, const uint8_t *data, size_t len, struct picture *p, struct reporter *r)
{
	unsigned orientation;

	jpeg_create_decompress(d);
	jpeg_mem_src(d, data, (unsigned long)len);
	jpeg_save_markers(d, JPEG_APP0 + 1, 0xffff);
	jpeg_read_header(d, TRUE);
	orientation = orientation_of(d);
	p->width = d->image_width;
	p->height = d->image_height;
	if (too_big(p->width, p->height)) {
		r->flags |= CHECK_TOO_BIG;
		return orientation;
	}
	d->out_color_space = d->jpeg_color_space == JCS_CMYK || d->jpeg_color_space == JCS_YCCK ? JCS_CMYK : JCS_RGB;
	p->pixels = calloc((size_t)p->width * p->height, 3);
	if (p->pixels == NULL) {
		r->no_memory = 1;
		return orientation;
	}
	jpeg_start_decompress(d);
	read_rows(d, p);
	jpeg_finish_decompress(d);
	return orientation;
}

int
picture_read_jpeg(const uint8_t *data, size_t len, struct picture *p, uint32_t *flags)
{
	struct jpeg_decompress_struct d;
	struct reporter r;
	volatile unsigned orientation = 1;

	reporter_init(&r);
	memset(&d, 0, sizeof(d));
	d.err = &r.manager;
	if (setjmp(r.leave) == 0)
		orientation = decode(&d, data, len, p, &r);
	else
		r.flags |= CHECK_BROKEN;
	jpeg_destroy_decompress(&d);
	*flags |= r.flags;
	if (r.no_memory) {
		picture_free(p);
		return ICERT_E_MEMORY;
	}
	if ((r.flags & CHECK_BROKEN) && p->pixels != NULL)
		picture_free(p);
	if (p->pixels != NULL)
		return picture_orient(p, orientation);
	if (orientation >= 5) {
		uint32_t width = p->width;

		p->width = p->height;
		p->height = width;
	}
	return 0;
}

static void
encode(struct jpeg_compress_struct *c, const struct picture *p, int quality, struct reporter *r)
{
	jpeg_create_compress(c);
	jpeg_mem_dest(c, &r->made, &r->made_len);
	c->image_width = p->width;
	c->image_height = p->height;
	c->input_components = 3;
	c->in_color_space = JCS_RGB;
	jpeg_set_defaults(c);
	jpeg_set_quality(c, quality, TRUE);
	jpeg_start_compress(c, TRUE);
	while (c->next_scanline < c->image_height) {
		JSAMPROW row = p->pixels + (size_t)3 * p->width * c->next_scanline;

		jpeg_write_scanlines(c, &row, 1);
	}
	jpeg_finish_compress(c);
}

int
picture_write_jpeg(const struct picture *p, int quality, struct buf *out)
{
	struct jpeg_compress_struct c;
	struct reporter r;

	reporter_init(&r);
	memset(&c, 0, sizeof(c));
	c.err = &r.manager;
	if (setjmp(r.leave) == 0)
		encode(&c, p, quality, &r);
	jpeg_destroy_compress(&c);
	if (!r.left)
		buf_put(out, r.made, r.made_len);
	free(r.made);
	if (r.left)
		return r.no_memory ? ICERT_E_MEMORY : ICERT_E_CRASHED;
	return buf_error(out);
}
