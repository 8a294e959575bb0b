/* Whatever stands in a value, a page gets text: no tag, no quote, no script address. */
#include "views/view.h"

#include "libicert/buf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
none_of(struct buf *out, const char *forbidden)
{
	if (buf_error(out) == 0 && strpbrk(buf_str(out), forbidden) != NULL)
		abort();
	buf_free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf out = BUF_INIT;
	char *text = malloc(len + 1);
	int64_t n;

	memcpy(text, data, len);
	text[len] = '\0';
	view_put_text(&out, text);
	none_of(&out, "<>\"'");
	view_put_url(&out, text);
	if (strncasecmp(buf_str(&out), "javascript:", 11) == 0 || strncasecmp(buf_str(&out), "data:", 5) == 0)
		abort();
	none_of(&out, "<>\"'\t\r\n");
	view_put_component(&out, text);
	none_of(&out, "<>\"'&?#/ ");
	view_put_tel(&out, text);
	if (strspn(buf_str(&out), "+0123456789") != strlen(buf_str(&out)))
		abort();
	buf_free(&out);
	n = view_parse_number(text);
	view_parse_flag(text);
	view_put_number(&out, n);
	view_put_money(&out, n);
	view_put_moment(&out, n);
	view_put_both(&out, n);
	view_put_day(&out, n);
	view_put_date(&out, n);
	view_put_hour(&out, n);
	none_of(&out, "<>\"'");
	buf_free(&out);
	free(text);
	return 0;
}
