/* Width and height of pictures from their first octets, for every cut of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "libicert/dimensions.h"
#include "libicert/error.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static const struct {
	const char	*what;
	enum sniff_type	 type;
	const uint8_t	*p;
	size_t		 len;
	int		 result;
	uint32_t	 width, height;
} cases[] = {
	{ "png", SNIFF_PNG, BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\x58\0\0\1\xf4rest"), 1, 600, 500 },
	{ "png, another chunk first", SNIFF_PNG, BYTES("\x89PNG\r\n\x1a\n\0\0\0\rtEXt\0\0\2\x58\0\0\1\xf4"), ICERT_E_MALFORMED, 0, 0 },
	{ "png, no width", SNIFF_PNG, BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\1\xf4"), ICERT_E_MALFORMED, 0, 0 },
	{ "png, above 2^31", SNIFF_PNG, BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x80\0\0\0\0\0\1\xf4"), ICERT_E_MALFORMED, 0, 0 },
	{ "png, cut", SNIFF_PNG, BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\x58\0\0\1"), 0, 0, 0 },
	{ "baseline", SNIFF_JPEG, BYTES("\xff\xd8\xff\xe0\0\6JFIF\xff\xc0\0\x0b\x08\1\xf4\2\x58\1\1\x11\0"), 1, 600, 500 },
	{ "progressive, fill octets", SNIFF_JPEG, BYTES("\xff\xd8\xff\xff\xff\xe1\0\2\xff\xc2\0\x07\x08\1\xf4\2\x58"), 1, 600, 500 },
	{ "tables before the frame", SNIFF_JPEG, BYTES("\xff\xd8\xff\xc4\0\4\1\2\xff\xcc\0\3\0\xff\xc1\0\x07\x08\1\xf4\2\x58"), 1, 600, 500 },
	{ "a scan before the frame", SNIFF_JPEG, BYTES("\xff\xd8\xff\xda\0\4\1\2"), ICERT_E_MALFORMED, 0, 0 },
	{ "the end before the frame", SNIFF_JPEG, BYTES("\xff\xd8\xff\xd9"), ICERT_E_MALFORMED, 0, 0 },
	{ "no marker", SNIFF_JPEG, BYTES("\xff\xd8\xff\xe0\0\3x\0\xc0"), ICERT_E_MALFORMED, 0, 0 },
	{ "a length of one", SNIFF_JPEG, BYTES("\xff\xd8\xff\xe0\0\1"), ICERT_E_MALFORMED, 0, 0 },
	{ "a frame too short", SNIFF_JPEG, BYTES("\xff\xd8\xff\xc0\0\6\x08\1\xf4\2"), ICERT_E_MALFORMED, 0, 0 },
	{ "height told later", SNIFF_JPEG, BYTES("\xff\xd8\xff\xc0\0\x07\x08\0\0\2\x58"), ICERT_E_MALFORMED, 0, 0 },
	{ "a second picture in it", SNIFF_JPEG, BYTES("\xff\xd8\xff\xe1\0\x0d\xff\xd8\xff\xc0\0\7\x08\0\1\0\1\xff\xc0\0\7\x08\1\xf4\2\x58"), 1, 600, 500 },
	{ "nothing yet", SNIFF_JPEG, BYTES("\xff\xd8\xff\xe0\xff\xff"), 0, 0, 0 },
	{ "no picture", SNIFF_PDF, BYTES("%PDF-1.7"), ICERT_E_MALFORMED, 0, 0 },
};

static void
test_cases(void **state)
{
	struct dimensions d;
	size_t i, cut;
	int result;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (cut = 0; cut <= cases[i].len; cut++) {
			dimensions_init(&d, cases[i].type);
			(void)dimensions_feed(&d, cases[i].p, cut);
			result = dimensions_feed(&d, cases[i].p + cut, cases[i].len - cut);
			if (result != cases[i].result || (result == 1 && (d.width != cases[i].width || d.height != cases[i].height)))
				fail_msg("%s, cut at %zu: %d, %u x %u", cases[i].what, cut, result, d.width, d.height);
		}
		dimensions_init(&d, cases[i].type);
		for (cut = 0; cut < cases[i].len; cut++)
			result = dimensions_feed(&d, cases[i].p + cut, 1);
		assert_int_equal(d.result, cases[i].result);
	}
}

/* A file of nothing but segments is given up, however long it is. */
static void
test_endless(void **state)
{
	static const uint8_t comment[] = { 0xff, 0xfe, 0, 2 };
	struct dimensions d;
	int i, result = 0;

	(void)state;
	dimensions_init(&d, SNIFF_JPEG);
	assert_int_equal(dimensions_feed(&d, "\xff\xd8", 2), 0);
	for (i = 0; i < 2 * DIMENSIONS_SEGMENTS && result == 0; i++)
		result = dimensions_feed(&d, comment, sizeof(comment));
	assert_int_equal(result, ICERT_E_MALFORMED);
	assert_int_equal(i, DIMENSIONS_SEGMENTS + 1);
	assert_int_equal(dimensions_feed(&d, "x", 1), ICERT_E_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
