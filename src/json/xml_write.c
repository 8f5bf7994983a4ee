/*
 * xml_write.c
 *	  JSON to XML, the rule of xml.h backwards.  The result is well-formed by construction: names are checked, prefixes
 *	  are declared, text is escaped so that reading gives it back, and what XML cannot hold is refused.
 */
#include "postgres.h"

#include <libxml/tree.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "json/value.h"
#include "json/xml.h"

#define DECLARATION		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define XML_URI			"http://www.w3.org/XML/1998/namespace"
#define XMLNS_URI		"http://www.w3.org/2000/xmlns/"

/* One entry of "order": members in that order, those that are not named behind them. */
typedef struct Order
{
	PhXmlPath	path;
	PhValue		names;
} Order;

typedef struct Write
{
	StringInfoData out;
	PhValue		namespaces;		/* prefix -> URI; not an object: none */
	int			n_orders;
	Order	   *orders;
	char	   *root;			/* name of the root element; NULL: the document's only member */
	bool		declaration;
	const char *nil;			/* name of the attribute that says null, or NULL: nulls are left out */
} Write;

static void write_member(Write *write, const PhMember *member, const PhXmlPlace *above);

/* ---- checks ---- */

static void
refuse(int code, const char *what, const PhXmlPlace *place)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("cannot write JSON as XML"),
			 errdetail("At %s: %s.", ph_xml_place_text(place), what)));
}

static bool
is_ncname(const char *name, int length)
{
	char	   *copy = pnstrdup(name, length);
	char	   *utf8 = pg_server_to_any(copy, length, PG_UTF8);

	return xmlValidateNCName((const xmlChar *) utf8, 0) == 0;
}

/* A name with at most one colon, whose prefix is declared. */
static void
check_name(const Write *write, const char *name, int length, const PhXmlPlace *place)
{
	const char *colon = memchr(name, ':', length);
	int			prefix = colon == NULL ? 0 : colon - name;
	PhValue		uri;

	if ((colon != NULL && !is_ncname(name, prefix)) ||
		!is_ncname(colon == NULL ? name : colon + 1, colon == NULL ? length : length - prefix - 1))
		refuse(ERRCODE_INVALID_XML_CONTENT, psprintf("\"%.*s\" is no name in XML", length, name), place);
	if (colon == NULL || (prefix == 3 && memcmp(name, "xml", 3) == 0))
		return;
	if (!ph_value_member(&write->namespaces, name, prefix, &uri))
		refuse(ERRCODE_INVALID_XML_CONTENT,
			   psprintf("the profile declares no namespace for the prefix \"%.*s\"", prefix, name), place);
}

/* ---- text ---- */

/*
 * Escaped so that a reader gets the same back: line ends and, in attributes, white space would be normalised (XML 1.0,
 * 2.11 and 3.3.3).
 */
static void
write_escaped(Write *write, const char *text, int length, bool attribute, const PhXmlPlace *place)
{
	StringInfo	out = &write->out;
	int			i;

	for (i = 0; i < length; i++)
	{
		unsigned char c = text[i];

		if (c == '&')
			appendStringInfoString(out, "&amp;");
		else if (c == '<')
			appendStringInfoString(out, "&lt;");
		else if (c == '>')
			appendStringInfoString(out, "&gt;");
		else if (c == '"' && attribute)
			appendStringInfoString(out, "&quot;");
		else if (c == '\r' || ((c == '\t' || c == '\n') && attribute))
			appendStringInfo(out, "&#%d;", c);
		else if (c < ' ' && c != '\t' && c != '\n')
			refuse(ERRCODE_INVALID_XML_CONTENT, psprintf("the character U+%04X cannot stand in XML", c), place);
		else if (c == 0xEF && GetDatabaseEncoding() == PG_UTF8 && i + 2 < length &&
				 (unsigned char) text[i + 1] == 0xBF && (unsigned char) text[i + 2] >= 0xBE)
			refuse(ERRCODE_INVALID_XML_CONTENT,
				   psprintf("the character U+FF%02X cannot stand in XML", 0xC0 + ((unsigned char) text[i + 2] & 0x3F)), place);
		else
			appendStringInfoCharMacro(out, c);
	}
}

