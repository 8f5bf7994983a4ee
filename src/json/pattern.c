/*
 * pattern.c
 *	  Regular expressions of JSON Schema; see pattern.h.
 *
 * The server's engine compiles to automata, so no pattern takes exponential time on a text; what would need
 * backtracking (back references) is refused.  Classes are written out as ranges, because the server's depend on a
 * locale; only \p{..} uses them, with the ICU root locale, whose classes are the general categories of Unicode.
 * Until 15 the engine uses malloc, so a callback of the memory context frees what was compiled.
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "regex/regex.h"
#include "utils/memutils.h"

#include "json/pattern.h"

#define SHORT_TEXT		256			/* characters; longer texts are converted in memory of their own */
#define REPEAT_LIMIT	255			/* DUPMAX of the server */
#define REPEAT_CHUNKS	16
#define PATTERN_LIMIT	4096		/* bytes */

struct PhRegex
{
	regex_t		regex;
	MemoryContextCallback callback;
};

typedef struct Translation
{
	const char *at;
	const char *end;
	StringInfoData out;
	int			atom;				/* where the last thing that can be repeated begins in out; -1: there is none */
	int			depth;
	bool		unicode;
	bool		boundary;
	const char *reason;				/* NULL: good so far */
} Translation;

static void translate_alternatives(Translation *t);

static void
refuse(Translation *t, const char *reason)
{
	if (t->reason == NULL)
		t->reason = reason;
	t->at = t->end;
}

static bool
next_is(Translation *t, const char *text)
{
	size_t		n = strlen(text);

	return t->end - t->at >= (ptrdiff_t) n && memcmp(t->at, text, n) == 0;
}

/* ---- characters ---- */

/* One character by its code point. */
static void
put_code(Translation *t, uint32 code)
{
	if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
		refuse(t, "a character in it cannot occur in a text");
	else if (code > 0x7F && GetDatabaseEncoding() != PG_UTF8)
		refuse(t, "escapes beyond ASCII need a database with encoding UTF8");
	else
		appendStringInfo(&t->out, "\\U%08X", code);
}

static bool
read_hex(Translation *t, int digits, uint32 *code)
{
	int			i;

	*code = 0;
	for (i = 0; i < digits; i++)
	{
		char		c = t->at < t->end ? *t->at : '\0';

		if (c >= '0' && c <= '9')
			*code = *code * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*code = *code * 16 + ((c | 0x20) - 'a' + 10);
		else
			return false;
		t->at++;
	}
	return true;
}

static bool
read_braced_hex(Translation *t, uint32 *code)
{
	int			n = 0;

	*code = 0;
	for (t->at++; t->at < t->end && *t->at != '}'; n++)
	{
		uint32		digit;

		if (n == 8 || !read_hex(t, 1, &digit))
			return false;
		*code = *code * 16 + digit;
	}
	if (n == 0 || t->at == t->end)
		return false;
	t->at++;
	return true;
}

/* After \u: XXXX, a pair of surrogates, or {X..}. */
static void
translate_unicode(Translation *t)
{
	uint32		code;
	uint32		low;

	if (next_is(t, "{") ? !read_braced_hex(t, &code) : !read_hex(t, 4, &code))
	{
		refuse(t, "\\u is not followed by a code point");
		return;
	}
	if (code >= 0xD800 && code <= 0xDBFF && next_is(t, "\\u"))
	{
		t->at += 2;
		if (!read_hex(t, 4, &low) || low < 0xDC00 || low > 0xDFFF)
		{
			refuse(t, "half of a surrogate pair is missing");
			return;
		}
		code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
	}
	put_code(t, code);
}

