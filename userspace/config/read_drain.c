/* SPDX-License-Identifier: GPL-2.0-only */
/* `drain`: how connections of a color that gets no new ones are brought to their end. */
#include <string.h>

#include "config/read.h"

#define AT(field) offsetof(struct drain_policy, field)

/* A length of time, or a word that stands for a value. */
static int read_time_or(struct reader *reader, const yaml_node_t *node, const struct key *key,
			unsigned int *ms, const char *word, unsigned int value)
{
	const char *text = reader_word(reader, node);
	char shortest[DURATION_TEXT], longest[DURATION_TEXT];
	struct failure ignored;
	bool is_time;

	if (!text)
		return -1;
	if (!strcmp(text, word)) {
		*ms = value;
		return 0;
	}
	is_time = !duration_parse(ms, text, "", &ignored);
	if (is_time && *ms >= key->least && *ms <= key->most)
		return 0;
	return reader_reject(reader, node, "is %s; allowed: %s, %s..%s",
			     is_time ? "out of range" : "not a length of time", word,
			     duration_format(shortest, key->least),
			     duration_format(longest, key->most));
}

static int read_timeout(struct reader *reader, const yaml_node_t *node, const struct key *key,
			void *target)
{
	return read_time_or(reader, node, key, field_at(target, key), "inf", DRAIN_FOREVER);
}

static int read_time(struct reader *reader, const yaml_node_t *node, const struct key *key,
		     void *target)
{
	return read_time_or(reader, node, key, field_at(target, key), "off", 0);
}

static int read_at_deadline(struct reader *reader, const yaml_node_t *node, const struct key *key,
			    void *target)
{
	static const char *const words[] = { "reset", "keep", NULL };
	enum at_deadline *deadline = field_at(target, key);
	int choice = reader_choice(reader, node, words);

	if (choice < 0)
		return -1;
	*deadline = deadline_parse(words[choice]);
	return 0;
}

static const struct key drain_keys[] = {
	{ "timeout", read_timeout, AT(timeout_ms), 0, DURATION_MAX_MS, 1 },
	{ "at_deadline", read_at_deadline, AT(at_deadline), .where = 1 },
	{ "close_idle", read_time, AT(close_idle_ms), 10, DURATION_MAX_MS, 1 },
	{ "over", read_time, AT(over_ms), 10, DURATION_MAX_MS, 1 },
	{},
};

/* What was chosen last is where the mistake is. */
static int check_over(struct reader *reader, const struct fields *fields,
		      const struct drain_policy *drain)
{
	char over[DURATION_TEXT], timeout[DURATION_TEXT];

	if (drain->over_ms <= drain->timeout_ms)
		return 0;
	duration_format(over, drain->over_ms);
	duration_format(timeout, drain->timeout_ms);
	if (fields_is_own(fields, "over") || !fields_is_own(fields, "timeout")) {
		reader_enter(reader, "over");
		return reader_reject(reader, fields_find(fields, "over"),
				     "is longer than the drain's timeout, %s", timeout);
	}
	reader_enter(reader, "timeout");
	return reader_reject(reader, fields_find(fields, "timeout"),
			     "is shorter than the 'over' of the defaults, %s", over);
}

int read_drain(struct reader *reader, const yaml_node_t *own, const yaml_node_t *defaults,
	       struct drain_policy *drain)
{
	struct fields fields = { .table = drain_keys }, inherited;

	if (own && fields_collect(reader, &fields, drain_keys, ~0u, own))
		return -1;
	if (defaults) {
		if (fields_collect(reader, &inherited, drain_keys, ~0u, defaults))
			return -1;
		fields_inherit(&fields, &inherited);
	}
	return fields_read(reader, &fields, drain) ? -1 : check_over(reader, &fields, drain);
}
