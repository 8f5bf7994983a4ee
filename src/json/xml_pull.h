/*
 * xml_pull.h
 *	  Pure C.  One XML document as a row of events, read with the pull reader of libxml2: nothing here calls back,
 *	  throws or leaves global state of libxml2 changed, so the caller may throw between any two calls if it closes the
 *	  reader.
 *
 * Refused: document type declarations, and with them all entities but the five of XML itself; more depth, attributes
 * or nodes than allowed.  Nothing is ever fetched.  The input is UTF-8; what the XML declaration says about the
 * encoding does not count.
 */
#ifndef PLANTHUB_XML_PULL_H
#define PLANTHUB_XML_PULL_H

#include <stdbool.h>
#include <stddef.h>

#define PH_XML_DEPTH_MAX		250		/* libxml2 itself stops at 256 */
#define PH_XML_ATTRIBUTES_MAX	256		/* of one element, namespace declarations included */

typedef enum PhXmlEvent
{
	PH_XML_START,				/* of an element; ph_xml_attribute() gives its attributes */
	PH_XML_TEXT,				/* a piece of text; adjacent pieces belong together */
	PH_XML_END,
	PH_XML_DONE,				/* the document ended as it should */
	PH_XML_FAILED				/* see ph_xml_error() */
} PhXmlEvent;

typedef enum PhXmlFault
{
	PH_XML_MALFORMED,
	PH_XML_DOCTYPE,
	PH_XML_TOO_DEEP,
	PH_XML_TOO_MANY_ATTRIBUTES,
	PH_XML_TOO_MANY_NODES,
	PH_XML_NO_MEMORY
} PhXmlFault;

typedef struct PhXmlError
{
	PhXmlFault	fault;
	int			line;			/* from 1 */
	int			column;			/* in bytes, from 1; 0: the line only is known */
	char		message[200];	/* printable ASCII, mostly by libxml2; only when malformed */
} PhXmlError;

/* Name of an element or attribute and text, in UTF-8.  Names stay until the reader is closed, text until the next event. */
typedef struct PhXmlItem
{
	const char *uri;			/* of the namespace; NULL: none */
	const char *name;			/* local */
	const char *text;			/* of an attribute or a piece of text */
} PhXmlItem;

typedef struct PhXmlReader PhXmlReader;

/* NULL when there is no memory.  The document must stay until the reader is closed; it must not be longer than INT_MAX. */
extern PhXmlReader *ph_xml_open(const char *document, size_t length, int max_depth, int max_nodes);
extern PhXmlEvent ph_xml_next(PhXmlReader *reader, PhXmlItem *item);
extern bool ph_xml_attribute(PhXmlReader *reader, PhXmlItem *attribute);	/* the next one, after PH_XML_START */
extern const PhXmlError *ph_xml_error(const PhXmlReader *reader);
extern void ph_xml_close(PhXmlReader *reader);

/*
 * What libxml2 would take long to refuse, or explain badly, is found before it begins: a document type declaration, one
 * element with very many attributes, which it compares each with each, and markup that does not end.  False: see the
 * error.  unclosed: how many start tags have no end tag.
 */
extern bool ph_xml_guard(const char *document, size_t length, int *unclosed, PhXmlError *error);

#endif