/* An escape that stands for one character, after its backslash; false when it is none. */
static bool
translate_character_escape(Translation *t)
{
	char		c = *t->at;
	uint32		code;

	if (c == 't' || c == 'n' || c == 'r' || c == 'f' || c == 'v')
	{
		appendStringInfo(&t->out, "\\%c", c);
		t->at++;
	}
	else if (c >= ' ' && c <= '~' && !isalnum((unsigned char) c))
	{
		/* Any other than a letter or digit stands for itself; ECMA without flag u allows more than with it. */
		appendStringInfo(&t->out, "\\%c", c);
		t->at++;
	}
	else if (c == 'x')
	{
		t->at++;
		if (read_hex(t, 2, &code))
			put_code(t, code);
		else
			refuse(t, "\\x is not followed by two hexadecimal digits");
	}
	else if (c == 'u')
	{
		t->at++;
		translate_unicode(t);
	}
	else if (c == 'c' && t->end - t->at > 1 && (t->at[1] | 0x20) >= 'a' && (t->at[1] | 0x20) <= 'z')
	{
		put_code(t, t->at[1] & 0x1F);
		t->at += 2;
	}
	else
		return false;
	return true;
}

/* ---- classes ---- */

/* Members of \d \w \s and of their complements, as ranges for within brackets; NULL when c is none of them. */
static const char *
class_ranges(char c)
{
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;

	switch (c)
	{
		case 'd':
			return "0-9";
		case 'D':
			return utf8 ? "\\U00000001-/:-\\U0010FFFF" : "\\U00000001-/:-\\U0000007F";
		case 'w':
			return "A-Za-z0-9_";
		case 'W':
			return utf8 ? "\\U00000001-/:-@\\U0000005B-\\U0000005E`\\U0000007B-\\U0010FFFF" :
				"\\U00000001-/:-@\\U0000005B-\\U0000005E`\\U0000007B-\\U0000007F";
		case 's':
			return utf8
					   ? "\\U00000009-\\U0000000D \\U000000A0\\U00001680\\U00002000-\\U0000200A\\U00002028\\U00002029"
						 "\\U0000202F\\U0000205F\\U00003000\\U0000FEFF"
					   : "\\U00000009-\\U0000000D ";
		case 'S':
			return utf8 ? "\\U00000001-\\U00000008\\U0000000E-\\U0000001F!-\\U0000009F\\U000000A1-\\U0000167F"
				"\\U00001681-\\U00001FFF\\U0000200B-\\U00002027\\U0000202A-\\U0000202E\\U00002030-\\U0000205E"
				"\\U00002060-\\U00002FFF\\U00003001-\\U0000FEFE\\U0000FF00-\\U0010FFFF" :
				"\\U00000001-\\U00000008\\U0000000E-\\U0000001F!-\\U0000007F";
	}
	return NULL;
}

/* \p{Name}: the server's class with the same members in the ICU root locale. */
static const char *
property_class(Translation *t)
{
	static const char *const names[][2] = {
		{"L", "[:alpha:]"}, {"Letter", "[:alpha:]"}, {"Lu", "[:upper:]"}, {"Uppercase_Letter", "[:upper:]"},
		{"Ll", "[:lower:]"}, {"Lowercase_Letter", "[:lower:]"}, {"Nd", "[:digit:]"}, {"Decimal_Number", "[:digit:]"},
		{"P", "[:punct:]"}, {"Punctuation", "[:punct:]"}
	};
	const char *name;
	size_t		length;
	int			i;

	if (!next_is(t, "{") || (name = t->at + 1, memchr(name, '}', t->end - name) == NULL))
	{
		refuse(t, "\\p is not followed by {name}");
		return NULL;
	}
	t->at = memchr(name, '}', t->end - name);
	length = t->at++ - name;
	if (length > 17 && strncmp(name, "General_Category=", 17) == 0)
	{
		name += 17;
		length -= 17;
	}
	for (i = 0; i < lengthof(names); i++)
	{
		if (strlen(names[i][0]) == length && strncmp(names[i][0], name, length) == 0)
		{
			t->unicode = true;
			return names[i][1];
		}
	}
	refuse(t, "only the Unicode properties L, Lu, Ll, Nd and P are known");
	return NULL;
}

