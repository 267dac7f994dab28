/* SPDX-License-Identifier: MIT */
/* settings.c - any environment gives settings that are in range, or is passed over with a word; any
 * bytes are read as options of some version or refused. The input: a line for each variable, in the
 * order of enum sennit__variable; what follows the last is the struct of options behind its size.
 */
#include "runtime/sched/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[SENNIT__VARIABLES] = { "SENNIT_WORKERS", "SENNIT_PIN",
	                                              "SENNIT_BACKEND", "SENNIT_SPIN_NS",
	                                              "SENNIT_STACK_SIZE" };
static char *values[SENNIT__VARIABLES];

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static char *find_variable(const char *name)
{
	for (unsigned v = 0; v < SENNIT__VARIABLES; v++)
		if (!strcmp(name, names[v]))
			return values[v];
	return NULL;
}

static void check(const struct sennit__settings *settings)
{
	const struct sennit_runtime_options *options = &settings->options;

	expect(settings->workers <= 1024 && options->workers <= 1024);
	expect((unsigned)options->pin <= SENNIT_PIN_LIST);
	expect((options->pin == SENNIT_PIN_LIST) == (options->cpus_count > 0));
	expect(options->cpus_count <= 1024 && !options->cpus == !options->cpus_count);
	for (unsigned i = 0; i < options->cpus_count; i++)
		expect(options->cpus[i] < SENNIT__CPUS_END);
	expect(options->spin_ns <= 1000000000);
	for (unsigned v = 0; v < SENNIT__VARIABLES; v++) {
		expect(strlen(settings->refused[v]) < sizeof settings->refused[v]);
		expect(!*settings->refused[v] || settings->source[v] == SENNIT__BY_DEFAULT);
		expect(!strpbrk(settings->refused[v], "\n\r\t\x1b"));
	}
}

/* A struct of any size, in a block of that size; NULL where it is told not to be looked at. */
static struct sennit_runtime_options *options_of(const char *bytes, size_t size)
{
	struct sennit_runtime_options *options = malloc(sizeof(size_t) + size);

	expect(options != NULL);
	memcpy((char *)options + sizeof(size_t), bytes, size);
	options->size = sizeof(size_t) + size;
	/* a pointer is the caller's word for it: none, or a list that is there */
	if (options->size >= offsetof(struct sennit_runtime_options, cpus_count))
		options->cpus = NULL;
	return options;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sennit_runtime_options *options;
	struct sennit__settings settings;
	char *text = malloc(size + 1);
	char *rest = text;
	int error;

	expect(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (unsigned v = 0; v < SENNIT__VARIABLES; v++)
		values[v] = rest ? strsep(&rest, "\n") : NULL;
	expect(!sennit__settings_init(&settings, NULL, find_variable));
	check(&settings);
	sennit__settings_fini(&settings);
	if (rest) {
		options = options_of(rest, size - (size_t)(rest - text));
		error = sennit__settings_init(&settings, options, find_variable);
		expect(!error || error == -EINVAL);
		if (!error)
			check(&settings);
		sennit__settings_fini(&settings);
		free(options);
	}
	free(text);
	return 0;
}
