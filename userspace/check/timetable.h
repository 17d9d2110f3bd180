/* SPDX-License-Identifier: GPL-2.0-only */
/* What is due when: a binary heap, smallest time first. Nothing but reserve allocates. */
#ifndef BGSWITCH_TIMETABLE_H
#define BGSWITCH_TIMETABLE_H

#include <stddef.h>
#include <stdint.h>

/* Part of what is due; zeroed before its first use. */
struct timetable_entry {
	size_t place; /* in the heap, from 1; 0: not in it */
};

struct timetable_slot {
	uint64_t due; /* any unit */
	struct timetable_entry *entry;
};

struct timetable {
	struct timetable_slot *slots;
	size_t count, room;
};

/* Makes room for one entry more; 0 or -ENOMEM. */
int timetable_reserve(struct timetable *table);
void timetable_free(struct timetable *table);

/* Enters it, or moves it to another time. */
void timetable_set(struct timetable *table, struct timetable_entry *entry, uint64_t due);
void timetable_remove(struct timetable *table, struct timetable_entry *entry);

/* The one that is due first, NULL when there is none. */
static inline const struct timetable_slot *timetable_first(const struct timetable *table)
{
	return table->count ? table->slots : NULL;
}

#endif
