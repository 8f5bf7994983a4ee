/*
 * test_expression.c
 *	  The parts of expressions that are pure C: JSON text, dates, base64, and the parser with random text.  A plain
 *	  program by default (fixed seed, rounds as argument); with -DLIBFUZZER and clang -fsanitize=fuzzer an entry for
 *	  libFuzzer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/base64.h"
#include "json/datetime.h"
#include "json/json_text.h"
#include "json/parser.h"
#include "tap.h"

/* Blocks of one tree, freed together. */
typedef struct Block
{
	struct Block *next;
	char		data[];
} Block;

static void *
allocate(void *arg, size_t size)
{
	Block	  **first = arg;
	Block	   *block = malloc(sizeof(Block) + size);

	block->next = *first;
	*first = block;
	return block->data;
}

static void
free_blocks(Block *block)
{
	while (block != NULL)
	{
		Block	   *next = block->next;

		free(block);
		block = next;
	}
}

static void
require(bool good)
{
	if (!good)
		abort();
}

/* Whoever walks a tree later relies on this. */
static void
walk(const PhNode *node, size_t length, int depth)
{
	const PhNode *item;
	int			n = 0;

	require(depth <= PH_EXPRESSION_DEPTH && node->offset <= length && node->length >= 0 && node->prepared == NULL);
	for (item = node->list; item != NULL; item = item->next, n++)
		walk(item, length, depth + 1);
	require(n == node->n);
	if (node->left != NULL)
		walk(node->left, length, depth + 1);
	if (node->right != NULL)
		walk(node->right, length, depth + 1);
	if (node->third != NULL)
		walk(node->third, length, depth + 1);
}

static const char *
parse(const char *text, size_t length)
{
	Block	   *blocks = NULL;
	PhSyntax	syntax;
	PhNode	   *node = ph_parser_parse(text, length, false, allocate, &blocks, &syntax);

	require((node == NULL) == (syntax.fault != NULL));
	if (node != NULL)
		walk(node, length, 1);
	else
		require(syntax.offset <= length);
	free_blocks(blocks);
	return syntax.fault;
}

static void
feed_dates(const char *text, size_t length)
{
	PhDateTime	value;
	PhDateTime	again;
	char		out[PH_DATETIME_TEXT];
	size_t		half = length / 2;

	if (ph_datetime_parse(text, half, text + half, length - half, &value) == NULL)
		(void) ph_datetime_format(&value, text + half, length - half, out);
	if (ph_datetime_parse_iso(text, length, &value) != NULL)
		return;
	ph_datetime_format_iso(&value, out);
	require(ph_datetime_parse_iso(out, strlen(out), &again) == NULL);
	require(ph_datetime_to_micros(&value) == ph_datetime_to_micros(&again) && value.offset == again.offset);
	require(ph_datetime_from_micros(ph_datetime_to_micros(&value), &again) && again.day == value.day);
	(void) ph_datetime_format(&value, "IYYY-IW-ID DDD FMHH12:MI:SS.US AM MON", 37, out);
}

static void
feed_base64(const char *text, size_t length)
{
	char	   *encoded = malloc(ph_base64_encoded_length(length) + 1);
	char	   *decoded = malloc(ph_base64_encoded_length(length) + 1);
	size_t		n = ph_base64_encode(text, length, encoded);

	require(n == ph_base64_encoded_length(length));
	require(ph_base64_decode(encoded, n, decoded) == (long) length && memcmp(decoded, text, length) == 0);
	if (ph_base64_decode(text, length, decoded) >= 0)
	{
		n = ph_base64_encode(decoded, ph_base64_decode(text, length, decoded), encoded);
		require(n == length && memcmp(encoded, text, n) == 0);
	}
	free(encoded);
	free(decoded);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size == 0 ? 1 : size);	/* of exactly that size: reading behind it is seen */
	size_t		offset;

	memcpy(text, data, size);
	(void) parse(text, size);
	if (ph_json_text_fault(text, size, false, &offset) != NULL)
		require(offset <= size);
	(void) ph_json_text_number(text, size);
	feed_dates(text, size);
	feed_base64(text, size);
	free(text);
	return 0;
}