/* One member of a bracket; *single: it can be the end of a range. */
static void
translate_member(Translation *t, bool *single)
{
	const char *ranges;
	int			n;

	*single = true;
	if (*t->at != '\\')
	{
		if (strchr("\\[]^-", *t->at) != NULL)
			appendStringInfoChar(&t->out, '\\');
		n = Min(pg_mblen(t->at), (int) (t->end - t->at));
		appendBinaryStringInfo(&t->out, t->at, n);
		t->at += n;
		return;
	}
	if (++t->at == t->end)
		refuse(t, "it ends with a backslash");
	else if ((ranges = class_ranges(*t->at)) != NULL)
	{
		*single = false;
		appendStringInfoString(&t->out, ranges);
		t->at++;
	}
	else if (*t->at == 'p')
	{
		*single = false;
		t->at++;
		ranges = property_class(t);
		appendStringInfoString(&t->out, ranges == NULL ? "" : ranges);
	}
	else if (*t->at == 'b')
	{
		put_code(t, '\b');
		t->at++;
	}
	else if (!translate_character_escape(t))
		refuse(t, "it has an unknown escape within brackets");
}

static void
translate_bracket(Translation *t)
{
	bool		single;

	t->atom = t->out.len;
	t->at++;
	if (next_is(t, "]"))
	{
		refuse(t, "brackets without members match nothing");
		return;
	}
	if (next_is(t, "^]"))
	{
		appendStringInfo(&t->out, "[\\U00000001-\\U%08X]", GetDatabaseEncoding() == PG_UTF8 ? 0x10FFFF : 0x7F);
		t->at += 2;
		return;
	}
	appendStringInfoChar(&t->out, '[');
	if (next_is(t, "^"))
	{
		appendStringInfoChar(&t->out, '^');
		t->at++;
	}
	while (t->at < t->end && *t->at != ']')
	{
		translate_member(t, &single);
		if (t->end - t->at > 1 && *t->at == '-' && t->at[1] != ']')
		{
			if (!single)
			{
				refuse(t, "a class cannot be the end of a range");
				return;
			}
			t->at++;
			appendStringInfoChar(&t->out, '-');
			translate_member(t, &single);
			if (!single)
				refuse(t, "a class cannot be the end of a range");
		}
	}
	if (t->at == t->end)
	{
		refuse(t, "a bracket is not closed");
		return;
	}
	t->at++;
	appendStringInfoChar(&t->out, ']');
}

/* ---- outside brackets ---- */

static void
translate_escape(Translation *t)
{
	const char *ranges;
	bool		negated;

	if (++t->at == t->end)
	{
		refuse(t, "it ends with a backslash");
		return;
	}
	t->atom = t->out.len;
	if ((ranges = class_ranges(*t->at)) != NULL)
	{
		appendStringInfo(&t->out, "[%s]", ranges);
		t->at++;
	}
	else if (*t->at == 'p' || *t->at == 'P')
	{
		negated = *t->at++ == 'P';
		ranges = property_class(t);
		appendStringInfo(&t->out, negated ? "[^%s]" : "[%s]", ranges == NULL ? "" : ranges);
	}
	else if (*t->at == 'b' || *t->at == 'B')
	{
		t->boundary = true;
		t->atom = -1;
		appendStringInfoString(&t->out, *t->at++ == 'b' ? "\\y" : "\\Y");
	}
	else if ((*t->at >= '0' && *t->at <= '9') || *t->at == 'k')
		refuse(t, "back references are not supported");
	else if (!translate_character_escape(t))
		refuse(t, "it has an unknown escape");
}

