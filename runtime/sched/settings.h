/* SPDX-License-Identifier: MIT */
/* settings.h - what a runtime goes by: the program's options, and the environment where the program
 * chose nothing. Written by create, constant afterwards.
 *
 * An environment variable whose value cannot be used is passed over, for whoever set it is not who
 * wrote the program; what was wrong is kept to be logged and printed.
 */
#ifndef SENNIT_RUNTIME_SCHED_SETTINGS_H
#define SENNIT_RUNTIME_SCHED_SETTINGS_H

#include <sennit/runtime.h>

enum sennit__source { SENNIT__BY_DEFAULT, SENNIT__BY_PROGRAM, SENNIT__BY_ENVIRONMENT };

enum sennit__variable {
	SENNIT__WORKERS,
	SENNIT__PIN,
	SENNIT__BACKEND,
	SENNIT__SPIN_NS,
	SENNIT__STACK_SIZE,
	SENNIT__VARIABLES
};

/* Below it, numbers of processing units. */
#define SENNIT__CPUS_END 65536u

struct sennit__settings {
	/* Filled up; cpus is our own copy. But `workers` stays the program's: a driven runtime has
	 * as many as its program has threads, whatever the environment says. */
	struct sennit_runtime_options options;
	unsigned workers; /* when started; 0: what the machine allows */
	enum sennit__source source[SENNIT__VARIABLES];
	char refused[SENNIT__VARIABLES][128]; /* what was wrong, or "" */
};

/* The value of a variable, or NULL: secure_getenv. */
typedef char *sennit__environment(const char *name);

/* `given` as the program's; NULL for none. 0, -EINVAL or -ENOMEM. */
int sennit__settings_init(struct sennit__settings *settings,
			  const struct sennit_runtime_options *given,
			  sennit__environment *environment);

/* After failure too. */
void sennit__settings_fini(struct sennit__settings *settings);

#endif
