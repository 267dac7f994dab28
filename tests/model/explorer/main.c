/* SPDX-License-Identifier: MIT */
/* main.c - the command line of a model test, its exploration and its report. */
#include "tests/model/explorer/engine.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OUTCOMES_MAX 256
#define ENOUGH 10000000
#define DEEPER 1000000
#define CHOICES_SHOWN 2000

static struct {
	const char *only;
	const char *argument; /* instead of the scenario's; NULL: its own */
	const char *replay;
	uint64_t random; /* executions; 0: search */
	uint64_t seed;
	uint64_t limit; /* executions; 0: as the scenario says */
	bool mutated;   /* then the first failure is what was asked for */
	const char *mutation;
	bool deeper;    /* one preemption more, then random executions */
	bool preemptions_given;
	int preemptions;
} options = {.seed = 1};

static const char *program;

/* --- outcomes --------------------------------------------------------------------------------- */

static char outcomes[OUTCOMES_MAX][16];
static int outcome_count;

void model_outcome(const char *format, ...)
{
	char text[16];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	TRACE("outcome %s", text);
	for (int i = 0; i < outcome_count; i++)
		if (!strcmp(outcomes[i], text))
			return;
	if (outcome_count == OUTCOMES_MAX)
		engine_fail("more than %d outcomes", OUTCOMES_MAX);
	strcpy(outcomes[outcome_count++], text);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static const char *outcomes_seen(void)
{
	static char text[OUTCOMES_MAX * 17];
	size_t length = 0;

	text[0] = '\0';
	qsort(outcomes, (size_t)outcome_count, sizeof *outcomes, compare);
	for (int i = 0; i < outcome_count; i++)
		length += (size_t)sprintf(text + length, "%s%s", i ? " " : "", outcomes[i]);
	return text;
}

/* --- sites ------------------------------------------------------------------------------------ */

extern struct explorer_site __start_explorer_sites[] __attribute__((weak));
extern struct explorer_site __stop_explorer_sites[] __attribute__((weak));

/* Every operation on an atomic in the code under test: FILE:LINE OPERATION. */
static void list_sites(void)
{
	for (const struct explorer_site *s = __start_explorer_sites; s < __stop_explorer_sites; s++)
		printf("%s:%d %s %d\n", s->file, s->line, s->operation, s->order);
}

/* FILE:LINE=ORDER, as a number: the operations there obey that order from now on. The scenarios
 * that must fail anyway tell nothing about it. */
static bool mutate(const char *text)
{
	const char *equals = strchr(text, '=');
	const char *colon = equals ? memrchr(text, ':', (size_t)(equals - text)) : NULL;
	bool found = false;

	if (!colon)
		return false;
	for (struct explorer_site *s = __start_explorer_sites; s < __stop_explorer_sites; s++)
		if (s->line == atoi(colon + 1) && strlen(s->file) == (size_t)(colon - text) &&
		    !strncmp(s->file, text, (size_t)(colon - text))) {
			s->order = atoi(equals + 1);
			found = options.mutated = true;
			options.mutation = text;
		}
	return found;
}

/* --- one scenario ----------------------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct report {
	uint64_t executions;
	uint64_t pruned;
	bool complete;
	bool failed;
	double took_s;
};

/* Learns which places are shared by a few random executions, so that the search seldom begins
 * again. True where one of them failed. */
static bool learn(void)
{
	plain_forget_shared();
	search_begin_random(1);
	for (int i = 0; i < 100; i++) {
		bool passed = engine_run();

		search_next();
		if (!passed)
			return true;
	}
	return false;
}

static struct report explore(const struct model_scenario *scenario)
{
	uint64_t enough = scenario->enough ? scenario->enough : ENOUGH;
	struct report report = {0};
	double start = seconds();

	if (options.limit)
		enough = options.limit;
	x.scenario = scenario;
	x.preemptions = options.preemptions_given ? options.preemptions : scenario->preemptions;
	if (options.deeper && x.preemptions != MODEL_ALL)
		x.preemptions++;
	report.failed = learn();
	outcome_count = 0;
	if (options.random) {
		enough = options.random;
		search_begin_random(options.seed);
	} else {
		search_begin();
	}
	while (!report.failed) {
		report.failed = !engine_run();
		report.executions += !x.pruned;
		report.pruned += x.pruned;
		if (report.failed)
			break;
		if (x.grown && !options.random)
			report.executions = report.pruned = 0;
		if (!search_next()) {
			report.complete = true;
			break;
		}
		if (report.executions + report.pruned >= enough)
			break;
	}
	report.took_s = seconds() - start;
	return report;
}

/* The choices of this execution, cut short: nobody reads those of a livelock to the end. */
static const char *choices(void)
{
	static char text[CHOICES_SHOWN + 4];
	const char *all = search_string();
	int length = CHOICES_SHOWN;

	if (strlen(all) <= CHOICES_SHOWN)
		return all;
	while (all[length] < 'a') /* a letter begins each run */
		length--;
	snprintf(text, sizeof text, "%.*s...", length, all);
	return text;
}

static const char *bound(void)
{
	static char text[48];

	if (options.random)
		snprintf(text, sizeof text, "random, seed %llu", (unsigned long long)options.seed);
	else if (x.preemptions == MODEL_ALL)
		strcpy(text, "all schedules");
	else
		snprintf(text, sizeof text, "%d preemptions", x.preemptions);
	return text;
}

/* What is wrong with how the exploration ended, or NULL. */
static const char *verdict(const struct model_scenario *scenario, const struct report *report)
{
	static char text[2 * sizeof x.text];

	if (scenario->fails) {
		if (report->failed && strstr(x.failure, scenario->fails))
			return NULL;
		snprintf(text, sizeof text, "should have failed with \"%s\", but %s%s",
			 scenario->fails, report->failed ? "said " : "passed",
			 report->failed ? x.failure : "");
		return text;
	}
	if (report->failed)
		return x.failure;
	/* deeper than the scenario says there may be more of them, at random or cut off fewer */
	if (scenario->outcomes && !options.random && !(options.limit && !report->complete) &&
	    !(options.deeper && scenario->preemptions != MODEL_ALL) &&
	    strcmp(scenario->outcomes, outcomes_seen())) {
		snprintf(text, sizeof text, "outcomes should be \"%s\" and are \"%s\"",
			 scenario->outcomes, outcomes_seen());
		return text;
	}
	return NULL;
}

/* Whether the choices of an execution that failed lead there again. */
static bool fails_again(void)
{
	static char text[sizeof x.text];

	strcpy(text, x.failure);
	return search_begin_replay(search_string()) && !engine_run() && !strcmp(text, x.failure);
}

static void print_how_to_see_it(const struct model_scenario *scenario)
{
	printf("to see it: tests/model/replay %s/%s:%s", program, scenario->name, choices());
	if (options.argument)
		printf(" --argument='%s'", options.argument);
	if (options.mutation)
		printf(" --mutate=%s", options.mutation);
	putchar('\n');
}

static bool run_scenario(const struct model_scenario *scenario, struct report *report)
{
	const char *wrong;

	printf("test: %s\n", scenario->name);
	*report = explore(scenario);
	wrong = verdict(scenario, report);
	if (!wrong && report->failed && !fails_again())
		wrong = "it failed as it should, but its choices do not lead there again";
	printf("explored: %s/%s: %llu executions, %llu cut short, %s, %s, %.1f s, %.0f a second\n",
	       program, scenario->name, (unsigned long long)report->executions,
	       (unsigned long long)report->pruned, bound(),
	       report->failed ? "failed" : report->complete ? "complete" : "NOT complete",
	       report->took_s,
	       (double)(report->executions + report->pruned) / (report->took_s + 1e-9));
	if (options.only && outcome_count && !report->failed)
		printf("outcomes: %s\n", outcomes_seen());
	if (wrong) {
		printf("failure: %s [\n%s\n]\n", scenario->name, wrong);
		if (report->failed)
			print_how_to_see_it(scenario);
	} else {
		printf("success: %s\n", scenario->name);
	}
	fflush(stdout);
	return !wrong;
}

/* The same once more, with random choices: few where the search was complete and small. */
static bool run_at_random(const struct model_scenario *scenario, const struct report *searched)
{
	struct report report;
	bool passed;

	options.random = DEEPER;
	if (searched->complete && searched->executions < DEEPER / 100)
		options.random = 10 * searched->executions;
	passed = scenario->fails || run_scenario(scenario, &report);
	options.random = 0;
	return passed;
}

static bool run_one(const struct model_scenario *scenario)
{
	struct report report;
	bool passed = run_scenario(scenario, &report);

	if (options.deeper)
		passed = run_at_random(scenario, &report) && passed;
	return passed;
}

/* The scenario with each argument of the command line: what they should come to is not known. */
static bool run_with_arguments(const struct model_scenario *scenario, int count, char **arguments)
{
	struct model_scenario other = *scenario;
	bool passed = true;

	other.fails = other.outcomes = NULL;
	for (int i = 1; i < count; i++)
		if (!strncmp(arguments[i], "--argument=", 11)) {
			options.argument = other.argument = arguments[i] + 11;
			passed = run_one(&other) && passed;
		}
	return passed;
}

/* --- replay ----------------------------------------------------------------------------------- */

static int replay(const char *string)
{
	const char *colon = strchr(string, ':');

	for (const struct model_scenario *s = model_scenarios; colon && s->name; s++) {
		struct model_scenario scenario = *s;

		if (strlen(s->name) != (size_t)(colon - string) ||
		    strncmp(s->name, string, (size_t)(colon - string)))
			continue;
		if (!search_begin_replay(colon + 1))
			break;
		if (options.argument)
			scenario.argument = options.argument;
		x.scenario = &scenario;
		x.preemptions = MODEL_ALL;
		trace_on = true;
		if (!engine_run())
			return 1;
		printf("passed\n");
		return 0;
	}
	fprintf(stderr, "%s: no scenario and choices: %s\n", program, string);
	return 2;
}

/* --- command line ----------------------------------------------------------------------------- */

static int usage(void)
{
	fprintf(stderr,
		"usage: %s [--list] [--sites] [--preemptions=N|all]\n"
		"  [--scenario=NAME [--argument=TEXT]...]\n"
		"  [--limit=EXECUTIONS] [--random=EXECUTIONS [--seed=N]] [--deeper]\n"
		"  [--mutate=FILE:LINE=ORDER | --as-mutant] [--replay=SCENARIO:CHOICES]\n",
		program);
	return 2;
}

/* The program cannot go on: the stack it is on, and what it holds, may be broken. */
static void on_crash(int signal)
{
	printf("failure: %s [\nsignal %d in the code under test\n]\n",
	       x.scenario ? x.scenario->name : "none", signal);
	if (x.scenario)
		print_how_to_see_it(x.scenario);
	fflush(stdout);
	_exit(1);
}

static void catch_crashes(void)
{
	static char stack[65536];
	const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
	const struct sigaction action = {.sa_handler = on_crash,
					 .sa_flags = SA_ONSTACK | SA_RESETHAND};

	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGABRT, &action, NULL);
}