/* The beginning of a group, up to what it contains. */
static void
translate_open(Translation *t)
{
	static const char *const kinds[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!"};
	int			i;

	if (!next_is(t, "(?"))
	{
		appendStringInfoString(&t->out, "(?:");
		t->at++;
		return;
	}
	for (i = 0; i < lengthof(kinds); i++)
	{
		if (next_is(t, kinds[i]))
		{
			appendStringInfoString(&t->out, kinds[i]);
			t->at += strlen(kinds[i]);
			return;
		}
	}
	if (next_is(t, "(?<") && memchr(t->at, '>', t->end - t->at) != NULL)
	{
		appendStringInfoString(&t->out, "(?:");
		t->at = (const char *) memchr(t->at, '>', t->end - t->at) + 1;
		return;
	}
	refuse(t, "it has an unknown kind of group");
}

/* {n}, {n,} or {n,m}; returns false when the text is something else. */
static bool
read_bounds(Translation *t, int *low, int *high)
{
	const char *p = t->at + 1;
	int		   *into = low;

	*low = *high = -1;
	for (; p < t->end && *p != '}'; p++)
	{
		if (*p == ',' && into == low && *low >= 0)
		{
			into = high;
			continue;
		}
		if (*p < '0' || *p > '9')
			return false;
		*into = Min(Max(*into, 0) * 10 + (*p - '0'), 1000000);
	}
	if (p == t->end || *low < 0)
		return false;
	if (into == low)
		*high = *low;
	t->at = p + 1;
	return true;
}

/* The atom again and again, in portions that the server allows; high -1: no limit. */
static void
put_repetition(Translation *t, int low, int high, const char *lazy)
{
	char	   *atom = pstrdup(t->out.data + t->atom);
	int			optional = high < 0 ? 0 : high - low;

	if (Max(low, high) > REPEAT_LIMIT * REPEAT_CHUNKS)
	{
		refuse(t, "it repeats something more than 4080 times");
		return;
	}
	t->out.len = t->atom;
	t->out.data[t->out.len] = '\0';
	appendStringInfoString(&t->out, "(?:");
	for (; low > REPEAT_LIMIT; low -= REPEAT_LIMIT)
		appendStringInfo(&t->out, "%s{%d}", atom, REPEAT_LIMIT);
	for (; optional > REPEAT_LIMIT; optional -= REPEAT_LIMIT)
		appendStringInfo(&t->out, "%s{0,%d}%s", atom, REPEAT_LIMIT, lazy);
	if (high < 0)
		appendStringInfo(&t->out, "%s{%d,}%s", atom, low, lazy);
	else if (low + optional <= REPEAT_LIMIT)
		appendStringInfo(&t->out, "%s{%d,%d}%s", atom, low, low + optional, lazy);
	else
		appendStringInfo(&t->out, "%s{%d}%s{0,%d}%s", atom, low, atom, optional, lazy);
	appendStringInfoChar(&t->out, ')');
	pfree(atom);
}

static void
translate_quantifier(Translation *t)
{
	char		c = *t->at;
	int			low = 0;
	int			high = -1;

	if (c == '{' && !read_bounds(t, &low, &high))
	{
		refuse(t, "a brace is not a quantifier; write \\{");
		return;
	}
	if (t->atom < 0)
	{
		refuse(t, "a quantifier follows nothing that can be repeated");
		return;
	}
	if (c == '{' && high >= 0 && high < low)
	{
		refuse(t, "the bounds of a quantifier are out of order");
		return;
	}
	if (c != '{')
	{
		t->at++;
		appendStringInfoChar(&t->out, c);
		if (next_is(t, "?"))
			appendStringInfoChar(&t->out, *t->at++);
	}
	else
	{
		bool		lazy = next_is(t, "?");

		t->at += lazy;
		put_repetition(t, low, high, lazy ? "?" : "");
	}
	t->atom = -1;
}

static void
translate_group(Translation *t)
{
	int			start = t->out.len;
	bool		look = next_is(t, "(?=") || next_is(t, "(?!") || next_is(t, "(?<=") || next_is(t, "(?<!");

	check_stack_depth();
	translate_open(t);
	t->depth++;
	translate_alternatives(t);
	t->depth--;
	if (t->at == t->end)
	{
		refuse(t, "a parenthesis is not closed");
		return;
	}
	t->at++;
	appendStringInfoChar(&t->out, ')');
	t->atom = look ? -1 : start;
}

/* Alternatives up to the end or to the parenthesis that closes the group. */
static void
translate_alternatives(Translation *t)
{
	int			n;

	t->atom = -1;
	while (t->at < t->end)
	{
		switch (*t->at)
		{
			case ')':
				if (t->depth == 0)
					refuse(t, "a parenthesis is not opened");
				return;
			case '(':
				translate_group(t);
				break;
			case '[':
				translate_bracket(t);
				break;
			case '\\':
				translate_escape(t);
				break;
			case '*':
			case '+':
			case '?':
			case '{':
				translate_quantifier(t);
				break;
			case '^':
			case '$':
			case '|':
				appendStringInfoChar(&t->out, *t->at++);
				t->atom = -1;
				break;
			case '.':
				t->atom = t->out.len;
				appendStringInfoString(&t->out, GetDatabaseEncoding() == PG_UTF8 ?
									   "[^\\n\\r\\U00002028\\U00002029]" : "[^\\n\\r]");
				t->at++;
				break;
			case ']':
			case '}':
				t->atom = t->out.len;
				appendStringInfo(&t->out, "\\%c", *t->at++);
				break;
			default:
				t->atom = t->out.len;
				n = Min(pg_mblen(t->at), (int) (t->end - t->at));
				appendBinaryStringInfo(&t->out, t->at, n);
				t->at += n;
		}
	}
}

char *
ph_regex_translate(const char *pattern, int length, bool *unicode, const char **reason)
{
	Translation t = {0};

	if (length > PATTERN_LIMIT)
	{
		*reason = "it is longer than 4096 bytes";
		return NULL;
	}
	t.at = pattern;
	t.end = pattern + length;
	initStringInfo(&t.out);
	translate_alternatives(&t);
	if (t.unicode && t.boundary)
		refuse(&t, "\\b cannot be combined with \\p");
	if (t.reason != NULL)
	{
		*reason = t.reason;
		return NULL;
	}
	*unicode = t.unicode;
	return t.out.data;
}

/* ---- compiling and matching ---- */

static void
free_regex(void *arg)
{
	pg_regfree(&((PhRegex *) arg)->regex);
}

PhRegex *
ph_regex_compile(const char *pattern, int length, const char **reason)
{
	bool		unicode;
	char	   *translated = ph_regex_translate(pattern, length, &unicode, reason);
	PhRegex    *result;
	pg_wchar   *wide;
	Oid			collation = C_COLLATION_OID;
	int			n;
	int			code;

	if (translated == NULL)
		return NULL;
	if (unicode)
		collation =
			get_collation_oid(list_make2(makeString(pstrdup("pg_catalog")), makeString(pstrdup("und-x-icu"))), true);
	if (!OidIsValid(collation))
	{
		*reason = "\\p needs a server with ICU and a database with encoding UTF8";
		return NULL;
	}
	result = palloc0(sizeof(PhRegex));
	wide = palloc((strlen(translated) + 1) * sizeof(pg_wchar));
	n = pg_mb2wchar_with_len(translated, wide, strlen(translated));
	code = pg_regcomp(&result->regex, wide, n, REG_ADVANCED | REG_NOSUB, collation);
	pfree(wide);
	if (code != REG_OKAY)
	{
		CHECK_FOR_INTERRUPTS();		/* REG_CANCEL */
		*reason = code == REG_ETOOBIG || code == REG_ECOLORS || code == REG_ESPACE ? "it is too complex" :
			"it is not a regular expression";
		return NULL;
	}
	result->callback.func = free_regex;
	result->callback.arg = result;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &result->callback);
	return result;
}

static int
widen(const char *text, int length, pg_wchar *wide)
{
	int			i;

	for (i = 0; i < length && !IS_HIGHBIT_SET(text[i]); i++)
		wide[i] = (unsigned char) text[i];
	if (i < length)
		return pg_mb2wchar_with_len(text, wide, length);
	wide[length] = 0;
	return length;
}

PhRegexResult
ph_regex_match(PhRegex *regex, const char *text, int length)
{
	pg_wchar	small[SHORT_TEXT + 1];
	pg_wchar   *wide = length <= SHORT_TEXT ? small :
		MemoryContextAllocHuge(CurrentMemoryContext, (length + (Size) 1) * sizeof(pg_wchar));
	int			n = widen(text, length, wide);
	int			code = pg_regexec(&regex->regex, wide, n, 0, NULL, 0, NULL, 0);

	if (wide != small)
		pfree(wide);
	if (code == REG_OKAY)
		return PH_REGEX_MATCH;
	if (code == REG_NOMATCH)
		return PH_REGEX_NO_MATCH;
	CHECK_FOR_INTERRUPTS();			/* REG_CANCEL */
	return PH_REGEX_FAILED;
}