static void
write_scalar(Write *write, const PhValue *value, bool attribute, const PhXmlPlace *place)
{
	switch (ph_value_kind(value))
	{
		case PH_KIND_STRING:
			write_escaped(write, value->u.string, value->length, attribute, place);
			break;
		case PH_KIND_NUMBER:
		case PH_KIND_BOOLEAN:
			(void) ph_value_write(value, &write->out, NULL);
			break;
		default:
			refuse(ERRCODE_INVALID_XML_CONTENT,
				   psprintf("%s is no text for %s", ph_kind_name(ph_value_kind(value)),
							attribute ? "an attribute" : "\"#text\""), place);
	}
}

/* ---- elements ---- */

static bool
is_text(const PhMember *member)
{
	return member->length == 5 && memcmp(member->key, "#text", 5) == 0;
}

static void
write_attributes(Write *write, const PhValue *object, const PhXmlPlace *place)
{
	PhIterator	iterator;
	PhMember	member;

	ph_iterate(&iterator, object);
	while (ph_iterate_next(&iterator, &member))
	{
		const char *name = member.key + 1;
		int			length = member.length - 1;

		if (member.length == 0 || member.key[0] != '@' || ph_value_kind(&member.value) == PH_KIND_NULL)
			continue;
		check_name(write, name, length, place);
		if (length >= 5 && memcmp(name, "xmlns", 5) == 0 && (length == 5 || name[5] == ':'))
			refuse(ERRCODE_INVALID_XML_CONTENT, "namespaces are declared by the profile only", place);
		appendStringInfo(&write->out, " %.*s=\"", length, name);
		write_scalar(write, &member.value, true, place);
		appendStringInfoChar(&write->out, '"');
	}
}

static void
write_namespaces(Write *write)
{
	PhIterator	iterator;
	PhMember	member;

	if (ph_value_kind(&write->namespaces) != PH_KIND_OBJECT)
		return;
	ph_iterate(&iterator, &write->namespaces);
	while (ph_iterate_next(&iterator, &member))
	{
		appendStringInfo(&write->out, member.length == 0 ? " xmlns%.*s=\"" : " xmlns:%.*s=\"", member.length, member.key);
		write_escaped(write, member.value.u.string, member.value.length, true, NULL);
		appendStringInfoChar(&write->out, '"');
	}
}

static const PhValue *
order_of(const Write *write, const PhXmlPlace *place)
{
	int			i;

	for (i = 0; i < write->n_orders; i++)
	{
		if (ph_xml_path_matches(&write->orders[i].path, place))
			return &write->orders[i].names;
	}
	return NULL;
}

static int
occurrences(const PhValue *names, const PhValue *wanted)
{
	PhIterator	iterator;
	PhMember	name;
	int			n = 0;

	ph_iterate(&iterator, names);
	while (ph_iterate_next(&iterator, &name))
	{
		if (name.value.type == PH_VALUE_STRING && name.value.length == wanted->length &&
			memcmp(name.value.u.string, wanted->u.string, wanted->length) == 0)
			n++;
	}
	return n;
}

/* Members that are elements or text: first those that the profile lists, then the others. */
static void
write_content(Write *write, const PhValue *object, const PhXmlPlace *place)
{
	const PhValue *names = order_of(write, place);
	PhIterator	iterator;
	PhMember	member;

	if (names != NULL)
	{
		ph_iterate(&iterator, names);
		while (ph_iterate_next(&iterator, &member))
		{
			PhMember	listed = {member.value.u.string, member.value.length};

			if (ph_value_member(object, listed.key, listed.length, &listed.value))
				write_member(write, &listed, place);
		}
	}
	ph_iterate(&iterator, object);
	while (ph_iterate_next(&iterator, &member))
	{
		PhValue		key = ph_value_string(member.key, member.length);

		if ((member.length == 0 || member.key[0] != '@') && (names == NULL || occurrences(names, &key) == 0))
			write_member(write, &member, place);
	}
}

