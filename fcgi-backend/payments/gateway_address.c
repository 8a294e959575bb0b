/* Where a gateway's notifications may come from. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "payments/gateway_adapter.h"

#define NETWORK_TEXT (INET6_ADDRSTRLEN + 4)

static int
read_one(const char *text, struct gateway_network *out)
{
	char copy[NETWORK_TEXT], *slash, *end;
	long most;

	snprintf(copy, sizeof(copy), "%s", text);
	if ((slash = strchr(copy, '/')) != NULL)
		*slash = '\0';
	out->family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(out->family, copy, out->address) != 1)
		return ICERT_E_CONFIG;
	most = out->family == AF_INET ? 32 : 128;
	out->bits = (int)(slash == NULL ? most : strtol(slash + 1, &end, 10));
	return out->bits < 0 || out->bits > most || (slash != NULL && (slash[1] == '\0' || *end != '\0')) ? ICERT_E_CONFIG : 0;
}

int
gateway_networks_read(struct gateway *gateway, const char *text)
{
	char one[NETWORK_TEXT];
	size_t len;

	while (text != NULL && *(text += strspn(text, ", \t")) != '\0') {
		len = strcspn(text, ", \t");
		if (len >= sizeof(one) || gateway->n_networks == GATEWAY_NETWORKS)
			return ICERT_E_CONFIG;
		memcpy(one, text, len);
		one[len] = '\0';
		if (read_one(one, &gateway->network[gateway->n_networks]) != 0)
			return ICERT_E_CONFIG;
		gateway->n_networks++;
		text += len;
	}
	return 0;
}

static int
within(const struct gateway_network *network, const uint8_t *address)
{
	int whole = network->bits / 8, rest = network->bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	return memcmp(network->address, address, (size_t)whole) == 0 &&
	    (rest == 0 || ((network->address[whole] ^ address[whole]) & mask) == 0);
}

int
gateway_address_ok(const struct gateway *gateway, const char *address)
{
	uint8_t octets[16];
	int family;
	size_t i;

	if (gateway->n_networks == 0)
		return 1;
	if (address == NULL)
		return 0;
	family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(family, address, octets) != 1)
		return 0;
	for (i = 0; i < gateway->n_networks; i++)
		if (gateway->network[i].family == family && within(&gateway->network[i], octets))
			return 1;
	return 0;
}