#ifndef LIBFUZZER
static void
test_json(void)
{
	static const struct
	{
		const char *text;
		bool		good;
	}			cases[] = {
		{"{\"a\": [1, -2.5e-3, true, null, \"\\u00e4\\ud83d\\ude00\"]}", true}, {" 1 ", true}, {"1e999", true},
		{"1e1000", false}, {"0.000e-990", true}, {"01", false}, {"1.", false}, {".5", false}, {"-", false}, {"+1", false},
		{"1 2", false}, {"{\"a\" 1}", false}, {"{a: 1}", false}, {"[1,]", false}, {"\"\\ud800\"", false},
		{"\"\\u0000\"", false}, {"\"\t\"", false}, {"\"\\x\"", false}, {"\"", false}, {"tru", false}, {"", false},
		{"NaN", false}
	};
	size_t		offset;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check((ph_json_text_fault(cases[i].text, strlen(cases[i].text), false, &offset) == NULL) == cases[i].good,
			  "JSON %s: %s", cases[i].text, cases[i].good ? "good" : "refused");
	check(ph_json_text_fault("\"\\u00e4\"", 8, true, &offset) != NULL && offset == 7, "escapes beyond ASCII can be refused");
}

static void
test_calendar(void)
{
	PhDateTime	value;
	PhDateTime	back;
	int64_t		day;
	int			bad = 0;
	char		out[PH_DATETIME_TEXT];

	/* Every day of 800 years there and back, by date, by day of the year and by ISO week. */
	for (day = -200000; day < 100000 && bad == 0; day++)
	{
		memset(&value, 0, sizeof(value));
		if (!ph_datetime_from_micros(day * 86400 * PH_MICROSECONDS, &value) ||
			ph_datetime_to_micros(&value) != day * 86400 * PH_MICROSECONDS)
			bad++;
		(void) ph_datetime_format(&value, "YYYY DDD", 8, out);
		if (ph_datetime_parse(out, strlen(out), "YYYY DDD", 8, &back) != NULL || back.month != value.month || back.day != value.day)
			bad++;
		(void) ph_datetime_format(&value, "IYYY IW ID", 10, out);
		if (ph_datetime_parse(out, strlen(out), "IYYY IW ID", 10, &back) != NULL || back.month != value.month || back.day != value.day)
			bad++;
	}
	check(bad == 0, "every day from 1422 to 2243 there and back");
	check(!ph_datetime_from_micros(INT64_MAX, &value) && !ph_datetime_from_micros(INT64_MIN, &value), "no years beyond four digits");
}

/* Pieces of expressions, put together at random and then damaged. */
static void
make_text(char *text, size_t size)
{
	static const char *const pieces[] = {"a", "b.c", "[*]", "[]", "[?", "]", "(", ")", "{", "}", "a:", "'x'", "`1`", "`\"", "\"q\"",
		"|", "||", "&&", "!", "==", "<=", "&", "@", "$", "$v", "let $v = ", " in ", ",", ".", "*", "-", "//", "%", "?", ":", "0",
		"1.5e3", "[0]", "[-1]", "[::2]", "sort_by(", "\\", "\xc3\x97", "\xe2\x88\x92", "\xff", "2024-05-01", "T10:00:00",
		"+02:00", "Z", "YYYY", "MM", "DD", "HH24", "FM", "US", "TZH", "\"", "{\"a\": ", "\\u00e4", "\\ud83d", "YQ==", " "};
	size_t		length = 0;
	int			n = rand() % 30;

	text[0] = '\0';
	while (n-- > 0)
	{
		const char *piece = pieces[rand() % (sizeof(pieces) / sizeof(pieces[0]))];

		if (length + strlen(piece) + 1 >= size)
			break;
		length += sprintf(text + length, "%s", piece);
	}
	if (length > 0 && rand() % 4 == 0)
		text[rand() % length] = (char) (rand() % 255 + 1);
}

int
main(int argc, char **argv)
{
	long		rounds = argc > 1 ? atol(argv[1]) : 100000;
	char		text[512];
	long		good = 0;
	long		i;

	test_json();
	test_calendar();
	srand(1);
	for (i = 0; i < rounds; i++)
	{
		make_text(text, sizeof(text));
		good += parse(text, strlen(text)) == NULL;
		LLVMFuzzerTestOneInput((const uint8_t *) text, strlen(text));
	}
	check(good > rounds / 100 && good < rounds, "%ld random texts, %s", rounds, "some of them expressions");
	return done();
}
#endif
