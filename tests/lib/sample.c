/* SPDX-License-Identifier: GPL-2.0-only */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

void sample_sort(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
}

double sample_percentile(const double *values, size_t count, unsigned int percent)
{
	return values[(count - 1) * percent / 100];
}

double sample_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The value of the first "model name" line, as x86 has it. */
static void read_cpu(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(name, size, "unnamed CPU");
	while (file && fgets(line, sizeof(line), file)) {
		const char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !value)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", value + 2);
		break;
	}
	if (file)
		fclose(file);
}

const char *sample_machine(void)
{
	static char text[512];
	struct utsname system;
	char cpu[256];

	uname(&system);
	read_cpu(cpu, sizeof(cpu));
	snprintf(text, sizeof(text), "Linux %s, %ld CPUs: %s", system.release,
		 sysconf(_SC_NPROCESSORS_ONLN), cpu);
	return text;
}
