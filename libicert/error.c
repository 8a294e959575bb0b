#include "libicert/error.h"

#include <errno.h>

#include <stddef.h>

static const struct {
	int value;
	const char *code;
} errors[] = {
	{ 0, "ok" },
#define X(name, number, word) { number, word },
	ICERT_ERRORS(X)
#undef X
};

static const char *
find(int value)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].value == value)
			return errors[i].code;
	return NULL;
}

const char *
icert_err_code(int value)
{
	const char *code = find(value);

	return code == NULL ? "unknown" : code;
}

int
icert_err_known(int value)
{
	return find(value) != NULL;
}

int
icert_err_disk(void)
{
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ICERT_E_FULL : ICERT_E_SYSTEM;
}
