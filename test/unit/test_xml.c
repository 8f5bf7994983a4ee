/*
 * test_xml.c
 *	  The pull reader: events, everything it refuses and where, and that nothing is left or printed.  With -DLIBFUZZER and
 *	  clang -fsanitize=fuzzer an entry for libFuzzer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json/xml_pull.h"
#include "tap.h"

#define LARGE	(4 * 1024 * 1024)
#define SECONDS	3				/* a hostile document of 4 MB; quadratic behaviour took 8 and more without sanitizers */

/* Events as text: <name@attribute=value> text </>, then "." at the end or the fault with its place. */
static char *
events(const char *document, size_t length, int max_depth, int max_nodes)
{
	static char result[2000];
	PhXmlReader *reader = ph_xml_open(document, length, max_depth, max_nodes);
	PhXmlItem	item;
	PhXmlItem	attribute;
	PhXmlEvent	event;
	size_t		n = 0;

	result[0] = '\0';
	while ((event = ph_xml_next(reader, &item)) != PH_XML_DONE && event != PH_XML_FAILED)
	{
		if (n > sizeof(result) - 300)
			continue;
		if (event == PH_XML_START)
		{
			n += snprintf(result + n, 100, "<%s%s%s", item.uri ? item.uri : "", item.uri ? "#" : "", item.name);
			while (ph_xml_attribute(reader, &attribute))
				n += snprintf(result + n, 100, "@%s=%.20s", attribute.name, attribute.text);
			result[n++] = '>';
		}
		else
			n += snprintf(result + n, 100, "%.50s", event == PH_XML_END ? "</>" : item.text);
	}
	if (event == PH_XML_DONE)
		snprintf(result + n, 10, ".");
	else
	{
		const PhXmlError *error = ph_xml_error(reader);

		snprintf(result + n, 290, "!%d %d:%d %s", error->fault, error->line, error->column, error->message);
	}
	ph_xml_close(reader);
	return result;
}

static void
expect(const char *name, const char *document, const char *expected)
{
	const char *got = events(document, strlen(document), 100, 1000);
	size_t		prefix = strlen(expected);

	check(strncmp(got, expected, prefix) == 0, "%s", name);
	if (strncmp(got, expected, prefix) != 0)
		printf("# got:      %s\n# expected: %s\n", got, expected);
}

static void
refuses_soon(const char *name, char *document, size_t length, PhXmlFault fault)
{
	clock_t		began = clock();
	char	   *got = events(document, length, 100, 1000000);
	char		expected[8];
	double		seconds = (double) (clock() - began) / CLOCKS_PER_SEC;

	snprintf(expected, sizeof(expected), "!%d ", fault);
	check(strstr(got, expected) != NULL && seconds < SECONDS, "%s (%.2f s)", name, seconds);
	if (strstr(got, expected) == NULL)
		printf("# got: %.300s\n", got);
}

/* prefix, then the part until the size is reached, then suffix */
static size_t
fill(char *into, const char *prefix, const char *part, const char *suffix)
{
	size_t		n = strlen(strcpy(into, prefix));
	size_t		length = strlen(part);

	while (n + length < LARGE)
	{
		memcpy(into + n, part, length);
		n += length;
	}
	return n + strlen(strcpy(into + n, suffix));
}

static void
test_events(void)
{
	expect("elements, attributes, text", "<a x='1' y=\"&lt;&#65;\">t<b/>u</a>", "<a@x=1@y=<A>t<b></>u</>.");
	expect("namespaces", "<p:a xmlns:p='urn:p' xmlns='urn:d' p:x='1'><b/></p:a>", "<urn:p#a@x=1><urn:d#b></></>.");
	expect("CDATA is text, comments and instructions are nothing",
		   "<?xml version='1.0'?><!-- c --><a><?pi x?><![CDATA[<&>]]><!-- c --></a><!-- c -->", "<a><&></>.");
	expect("the encoding of the declaration does not count", "<?xml version='1.0' encoding='UTF-16'?><a>\xc3\xa4</a>",
		   "<a>\xc3\xa4</>.");
	expect("an empty attribute", "<a x=''/>", "<a@x=></>.");
}

