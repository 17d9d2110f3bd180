/* SPDX-License-Identifier: GPL-2.0-only */
#include "drain/acts.h"

/* Cookies are counted up: multiplying by an odd constant near 2^64 / golden ratio spreads them. */
bool connection_is_due(const struct bgs_connection *connection, unsigned int share)
{
	return (__u32)((connection->cookie * 0x9e3779b97f4a7c15ULL) >> 32) <= share;
}
