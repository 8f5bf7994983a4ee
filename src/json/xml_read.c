/*
 * xml_read.c
 *	  XML to JSON, by the rule of xml.h.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "json/value.h"
#include "json/xml.h"
#include "json/xml_pull.h"

#define DEPTH_DEFAULT	100
#define NODES_DEFAULT	1000000
#define NODES_MAX		10000000
#define BLANK			" \t\r\n"

/* One entry of the option "namespaces". */
typedef struct Namespace
{
	char	   *uri;
	char	   *prefix;			/* with its colon; "" for names that stay bare */
} Namespace;

/* A member to be: attribute, text or element. */
typedef struct Child
{
	const char *key;
	int			length;
	int			position;		/* in the document */
	bool		always_array;
	PhValue		value;
} Child;

/* An element that is open. */
typedef struct Frame
{
	PhXmlPlace	place;
	bool		always_array;
	bool		has_elements;
	const char *nil_key;		/* what xsi:nil="true" is called if it turns out to be an attribute like others */
	Child	   *children;
	int			n;
	int			allocated;
	StringInfoData text;
} Frame;

typedef struct Read
{
	PhXmlReader *reader;
	int			n_namespaces;
	Namespace  *namespaces;
	int			n_arrays;
	PhXmlPath  *arrays;
	int			max_depth;
	int			max_nodes;
	Frame	   *frames;			/* [0] is the document; kept for the next element at their depth */
	int			depth;
} Read;

/* ---- options ---- */

static char *
string_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static void
set_namespaces(Read *read, const JsonbValue *map)
{
	JsonbIterator *iterator = JsonbIteratorInit(map->val.binary.data);
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *prefix = NULL;

	read->namespaces = palloc(sizeof(Namespace) * JsonContainerSize(map->val.binary.data));
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			prefix = value.val.string.len == 0 ? "" : psprintf("%.*s:", value.val.string.len, value.val.string.val);
		else if (token == WJB_VALUE)
		{
			if (value.type != jbvString)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("every member of \"%s\" must be a string", "namespaces")));
			read->namespaces[read->n_namespaces].prefix = prefix;
			read->namespaces[read->n_namespaces++].uri = string_of(&value);
		}
	}
}

static void
set_arrays(Read *read, const JsonbValue *paths)
{
	JsonbIterator *iterator = JsonbIteratorInit(paths->val.binary.data);
	JsonbIteratorToken token;
	JsonbValue	value;

	read->arrays = palloc(sizeof(PhXmlPath) * JsonContainerSize(paths->val.binary.data));
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (value.type != jbvString)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("every element of \"%s\" must be a string", "arrays")));
		ph_xml_path_parse(string_of(&value), "arrays", &read->arrays[read->n_arrays++]);
	}
}

static int
limit_of(Jsonb *options, const char *name, int without, int max)
{
	JsonbValue *value = ph_xml_option(options, name, jbvNumeric, "a number");
	int			limit;

	if (value == NULL)
		return without;
	limit = DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(value->val.numeric)));
	if (limit < 1 || limit > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" must be from 1 to %d", name, max)));
	return limit;
}

static void
set_options(Read *read, Jsonb *options)
{
	static const char *const known[] = {"namespaces", "arrays", "max_depth", "max_nodes", NULL};
	JsonbValue *value;

	ph_xml_require_object(options, "options");
	if ((value = ph_xml_option(options, "namespaces", jbvObject, "an object")) != NULL)
		set_namespaces(read, value);
	if ((value = ph_xml_option(options, "arrays", jbvArray, "an array")) != NULL)
		set_arrays(read, value);
	read->max_depth = limit_of(options, "max_depth", DEPTH_DEFAULT, PH_XML_DEPTH_MAX);
	read->max_nodes = limit_of(options, "max_nodes", NODES_DEFAULT, NODES_MAX);
	ph_xml_refuse_unknown(options, "options", known);
}

/* ---- errors ---- */

static const char *
place_of(const PhXmlError *error)
{
	return error->column > 0 ? psprintf("Line %d, column %d", error->line, error->column)
		: psprintf("Line %d", error->line);
}

