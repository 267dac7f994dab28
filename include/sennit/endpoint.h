/* SPDX-License-Identifier: MIT */
/**
 * @file
 * An IPv4 or IPv6 address and port.
 */
#ifndef SENNIT_ENDPOINT_H
#define SENNIT_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Room for the text of every endpoint, the final NUL included. */
#define SENNIT_ENDPOINT_TEXT 72

/** An endpoint; zeroed, it is unspecified (family AF_UNSPEC). Copied freely. */
struct sennit_endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address; /**< as the system takes it; `address.any.sa_family` tells which */
};

/**
 * Reads an endpoint from text: `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80`. Numeric only; a
 * port from 0 to 65535 is required.
 * @param[out] endpoint set on success only.
 * @return 0, or -EINVAL.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
int sennit_endpoint_parse(struct sennit_endpoint *endpoint, const char *text);

/**
 * Writes an endpoint as text that sennit_endpoint_parse reads; an unspecified one as "-".
 * @param size of `text`; SENNIT_ENDPOINT_TEXT always suffices.
 * @return 0, or -ENOSPC (`text` is then empty where size is not 0).
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
int sennit_endpoint_print(const struct sennit_endpoint *endpoint, char *text, size_t size);

/**
 * The size of the address as the system takes it; 0 for an unspecified endpoint.
 * @thread any. Since 0.1.0.
 */
size_t sennit_endpoint_size(const struct sennit_endpoint *endpoint);

/**
 * The port, in host byte order; 0 for an unspecified endpoint.
 * @thread any. Since 0.1.0.
 */
uint16_t sennit_endpoint_port(const struct sennit_endpoint *endpoint);

/**
 * Whether two endpoints have the same family, address, port and scope.
 * @thread any. Since 0.1.0.
 */
bool sennit_endpoint_equal(const struct sennit_endpoint *a, const struct sennit_endpoint *b);

#ifdef __cplusplus
}
#endif

#endif
