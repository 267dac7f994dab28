/* SPDX-License-Identifier: MIT */
/* settings.c - see settings.h. */
#include "runtime/sched/settings.h"

#include "runtime/topology/plan.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST offsetof(struct sennit_runtime_options, cpus) /* the first version's */
#define SIZE_MOST 4096 /* no version's struct is larger, so nothing beyond it is looked at */
#define SPIN_MOST 1000000000u

static const char *const names[SENNIT__VARIABLES] = {
	[SENNIT__WORKERS] = "SENNIT_WORKERS",       [SENNIT__PIN] = "SENNIT_PIN",
	[SENNIT__BACKEND] = "SENNIT_BACKEND",       [SENNIT__SPIN_NS] = "SENNIT_SPIN_NS",
	[SENNIT__STACK_SIZE] = "SENNIT_STACK_SIZE",
};

static const char *const wanted[SENNIT__VARIABLES] = {
	[SENNIT__WORKERS] = "a number from 1 to 1024",
	[SENNIT__PIN] = "cores, pus, none or a list such as 0-3,8",
	[SENNIT__BACKEND] = "epoll",
	[SENNIT__SPIN_NS] = "nanoseconds, at most 1000000000",
	[SENNIT__STACK_SIZE] = "bytes, at least 1",
};

/* --- the program's options -------------------------------------------------------------------- */

/* Copies a struct of any version. */
static int copy(struct sennit_runtime_options *options, const struct sennit_runtime_options *given)
{
	const char *bytes = (const char *)given;
	size_t known = given->size < sizeof *options ? given->size : sizeof *options;

	if (given->size < SIZE_FIRST || given->size > SIZE_MOST ||
	    given->size % _Alignof(struct sennit_runtime_options))
		return -EINVAL;
	for (size_t i = known; i < given->size; i++)
		if (bytes[i])
			return -EINVAL;
	memcpy(options, given, known);
	options->size = sizeof *options;
	return 0;
}

static int check(const struct sennit_runtime_options *options)
{
	bool list = options->pin == SENNIT_PIN_LIST;

	if (options->workers > SENNIT__WORKERS_MAX || (unsigned)options->pin > SENNIT_PIN_LIST ||
	    (unsigned)options->backend > SENNIT_BACKEND_EPOLL || options->spin_ns > SPIN_MOST ||
	    options->stack_size > SIZE_MAX / 2)
		return -EINVAL;
	if (list != (options->cpus_count > 0) || options->cpus_count > SENNIT__WORKERS_MAX ||
	    (list && !options->cpus))
		return -EINVAL;
	for (unsigned i = 0; i < options->cpus_count; i++)
		if (options->cpus[i] >= SENNIT__CPUS_END)
			return -EINVAL;
	return 0;
}

/* --- the environment -------------------------------------------------------------------------- */

/* Reads digits at *text, which then is behind them. False where there are none, or for more than
 * `most`. */
