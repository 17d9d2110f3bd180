/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BGSWITCH_UTF8_H
#define BGSWITCH_UTF8_H

/* Makes text of unknown origin fit to be shown: control characters and what is no UTF-8 become '?'.
 */
void utf8_defuse(char *text);

#endif
