/*
 * xml.c
 *	  SQL functions planthub.xml_to_json() and planthub.json_to_xml().
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "json/xml.h"

PG_FUNCTION_INFO_V1(planthub_xml_text_to_json);
PG_FUNCTION_INFO_V1(planthub_xml_bytea_to_json);
PG_FUNCTION_INFO_V1(planthub_json_to_xml);

/* Text has the encoding of the database whatever its XML declaration says; clients convert it without changing that. */
Datum
planthub_xml_text_to_json(PG_FUNCTION_ARGS)
{
	text	   *document = PG_GETARG_TEXT_PP(0);
	int			length = VARSIZE_ANY_EXHDR(document);
	char	   *utf8 = pg_server_to_any(VARDATA_ANY(document), length, PG_UTF8);

	if (utf8 != VARDATA_ANY(document))
		length = strlen(utf8);
	if (length >= 3 && memcmp(utf8, "\357\273\277", 3) == 0)	/* a byte order mark that became a character */
	{
		utf8 += 3;
		length -= 3;
	}
	PG_RETURN_JSONB_P(ph_xml_read(utf8, length, PG_GETARG_JSONB_P(1)));
}

Datum
planthub_xml_bytea_to_json(PG_FUNCTION_ARGS)
{
	bytea	   *document = PG_GETARG_BYTEA_PP(0);
	int			length;
	char	   *utf8 = ph_xml_decode(VARDATA_ANY(document), VARSIZE_ANY_EXHDR(document), &length);

	PG_RETURN_JSONB_P(ph_xml_read(utf8, length, PG_GETARG_JSONB_P(1)));
}

Datum
planthub_json_to_xml(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(ph_xml_write(PG_GETARG_JSONB_P(0), PG_GETARG_JSONB_P(1)));
}
