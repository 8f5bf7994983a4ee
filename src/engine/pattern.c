/*
 * pattern.c
 *	  Topic patterns: "production_order.*" takes production_order.released, "#" takes everything.
 *
 * Linear in practice and never worse than the product of the two lengths: only the last "#" is ever tried again,
 * because giving words to an earlier one cannot help when the part between the two has matched already.
 * Pure C: this file cannot throw or allocate.
 */
#include "engine/pattern.h"

#include <stddef.h>
#include <string.h>

#ifdef POSTGRES_H
#error "pattern.c must not include postgres.h"
#endif

static size_t
word_length(const char *at)
{
	return strcspn(at, ".");
}

/* The word after this one, or NULL after the last. */
static const char *
next_word(const char *at)
{
	at += word_length(at);
	return *at == '.' ? at + 1 : NULL;
}

static bool
word_is(const char *at, char wildcard)
{
	return at[0] == wildcard && word_length(at) == 1;
}

static bool
word_matches(const char *pattern, const char *topic)
{
	size_t		length = word_length(pattern);

	if (word_is(pattern, '*'))
		return true;
	return length == word_length(topic) && memcmp(pattern, topic, length) == 0;
}

bool
ph_pattern_matches(const char *pattern, const char *topic)
{
	const char *retry_pattern = NULL;	/* what follows the last "#" */
	const char *retry_topic = NULL;		/* first word that it has not swallowed */
	bool		open = false;			/* whether there was a "#" */

	while (topic != NULL)
	{
		if (pattern != NULL && word_is(pattern, '#'))
		{
			open = true;
			pattern = next_word(pattern);
			retry_pattern = pattern;
			retry_topic = topic;
		}
		else if (pattern != NULL && word_matches(pattern, topic))
		{
			pattern = next_word(pattern);
			topic = next_word(topic);
		}
		else if (open)
		{
			retry_topic = next_word(retry_topic);
			pattern = retry_pattern;
			topic = retry_topic;
		}
		else
			return false;
	}
	while (pattern != NULL && word_is(pattern, '#'))
		pattern = next_word(pattern);
	return pattern == NULL;
}
