/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values that must not be shown: kept as a reference to where they are, and
 * read when they are used. Their text never enters messages, state or status.
 */
#ifndef BGSWITCH_SECRET_H
#define BGSWITCH_SECRET_H

#include "failure.h"

enum secret_source {
	SECRET_LITERAL, /* no secret: the value itself */
	SECRET_FILE, /* the first line of a file that only its owner may read */
	SECRET_ENVIRONMENT, /* a variable's value */
	SECRET_CREDENTIAL, /* a file in $CREDENTIALS_DIRECTORY: systemd's LoadCredential= */
};

struct secret {
	enum secret_source source;
	char *text; /* owned: the value, path, variable or name */
};

/*
 * Reads the value into `*value` (secret_wipe() it). A file that others than its
 * owner may read, one that is no regular file, and a value with control
 * characters are refused by name.
 */
int secret_read(const struct secret *secret, char **value, struct failure *failure);

/* Overwrites and frees a value; NULL is fine. */
void secret_wipe(char *value);

void secret_free(struct secret *secret);

#endif
