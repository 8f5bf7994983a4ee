/*
 * pointer.c
 *	  JSON Pointers, RFC 6901, as text.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "json/pointer.h"

char *
ph_pointer_append(const char *pointer, const char *name, int length)
{
	StringInfoData out;
	int			i;

	initStringInfo(&out);
	appendStringInfo(&out, "%s/", pointer);
	for (i = 0; i < length; i++)
	{
		if (name[i] == '~')
			appendStringInfoString(&out, "~0");
		else if (name[i] == '/')
			appendStringInfoString(&out, "~1");
		else
			appendStringInfoCharMacro(&out, name[i]);
	}
	return out.data;
}

char *
ph_pointer_index(const char *pointer, int64 index)
{
	return psprintf("%s/" INT64_FORMAT, pointer, index);
}