static void
write_element(Write *write, const char *name, int length, const PhValue *value, const PhXmlPlace *above)
{
	PhXmlPlace	place = {name, length, above};
	PhKind		kind = ph_value_kind(value);
	int			content;

	check_name(write, name, length, &place);
	appendStringInfo(&write->out, "<%.*s", length, name);
	if (above == NULL)
		write_namespaces(write);
	if (kind == PH_KIND_OBJECT)
		write_attributes(write, value, &place);
	if (kind == PH_KIND_NULL && write->nil != NULL)
		appendStringInfo(&write->out, " %s=\"true\"", write->nil);
	appendStringInfoChar(&write->out, '>');
	content = write->out.len;
	if (kind == PH_KIND_OBJECT)
		write_content(write, value, &place);
	else if (kind != PH_KIND_NULL)
		write_scalar(write, value, false, &place);
	if (write->out.len > content)
		appendStringInfo(&write->out, "</%.*s>", length, name);
	else
	{
		write->out.len--;
		appendStringInfoString(&write->out, "/>");
	}
}

static void
write_repeated(Write *write, const PhMember *member, const PhXmlPlace *above)
{
	PhIterator	iterator;
	PhMember	element;

	ph_iterate(&iterator, &member->value);
	while (ph_iterate_next(&iterator, &element))
	{
		PhKind		kind = ph_value_kind(&element.value);

		if (kind == PH_KIND_ARRAY)
			refuse(ERRCODE_INVALID_XML_CONTENT,
				   psprintf("\"%.*s\" is an array inside an array", member->length, member->key), above);
		if (kind != PH_KIND_NULL || write->nil != NULL)
			write_element(write, member->key, member->length, &element.value, above);
	}
}

static void
write_member(Write *write, const PhMember *member, const PhXmlPlace *above)
{
	PhKind		kind = ph_value_kind(&member->value);

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (is_text(member))
	{
		if (kind != PH_KIND_NULL)
			write_scalar(write, &member->value, false, above);
	}
	else if (kind == PH_KIND_ARRAY)
		write_repeated(write, member, above);
	else if (kind != PH_KIND_NULL || write->nil != NULL)
		write_element(write, member->key, member->length, &member->value, above);
}

/* ---- profile ---- */

/* Every URI is text, every prefix a name; what XML reserves stays as it is. */
static void
set_namespaces(Write *write, const JsonbValue *map)
{
	PhIterator	iterator;
	PhMember	member;

	write->namespaces = ph_value_from_jsonb_value(map);
	ph_iterate(&iterator, &write->namespaces);
	while (ph_iterate_next(&iterator, &member))
	{
		const char *problem = NULL;

		if (member.value.type != PH_VALUE_STRING || member.value.length == 0)
			problem = "is not declared by a URI";
		else if (member.length > 0 && !is_ncname(member.key, member.length))
			problem = "is no name in XML";
		else if ((member.length >= 3 && pg_strncasecmp(member.key, "xml", 3) == 0) ||
				 strcmp(pnstrdup(member.value.u.string, member.value.length), XML_URI) == 0 ||
				 strcmp(pnstrdup(member.value.u.string, member.value.length), XMLNS_URI) == 0)
			problem = "is reserved by XML";
		if (problem != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("namespace prefix \"%.*s\" %s", member.length, member.key, problem)));
	}
}

