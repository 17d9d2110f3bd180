/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/timetable.h"

#include <errno.h>
#include <stdlib.h>

int timetable_reserve(struct timetable *table)
{
	size_t room = table->room ? table->room * 2 : 16;
	struct timetable_slot *slots;

	if (table->count < table->room)
		return 0;
	slots = reallocarray(table->slots, room, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	table->slots = slots;
	table->room = room;
	return 0;
}

void timetable_free(struct timetable *table)
{
	free(table->slots);
	*table = (struct timetable){};
}

static void put(struct timetable *table, size_t place, struct timetable_slot slot)
{
	table->slots[place] = slot;
	slot.entry->place = place + 1;
}

/* Moves `slot` from the hole at `place` up to where it belongs; returns that place. */
static size_t rise(struct timetable *table, size_t place, struct timetable_slot slot)
{
	while (place) {
		size_t parent = (place - 1) / 2;

		if (table->slots[parent].due <= slot.due)
			break;
		put(table, place, table->slots[parent]);
		place = parent;
	}
	put(table, place, slot);
	return place;
}

static void sink(struct timetable *table, size_t place, struct timetable_slot slot)
{
	for (;;) {
		size_t child = place * 2 + 1;

		if (child >= table->count)
			break;
		if (child + 1 < table->count &&
		    table->slots[child + 1].due < table->slots[child].due)
			child++;
		if (slot.due <= table->slots[child].due)
			break;
		put(table, place, table->slots[child]);
		place = child;
	}
	put(table, place, slot);
}

void timetable_set(struct timetable *table, struct timetable_entry *entry, uint64_t due)
{
	const struct timetable_slot slot = { .due = due, .entry = entry };
	size_t place = entry->place ? entry->place - 1 : table->count++;

	if (rise(table, place, slot) == place)
		sink(table, place, slot);
}

void timetable_remove(struct timetable *table, struct timetable_entry *entry)
{
	struct timetable_slot last;
	size_t place = entry->place - 1;

	if (!entry->place)
		return;
	entry->place = 0;
	last = table->slots[--table->count];
	if (last.entry == entry)
		return;
	if (rise(table, place, last) == place)
		sink(table, place, last);
}
