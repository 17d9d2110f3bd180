/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/changing.h"

#include "datapath/map.h"

static int read_settings(const struct datapath *datapath, struct bgs_settings *settings)
{
	__u32 zero = 0;

	return map_get(datapath->fds[PIN_SETTINGS], &zero, settings);
}

static int write_settings(const struct datapath *datapath, const struct bgs_settings *settings)
{
	__u32 zero = 0;

	return map_put(datapath->fds[PIN_SETTINGS], &zero, settings);
}

int changing_read(const struct datapath *datapath, enum bgs_changing *kind,
		  struct bgs_update *update)
{
	struct bgs_settings settings;
	int err = read_settings(datapath, &settings);

	if (err)
		return err;
	*kind = settings.changing;
	*update = settings.update;
	return 0;
}

int changing_mark(const struct datapath *datapath, enum bgs_changing kind,
		  const struct bgs_update *update)
{
	struct bgs_settings settings;
	int err = read_settings(datapath, &settings);

	if (err)
		return err;
	settings.changing = kind;
	settings.update = update ? *update : (struct bgs_update){};
	return write_settings(datapath, &settings);
}

int changing_take_serial(const struct datapath *datapath, __u64 *serial)
{
	struct bgs_settings settings;
	int err = read_settings(datapath, &settings);

	if (err)
		return err;
	*serial = settings.next_serial++;
	return write_settings(datapath, &settings);
}