static void
set_orders(Write *write, const JsonbValue *map)
{
	PhValue		orders = ph_value_from_jsonb_value(map);
	PhIterator	iterator;
	PhMember	member;

	write->orders = palloc(sizeof(Order) * ph_value_count(&orders));
	ph_iterate(&iterator, &orders);
	while (ph_iterate_next(&iterator, &member))
	{
		Order	   *order = &write->orders[write->n_orders++];
		PhIterator	names;
		PhMember	name;
		bool		good = ph_value_kind(&member.value) == PH_KIND_ARRAY;

		ph_xml_path_parse(pnstrdup(member.key, member.length), "order", &order->path);
		order->names = member.value;
		if (good)
		{
			ph_iterate(&names, &order->names);
			while (ph_iterate_next(&names, &name))
				good = good && name.value.type == PH_VALUE_STRING && occurrences(&order->names, &name.value) == 1;
		}
		if (!good)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("every member of \"%s\" must be an array of names, none of them twice", "order")));
	}
}

/* The prefix that the profile gives to the namespace of xsi:nil. */
static const char *
nil_attribute(const Write *write)
{
	PhIterator	iterator;
	PhMember	member;

	if (ph_value_kind(&write->namespaces) == PH_KIND_OBJECT)
	{
		ph_iterate(&iterator, &write->namespaces);
		while (ph_iterate_next(&iterator, &member))
		{
			if (member.length > 0 && member.value.length == strlen(PH_XML_NIL_URI) &&
				memcmp(member.value.u.string, PH_XML_NIL_URI, member.value.length) == 0)
				return psprintf("%.*s:nil", member.length, member.key);
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"nulls\" is \"nil\", but no prefix is declared for its namespace"),
			 errhint("Declare \"xsi\": \"%s\" in \"namespaces\".", PH_XML_NIL_URI)));
	return NULL;
}

static void
set_profile(Write *write, Jsonb *profile)
{
	static const char *const known[] = {"root", "namespaces", "order", "nulls", "declaration", NULL};
	JsonbValue *value;

	ph_xml_require_object(profile, "profile");
	if ((value = ph_xml_option(profile, "root", jbvString, "a string")) != NULL)
		write->root = pnstrdup(value->val.string.val, value->val.string.len);
	if ((value = ph_xml_option(profile, "namespaces", jbvObject, "an object")) != NULL)
		set_namespaces(write, value);
	if ((value = ph_xml_option(profile, "order", jbvObject, "an object")) != NULL)
		set_orders(write, value);
	if ((value = ph_xml_option(profile, "nulls", jbvString, "a string")) != NULL)
	{
		char	   *nulls = pnstrdup(value->val.string.val, value->val.string.len);

		if (strcmp(nulls, "nil") == 0)
			write->nil = nil_attribute(write);
		else if (strcmp(nulls, "omit") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"nulls\" must be \"omit\" or \"nil\"")));
	}
	value = ph_xml_option(profile, "declaration", jbvBool, "true or false");
	write->declaration = value == NULL || value->val.boolean;
	ph_xml_refuse_unknown(profile, "profile", known);
}

text *
ph_xml_write(Jsonb *document, Jsonb *profile)
{
	Write		write = {.namespaces = ph_value_null()};
	PhValue		value = ph_value_from_jsonb(document);
	PhIterator	iterator;
	PhMember	root = {0};

	set_profile(&write, profile);
	if (write.root != NULL)
	{
		root.key = write.root;
		root.length = strlen(write.root);
		root.value = value;
	}
	else if (ph_value_kind(&value) == PH_KIND_OBJECT && ph_value_count(&value) == 1)
	{
		ph_iterate(&iterator, &value);
		(void) ph_iterate_next(&iterator, &root);
	}
	if (root.key == NULL || ph_value_kind(&root.value) == PH_KIND_ARRAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_XML_DOCUMENT),
				 errmsg("document has no single root element"),
				 errhint("Give an object with one member, which is no array, or name the root in the profile.")));
	initStringInfo(&write.out);
	if (write.declaration)
		appendStringInfoString(&write.out, DECLARATION);
	write_element(&write, root.key, root.length, &root.value, NULL);
	return cstring_to_text_with_len(write.out.data, write.out.len);
}
