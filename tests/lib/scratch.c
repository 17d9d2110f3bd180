/* SPDX-License-Identifier: GPL-2.0-only */
#include "scratch.h"

#include <err.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int stderr_before = -1, caught = -1;

int scratch_make(void **state)
{
	char *path = strdup("/tmp/bgswitch-test-XXXXXX");

	if (!path || !mkdtemp(path))
		err(99, "mkdtemp");
	*state = path;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

int scratch_remove(void **state)
{
	int err = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return err;
}

const char *scratch_path(char path[PATH_MAX], const char *dir, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

void stderr_catch(void)
{
	stderr_before = dup(STDERR_FILENO);
	caught = memfd_create("stderr", MFD_CLOEXEC);
	if (stderr_before < 0 || caught < 0 || dup2(caught, STDERR_FILENO) < 0)
		err(99, "cannot catch stderr");
}

const char *stderr_end(void)
{
	static char text[4096];
	ssize_t length = pread(caught, text, sizeof(text) - 1, 0);

	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	close(caught);
	text[length > 0 ? length : 0] = '\0';
	return text;
}
