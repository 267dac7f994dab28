/* SPDX-License-Identifier: MIT */
/* consumer.cpp - the same from C++, where a lambda that captures nothing is a sennit_function. */
#include <sennit/sennit.h>

#include <cstdio>
#include <cstring>

namespace
{

struct counted {
	sennit_task task; // first: the task's address is the struct's
	int calls;
};

} // namespace

int main()
{
	sennit_runtime *runtime = nullptr;
	counted mine{};

	if (sennit_runtime_create(nullptr, &runtime))
		return 1;
	sennit_post(sennit_runtime_executor(runtime), &mine.task, [](sennit_task *task, int error) {
		reinterpret_cast<counted *>(task)->calls += error == 0;
	});
	sennit_runtime_run(runtime);
	sennit_runtime_destroy(runtime);
	std::printf("sennit %s, %d call\n", sennit_version(), mine.calls);
	return mine.calls != 1 || std::strcmp(sennit_version(), SENNIT_VERSION) != 0;
}
