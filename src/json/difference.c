/*
 * difference.c
 *	  Where two JSON documents differ.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "json/difference.h"
#include "json/pointer.h"

static void compare(const PhValue *expected, const PhValue *actual, const char *pointer, PhDifference found, void *arg);

static void
compare_objects(const PhValue *expected, const PhValue *actual, const char *pointer, PhDifference found, void *arg)
{
	PhIterator	iterator;
	PhMember	member;
	PhValue		other;

	ph_iterate(&iterator, expected);
	while (ph_iterate_next(&iterator, &member))
	{
		char	   *below = ph_pointer_append(pointer, member.key, member.length);

		if (ph_value_member(actual, member.key, member.length, &other))
			compare(&member.value, &other, below, found, arg);
		else
			found(arg, below, &member.value, NULL);
	}
	ph_iterate(&iterator, actual);
	while (ph_iterate_next(&iterator, &member))
	{
		if (!ph_value_member(expected, member.key, member.length, &other))
			found(arg, ph_pointer_append(pointer, member.key, member.length), NULL, &member.value);
	}
}

static void
compare_arrays(const PhValue *expected, const PhValue *actual, const char *pointer, PhDifference found, void *arg)
{
	PhIterator	left;
	PhIterator	right;
	PhMember	a;
	PhMember	b;
	bool		more_left = true;
	bool		more_right = true;
	int			i;

	ph_iterate(&left, expected);
	ph_iterate(&right, actual);
	for (i = 0;; i++)
	{
		char	   *below = ph_pointer_index(pointer, i);

		more_left = more_left && ph_iterate_next(&left, &a);
		more_right = more_right && ph_iterate_next(&right, &b);
		if (!more_left && !more_right)
			return;
		if (more_left && more_right)
			compare(&a.value, &b.value, below, found, arg);
		else
			found(arg, below, more_left ? &a.value : NULL, more_right ? &b.value : NULL);
	}
}

static void
compare(const PhValue *expected, const PhValue *actual, const char *pointer, PhDifference found, void *arg)
{
	PhKind		kind = ph_value_kind(expected);
	bool		equal = false;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (ph_value_equal(expected, actual, NULL, &equal) && equal)
		return;
	if (kind != ph_value_kind(actual) || (kind != PH_KIND_OBJECT && kind != PH_KIND_ARRAY))
		found(arg, pointer, expected, actual);
	else if (kind == PH_KIND_OBJECT)
		compare_objects(expected, actual, pointer, found, arg);
	else
		compare_arrays(expected, actual, pointer, found, arg);
}

void
ph_differences(const PhValue *expected, const PhValue *actual, PhDifference found, void *arg)
{
	compare(expected, actual, "", found, arg);
}
