/* SPDX-License-Identifier: MIT */
/* consumer_tls.c - a program that knows sennit-tls only as installed; it is C++, too. */
#include <sennit/sennit.h>
#include <sennit/tls.h>
#include <stdio.h>

int main(void)
{
	struct sennit_tls_context *context;
	struct sennit_runtime *runtime;

	if (sennit_runtime_create(NULL, &runtime))
		return 1;
	if (sennit_tls_context_create(SENNIT_TLS_CLIENT, &context))
		return 1;
	sennit_tls_context_destroy(context);
	return sennit_runtime_destroy(runtime);
}
