#include "keys/token.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "pki/keyfile.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH 512
#define PIN_MAX 256

static int
read_pin(const char *path, char pin[PIN_MAX])
{
	struct buf b = BUF_INIT;
	int error;

	if ((error = keyfile_read(path, PIN_MAX - 1, &b)) == 0) {
		snprintf(pin, PIN_MAX, "%s", buf_str(&b));
		pin[strcspn(pin, "\r\n")] = '\0';
	}
	buf_free(&b);
	return error;
}

int
token_open(struct pkcs11 **token, const struct config *config, const char *section, const char *folder)
{
	const char *module = config_require(config, section, "module");
	const char *label = config_require(config, section, "token");
	char conf[PATH], pin[PIN_MAX];
	int error;

	snprintf(conf, sizeof(conf), "%s/softhsm2.conf", folder);
	if ((error = read_pin(config_require(config, section, "pin_file"), pin)) != 0) {
		log_error("pin_file_unreadable", "%s", icert_err_code(error));
		return error;
	}
	if ((error = pkcs11_load(token, module, access(conf, F_OK) == 0 ? conf : NULL)) != 0)
		log_error("token_module", "%s does not load", module);
	else if ((error = pkcs11_login(*token, label, pin)) != 0)
		log_error("token_login", "%s", pkcs11_detail(*token));
	bytes_wipe(pin, sizeof(pin));
	return error;
}
