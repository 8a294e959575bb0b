/* The checker's look at files made here: pictures, PDFs, and things that are neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "checker/check.h"
#include "checker/exif.h"
#include "checker/picture.h"
#include "libicert/buf.h"
#include "libicert/error.h"

#include <fcntl.h>
#include <qpdf/qpdf-c.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int
file_of(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	return fd;
}

static struct check
look(const struct buf *b, enum check_kind expected, enum check_purpose purpose, int *out_fd)
{
	struct check check;
	int own = -1;
	int fd = file_of(b->p, b->len);

	assert_int_equal(check_file(fd, expected, purpose, &check, &own), 0);
	close(fd);
	if (out_fd != NULL)
		*out_fd = own;
	else if (own >= 0)
		close(own);
	return check;
}

/* White with a dark middle, and one red pixel block in the upper left corner. */
static struct picture
portrait(uint32_t width, uint32_t height)
{
	struct picture p = { width, height, malloc((size_t)3 * width * height) };

	assert_non_null(p.pixels);
	memset(p.pixels, 250, (size_t)3 * width * height);
	for (uint32_t y = height / 4; y < height; y++)
		memset(p.pixels + 3 * ((size_t)y * width + width / 3), 40, (size_t)3 * (width / 3));
	for (uint32_t y = 0; y < 16; y++)
		for (uint32_t x = 0; x < 16; x++)
			memcpy(p.pixels + 3 * ((size_t)y * width + x), "\xff\x00\x00", 3);
	return p;
}

static void
jpeg_file(struct buf *out, uint32_t width, uint32_t height)
{
	struct picture p = portrait(width, height);

	assert_int_equal(picture_write_jpeg(&p, 90, out), 0);
	picture_free(&p);
}

static void
png_file(struct buf *out, uint32_t width, uint32_t height)
{
	struct picture p = portrait(width, height);

	assert_int_equal(picture_write_png(&p, out), 0);
	picture_free(&p);
}

static void
jpeg_is_encoded_anew(void **state)
{
	struct buf b = BUF_INIT;
	struct check c;
	int fd;

	(void)state;
	jpeg_file(&b, 600, 500);
	c = look(&b, CHECK_IMAGE, CHECK_DOCUMENT, &fd);
	assert_int_equal(c.type, CHECK_JPEG);
	assert_int_equal(c.flags, 0);
	assert_int_equal(c.width, 600);
	assert_int_equal(c.height, 500);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE);
	close(fd);
	buf_free(&b);
}

static void
truncated_jpeg(void **state)
{
	struct buf b = BUF_INIT;
	struct check c;
	int fd;

	(void)state;
	jpeg_file(&b, 800, 600);
	b.len = b.len / 2;
	c = look(&b, CHECK_JPEG, CHECK_DOCUMENT, &fd);
	assert_true(c.flags & CHECK_TRUNCATED);
	assert_int_equal(fd, -1);
	b.len = 40;
	c = look(&b, CHECK_JPEG, CHECK_DOCUMENT, &fd);
	assert_true(c.flags & (CHECK_TRUNCATED | CHECK_BROKEN));
	assert_int_equal(fd, -1);
	buf_free(&b);
}

