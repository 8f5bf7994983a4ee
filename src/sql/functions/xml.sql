-- xml: XML to JSON and back by one rule, so that mappings know JSON only.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.xml_to_json(document text, options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_xml_text_to_json';
COMMENT ON FUNCTION planthub.xml_to_json(text, jsonb) IS
'XML as JSON: an element is a member, a repeated one an array, an attribute "@name", text beside attributes or elements "#text", all of it strings.  options: "namespaces" {prefix: uri} keeps those as prefix:name, others are dropped; "arrays" [path] are always arrays, "/a/b" from the root or "b" anywhere; "max_depth" 100, "max_nodes" 1000000.  A document type declaration is refused; 2200M with line and column when it is not well-formed';

CREATE OR REPLACE FUNCTION planthub.xml_to_json(document bytea, options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_xml_bytea_to_json';
COMMENT ON FUNCTION planthub.xml_to_json(bytea, jsonb) IS
'XML as JSON, from bytes as they came: UTF-8, UTF-16 or what the XML declaration says; otherwise like xml_to_json(text)';

CREATE OR REPLACE FUNCTION planthub.json_to_xml(document jsonb, profile jsonb DEFAULT '{}') RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_json_to_xml';
COMMENT ON FUNCTION planthub.json_to_xml(jsonb, jsonb) IS
'JSON as XML, the rule of xml_to_json() backwards; always well-formed.  profile: "root" name of the root element, else the only member of the document; "namespaces" {prefix: uri} declared at the root, "" for names without prefix; "order" {path: [name]} of elements inside an element, others follow; "nulls" omit or nil; "declaration" false leaves the first line out';
