/*
 * merge_patch.c
 *	  JSON Merge Patch, RFC 7396: null removes a member, objects are merged, anything else replaces.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "json/merge_patch.h"

PhValue
ph_merge_patch(const PhValue *target, const PhValue *patch)
{
	PhValue		result;
	PhIterator	iterator;
	PhMember	member;
	PhValue		other;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (ph_value_kind(patch) != PH_KIND_OBJECT)
		return *patch;
	result = ph_object_new(ph_value_count(target) + ph_value_count(patch));
	if (ph_value_kind(target) == PH_KIND_OBJECT)
	{
		ph_iterate(&iterator, target);
		while (ph_iterate_next(&iterator, &member))
		{
			if (!ph_value_member(patch, member.key, member.length, &other))
				ph_object_append(&result, member.key, member.length, &member.value);
		}
	}
	ph_iterate(&iterator, patch);
	while (ph_iterate_next(&iterator, &member))
	{
		if (ph_value_kind(&member.value) == PH_KIND_NULL)
			continue;
		if (!ph_value_member(target, member.key, member.length, &other))
			other = ph_value_null();
		other = ph_merge_patch(&other, &member.value);
		ph_object_append(&result, member.key, member.length, &other);
	}
	ph_object_finish(&result);
	return result;
}
