/*
 * xml.h
 *	  XML to JSON and back, by one rule:
 *
 *	  element						member named like it, without its namespace or as prefix:name where that is declared
 *	  repeated element				array, in document order; an element is always one where its path is declared
 *	  element with text only		string, as it stands; an empty one is ""
 *	  other element					object
 *	  attribute						member "@name"
 *	  text beside attributes or		member "#text"; white space between elements is nothing
 *	  elements
 *	  xsi:nil="true" and nothing	null
 *	  else
 *
 * Everything stays a string.  Comments and processing instructions are nothing.  The way back has a profile for what
 * JSON cannot say: namespaces, the order of elements, what null means.
 */
#ifndef PLANTHUB_XML_H
#define PLANTHUB_XML_H

#include "utils/jsonb.h"

/* Bytes as they came: by byte order mark or declaration, UTF-8 when neither is there.  The result is terminated. */
extern char *ph_xml_decode(const char *bytes, int length, int *decoded_length);

/* document is UTF-8.  options: {"namespaces": {prefix: uri}, "arrays": [path], "max_depth": n, "max_nodes": n} */
extern Jsonb *ph_xml_read(const char *document, int length, Jsonb *options);

/*
 * profile: {"root": name, "namespaces": {prefix: uri}, "order": {path: [name]}, "nulls": "omit"|"nil",
 * "declaration": boolean}.  The result is in the encoding of the database.
 */
extern text *ph_xml_write(Jsonb *document, Jsonb *profile);

/* ---- shared by both: xml_path.c ---- */

/*
 * Where an element is: "/a/b" is the element b below the root a, "b" and "a/b" are all that end like this.
 */
typedef struct PhXmlPath
{
	bool		from_root;
	int			n;
	char	  **names;
} PhXmlPath;

/* The place of an element: itself and those above it, innermost first. */
typedef struct PhXmlPlace
{
	const char *name;			/* as in JSON; not terminated */
	int			length;
	const struct PhXmlPlace *above;
} PhXmlPlace;

#define PH_XML_NIL_URI	"http://www.w3.org/2001/XMLSchema-instance"

extern void ph_xml_path_parse(const char *text, const char *option, PhXmlPath *path);	/* raises */
extern bool ph_xml_path_matches(const PhXmlPath *path, const PhXmlPlace *place);
extern char *ph_xml_place_text(const PhXmlPlace *place);	/* "/a/b", for messages */

/* The members of options and profiles.  A missing one is NULL; raised are wrong types and, at the end, unknown names. */
extern void ph_xml_require_object(Jsonb *options, const char *what);
extern JsonbValue *ph_xml_option(Jsonb *options, const char *name, enum jbvType type, const char *type_name);
extern void ph_xml_refuse_unknown(Jsonb *options, const char *what, const char *const *known);

#endif