static uint64_t read_number(const char *text, uint64_t most)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || number > most) {
		fprintf(stderr, "%s: %s is no number, or too large\n", program, text);
		exit(2);
	}
	return number;
}

/* One argument; -1 to go on, else the exit status. */
static int read_option(const char *argument)
{
	const char *value = strchr(argument, '=');

	value = value ? value + 1 : "";
	if (!strcmp(argument, "--list")) {
		for (const struct model_scenario *s = model_scenarios; s->name; s++)
			puts(s->name);
		return 0;
	}
	if (!strcmp(argument, "--sites")) {
		list_sites();
		return 0;
	}
	if (!strncmp(argument, "--scenario=", 11)) {
		options.only = value;
	} else if (!strncmp(argument, "--argument=", 11)) {
		options.argument = value;
	} else if (!strcmp(argument, "--preemptions=all")) {
		options.preemptions_given = true;
		options.preemptions = MODEL_ALL;
	} else if (!strncmp(argument, "--preemptions=", 14)) {
		options.preemptions_given = true;
		options.preemptions = (int)read_number(value, 1000);
	} else if (!strncmp(argument, "--limit=", 8)) {
		options.limit = read_number(value, UINT64_MAX);
	} else if (!strncmp(argument, "--random=", 9)) {
		options.random = read_number(value, UINT64_MAX);
	} else if (!strncmp(argument, "--seed=", 7)) {
		options.seed = read_number(value, UINT64_MAX);
	} else if (!strncmp(argument, "--replay=", 9)) {
		options.replay = value;
	} else if (!strcmp(argument, "--deeper")) {
		options.deeper = true;
	} else if (!strcmp(argument, "--as-mutant")) {
		options.mutated = true;
	} else if (strncmp(argument, "--mutate=", 9) || !mutate(value)) {
		return usage();
	}
	return -1;
}

int main(int count, char **arguments)
{
	bool passed = true;
	bool any = false;

	program = strrchr(arguments[0], '/') ? strrchr(arguments[0], '/') + 1 : arguments[0];
	for (int i = 1; i < count; i++) {
		int status = read_option(arguments[i]);

		if (status >= 0)
			return status;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	plain_init();
	catch_crashes();
	if (options.argument && !options.only && !options.replay)
		return usage();
	if (options.replay)
		return replay(options.replay);
	for (const struct model_scenario *s = model_scenarios; s->name; s++) {
		if (options.only ? strcmp(options.only, s->name) : options.mutated && s->fails)
			continue;
		if (options.argument)
			passed = run_with_arguments(s, count, arguments) && passed;
		else
			passed = run_one(s) && passed;
		any = true;
		if (!passed && options.mutated)
			break;
	}
	if (!any) {
		fprintf(stderr, "%s: there is no such scenario: see --list\n", program);
		return 2;
	}
	return passed ? 0 : 1;
}
