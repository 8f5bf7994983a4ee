/*
 * xml_pull.c
 *	  Pure C.  One XML document as a row of events; see xml_pull.h.
 */
#include <libxml/xmlreader.h>
#include <stdlib.h>
#include <string.h>

#include "json/xml_pull.h"

/* NOCDATA: a CDATA section is text.  IGNORE_ENC: the caller has decoded.  No NOENT, no DTDLOAD, no HUGE. */
#define PARSER_OPTIONS	(XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_COMPACT | XML_PARSE_IGNORE_ENC)

#if LIBXML_VERSION >= 21200
typedef const xmlError *ErrorPointer;
#else
typedef xmlErrorPtr ErrorPointer;
#endif

struct PhXmlReader
{
	xmlTextReaderPtr reader;
	int			max_depth;
	int			max_nodes;
	int			nodes;			/* elements, attributes and pieces of text so far */
	int			depth;
	int			unclosed;		/* start tags without end tag in all of it */
	bool		end_due;		/* after the start of an empty element */
	bool		failed;
	const xmlAttr *attribute;	/* the next one */
	PhXmlError	error;
};

/* Keeps the first error; what follows is mostly its consequence. */
static void
fail(PhXmlReader *reader, PhXmlFault fault, int line, int column)
{
	if (reader->failed)
		return;
	reader->failed = true;
	reader->error.fault = fault;
	reader->error.line = line;
	reader->error.column = column;
}

/* At the node that the reader stands on; libxml2 has parsed further and keeps the line only. */
static void
fail_here(PhXmlReader *reader, PhXmlFault fault)
{
	fail(reader, fault, (int) xmlGetLineNo(xmlTextReaderCurrentNode(reader->reader)), 0);
}

/* Called by libxml2, so nothing but remembering happens here. */
static void
on_error(void *argument, ErrorPointer error)
{
	PhXmlReader *reader = argument;
	const char *from = error->message == NULL ? "" : error->message;
	size_t		n = 0;

	if (error->level < XML_ERR_ERROR || reader->failed)
		return;
	fail(reader, error->code == XML_ERR_NO_MEMORY ? PH_XML_NO_MEMORY : PH_XML_MALFORMED, error->line, error->int2);
	if (error->code == XML_ERR_DOCUMENT_END && reader->unclosed > 0)
		from = "Premature end of the document";		/* libxml2 speaks of extra content */
	while (*from != '\0' && *from != '\n' && n < sizeof(reader->error.message) - 1)
	{
		unsigned char c = *from++;

		reader->error.message[n++] = c >= ' ' && c < 127 ? (char) c : '?';
	}
	while (n > 0 && strchr(" .!", reader->error.message[n - 1]) != NULL)
		n--;
	reader->error.message[n] = '\0';
}

PhXmlReader *
ph_xml_open(const char *document, size_t length, int max_depth, int max_nodes)
{
	PhXmlReader *reader = calloc(1, sizeof(PhXmlReader));

	if (reader == NULL)
		return NULL;
	reader->max_depth = max_depth < PH_XML_DEPTH_MAX ? max_depth : PH_XML_DEPTH_MAX;
	reader->max_nodes = max_nodes;
	if (!ph_xml_guard(document, length, &reader->unclosed, &reader->error))
	{
		reader->failed = true;
		return reader;
	}
	reader->reader = xmlReaderForMemory(document, (int) length, NULL, "UTF-8", PARSER_OPTIONS);
	if (reader->reader == NULL)
	{
		free(reader);
		return NULL;
	}
	xmlTextReaderSetStructuredErrorHandler(reader->reader, on_error, reader);
	return reader;
}

void
ph_xml_close(PhXmlReader *reader)
{
	if (reader->reader != NULL)
		xmlFreeTextReader(reader->reader);
	free(reader);
}

const PhXmlError *
ph_xml_error(const PhXmlReader *reader)
{
	return &reader->error;
}

static bool
count_node(PhXmlReader *reader)
{
	if (++reader->nodes <= reader->max_nodes)
		return true;
	fail_here(reader, PH_XML_TOO_MANY_NODES);
	return false;
}

static PhXmlEvent
start_element(PhXmlReader *reader, PhXmlItem *item)
{
	const xmlNode *node = xmlTextReaderCurrentNode(reader->reader);

	if (!count_node(reader))
		return PH_XML_FAILED;
	if (++reader->depth > reader->max_depth)
	{
		fail_here(reader, PH_XML_TOO_DEEP);
		return PH_XML_FAILED;
	}
	item->name = (const char *) node->name;
	item->uri = node->ns == NULL ? NULL : (const char *) node->ns->href;
	item->text = NULL;
	reader->attribute = node->properties;
	reader->end_due = xmlTextReaderIsEmptyElement(reader->reader) == 1;
	return PH_XML_START;
}

static PhXmlEvent
end_element(PhXmlReader *reader)
{
	reader->depth--;
	reader->attribute = NULL;
	reader->end_due = false;
	return PH_XML_END;
}

bool
ph_xml_attribute(PhXmlReader *reader, PhXmlItem *attribute)
{
	const xmlAttr *next = reader->attribute;

	if (next == NULL)
		return false;
	reader->nodes++;
	reader->attribute = next->next;
	attribute->name = (const char *) next->name;
	attribute->uri = next->ns == NULL ? NULL : (const char *) next->ns->href;
	attribute->text = next->children == NULL || next->children->content == NULL ? ""
		: (const char *) next->children->content;
	return true;
}

/* What the reader stands on; false when it is nothing that anybody wants to know. */
static bool
look(PhXmlReader *reader, PhXmlItem *item, PhXmlEvent *event)
{
	switch (xmlTextReaderNodeType(reader->reader))
	{
		case XML_READER_TYPE_ELEMENT:
			*event = start_element(reader, item);
			return true;
		case XML_READER_TYPE_END_ELEMENT:
			*event = end_element(reader);
			return true;
		case XML_READER_TYPE_TEXT:
		case XML_READER_TYPE_CDATA:
		case XML_READER_TYPE_WHITESPACE:
		case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
			item->text = (const char *) xmlTextReaderConstValue(reader->reader);
			*event = count_node(reader) ? PH_XML_TEXT : PH_XML_FAILED;
			return true;
		case XML_READER_TYPE_DOCUMENT_TYPE:
			fail_here(reader, PH_XML_DOCTYPE);
			*event = PH_XML_FAILED;
			return true;
		default:
			return false;		/* comments, processing instructions */
	}
}

PhXmlEvent
ph_xml_next(PhXmlReader *reader, PhXmlItem *item)
{
	PhXmlEvent	event = PH_XML_FAILED;
	int			read;

	memset(item, 0, sizeof(*item));
	if (reader->failed)
		return PH_XML_FAILED;
	if (reader->end_due)
		return end_element(reader);
	do
	{
		read = xmlTextReaderRead(reader->reader);
		if (read < 0)			/* with nothing said: out of memory */
			fail(reader, PH_XML_NO_MEMORY, 0, 0);
		if (reader->failed)
			return PH_XML_FAILED;
		if (read == 0)
			return PH_XML_DONE;
	} while (!look(reader, item, &event));
	return event;
}
