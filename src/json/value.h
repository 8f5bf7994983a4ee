/*
 * value.h
 *	  JSON values while they are computed: what came in stays where it is inside the jsonb, what is new is a tree of
 *	  our own, and the result becomes jsonb once.  Numbers are numeric, never double.
 *
 * A value is 16 bytes, copied freely.  What it points to lives in the jsonb it came from, in the compiled expression,
 * or in the memory context of the evaluation; nothing is freed one by one.
 */
#ifndef PLANTHUB_VALUE_H
#define PLANTHUB_VALUE_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

typedef enum PhValueType
{
	PH_VALUE_NULL,
	PH_VALUE_BOOL,
	PH_VALUE_NUMBER,
	PH_VALUE_STRING,
	PH_VALUE_CONTAINER,			/* array or object inside a jsonb */
	PH_VALUE_ARRAY,				/* our own */
	PH_VALUE_OBJECT,			/* our own */
	PH_VALUE_EXPRESSION			/* "&expression", only as argument of a function */
} PhValueType;

/* The six types of JSON, and expression references. */
typedef enum PhKind
{
	PH_KIND_NULL,
	PH_KIND_BOOLEAN,
	PH_KIND_NUMBER,
	PH_KIND_STRING,
	PH_KIND_ARRAY,
	PH_KIND_OBJECT,
	PH_KIND_EXPRESSION
} PhKind;

typedef struct PhValue
{
	PhValueType type;
	int			length;			/* bytes of a string, which is not terminated, or of a container */
	union
	{
		bool		boolean;
		Numeric		number;
		const char *string;
		JsonbContainer *container;
		struct PhArray *array;
		struct PhObject *object;
		const struct PhNode *expression;
	}			u;
} PhValue;

typedef struct PhArray
{
	int			n;
	int			allocated;
	PhValue    *items;
} PhArray;

typedef struct PhMember
{
	const char *key;
	int			length;
	PhValue		value;
} PhMember;

/* After ph_object_finish() the members are in the order of jsonb: by length of the key, then bytes; no key twice. */
typedef struct PhObject
{
	int			n;
	int			allocated;
	PhMember   *members;
} PhObject;

/* Walks an array or object of either form: start, then next until it returns false. */
typedef struct PhIterator
{
	const PhValue *value;
	JsonbIterator *jsonb;
	int			next;
} PhIterator;

/* ---- making ---- */

extern PhValue ph_value_null(void);
extern PhValue ph_value_bool(bool boolean);
extern PhValue ph_value_number(Numeric number);
extern PhValue ph_value_int(int64 number);
extern PhValue ph_value_string(const char *string, int length);		/* not copied */
extern PhValue ph_value_text(const char *string);					/* terminated; not copied */

/* The whole document or one value of it; points into it, so it must be detoasted and stay. */
extern PhValue ph_value_from_jsonb(Jsonb *jsonb);
extern PhValue ph_value_from_jsonb_value(const JsonbValue *value);

extern PhValue ph_array_new(int expected);
extern void ph_array_append(PhValue *array, const PhValue *item);
extern PhValue ph_object_new(int expected);
extern void ph_object_append(PhValue *object, const char *key, int length, const PhValue *value);	/* key not copied */
extern void ph_object_put(PhValue *object, const char *key, const PhValue *value);	/* terminated key */
extern void ph_object_put_text(PhValue *object, const char *key, const char *text);	/* not copied; NULL: no member */
extern void ph_object_finish(PhValue *object);	/* once, after the last append and before any reading; a later key wins */

/* ---- reading ---- */

extern PhKind ph_value_kind(const PhValue *value);
extern const char *ph_kind_name(PhKind kind);		/* as type() says: null, boolean, number, string, array, object */

/* False, null, "", [] and {} are false; everything else is true, 0 too. */
extern bool ph_value_true(const PhValue *value);

extern int	ph_value_count(const PhValue *value);	/* of elements or members; 0 for scalars */
extern bool ph_value_member(const PhValue *object, const char *key, int length, PhValue *member);	/* false: absent, or no object */
extern bool ph_value_element(const PhValue *array, int64 index, PhValue *element);	/* negative: from the end */

extern void ph_iterate(PhIterator *iterator, const PhValue *value);		/* value must stay until the end */
extern bool ph_iterate_next(PhIterator *iterator, PhMember *member);	/* key NULL for elements */

/*
 * What grows with a value, as opposed to the expression, is paid from a budget of visits; NULL: unlimited.  A value
 * that holds one other many times is small in memory and huge as text, so nothing that walks a whole value is free.
 */

/* Equality of JSON: 1.0 equals 1, members in any order.  Returns false when the budget is spent. */
extern bool ph_value_equal(const PhValue *a, const PhValue *b, int64 *budget, bool *equal);

/* <0, 0, >0 for two numbers or two strings (by code points in UTF-8); only for those. */
extern int	ph_value_compare(const PhValue *a, const PhValue *b);

/* Compact JSON, "a" with its quotes.  Returns false when the budget is spent. */
extern bool ph_value_write(const PhValue *value, StringInfo out, int64 *budget);

/* A string as it is, anything else as JSON; terminated. */
extern char *ph_value_plain(const PhValue *value);

/* One copy of all of it; NULL when the budget is spent.  An expression reference becomes null. */
extern Jsonb *ph_value_to_jsonb(const PhValue *value, int64 *budget);

#endif
