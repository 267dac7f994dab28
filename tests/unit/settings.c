/* SPDX-License-Identifier: MIT */
/* settings.c - options of every version, and the environment where they leave a choice. */
#include "support.h"

#include "runtime/sched/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The environment of these tests: pairs of name and value. */
static const char *variables[12];

static char *find_variable(const char *name)
{
	for (size_t i = 0; i + 1 < COUNT_OF(variables) && variables[i]; i += 2)
		if (!strcmp(variables[i], name))
			return (char *)(uintptr_t)variables[i + 1];
	return NULL;
}

static struct sennit__settings settings_of(const struct sennit_runtime_options *options,
                                           const char *name, const char *value)
{
	struct sennit__settings settings;

	variables[0] = name;
	variables[1] = value;
	assert_int_equal(sennit__settings_init(&settings, options, find_variable), 0);
	variables[0] = NULL;
	return settings;
}

static void assert_refused(const struct sennit_runtime_options *options)
{
	struct sennit__settings settings;

	assert_int_equal(sennit__settings_init(&settings, options, find_variable), -EINVAL);
	assert_null(settings.options.cpus);
	sennit__settings_fini(&settings);
}

/* --- options ---------------------------------------------------------------------------------- */

static void without_options_all_is_default(void **state)
{
	struct sennit_runtime_options garbage;

	(void)state;
	memset(&garbage, 0xa5, sizeof garbage);
	garbage.size = 0;
	for (int i = 0; i < 2; i++) {
		struct sennit__settings settings = settings_of(i ? &garbage : NULL, NULL, NULL);

		assert_int_equal(settings.workers, 0);
		assert_int_equal(settings.options.workers, 0);
		assert_int_equal(settings.options.pin, SENNIT_PIN_DEFAULT);
		assert_int_equal(settings.options.stack_size, 0);
		assert_null(settings.options.on_worker_start);
		for (unsigned v = 0; v < SENNIT__VARIABLES; v++) {
			assert_int_equal(settings.source[v], SENNIT__BY_DEFAULT);
			assert_string_equal(settings.refused[v], "");
		}
		sennit__settings_fini(&settings);
	}
}

static void a_smaller_struct_of_an_earlier_version_has_zeros_beyond(void **state)
{
	static const size_t sizes[] = { offsetof(struct sennit_runtime_options, cpus),
		                        offsetof(struct sennit_runtime_options, spin_ns),
		                        offsetof(struct sennit_runtime_options, worker_user) };
	struct sennit_runtime_options options = { .workers = 3, .pin = SENNIT_PIN_PUS };

	(void)state;
	options.stack_size = 12345;
	options.worker_user = &options;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct sennit__settings settings;

		options.size = sizes[i];
		settings = settings_of(&options, NULL, NULL);
		assert_int_equal(settings.workers, 3);
		assert_int_equal(settings.options.pin, SENNIT_PIN_PUS);
		assert_int_equal(settings.options.stack_size, i == 2 ? 12345 : 0);
		assert_null(settings.options.worker_user);
		sennit__settings_fini(&settings);
	}
}

static void a_larger_struct_of_a_later_version_may_have_nothing_set_beyond(void **state)
{
	union {
		struct sennit_runtime_options options;
		char bytes[4096];
	} given = { .options = { .workers = 5 } };
	static const size_t sizes[] = { sizeof given.options + 8, 2048, 4096 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct sennit__settings settings;

		given.options.size = sizes[i];
		settings = settings_of(&given.options, NULL, NULL);
		assert_int_equal(settings.workers, 5);
		assert_int_equal(settings.options.size, sizeof settings.options);
		sennit__settings_fini(&settings);
		given.bytes[sizes[i] - 1] = 1;
		assert_refused(&given.options);
		given.bytes[sizes[i] - 1] = 0;
		given.bytes[sizeof given.options] = 1;
		assert_refused(&given.options);
		given.bytes[sizeof given.options] = 0;
	}
}

static void sizes_that_no_version_has_are_refused(void **state)
{
	static const size_t sizes[] = { 1,
		                        8,
		                        offsetof(struct sennit_runtime_options, cpus) - 8,
		                        sizeof(struct sennit_runtime_options) - 1,
		                        sizeof(struct sennit_runtime_options) + 1,
		                        4104, SIZE_MAX, SIZE_MAX - 7 };
	struct sennit_runtime_options options = { .workers = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		options.size = sizes[i];
		assert_refused(&options);
	}
}