static void
test_refused(void)
{
	expect("nothing", "", "!0 ");
	expect("blank", "  \n ", "!0 ");
	expect("no element", "<!-- c -->", "!0 ");
	expect("text only", "hello", "!0 1:1 ");
	expect("a truncated document", "<a><b>x</b>", "<a><b>!0 1:12 Premature end");
	expect("tags that do not match", "<a>\n<b></a>", "!0 2:8 Opening and ending tag mismatch");
	expect("two roots", "<a/><b/>", "!0 1:5 Extra content");
	expect("a comment that does not end", "<a>\n <!-- </a>", "!0 2:2 Comment");
	expect("two hyphens in a comment", "<a><!-- -- --></a>", "!0 1:4 Comment");
	expect("a CDATA section that does not end", "<a><![CDATA[</a>", "!0 1:4 CDATA");
	expect("an instruction that does not end", "<a><?x </a>", "!0 1:4 Processing");
	expect("a tag that does not end", "<a x='>", "!0 1:1 Tag");
	expect("an end tag too much", "<a></a></a>", "!0 1:8 Extra content");
	expect("an attribute twice", "<a x='1' x='2'/>", "!0 1:");
	expect("an undeclared prefix", "<p:a/>", "!0 1:");
	expect("an unknown entity", "<a>&foo;</a>", "!0 1:");
	expect("a control character", "<a>\x01</a>", "!0 1:");
	expect("a reference to a character that is none", "<a>&#0;</a>", "!0 1:");
	expect("invalid UTF-8", "<a>\n \xff\xfe</a>", "!0 2:");
	expect("an overlong form", "<a>\xc0\xbc</a>", "!0 1:");
	expect("a surrogate", "<a>\xed\xa0\x80</a>", "!0 1:");
	check(strchr(events("<a>x\0y</a>", 10, 100, 1000), '!') != NULL, "a NUL");
	expect("a document type", "<?xml version='1.0'?>\n <!DOCTYPE a><a/>", "!1 2:2 ");
	expect("a document type with entities", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "!1 1:1 ");
	expect("an external entity", "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "!1 1:1 ");
	expect("a document type in a comment is none", "<a><!-- <!DOCTYPE a> --><![CDATA[<!DOCTYPE]]></a>", "<a><!DOCTYPE</>.");
	check(strcmp(events("<a><b/></a>", 11, 2, 10), "<a><b></></>.") == 0, "as deep as allowed");
	check(strstr(events("<a>\n<b><c/></b></a>", 19, 2, 10), "!2 2:") != NULL, "deeper than allowed");
	check(strstr(events("<a><b/><b/><b/></a>", 19, 2, 3), "!4 1:") != NULL, "more nodes than allowed");
}

static void
test_hostile(void)
{
	char	   *document = malloc(LARGE + 1000);
	size_t		n;
	int			i;

	n = strlen(strcpy(document, "<!DOCTYPE a ["));
	for (i = 0; n < LARGE; i++)
		n += sprintf(document + n, "<!ENTITY e%d 'xxxxxxxxxx'>", i);
	refuses_soon("a huge document type", document, n, PH_XML_DOCTYPE);
	n = strlen(strcpy(document, "<a"));
	for (i = 0; n < LARGE; i++)
		n += sprintf(document + n, " a%d=''", i);
	n += strlen(strcpy(document + n, "/>"));
	refuses_soon("very many attributes", document, n, PH_XML_TOO_MANY_ATTRIBUTES);
	refuses_soon("deep", document, fill(document, "", "<a>", ""), PH_XML_TOO_DEEP);
	refuses_soon("wide", document, fill(document, "<a>", "<b/>", "</a>"), PH_XML_TOO_MANY_NODES);
	refuses_soon("a huge name", document, fill(document, "<", "a", "/>"), PH_XML_MALFORMED);
	refuses_soon("a huge attribute that does not end", document, fill(document, "<a x='", "y", ""), PH_XML_MALFORMED);
	refuses_soon("opening brackets only", document, fill(document, "<a>", "<", ""), PH_XML_MALFORMED);
	refuses_soon("quotes only", document, fill(document, "<a ", "'", ""), PH_XML_TOO_MANY_ATTRIBUTES);
	refuses_soon("a comment that does not end", document, fill(document, "<a><!--", "-", ""), PH_XML_MALFORMED);
	n = fill(document, "<a x='", "y", "'/>");
	check(strstr(events(document, n, 100, 1000), "<a@x=yyyyyyyyyyyyyyyyyyyy></>.") != NULL, "a huge attribute is none the worse");
	free(document);
}

/* Whatever becomes of a document, it is read to an end, and what comes in between is well nested. */
static bool
well_nested(const char *document, size_t length)
{
	PhXmlReader *reader = ph_xml_open(document, length, 100, 10000);
	PhXmlItem	item;
	PhXmlEvent	event;
	int			depth = 0;

	while ((event = ph_xml_next(reader, &item)) != PH_XML_DONE && event != PH_XML_FAILED)
	{
		depth += event == PH_XML_START ? 1 : event == PH_XML_END ? -1 : 0;
		if (depth < 0 || (event == PH_XML_TEXT && item.text == NULL))
			break;
	}
	ph_xml_close(reader);
	return event == PH_XML_DONE ? depth == 0 : event == PH_XML_FAILED;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!well_nested((const char *) data, size))
		abort();
	return 0;
}

#ifndef LIBFUZZER
static void
test_mutations(void)
{
	static const char original[] = "<?xml version='1.0'?><!-- c --><s:a xmlns:s='urn:s' xmlns='urn:d' x=\"1\"><b s:y='&amp;&#65;'>"
		"t\xc3\xa4</b><c/><![CDATA[<&>]]><?pi x?> <d><e>1</e><e>2</e></d></s:a>";
	static const char bytes[] = "<>&;'\"/=!?-[]#x \n\0\xff\xc3";
	size_t		length = sizeof(original) - 1;
	char		document[2 * sizeof(original)];
	int			round;
	bool		good = true;

	srand(20260115);
	for (round = 0; round < 50000 && good; round++)
	{
		size_t		n = length;
		int			changes = 1 + rand() % 3;

		memcpy(document, original, length);
		while (changes-- > 0)
		{
			size_t		at = rand() % n;
			size_t		part = rand() % 8;

			switch (rand() % 4)
			{
				case 0:			/* another byte */
					document[at] = bytes[rand() % (sizeof(bytes) - 1)];
					break;
				case 1:			/* less */
					part = part < n - at ? part : n - at;
					memmove(document + at, document + at + part, n - at - part);
					n = n - part > 0 ? n - part : n;
					break;
				case 2:			/* twice */
					part = part < n - at ? part : n - at;
					memmove(document + at + part, document + at, n - at);
					n += part;
					break;
				default:		/* the end is missing */
					n = rand() % 4 == 0 && at > 0 ? at : n;
			}
		}
		good = well_nested(document, n);
	}
	check(good, "50,000 changed documents are read to an end");
	if (!good)
		printf("# round %d\n", round);
}

int
main(void)
{
	test_events();
	test_refused();
	test_hostile();
	test_mutations();
	return done();
}
#endif
