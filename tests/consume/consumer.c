/* SPDX-License-Identifier: MIT */
/* consumer.c - a program that knows sennit only as installed: one task on a driven runtime. */
#include <sennit/sennit.h>
#include <stdio.h>
#include <string.h>

static int calls;
static struct sennit_task task;

static void on_posted(struct sennit_task *posted, int error)
{
	calls += posted == &task && error == 0;
}

int main(void)
{
	struct sennit_runtime *runtime;

	if (sennit_runtime_create(NULL, &runtime))
		return 1;
	sennit_post(sennit_runtime_executor(runtime), &task, on_posted);
	sennit_runtime_run(runtime);
	sennit_runtime_destroy(runtime);
	printf("sennit %s, %d call\n", sennit_version(), calls);
	return calls != 1 || strcmp(sennit_version(), SENNIT_VERSION) != 0;
}