static void values_out_of_range_are_refused(void **state)
{
	static const unsigned cpus[] = { 0, 65536, 1 };
	static const struct sennit_runtime_options cases[] = {
		{ .workers = 1025 },
		{ .workers = UINT32_MAX },
		{ .pin = (enum sennit_pin)5 },
		{ .pin = (enum sennit_pin)-1 },
		{ .backend = (enum sennit_backend)2 },
		{ .spin_ns = 1000000001 },
		{ .stack_size = SIZE_MAX },
		{ .pin = SENNIT_PIN_LIST },
		{ .pin = SENNIT_PIN_LIST, .cpus = cpus },
		{ .pin = SENNIT_PIN_LIST, .cpus_count = 1 },
		{ .pin = SENNIT_PIN_LIST, .cpus = cpus, .cpus_count = 2 },
		{ .pin = SENNIT_PIN_LIST, .cpus = cpus, .cpus_count = 1025 },
		{ .pin = SENNIT_PIN_CORES, .cpus = cpus, .cpus_count = 1 },
		{ .cpus = cpus, .cpus_count = 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sennit_runtime_options options = cases[i];

		options.size = sizeof options;
		assert_refused(&options);
	}
}

static void the_list_of_cpus_is_copied(void **state)
{
	unsigned cpus[] = { 4, 65535, 4 };
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .pin = SENNIT_PIN_LIST,
		                                  .cpus = cpus,
		                                  .cpus_count = 3 };
	struct sennit__settings settings = settings_of(&options, "SENNIT_PIN", "none");

	(void)state;
	memset(cpus, 0, sizeof cpus);
	assert_int_equal(settings.options.pin, SENNIT_PIN_LIST);
	assert_int_equal(settings.source[SENNIT__PIN], SENNIT__BY_PROGRAM);
	assert_int_equal(settings.options.cpus[0], 4);
	assert_int_equal(settings.options.cpus[1], 65535);
	assert_int_equal(settings.options.cpus[2], 4);
	sennit__settings_fini(&settings);
}

/* --- the environment -------------------------------------------------------------------------- */

static void the_environment_fills_what_the_program_left_at_0(void **state)
{
	static const char *const all[] = { "SENNIT_WORKERS",    "7",     "SENNIT_PIN",     "pus",
		                           "SENNIT_BACKEND",    "epoll", "SENNIT_SPIN_NS", "2500",
		                           "SENNIT_STACK_SIZE", "65537" };
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .workers = 2,
		                                  .pin = SENNIT_PIN_NONE,
		                                  .backend = SENNIT_BACKEND_EPOLL,
		                                  .spin_ns = 9,
		                                  .stack_size = 99999 };
	struct sennit__settings settings;

	(void)state;
	memcpy(variables, all, sizeof all);
	assert_int_equal(sennit__settings_init(&settings, NULL, find_variable), 0);
	assert_int_equal(settings.workers, 7);
	/* a driven runtime has as many workers as its program has threads */
	assert_int_equal(settings.options.workers, 0);
	assert_int_equal(settings.options.pin, SENNIT_PIN_PUS);
	assert_int_equal(settings.options.backend, SENNIT_BACKEND_EPOLL);
	assert_int_equal(settings.options.spin_ns, 2500);
	assert_int_equal(settings.options.stack_size, 65537);
	for (unsigned v = 0; v < SENNIT__VARIABLES; v++)
		assert_int_equal(settings.source[v], SENNIT__BY_ENVIRONMENT);
	sennit__settings_fini(&settings);

	assert_int_equal(sennit__settings_init(&settings, &options, find_variable), 0);
	assert_int_equal(settings.workers, 2);
	assert_int_equal(settings.options.workers, 2);
	assert_int_equal(settings.options.pin, SENNIT_PIN_NONE);
	assert_int_equal(settings.options.spin_ns, 9);
	assert_int_equal(settings.options.stack_size, 99999);
	for (unsigned v = 0; v < SENNIT__VARIABLES; v++)
		assert_int_equal(settings.source[v], SENNIT__BY_PROGRAM);
	sennit__settings_fini(&settings);
	memset(variables, 0, sizeof variables);
}

static void assert_pinned(const char *value, enum sennit_pin pin, const char *list)
{
	struct sennit__settings settings = settings_of(NULL, "SENNIT_PIN", value);
	char text[64] = "";

	assert_int_equal(settings.options.pin, pin);
	assert_int_equal(settings.source[SENNIT__PIN], SENNIT__BY_ENVIRONMENT);
	for (unsigned i = 0; i < settings.options.cpus_count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%u ",
		         settings.options.cpus[i]);
	assert_string_equal(text, list);
	sennit__settings_fini(&settings);
}

static void a_placement_is_named_or_listed(void **state)
{
	(void)state;
	assert_pinned("cores", SENNIT_PIN_CORES, "");
	assert_pinned("pus", SENNIT_PIN_PUS, "");
	assert_pinned("none", SENNIT_PIN_NONE, "");
	assert_pinned("0", SENNIT_PIN_LIST, "0 ");
	assert_pinned("0-3,8", SENNIT_PIN_LIST, "0 1 2 3 8 ");
	assert_pinned("9,2-2,65535,9", SENNIT_PIN_LIST, "9 2 65535 9 ");
}