static void
raise_error(const PhXmlError *error, const Read *read)
{
	switch (error->fault)
	{
		case PH_XML_MALFORMED:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_XML_DOCUMENT),
					 errmsg("invalid XML document"),
					 errdetail("%s: %s.", place_of(error), error->message)));
			break;
		case PH_XML_DOCTYPE:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_XML_DOCUMENT),
					 errmsg("XML document has a document type declaration"),
					 errdetail("%s.", place_of(error)),
					 errhint("Have it sent without <!DOCTYPE ...>; neither entities nor defaults of attributes are taken from there.")));
			break;
		case PH_XML_TOO_DEEP:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("XML document is nested deeper than %d elements", read->max_depth),
					 errdetail("%s.", place_of(error)),
					 errhint("Option \"max_depth\" allows up to %d.", PH_XML_DEPTH_MAX)));
			break;
		case PH_XML_TOO_MANY_ATTRIBUTES:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("XML element has more than %d attributes", PH_XML_ATTRIBUTES_MAX),
					 errdetail("%s.", place_of(error))));
			break;
		case PH_XML_TOO_MANY_NODES:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("XML document has more than %d elements, attributes and texts", read->max_nodes),
					 errdetail("%s.", place_of(error)),
					 errhint("Option \"max_nodes\" allows up to %d.", NODES_MAX)));
			break;
		case PH_XML_NO_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 errdetail("Failed while reading an XML document.")));
			break;
	}
}

/* ---- names and text ---- */

/* From UTF-8; the same pointer where the database uses that too. */
static const char *
to_server(const char *utf8, int *length)
{
	char	   *converted;

	if (GetDatabaseEncoding() == PG_UTF8)
		return utf8;
	converted = pg_any_to_server(utf8, *length, PG_UTF8);
	if (converted != utf8)
		*length = strlen(converted);
	return converted;
}

/* Name as in JSON.  mark: "@" or "". */
static const char *
key_of(const Read *read, const PhXmlItem *item, const char *mark, int *length)
{
	const char *prefix = "";
	const char *name = item->name;
	int			i;

	for (i = 0; item->uri != NULL && i < read->n_namespaces; i++)
	{
		if (strcmp(read->namespaces[i].uri, item->uri) == 0)
			prefix = read->namespaces[i].prefix;
	}
	*length = strlen(name);
	name = to_server(name, length);
	if (mark[0] == '\0' && prefix[0] == '\0')
		return name;
	name = psprintf("%s%s%.*s", mark, prefix, *length, name);
	*length = strlen(name);
	return name;
}

/* ---- elements ---- */

static void
add_child(Frame *frame, const char *key, int length, const PhValue *value, bool always_array)
{
	Child	   *child;

	if (frame->n == frame->allocated)
	{
		frame->allocated = frame->allocated == 0 ? 8 : frame->allocated * 2;
		frame->children = frame->children == NULL ? palloc(sizeof(Child) * frame->allocated)
			: repalloc_huge(frame->children, sizeof(Child) * frame->allocated);
	}
	child = &frame->children[frame->n];
	child->key = key;
	child->length = length;
	child->position = frame->n++;
	child->always_array = always_array;
	child->value = *value;
}

static void
add_attributes(Read *read, Frame *frame)
{
	PhXmlItem	attribute;

	while (ph_xml_attribute(read->reader, &attribute))
	{
		int			length;
		const char *key = key_of(read, &attribute, "@", &length);
		int			text_length = strlen(attribute.text);
		const char *text = to_server(pnstrdup(attribute.text, text_length), &text_length);
		PhValue		value = ph_value_string(text, text_length);

		if (attribute.uri != NULL && strcmp(attribute.uri, PH_XML_NIL_URI) == 0 && strcmp(attribute.name, "nil") == 0 &&
			(strcmp(attribute.text, "true") == 0 || strcmp(attribute.text, "1") == 0))
			frame->nil_key = key;
		else
			add_child(frame, key, length, &value, false);
	}
}

static void
open_element(Read *read, const PhXmlItem *item)
{
	Frame	   *above = &read->frames[read->depth];
	Frame	   *frame = &read->frames[++read->depth];
	int			i;

	above->has_elements = true;
	frame->place.name = key_of(read, item, "", &frame->place.length);
	frame->place.above = read->depth == 1 ? NULL : &above->place;
	frame->always_array = false;
	for (i = 0; i < read->n_arrays && !frame->always_array; i++)
		frame->always_array = ph_xml_path_matches(&read->arrays[i], &frame->place);
	frame->has_elements = false;
	frame->nil_key = NULL;
	frame->n = 0;
	if (frame->text.data == NULL)
		initStringInfo(&frame->text);
	else
		resetStringInfo(&frame->text);
	add_attributes(read, frame);
}