static bool read_number(const char **text, uint64_t most, uint64_t *number)
{
	const char *at = *text;

	for (*number = 0; *at >= '0' && *at <= '9'; at++) {
		*number = *number * 10 + (uint64_t)(*at - '0');
		if (*number > most) /* far below what ten times would overflow */
			return false;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

static bool read_whole(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	return read_number(&text, most, number) && !*text && *number >= least;
}

/* Adds "N" or "N-M" to a list; false where it does not fit or makes no sense. */
static bool read_range(const char **text, unsigned *cpus, unsigned *count)
{
	uint64_t first;
	uint64_t last;

	if (!read_number(text, SENNIT__CPUS_END - 1, &first))
		return false;
	last = first;
	if (**text == '-') {
		++*text;
		if (!read_number(text, SENNIT__CPUS_END - 1, &last))
			return false;
	}
	if (last < first || last - first >= SENNIT__WORKERS_MAX - *count)
		return false;
	for (uint64_t cpu = first; cpu <= last; cpu++)
		cpus[(*count)++] = (unsigned)cpu;
	return true;
}

static bool read_list(const char *text, unsigned *cpus, unsigned *count)
{
	*count = 0;
	while (read_range(&text, cpus, count)) {
		if (!*text)
			return true;
		if (*text++ != ',')
			return false;
	}
	return false;
}

static bool read_pin(const char *text, struct sennit_runtime_options *options, unsigned *cpus)
{
	if (!strcmp(text, "cores")) {
		options->pin = SENNIT_PIN_CORES;
	} else if (!strcmp(text, "pus")) {
		options->pin = SENNIT_PIN_PUS;
	} else if (!strcmp(text, "none")) {
		options->pin = SENNIT_PIN_NONE;
	} else {
		unsigned count;

		if (!read_list(text, cpus, &count))
			return false;
		options->pin = SENNIT_PIN_LIST;
		options->cpus = cpus;
		options->cpus_count = count;
	}
	return true;
}

/* Takes a variable's value; false where it cannot be used. */
static bool take(struct sennit__settings *settings, enum sennit__variable variable,
		 const char *text, unsigned *cpus)
{
	struct sennit_runtime_options *options = &settings->options;
	uint64_t number = 0;

	switch (variable) {
	case SENNIT__WORKERS:
		if (!read_whole(text, 1, SENNIT__WORKERS_MAX, &number))
			return false;
		settings->workers = (unsigned)number;
		return true;
	case SENNIT__PIN:
		return read_pin(text, options, cpus);
	case SENNIT__BACKEND:
		if (strcmp(text, "epoll") != 0)
			return false;
		options->backend = SENNIT_BACKEND_EPOLL;
		return true;
	case SENNIT__SPIN_NS:
		if (!read_whole(text, 0, SPIN_MOST, &number))
			return false;
		options->spin_ns = number;
		return true;
	case SENNIT__STACK_SIZE:
		if (!read_whole(text, 1, INT64_MAX / 16, &number))
			return false;
		options->stack_size = (size_t)number;
		return true;
	case SENNIT__VARIABLES:
		break;
	}
	return false;
}

/* Remembers what was wrong, without what a terminal would obey. */
static void refuse(struct sennit__settings *settings, enum sennit__variable variable,
		   const char *text)
{
	char *line = settings->refused[variable];

	snprintf(line, sizeof settings->refused[variable], "%s=%.32s is not %s", names[variable],
		 text, wanted[variable]);
	for (char *at = line; *at; at++)
		if (!isascii((unsigned char)*at) || !isprint((unsigned char)*at))
			*at = '?';
}

static bool chosen(const struct sennit_runtime_options *options, enum sennit__variable variable)
{
	switch (variable) {
	case SENNIT__WORKERS:
		return options->workers != 0;
	case SENNIT__PIN:
		return options->pin != SENNIT_PIN_DEFAULT;
	case SENNIT__BACKEND:
		return options->backend != SENNIT_BACKEND_DEFAULT;
	case SENNIT__SPIN_NS:
		return options->spin_ns != 0;
	case SENNIT__STACK_SIZE:
		return options->stack_size != 0;
	case SENNIT__VARIABLES:
		break;
	}
	return false;
}

int sennit__settings_init(struct sennit__settings *settings,
			  const struct sennit_runtime_options *given,
			  sennit__environment *environment)
{
	struct sennit_runtime_options *options = &settings->options;
	unsigned cpus[SENNIT__WORKERS_MAX];
	int error = 0;

	memset(settings, 0, sizeof *settings);
	if (given && given->size)
		error = copy(options, given);
	if (!error)
		error = check(options);
	settings->workers = options->workers;
	for (enum sennit__variable v = 0; !error && v < SENNIT__VARIABLES; v++) {
		const char *text = environment(names[v]);

		settings->source[v] = SENNIT__BY_PROGRAM;
		if (chosen(options, v))
			continue;
		settings->source[v] = SENNIT__BY_DEFAULT;
		if (!text || !*text)
			continue;
		if (take(settings, v, text, cpus))
			settings->source[v] = SENNIT__BY_ENVIRONMENT;
		else
			refuse(settings, v, text);
	}
	if (!error && options->cpus_count) {
		size_t size = options->cpus_count * sizeof *cpus;
		unsigned *own = malloc(size);

		if (own)
			memcpy(own, options->cpus, size);
		else
			error = -ENOMEM;
		options->cpus = own;
	} else {
		options->cpus = NULL; /* the program's, of which nothing is asked */
	}
	return error;
}

void sennit__settings_fini(struct sennit__settings *settings)
{
	free((void *)(uintptr_t)settings->options.cpus);
	settings->options.cpus = NULL;
}