/* An APP1 segment with nothing but an orientation, after the SOI. */
static void
with_orientation(const struct buf *plain, int orientation, int little, struct buf *out)
{
	static const uint8_t big_tiff[] = { 'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0 };
	static const uint8_t little_tiff[] = { 'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
	uint8_t tiff[sizeof(big_tiff)];
	uint8_t len = 2 + 6 + sizeof(tiff);

	memcpy(tiff, little ? little_tiff : big_tiff, sizeof(tiff));
	tiff[little ? 18 : 19] = (uint8_t)orientation;
	buf_put(out, plain->p, 2);
	buf_put(out, "\xff\xe1\x00", 3);
	buf_putc(out, len);
	buf_put(out, "Exif\0", 6);
	buf_put(out, tiff, sizeof(tiff));
	buf_put(out, plain->p + 2, plain->len - 2);
}

/* Where the red corner is after turning. */
static void
corner(const struct picture *p, uint32_t *x, uint32_t *y)
{
	const uint32_t at[4][2] = { { 4, 4 }, { p->width - 5, 4 }, { 4, p->height - 5 }, { p->width - 5, p->height - 5 } };

	*x = *y = 9;
	for (int i = 0; i < 4; i++) {
		const uint8_t *c = p->pixels + 3 * ((size_t)at[i][1] * p->width + at[i][0]);

		if (c[0] > 200 && c[1] < 60 && c[2] < 60) {
			*x = i & 1;
			*y = (uint32_t)i >> 1;
		}
	}
}

static void
exif_orientation_is_applied(void **state)
{
	/* CIPA DC-008: which corner the stored first pixel has, and whether sides change places. */
	static const struct { uint32_t x, y; int swapped; } want[9] = {
		{ 9, 9, 0 }, { 0, 0, 0 }, { 1, 0, 0 }, { 1, 1, 0 }, { 0, 1, 0 }, { 0, 0, 1 }, { 1, 0, 1 }, { 1, 1, 1 }, { 0, 1, 1 }
	};
	struct buf plain = BUF_INIT;

	(void)state;
	jpeg_file(&plain, 320, 200);
	for (int o = 1; o <= 8; o++) {
		struct buf turned = BUF_INIT;
		struct picture p = { .pixels = NULL };
		uint32_t flags = 0, x, y;

		with_orientation(&plain, o, o & 1, &turned);
		assert_int_equal(picture_read_jpeg(turned.p, turned.len, &p, &flags), 0);
		assert_int_equal(flags, 0);
		assert_int_equal(p.width, want[o].swapped ? 200 : 320);
		corner(&p, &x, &y);
		assert_int_equal(x, want[o].x);
		assert_int_equal(y, want[o].y);
		picture_free(&p);
		buf_free(&turned);
	}
	buf_free(&plain);
}

static void
exif_of_a_wrong_form(void **state)
{
	static const uint8_t far_away[] = "Exif\0\0MM\0*\xff\xff\xff\xf0";
	static const uint8_t short_entry[] = "Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01";

	(void)state;
	assert_int_equal(exif_orientation(far_away, sizeof(far_away) - 1), 1);
	assert_int_equal(exif_orientation(short_entry, sizeof(short_entry) - 1), 1);
	assert_int_equal(exif_orientation((const uint8_t *)"Exif", 4), 1);
}

static void
output_has_no_metadata(void **state)
{
	struct buf plain = BUF_INIT, turned = BUF_INIT;
	uint8_t bytes[65536];
	ssize_t n;
	int fd;

	(void)state;
	jpeg_file(&plain, 64, 64);
	with_orientation(&plain, 1, 0, &turned);
	look(&turned, CHECK_JPEG, CHECK_DOCUMENT, &fd);
	n = read(fd, bytes, sizeof(bytes));
	assert_true(n > 0);
	assert_null(memmem(bytes, (size_t)n, "Exif", 4));
	close(fd);
	buf_free(&plain);
	buf_free(&turned);
}

static void
png_and_its_faults(void **state)
{
	struct buf b = BUF_INIT;
	struct check c;
	size_t whole;
	int fd;

	(void)state;
	png_file(&b, 300, 200);
	c = look(&b, CHECK_ANY, CHECK_DOCUMENT, &fd);
	assert_int_equal(c.type, CHECK_PNG);
	assert_int_equal(c.flags, 0);
	assert_int_equal(c.width, 300);
	assert_true(fd >= 0);
	close(fd);
	whole = b.len;
	b.len = whole / 2;
	c = look(&b, CHECK_PNG, CHECK_DOCUMENT, &fd);
	assert_true(c.flags & CHECK_TRUNCATED);
	assert_int_equal(fd, -1);
	b.len = whole;
	b.p[whole / 2] ^= 0x55;
	c = look(&b, CHECK_PNG, CHECK_DOCUMENT, &fd);
	assert_true(c.flags & CHECK_BROKEN);
	assert_int_equal(fd, -1);
	buf_free(&b);
}

/* A header that promises 900 million pixels. */
static void
a_bomb_is_not_decoded(void **state)
{
	static const uint8_t header[] = {
		0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30,
		8, 2, 0, 0, 0, 0xe9, 0x45, 0x6f, 0xed, 0, 0, 0, 0, 'I', 'D', 'A', 'T', 0x35, 0xaf, 0x06, 0x1e
	};
	struct buf b = BUF_INIT;
	struct check c;

	(void)state;
	buf_put(&b, header, sizeof(header));
	c = look(&b, CHECK_PNG, CHECK_DOCUMENT, NULL);
	assert_int_equal(c.flags, CHECK_TOO_BIG);
	assert_int_equal(c.type, CHECK_PNG);
	buf_free(&b);
}

static void
face_background(void **state)
{
	struct buf even = BUF_INIT, uneven = BUF_INIT;
	struct picture p = portrait(700, 600);
	struct check c;
	int fd;

	(void)state;
	png_file(&even, 700, 600);
	c = look(&even, CHECK_IMAGE, CHECK_FACE, &fd);
	assert_true(c.mean > 230);
	assert_true(c.deviation < 20);
	close(fd);
	/* The output of a face is a JPEG whatever came in: look at it again. */
	for (uint32_t y = 0; y < 600; y++)
		for (uint32_t x = 0; x < 350; x++)
			memset(p.pixels + 3 * ((size_t)y * 700 + x), 20, 3);
	assert_int_equal(picture_write_png(&p, &uneven), 0);
	c = look(&uneven, CHECK_IMAGE, CHECK_FACE, &fd);
	assert_true(c.deviation > 80);
	{
		struct check again;
		int none;

		assert_int_equal(check_file(fd, CHECK_JPEG, CHECK_DOCUMENT, &again, &none), 0);
		assert_int_equal(again.type, CHECK_JPEG);
		close(none);
	}
	close(fd);
	picture_free(&p);
	buf_free(&even);
	buf_free(&uneven);
}

static void
neither_picture_nor_pdf(void **state)
{
	struct buf b = BUF_INIT;
	struct check c;

	(void)state;
	buf_put(&b, "MZ\x90\x00 this program cannot be run", 30);
	c = look(&b, CHECK_PDF, CHECK_DOCUMENT, NULL);
	assert_int_equal(c.type, CHECK_ANY);
	assert_int_equal(c.flags, CHECK_OTHER | CHECK_UNEXPECTED);
	buf_reset(&b);
	c = look(&b, CHECK_ANY, CHECK_DOCUMENT, NULL);
	assert_int_equal(c.flags, CHECK_OTHER);
	jpeg_file(&b, 20, 20);
	c = look(&b, CHECK_PDF, CHECK_DOCUMENT, NULL);
	assert_true(c.flags & CHECK_UNEXPECTED);
	buf_free(&b);
}

/* One page, with these entries in the catalogue and this as object 4. */
static void
pdf_file(struct buf *b, const char *catalogue, const char *fourth)
{
	const char *object[5] = { NULL, NULL, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>", fourth };
	struct buf first = BUF_INIT;
	size_t at[5], xref;

	buf_printf(&first, "<< /Type /Catalog /Pages 2 0 R %s >>", catalogue);
	object[1] = buf_str(&first);
	buf_puts(b, "%PDF-1.7\n");
	for (int i = 1; i <= 4; i++) {
		at[i] = b->len;
		buf_printf(b, "%d 0 obj\n%s\nendobj\n", i, object[i]);
	}
	xref = b->len;
	buf_puts(b, "xref\n0 5\n0000000000 65535 f \n");
	for (int i = 1; i <= 4; i++)
		buf_printf(b, "%010zu 00000 n \n", at[i]);
	buf_printf(b, "trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%zu\n%%%%EOF\n", xref);
	buf_free(&first);
}

static uint32_t
pdf_flags(const char *catalogue, const char *fourth)
{
	struct buf b = BUF_INIT;
	struct check c;

	pdf_file(&b, catalogue, fourth);
	c = look(&b, CHECK_PDF, CHECK_DOCUMENT, NULL);
	assert_int_equal(c.type, CHECK_PDF);
	assert_int_equal(c.pages, 1);
	buf_free(&b);
	return c.flags;
}

static void
active_pdf(void **state)
{
	(void)state;
	assert_int_equal(pdf_flags("", "null"), 0);
	assert_int_equal(pdf_flags("/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>", "null"), CHECK_JAVASCRIPT);
	assert_int_equal(pdf_flags("/OpenAction 4 0 R", "<< /S /Launch /F (cmd.exe) >>"), CHECK_LAUNCH);
	assert_int_equal(pdf_flags("/Names << /EmbeddedFiles 4 0 R >>", "<< /Names [] >>"), CHECK_EMBEDDED);
	assert_int_equal(pdf_flags("/AcroForm << /Fields [] /XFA 4 0 R >>", "[(template) (x)]"), CHECK_XFA);
	/* A name written with an escape is the same name. */
	assert_int_equal(pdf_flags("/OpenAction << /S /Java#53cript >>", "null"), CHECK_JAVASCRIPT);
	/* Hidden in an annotation's action, two links away. */
	assert_int_equal(pdf_flags("/Extra [[[4 0 R]]]", "<< /A << /Next << /S /JavaScript >> >> >>"), CHECK_JAVASCRIPT);
	/* A circle ends. */
	assert_int_equal(pdf_flags("/Extra 4 0 R", "<< /Self 4 0 R /Up 1 0 R >>"), 0);
}

static void
nested_pdf(void **state)
{
	struct buf deep = BUF_INIT;

	(void)state;
	for (int i = 0; i < 300; i++)
		buf_putc(&deep, '[');
	for (int i = 0; i < 300; i++)
		buf_putc(&deep, ']');
	assert_true(pdf_flags("/Extra 4 0 R", buf_str(&deep)) & CHECK_TOO_BIG);
	buf_free(&deep);
}

static void
broken_pdf(void **state)
{
	struct buf b = BUF_INIT;
	struct check c;

	(void)state;
	pdf_file(&b, "", "null");
	b.len -= 40;
	c = look(&b, CHECK_PDF, CHECK_DOCUMENT, NULL);
	assert_true(c.flags & CHECK_TRUNCATED);
	assert_true(c.flags & (CHECK_REPAIRED | CHECK_BROKEN));
	b.len = 12;
	c = look(&b, CHECK_PDF, CHECK_DOCUMENT, NULL);
	assert_true(c.flags & CHECK_BROKEN);
	buf_free(&b);
}

static struct check
encrypted(const char *user, const char *owner)
{
	struct buf plain = BUF_INIT, b = BUF_INIT;
	qpdf_data pdf = qpdf_init();
	struct check c;

	pdf_file(&plain, "", "null");
	assert_int_equal(qpdf_read_memory(pdf, "t", (const char *)plain.p, plain.len, NULL), 0);
	qpdf_init_write_memory(pdf);
	qpdf_set_r6_encryption_parameters2(pdf, user, owner, 1, 1, 1, 1, 1, 1, qpdf_r3p_full, 1);
	assert_int_equal(qpdf_write(pdf), 0);
	buf_put(&b, qpdf_get_buffer(pdf), qpdf_get_buffer_length(pdf));
	qpdf_cleanup(&pdf);
	c = look(&b, CHECK_PDF, CHECK_DOCUMENT, NULL);
	buf_free(&plain);
	buf_free(&b);
	return c;
}

static void
encrypted_pdf(void **state)
{
	struct check c;

	(void)state;
	c = encrypted("secret", "owner");
	assert_true(c.flags & CHECK_ENCRYPTED);
	assert_false(c.flags & CHECK_BROKEN);
	c = encrypted("", "owner");
	assert_int_equal(c.flags, CHECK_RESTRICTED);
	assert_int_equal(c.pages, 1);
}

static void
not_a_file(void **state)
{
	struct check c;
	int out;
	int pair[2];

	(void)state;
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(check_file(pair[0], CHECK_ANY, CHECK_DOCUMENT, &c, &out), ICERT_E_INVALID);
	assert_int_equal(check_file(-1, CHECK_ANY, CHECK_DOCUMENT, &c, &out), ICERT_E_INVALID);
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jpeg_is_encoded_anew),
		cmocka_unit_test(truncated_jpeg),
		cmocka_unit_test(exif_orientation_is_applied),
		cmocka_unit_test(exif_of_a_wrong_form),
		cmocka_unit_test(output_has_no_metadata),
		cmocka_unit_test(png_and_its_faults),
		cmocka_unit_test(a_bomb_is_not_decoded),
		cmocka_unit_test(face_background),
		cmocka_unit_test(neither_picture_nor_pdf),
		cmocka_unit_test(active_pdf),
		cmocka_unit_test(nested_pdf),
		cmocka_unit_test(broken_pdf),
		cmocka_unit_test(encrypted_pdf),
		cmocka_unit_test(not_a_file)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
