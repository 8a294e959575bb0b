/* The configuration: what an administrator may have typed. */
#include "libicert/config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *, char ***);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* Each refusal is a line of the log. */
	return freopen("/dev/null", "w", stderr) == NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct config config;
	char path[64], conninfo[64];

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_load(&config, path) == 0) {
		for (size_t i = 0; i < config.n; i++)
			if (config_get(&config, config.entries[i].section, config.entries[i].key) == NULL)
				abort();
		config_conninfo(&config, "portal", conninfo, sizeof(conninfo));
		config_free(&config);
	}
	close(fd);
	return 0;
}
