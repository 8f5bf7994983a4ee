-- XML to JSON and back: the rule, options, profiles, encodings, and everything that is refused.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS planthub;
RESET client_min_messages;

-- what a failing conversion says
CREATE FUNCTION pg_temp.refused(call text) RETURNS TABLE (code text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE call INTO message;
    code := 'none';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END
$$;
CREATE FUNCTION pg_temp.refused_xml(document text, options text DEFAULT '{}') RETURNS TABLE (code text, message text, detail text, hint text)
LANGUAGE sql AS $$ SELECT * FROM pg_temp.refused(format('SELECT planthub.xml_to_json(%L::text, %L)', document, options)) $$;
CREATE FUNCTION pg_temp.refused_json(document text, profile text DEFAULT '{}') RETURNS TABLE (code text, message text, detail text, hint text)
LANGUAGE sql AS $$ SELECT * FROM pg_temp.refused(format('SELECT planthub.json_to_xml(%L, %L)', document, profile)) $$;
\pset format unaligned
\pset tuples_only on
\pset null -

-- 1. the rule
SELECT planthub.xml_to_json(x) FROM (VALUES
    ('<a/>'), ('<a></a>'), ('<a> </a>'), ('<a>t</a>'), ('<a>007.50</a>'),
    ('<a x="1"/>'), ('<a x="1">t</a>'), ('<a x="1"> </a>'), ('<a x=""><b/></a>'),
    ('<a><b>1</b><b>2</b></a>'), ('<a><b>1</b><c/><b>2</b></a>'), ('<a><b><c>1</c></b><b><c>2</c><c>3</c></b></a>'),
    (E'<a>\n  <b>1</b>\n</a>'), ('<a>one <b>two</b> three</a>'), ('<a>x<!-- no -->y<?no no?>z<![CDATA[<&>]]></a>'),
    ('<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;&#13;</a>'), (E'<a x="1\n2&#10;3">1\r\n2</a>'),
    ('<?xml version="1.0" encoding="UTF-16"?><ä ö="ü">€ 😀</ä>'), (E'\ufeff<a/>')) AS t (x);

-- 2. namespaces
\set soap '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:order" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body><Order s:x="1" xml:lang="de"><Qty xsi:nil="true"/><Item xsi:nil="1" n="1"/><No xsi:nil="false"/></Order></s:Body></s:Envelope>'
SELECT planthub.xml_to_json(:'soap');
SELECT planthub.xml_to_json(:'soap', '{"namespaces": {"env": "http://schemas.xmlsoap.org/soap/envelope/"}}');
SELECT planthub.xml_to_json(:'soap', '{"namespaces": {"": "http://schemas.xmlsoap.org/soap/envelope/", "o": "urn:order", "xsi": "http://www.w3.org/2001/XMLSchema-instance", "xml": "http://www.w3.org/XML/1998/namespace"}}');
SELECT * FROM pg_temp.refused_xml('<r><a x="1" p:x="2" xmlns:p="urn:p"/></r>');
SELECT planthub.xml_to_json('<a x="1" p:x="2" xmlns:p="urn:p"/>', '{"namespaces": {"q": "urn:p"}}');

-- 3. what is always an array
SELECT planthub.xml_to_json('<a><b><c/></b><d><b>x</b></d></a>', o::jsonb) FROM (VALUES
    ('{"arrays": ["b"]}'), ('{"arrays": ["/a/b"]}'), ('{"arrays": ["d/b", "/a/d"]}'), ('{"arrays": ["c", "/b"]}')) AS t (o);

-- 4. encodings
SELECT planthub.xml_to_json(b) FROM (VALUES
    (convert_to('<a>ä€😀</a>', 'UTF8')), ('\xefbbbf'::bytea || convert_to('<?xml version="1.0" encoding="utf-8"?><a>ä</a>', 'UTF8')),
    (convert_to('<?xml version="1.0" encoding="ISO-8859-1"?><a>ä</a>', 'LATIN1')),
    (convert_to('<?xml version=''1.0'' encoding = ''windows-1252''?><a>€</a>', 'WIN1252')),
    (convert_to('<?xml version="1.0" encoding="US-ASCII"?><a>b</a>', 'UTF8')),
    ('\xfeff003c0061003e00e4d83dde00003c002f0061003e'::bytea), ('\xfffe3c0061003e00e4003c002f0061003e00'::bytea),
    ('\x003c0061002f003e'::bytea), ('\x3c0061002f003e00'::bytea)) AS t (b);
SELECT r.* FROM (VALUES
    ('\xfeff003c0061003e00'), ('\xfeff003c0061003ed83d003c002f0061003e'), ('\xfeff003c0061003edc00003c002f0061003e'),
    ('\x0000feff0000003c'), ('\x3c613ec33c2f613e'), ('\x3c613e00783c2f613e'), (''),
    ('\x' || encode('<?xml version="1.0" encoding="EBCDIC-CP-US"?><a/>', 'hex')),
    ('\x' || encode('<?xml version="1.0" encoding="UTF-7"?><a/>', 'hex')),
    ('\x' || encode('<?xml version="1.0" encoding="UTF-16"?><a/>', 'hex'))) AS t (b),
    pg_temp.refused(format('SELECT planthub.xml_to_json(%L::bytea)', b)) AS r;

-- 5. what is refused
SELECT r.* FROM (VALUES
    (''), ('text'), ('<a>'), ('<a><b></a>'), (E'<a>\n <b x="1" x="2"/></a>'), ('<a/><b/>'), ('<a>&nbsp;</a>'), ('<p:a/>'), (E'<a>\x01</a>'),
    (E'<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>'),
    ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
    ('<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>')) AS t (x),
    pg_temp.refused_xml(x) AS r;
SELECT r.* FROM (VALUES
    (repeat('<a>', 101) || repeat('</a>', 101), '{}'), ('<a><b/></a>', '{"max_depth": 1}'), ('<a><b/><b/></a>', '{"max_nodes": 2}'),
    ('<a ' || (SELECT string_agg(format('a%s=""', i), ' ') FROM generate_series(1, 257) AS i) || '/>', '{}')) AS t (x, o),
    pg_temp.refused_xml(x, o) AS r;
SELECT length(planthub.xml_to_json(repeat('<a>', 250) || repeat('</a>', 250), '{"max_depth": 250}')::text);
SELECT jsonb_array_length(planthub.xml_to_json('<a>' || repeat('<b/>', 200000) || '</a>') #> '{a,b}');
SELECT length(planthub.xml_to_json('<a x="' || repeat('y', 1000000) || '">' || repeat('z', 1000000) || '</a>') #>> '{a,@x}');
SELECT r.* FROM (VALUES
    ('[]'), ('{"array": []}'), ('{"arrays": "b"}'), ('{"arrays": [1]}'), ('{"arrays": ["a//b"]}'), ('{"arrays": [""]}'), ('{"namespaces": {"a": 1}}'),
    ('{"max_depth": 251}'), ('{"max_depth": "1"}'), ('{"max_nodes": 0}')) AS t (o),
    pg_temp.refused_xml('<a/>', o) AS r;

-- 6. the way back
SELECT planthub.json_to_xml(j::jsonb, '{"declaration": false}') FROM (VALUES
    ('{"a": ""}'), ('{"a": null}'), ('{"a": {}}'), ('{"a": " "}'), ('{"a": 1.50}'), ('{"a": true}'),
    ('{"a": {"@x": "1", "@y": null, "#text": "t"}}'), ('{"a": {"b": ["1", {"c": 2}, null, ""], "d": null, "e": []}}'),
    (E'{"a": {"@x": "<&>\\"''\\t\\n\\r", "#text": "<&>\\"''\\t\\n\\r"}}'), ('{"ä": {"@ö": "ü€😀"}}')) AS t (j);
SELECT planthub.json_to_xml('{"a": 1}');
SELECT planthub.json_to_xml('{"b": 1, "@x": 2}', '{"root": "o:a", "namespaces": {"o": "urn:o", "": "urn:\"d\""}}');
SELECT planthub.json_to_xml('{"a": {"b": null, "c": [null, 1]}}', '{"nulls": "nil", "declaration": false, "namespaces": {"xsi": "http://www.w3.org/2001/XMLSchema-instance"}}');
SELECT planthub.json_to_xml('{"a": {"a": 1, "b": 2, "cc": {"x": 1, "b": 2, "a": [3, 4]}, "dd": {"x": 1, "b": 2, "a": 3}}}',
    '{"declaration": false, "order": {"/a": ["dd", "b", "zz"], "cc": ["x"], "a/dd": ["b", "x"]}}');
SELECT r.* FROM (VALUES
    ('[]', '{}'), ('"a"', '{}'), ('{}', '{}'), ('{"a": 1, "b": 2}', '{}'), ('{"a": [1]}', '{}'), ('[1]', '{"root": "a"}'),
    ('{"": 1}', '{}'), ('{"1a": 1}', '{}'), ('{"a b": 1}', '{}'), ('{"a><b": 1}', '{}'), ('{"x:a": 1}', '{}'), ('{"a:": 1}', '{}'), ('{":a": 1}', '{}'),
    ('{"a:b:c": 1}', '{"namespaces": {"a": "urn:a"}}'), ('{"a": {"b": {"@ x": 1}}}', '{}'), ('{"a": {"@xmlns": "urn:x"}}', '{}'), ('{"a": {"@p:x": 1}}', '{}'),
    ('{"a": {"b": [[1]]}}', '{}'), ('{"a": {"@x": {}}}', '{}'), ('{"a": {"b": {"#text": []}}}', '{}'),
    ('{"a": {"b": "\u0001"}}', '{}'), ('{"a": {"@b": "\uffff"}}', '{}'), ('{"a": {"b": "\ufffe"}}', '{}'),
    ('{"a": 1}', '{"nil": true}'), ('{"a": 1}', '{"nulls": "nil"}'), ('{"a": 1}', '{"nulls": "keep"}'), ('{"a": 1}', '{"declaration": "no"}'),
    ('{"a": 1}', '{"namespaces": {"xmlns": "urn:x"}}'), ('{"a": 1}', '{"namespaces": {"1": "urn:x"}}'), ('{"a": 1}', '{"namespaces": {"x": ""}}'),
    ('{"a": 1}', '{"namespaces": {"x": "http://www.w3.org/2000/xmlns/"}}'), ('{"a": 1}', '{"order": {"a": "b"}}'), ('{"a": 1}', '{"order": {"a": ["b", "b"]}}'), ('{"a": 1}', '{"order": {"a": [1]}}')) AS t (j, p),
    pg_temp.refused_json(j, p) AS r;

-- 7. there and back again: SOAP 1.1 and 1.2, IDoc, B2MML; PostgreSQL's own parser agrees that they are well-formed
CREATE TEMP TABLE sample (name text, document jsonb, profile jsonb, options jsonb);
INSERT INTO sample VALUES
('soap 1.1', '{"soap:Envelope": {"soap:Header": "", "soap:Body": {"n0:Order": {"OrderNo": "1000123", "Item": [{"Pos": "10", "Qty": "1.500"}]}}}}',
 '{"namespaces": {"soap": "http://schemas.xmlsoap.org/soap/envelope/", "n0": "urn:sap-com:document:sap:rfc:functions"}, "order": {"soap:Envelope": ["soap:Header", "soap:Body"], "n0:Order": ["OrderNo", "Item"]}}',
 '{"namespaces": {"soap": "http://schemas.xmlsoap.org/soap/envelope/", "n0": "urn:sap-com:document:sap:rfc:functions"}, "arrays": ["n0:Order/Item"]}'),
('soap 1.2 fault', '{"env:Envelope": {"env:Body": {"env:Fault": {"env:Code": {"env:Value": "env:Sender"}, "env:Reason": {"env:Text": {"@xml:lang": "en", "#text": "order 1000123 is <locked> & busy"}}}}}}',
 '{"namespaces": {"env": "http://www.w3.org/2003/05/soap-envelope"}, "order": {"env:Fault": ["env:Code", "env:Reason"]}}',
 '{"namespaces": {"env": "http://www.w3.org/2003/05/soap-envelope", "xml": "http://www.w3.org/XML/1998/namespace"}}'),
('idoc', '{"LOIPRO01": {"IDOC": {"@BEGIN": "1", "EDI_DC40": {"@SEGMENT": "1", "TABNAM": "EDI_DC40", "MANDT": "100"}, "E1AFKOL": {"@SEGMENT": "1", "AUFNR": "000001000123", "E1AFFLL": [{"@SEGMENT": "1", "E1AFVOL": [{"@SEGMENT": "1", "VORNR": "0010"}, {"@SEGMENT": "1", "VORNR": "0020"}]}]}}}}',
 '{"order": {"IDOC": ["EDI_DC40", "E1AFKOL"], "E1AFKOL": ["AUFNR", "E1AFFLL"]}}', '{"arrays": ["E1AFVOL", "E1AFFLL"]}'),
('b2mml', '{"ProcessProductionPerformance": {"@releaseID": "", "ApplicationArea": {"CreationDateTime": "2026-01-15T10:30:00+01:00"}, "DataArea": {"Process": "", "ProductionPerformance": {"ProductionResponse": {"ID": "1", "SegmentResponse": [{"ID": "0010", "MaterialActual": [{"MaterialDefinitionID": "RM-SEAL", "Quantity": {"QuantityString": "120", "DataType": "decimal", "UnitOfMeasure": "C62"}}]}]}}}}}',
 '{"namespaces": {"": "http://www.mesa.org/xml/B2MML"}, "order": {"/ProcessProductionPerformance": ["ApplicationArea", "DataArea"], "DataArea": ["Process"], "Quantity": ["QuantityString", "DataType", "UnitOfMeasure"]}}',
 '{"arrays": ["SegmentResponse", "MaterialActual"]}'),
('mixed', '{"a": {"@x": "\t<\n\"\r>", "#text": " text\r\n]]> ", "b": ["", " ", "ä"], "c": {"@y": "1"}}}', '{}', '{}');
SELECT planthub.json_to_xml(document, profile) FROM sample WHERE name <> 'mixed';
SELECT name, planthub.xml_to_json(planthub.json_to_xml(document, profile), options) = document AS same,
       planthub.xml_to_json(convert_to(planthub.json_to_xml(document, profile), 'UTF8'), options) = document AS same_bytes,
       xml_is_well_formed_document(planthub.json_to_xml(document, profile)) AS well_formed
FROM sample ORDER BY name;

-- 8. random documents come back as they were
CREATE FUNCTION pg_temp.random_content(depth int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    texts constant text[] := ARRAY['', ' ', 'x', E'<a>&\t\n\r"''', ']]>', 'ä€😀', '&amp;', E'\n ', '007.50'];
    names constant text[] := ARRAY['a', 'bb', 'c-c', 'd.d', '_e', 'ä'];
    result jsonb := '{}';
    member text;
BEGIN
    IF depth > 4 OR random() < 0.4 THEN
        RETURN to_jsonb(texts[1 + floor(random() * 9)::int]);
    END IF;
    FOR i IN 1 .. 1 + floor(random() * 4) LOOP
        member := names[1 + floor(random() * 6)::int];
        IF random() < 0.3 THEN
            result := result || jsonb_build_object('@' || member, texts[1 + floor(random() * 9)::int]);
        ELSIF random() < 0.3 THEN
            result := result || jsonb_build_object(member, (SELECT jsonb_agg(pg_temp.random_content(depth + 1)) FROM generate_series(1, 2 + floor(random() * 3)::int)));
        ELSE
            result := result || jsonb_build_object(member, pg_temp.random_content(depth + 1));
        END IF;
    END LOOP;
    IF random() < 0.2 THEN
        result := result || jsonb_build_object('#text', 'x' || texts[1 + floor(random() * 9)::int]);
    END IF;
    RETURN result;
END
$$;
SELECT setseed(0.42);
SELECT count(*), count(*) FILTER (WHERE planthub.xml_to_json(planthub.json_to_xml(j)) = j)
FROM (SELECT jsonb_build_object('root', pg_temp.random_content(1)) AS j FROM generate_series(1, 2000) OFFSET 0) AS t;

-- 9. the server's own xml type is not disturbed, and says what it says without us
SELECT * FROM pg_temp.refused($$SELECT '<a><b></a>'::xml$$);
SELECT xmlparse(DOCUMENT '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>');
SELECT * FROM pg_temp.refused_xml('<a><b></a>');
SELECT xpath('/a/text()', '<a>t</a>');
