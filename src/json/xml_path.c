/*
 * xml_path.c
 *	  Places in an XML document, and the members of options and profiles; see xml.h.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "json/xml.h"

#define PATH_NAMES_MAX	250

void
ph_xml_path_parse(const char *text, const char *option, PhXmlPath *path)
{
	char	   *names = pstrdup(text);
	char	   *name;
	char	   *slash;

	path->from_root = names[0] == '/';
	path->n = 0;
	path->names = palloc(sizeof(char *) * PATH_NAMES_MAX);
	for (name = path->from_root ? names + 1 : names; name != NULL; name = slash)
	{
		slash = strchr(name, '/');
		if (slash != NULL)
			*slash++ = '\0';
		if (name[0] == '\0' || path->n == PATH_NAMES_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid path \"%s\" in \"%s\"", text, option),
					 errhint("Write \"/a/b\" for the element b below the root a, or \"b\" for every element b.")));
		path->names[path->n++] = name;
	}
}

bool
ph_xml_path_matches(const PhXmlPath *path, const PhXmlPlace *place)
{
	int			i;

	for (i = path->n - 1; i >= 0; i--, place = place->above)
	{
		if (place == NULL || strlen(path->names[i]) != place->length ||
			memcmp(path->names[i], place->name, place->length) != 0)
			return false;
	}
	return !path->from_root || place == NULL;
}

static void
append_place(const PhXmlPlace *place, StringInfo text)
{
	if (place->above != NULL)
		append_place(place->above, text);
	appendStringInfo(text, "/%.*s", place->length, place->name);
}

char *
ph_xml_place_text(const PhXmlPlace *place)
{
	StringInfoData text;

	initStringInfo(&text);
	if (place == NULL)
		appendStringInfoChar(&text, '/');
	else
		append_place(place, &text);
	return text.data;
}

void
ph_xml_require_object(Jsonb *options, const char *what)
{
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a JSON object", what)));
}

JsonbValue *
ph_xml_option(Jsonb *options, const char *name, enum jbvType type, const char *type_name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&options->root, name, strlen(name), NULL);
	bool		good;

	if (value == NULL)
		return NULL;
	if (value->type == jbvBinary)
		good = JsonContainerIsObject(value->val.binary.data) ? type == jbvObject : type == jbvArray;
	else
		good = value->type == type;
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" must be %s", name, type_name)));
	return value;
}

void
ph_xml_refuse_unknown(Jsonb *options, const char *what, const char *const *known)
{
	JsonbIterator *iterator = JsonbIteratorInit(&options->root);
	JsonbIteratorToken token;
	JsonbValue	key;
	int			i;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		for (i = 0; known[i] != NULL; i++)
		{
			if (strlen(known[i]) == key.val.string.len &&
				memcmp(known[i], key.val.string.val, key.val.string.len) == 0)
				break;
		}
		if (known[i] == NULL)
		{
			StringInfoData names;

			initStringInfo(&names);
			for (i = 0; known[i] != NULL; i++)
				appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ", known[i]);
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s has no member \"%.*s\"", what, key.val.string.len, key.val.string.val),
					 errhint("Members are: %s.", names.data)));
		}
	}
}
