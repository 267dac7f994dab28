/* SPDX-License-Identifier: MIT */
/* endpoint.c - any text at all is read as an endpoint or refused; what is read prints as a text
 * that is read as the same endpoint. With clang this is a libFuzzer program; elsewhere replay.c is
 * its main and feeds it files, such as those of corpus/endpoint/. */
#include <sennit/endpoint.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void check_print(const struct sennit_endpoint *endpoint)
{
	char text[SENNIT_ENDPOINT_TEXT], again[SENNIT_ENDPOINT_TEXT];
	struct sennit_endpoint read;

	expect(sennit_endpoint_print(endpoint, text, sizeof text) == 0);
	expect(sennit_endpoint_parse(&read, text) == 0);
	expect(sennit_endpoint_equal(endpoint, &read));
	expect(sennit_endpoint_print(&read, again, sizeof again) == 0);
	expect(strcmp(text, again) == 0);
	expect(sennit_endpoint_print(endpoint, again, strlen(text)) < 0 && again[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sennit_endpoint endpoint, before;
	char *text = malloc(size + 1);

	expect(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	memset(&endpoint, 0xa5, sizeof endpoint);
	before = endpoint;
	if (sennit_endpoint_parse(&endpoint, text) == 0)
		check_print(&endpoint);
	else
		expect(memcmp(&endpoint, &before, sizeof endpoint) == 0);
	free(text);
	return 0;
}