static void a_list_has_at_most_1024_entries(void **state)
{
	struct sennit__settings settings = settings_of(NULL, "SENNIT_PIN", "100-1122,7");

	(void)state;
	assert_int_equal(settings.options.cpus_count, 1024);
	assert_int_equal(settings.options.cpus[0], 100);
	assert_int_equal(settings.options.cpus[1023], 7);
	sennit__settings_fini(&settings);
	settings = settings_of(NULL, "SENNIT_PIN", "0-1023,0");
	assert_int_equal(settings.options.cpus_count, 0);
	assert_int_equal(settings.options.pin, SENNIT_PIN_DEFAULT);
	sennit__settings_fini(&settings);
}

static void assert_passed_over(const char *name, const char *value, enum sennit__variable variable,
                               const char *said)
{
	struct sennit__settings settings = settings_of(NULL, name, value);

	assert_int_equal(settings.source[variable], SENNIT__BY_DEFAULT);
	assert_string_equal(settings.refused[variable], said);
	assert_int_equal(settings.workers, 0);
	assert_int_equal(settings.options.pin, SENNIT_PIN_DEFAULT);
	assert_int_equal(settings.options.cpus_count, 0);
	assert_int_equal(settings.options.spin_ns, 0);
	assert_int_equal(settings.options.stack_size, 0);
	sennit__settings_fini(&settings);
}

static void a_value_that_makes_no_sense_is_passed_over_and_named(void **state)
{
	static const char *const numbers[] = { "0",   "-1",  "+1",    " 1", "1 ",
		                               "1.5", "0x1", "eight",
		                               "1025", "18446744073709551617", "1,2" };
	static const char *const pins[] = { "core", "Cores", "cores ", "0-", "-1", "3-1", ",", "1,",
		                            ",1", "1,,2", "1;2", "0-2000", "65536", "1-65536",
		                            "0-99999999999999999999", "1 2" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		char said[128];

		snprintf(said, sizeof said, "SENNIT_WORKERS=%s is not a number from 1 to 1024",
		         numbers[i]);
		assert_passed_over("SENNIT_WORKERS", numbers[i], SENNIT__WORKERS, said);
	}
	for (size_t i = 0; i < COUNT_OF(pins); i++) {
		char said[128];

		snprintf(said, sizeof said,
		         "SENNIT_PIN=%s is not cores, pus, none or a list such as 0-3,8", pins[i]);
		assert_passed_over("SENNIT_PIN", pins[i], SENNIT__PIN, said);
	}
	assert_passed_over("SENNIT_BACKEND", "kqueue", SENNIT__BACKEND,
	                   "SENNIT_BACKEND=kqueue is not epoll");
	assert_passed_over("SENNIT_SPIN_NS", "1000000001", SENNIT__SPIN_NS,
	                   "SENNIT_SPIN_NS=1000000001 is not nanoseconds, at most 1000000000");
	assert_passed_over("SENNIT_STACK_SIZE", "0", SENNIT__STACK_SIZE,
	                   "SENNIT_STACK_SIZE=0 is not bytes, at least 1");
	assert_passed_over("SENNIT_STACK_SIZE", "8M", SENNIT__STACK_SIZE,
	                   "SENNIT_STACK_SIZE=8M is not bytes, at least 1");
	assert_passed_over("SENNIT_STACK_SIZE", "99999999999999999999", SENNIT__STACK_SIZE,
	                   "SENNIT_STACK_SIZE=99999999999999999999 is not bytes, at least 1");
}

static void what_is_said_of_a_value_is_short_and_harmless(void **state)
{
	char value[5000];
	struct sennit__settings settings;

	(void)state;
	memset(value, '\x1b', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	value[1] = '\n';
	value[2] = '\xc3';
	settings = settings_of(NULL, "SENNIT_BACKEND", value);
	assert_string_equal(settings.refused[SENNIT__BACKEND],
	                    "SENNIT_BACKEND=???????????????????????????????? is not epoll");
	sennit__settings_fini(&settings);
}

static void an_empty_variable_counts_as_not_set(void **state)
{
	(void)state;
	assert_passed_over("SENNIT_WORKERS", "", SENNIT__WORKERS, "");
	assert_passed_over("SENNIT_PIN", "", SENNIT__PIN, "");
	assert_passed_over("SENNIT_BACKEND", "", SENNIT__BACKEND, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(without_options_all_is_default),
		TEST(a_smaller_struct_of_an_earlier_version_has_zeros_beyond),
		TEST(a_larger_struct_of_a_later_version_may_have_nothing_set_beyond),
		TEST(sizes_that_no_version_has_are_refused),
		TEST(values_out_of_range_are_refused),
		TEST(the_list_of_cpus_is_copied),
		TEST(the_environment_fills_what_the_program_left_at_0),
		TEST(a_placement_is_named_or_listed),
		TEST(a_list_has_at_most_1024_entries),
		TEST(a_value_that_makes_no_sense_is_passed_over_and_named),
		TEST(what_is_said_of_a_value_is_short_and_harmless),
		TEST(an_empty_variable_counts_as_not_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