/* The order of members in jsonb, then that of the document. */
static int
compare_children(const void *a, const void *b)
{
	const Child *left = a;
	const Child *right = b;
	int			order = left->length - right->length;

	if (order == 0)
		order = memcmp(left->key, right->key, left->length);
	return order != 0 ? order : left->position - right->position;
}

/* Without namespaces two attributes can have one name; an array would be a lie, and the last one a loss. */
static void
refuse_double_attribute(const Frame *frame, const Child *child)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_XML_DOCUMENT),
			 errmsg("XML element has two attributes \"%s\" of different namespaces",
					pnstrdup(child->key + 1, child->length - 1)),
			 errdetail("At %s.", ph_xml_place_text(&frame->place)),
			 errhint("Declare the namespaces in option \"namespaces\" to tell the attributes apart.")));
}

static PhValue
object_of(const Frame *frame)
{
	PhValue		object = ph_object_new(frame->n);
	Child	   *children = frame->children;
	int			first;
	int			next;

	qsort(children, frame->n, sizeof(Child), compare_children);
	for (first = 0; first < frame->n; first = next)
	{
		PhValue		value = children[first].value;

		for (next = first + 1; next < frame->n && children[next].length == children[first].length &&
			 memcmp(children[next].key, children[first].key, children[first].length) == 0; next++)
			;
		if (next - first > 1 && children[first].key[0] == '@')
			refuse_double_attribute(frame, &children[first]);
		if (next - first > 1 || children[first].always_array)
		{
			int			i;

			value = ph_array_new(next - first);
			for (i = first; i < next; i++)
				ph_array_append(&value, &children[i].value);
		}
		ph_object_append(&object, children[first].key, children[first].length, &value);
	}
	ph_object_finish(&object);
	return object;
}

static PhValue
element_value(Frame *frame)
{
	bool		blank = strspn(frame->text.data, BLANK) == frame->text.len;
	int			length = frame->text.len;
	const char *text;
	PhValue		value;

	if (frame->nil_key != NULL && frame->n == 0 && length == 0)
		return ph_value_null();
	if (frame->nil_key != NULL)
	{
		value = ph_value_text("true");
		add_child(frame, frame->nil_key, strlen(frame->nil_key), &value, false);
	}
	text = to_server(pnstrdup(frame->text.data, length), &length);
	value = ph_value_string(text, length);
	if (frame->n == 0)
		return value;
	if (frame->has_elements ? !blank : length > 0)
		add_child(frame, "#text", strlen("#text"), &value, false);
	return object_of(frame);
}

static void
close_element(Read *read)
{
	Frame	   *frame = &read->frames[read->depth];
	PhValue		value = element_value(frame);

	add_child(&read->frames[--read->depth], frame->place.name, frame->place.length, &value, frame->always_array);
}

static Jsonb *
read_document(Read *read)
{
	PhXmlItem	item;
	PhValue		result;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		switch (ph_xml_next(read->reader, &item))
		{
			case PH_XML_START:
				open_element(read, &item);
				break;
			case PH_XML_TEXT:
				if (read->depth > 0)
					appendStringInfoString(&read->frames[read->depth].text, item.text);
				break;
			case PH_XML_END:
				close_element(read);
				break;
			case PH_XML_DONE:
				result = object_of(&read->frames[0]);
				return ph_value_to_jsonb(&result, NULL);
			case PH_XML_FAILED:
				raise_error(ph_xml_error(read->reader), read);
		}
	}
}

Jsonb *
ph_xml_read(const char *document, int length, Jsonb *options)
{
	Read		read = {0};
	Jsonb	   *result;

	set_options(&read, options);
	read.frames = palloc0(sizeof(Frame) * (read.max_depth + 1));
	read.reader = ph_xml_open(document, length, read.max_depth, read.max_nodes);
	if (read.reader == NULL)
	{
		PhXmlError	error = {PH_XML_NO_MEMORY};

		raise_error(&error, &read);
	}
	PG_TRY();
	{
		result = read_document(&read);
	}
	PG_FINALLY();
	{
		ph_xml_close(read.reader);
	}
	PG_END_TRY();
	return result;
}
