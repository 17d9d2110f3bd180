/* SPDX-License-Identifier: GPL-2.0-only */
#include "probing.h"

#include <err.h>
#include <poll.h>

#include "sample.h"

#define PATIENCE_MS 10000

void tally_result(void *data, const struct check_result *result)
{
	struct tally *tally = data;

	tally->last = *result;
	tally->ended++;
	tally->good += result->ok;
}

struct prober *probing_start(void)
{
	struct failure failure;
	struct prober *prober = prober_new(&failure);

	if (!prober)
		errx(99, "%s; %s", failure.what, failure.next);
	return prober;
}

struct probe *probing_add(struct prober *prober, const struct check *check, const char *address,
			  struct tally *tally)
{
	struct endpoint endpoint;
	struct failure failure;
	struct probe *probe;

	*tally = (struct tally){};
	if (endpoint_parse(&endpoint, address, "test", &failure))
		errx(99, "%s", failure.what);
	probe = prober_add(prober, check, &endpoint, tally_result, tally, &failure);
	if (!probe)
		errx(99, "%s; %s", failure.what, failure.next);
	return probe;
}

static void run_until(struct prober *prober, const struct tally *tally, unsigned int ended,
		      double end)
{
	struct pollfd ready = { .fd = prober_fd(prober), .events = POLLIN };

	while ((!tally || tally->ended < ended) && sample_now() < end) {
		poll(&ready, 1, (int)((end - sample_now()) / 1e6) + 1);
		prober_run(prober);
	}
}

void probing_await(struct prober *prober, const struct tally *tally, unsigned int ended)
{
	run_until(prober, tally, ended, sample_now() + PATIENCE_MS * 1e6);
	if (tally->ended < ended)
		errx(99, "%u of %u results within %d ms", tally->ended, ended, PATIENCE_MS);
}

void probing_run(struct prober *prober, unsigned int ms)
{
	run_until(prober, NULL, 0, sample_now() + ms * 1e6);
}

struct check_result probing_once(const struct check *check, const char *address)
{
	struct prober *prober = probing_start();
	struct tally tally;

	probing_add(prober, check, address, &tally);
	probing_await(prober, &tally, 1);
	prober_free(prober);
	return tally.last;
}
