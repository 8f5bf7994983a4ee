#!/bin/bash
# A dump holds everything, and no copy of a hub sends anything before it is armed.  Workers are off: what is looked at is
# the data.
cd "$(dirname "$0")/../.." || exit 1
. test/lib/cluster.sh

folder=$(mktemp -d)
chmod 755 "$folder"
trap 'ph_stop "$folder/cluster" immediate; rm -rf "$folder"' EXIT
tests=0

ok() {	# name, command ...
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@"; then echo "ok $tests - $name"; else echo "not ok $tests - $name"; fi
}

sql() {	# database, statement
	psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "$2"
}

equal() {	# got, expected
	[ "$1" = "$2" ] || { printf '# got:      %s\n# expected: %s\n' "$1" "$2"; return 1; }
}

# One line for each table, leaf and sequence: rows and checksum.
contents() {
	sql "$1" "SELECT c.relname, query_to_xml(format('SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM %s AS t',
	              c.oid::regclass), true, true, '')
	          FROM pg_class AS c WHERE c.relnamespace = 'planthub'::regnamespace AND c.relkind = 'r' AND c.relname <> 'credential_secret' ORDER BY 1;
	          SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'planthub' ORDER BY 1" | tr -d '\n' | sed 's/<\/row>/&\n/g'
}

same() {	# database: the contents are those of the original
	contents "$1" >"$folder/$1.txt"
	diff "$folder/original.txt" "$folder/$1.txt" | sed 's/^/# /'
	cmp -s "$folder/original.txt" "$folder/$1.txt"
}

ph_server "$folder" && mkdir -p "$folder/cluster" || exit 1
PH_SERVER_DIR=${PH_SERVER_DIR:-$folder}
ph_cluster "$folder/cluster" 'planthub.enabled = off' 'fsync = off' || exit 1
sql postgres 'CREATE DATABASE original'
sql original 'CREATE EXTENSION planthub'

# Something in every table and in more than one slot.
sql original "
	CREATE ROLE regress_ph_dump;
	SELECT planthub.grant_access('operator', 'regress_ph_dump');
	INSERT INTO planthub.site (code, name) VALUES ('P1', 'Plant 1');
	INSERT INTO planthub.system (code, kind) VALUES ('mes', 'mes');
	INSERT INTO planthub.endpoint (code, system, address) VALUES ('mes-orders', 'mes', 'http://127.0.0.1:1/');
	INSERT INTO planthub.lane (endpoint, priority) SELECT id, 5 FROM planthub.endpoint;
	INSERT INTO planthub.route (code, topic_pattern, endpoint) VALUES ('orders', 'order.#', 'mes-orders');
	INSERT INTO planthub.topic (name, comment) VALUES ('plant_x.made_up', 'of this plant');
	SELECT planthub.register_json_schema('urn:example:code', '{\"type\": \"string\"}');
	SELECT planthub.register_contract('plant_x.made_up', '{\"properties\": {\"code\": {\"\$ref\": \"urn:example:code\"}}}');
	SELECT planthub.register_contract('shipment.ready', '{}', reason => 'of this plant');
	SELECT planthub.deprecate_contract('shipment.ready', 1, sunset => '2030-01-01');
	SELECT planthub.set_xref('item', '4711', '\"RM-HOUSING\"', 'mes');
	INSERT INTO planthub.mapping (name, version, template) VALUES ('order-in', 1, '{}');
	INSERT INTO planthub.mapping_vector (mapping, name, input, expect) VALUES ('order-in', 'empty', '{}', '{}');
	INSERT INTO planthub.mapping_function VALUES ('my_function', 'public', 'my_function');
	SELECT planthub.set_credential('sap-user', 'dump-secret', 'basic', '{\"user\": \"HUB\"}');
	SELECT planthub.create_outcome_set('our-sap', copy_of => 'sap-odata');
	SELECT planthub.pause('key', 'K9', 'stock taking');
	INSERT INTO planthub.endpoint_state SELECT id, 'open', now(), 5, now(), 503, 'down' FROM planthub.endpoint;
	INSERT INTO planthub.message (id, xid, recorded_at, event_time, slot, version, site, topic, key, data)
	SELECT nextval('planthub.message_id_seq'), pg_current_xact_id(), now(), now(), n % 8, 1, 'P1', 'order.released', 'K' || n % 10, '{\"n\": 1}'
	FROM generate_series(1, 100) AS n;
	INSERT INTO planthub.delivery (id, xid, message_id, lane, route, slot, message_slot, site)
	SELECT nextval('planthub.delivery_id_seq'), CASE WHEN m.id > 50 THEN '99999999999'::xid8 ELSE m.xid END, m.id, l.id, r.id, m.slot, m.slot, 'P1'
	FROM (SELECT * FROM planthub.message ORDER BY id) AS m, planthub.lane AS l, planthub.route AS r;
	INSERT INTO planthub.lane_window SELECT n, 1, now(), n, 1, 50, 0, 100, 100, NULL, l.id, 0, 50, n % 8, 0, true, true, '5:5:', pg_current_snapshot()
	FROM planthub.lane AS l, generate_series(1, 16) AS n;
	INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, slot, outcome, site)
	SELECT d.id, d.message_id, now(), 1, d.lane, 1, d.slot, 'success', 'P1' FROM planthub.delivery AS d WHERE d.id <= 40;
	INSERT INTO planthub.posting (delivery_id, message_id, at, slot, late, conflict, state, origin, site, endpoint, system, by)
	SELECT d.id, d.message_id, now(), d.slot, false, false, 'posted', 'response', 'P1', 'mes-orders', 'mes', 'worker' FROM planthub.delivery AS d WHERE d.id <= 40;
	INSERT INTO planthub.held (delivery_id, message_id, lane, route, message_slot, state, site, key, token)
	SELECT d.id, d.message_id, d.lane, d.route, d.slot, CASE d.id WHEN 41 THEN 'dead' ELSE 'retry' END, 'P1', 'K' || d.id % 10, 7
	FROM planthub.delivery AS d WHERE d.id IN (41, 42);
	UPDATE planthub.hub SET slot = 3, slot_length = '3 days'" >/dev/null
# The canonical tables: a row with the least that each demands, and what its checks ask for.
sql original "
	CREATE FUNCTION pg_temp.fill(name text, given jsonb DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS \$\$
	DECLARE
		value jsonb;
	BEGIN
		SELECT jsonb_object_agg(a.attname, CASE WHEN a.attname = 'site' THEN to_jsonb('P1'::text) WHEN a.atttypid IN ('text'::regtype, 'name'::regtype) THEN to_jsonb('x'::text)
			WHEN a.atttypid = 'timestamptz'::regtype THEN to_jsonb(now()) WHEN a.atttypid = 'date'::regtype THEN to_jsonb(current_date)
			WHEN a.atttypid = 'boolean'::regtype THEN to_jsonb(true) WHEN a.atttypid = 'jsonb'::regtype THEN '{}' ELSE to_jsonb(1) END) || given INTO value
		FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = ('planthub.' || quote_ident(name))::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = ''
			AND (a.attnotnull AND d.oid IS NULL OR given ? a.attname);
		EXECUTE (SELECT format('INSERT INTO planthub.%1\$I (%2\$s) SELECT %2\$s FROM jsonb_populate_record(NULL::planthub.%1\$I, \$1)', name, string_agg(quote_ident(k), ', '))
			FROM jsonb_object_keys(value) AS k) USING value;
	END
	\$\$;
	SELECT planthub.set_source('urn:x', 'mes'), planthub.set_source_mapping('urn:x', 'plant_x.made_up', 'sap-order-in', xml => '{}'), planthub.allow_topic('plant_x.made_up', 'mes'), planthub.set_policy('*', 'negative_stock', 'park'),
		planthub.set_policy('P1', 'park_ttl_min', '5'), planthub.set_effect('plant_x.made_up', 'public.made_up'), planthub.set_rule('MADE_UP', 'warn', 'x', 'x'),
		planthub.add_check('lot', '#', 'public.made_up');
	SELECT pg_temp.fill(name, given::jsonb) FROM (VALUES ('attribute_owner', '{}'), ('policy', '{}'), ('inbox', '{\"outcome\": \"parked\"}'), ('parked', '{}'), ('case', '{}'), ('reversal', '{}'),
		('equipment', '{\"level\": \"Site\"}'), ('party', '{}'), ('item', '{\"status\": \"active\"}'), ('uom_conversion', '{\"uom\": \"KGM\", \"to_uom\": \"C62\"}'), ('bom', '{}'),
		('bom_line', '{}'), ('routing', '{}'), ('routing_operation', '{}'), ('lot', '{\"origin\": \"received\"}'), ('lot_version', '{\"status\": \"blocked\"}'), ('serial_event', '{\"state\": \"active\"}'),
		('production_order', '{\"state\": \"released\"}'), ('production_order_version', '{}'), ('order_operation', '{}'), ('order_component', '{}'),
		('operation_event', '{\"kind\": \"started\"}'), ('order_acknowledgement', '{}'), ('movement', '{\"kind\": \"transfer\", \"to_location\": \"x\"}'), ('stock', '{}'),
		('stock_ledger', '{}'), ('stock_count', '{}'), ('stock_snapshot', '{}'), ('pick_task', '{\"outcome\": \"short\"}'), ('confirmation', '{\"kind\": \"final\"}'),
		('confirmation_output', '{}'), ('order_ledger', '{}'), ('edge', '{\"kind\": \"split\"}'), ('pending_consumption', '{}'),
		('handling_unit', '{}'), ('handling_unit_change', '{}'), ('shipment', '{}'), ('shipment_line', '{}'), ('shipment_unit', '{}'), ('reserved_lot', '{\"kind\": \"shipment\"}'), ('asn', '{}'), ('asn_line', '{}'),
		('receipt_line', '{}'), ('receipt_discrepancy', '{}'), ('signature', '{\"digest\": \"x\"}'), ('inspection_lot', '{}'), ('inspection_result', '{}'), ('nonconformance', '{}'),
		('disposition', '{\"approved_by\": []}'), ('hold', '{}'), ('hold_acknowledgement', '{\"state\": \"blocked\"}'), ('equipment_state_change', '{}'), ('downtime', '{}'),
		('downtime_reason', '{}'), ('maintenance_order', '{}'), ('capacity_change', '{\"kind\": \"reduced\"}'), ('telemetry_summary', '{}'), ('kpi_value', '{\"kpi\": \"availability\", \"to_time\": \"infinity\"}'), ('staging', '{}'), ('collector', '{\"code\": \"x\", \"source\": \"urn:x\", \"topic\": \"plant_x.made_up\", \"key_columns\": [\"x\"], \"s_old\": \"10:20:15\"}'), ('collected', '{\"collector\": \"x\"}'), ('job', '{\"kind\": \"drain\"}'),
		('shift', '{\"starts\": \"06:00\", \"ends\": \"14:00\"}'), ('counter', '{\"kind\": \"yield\"}'), ('count_change', '{}'), ('count_part', '{}'), ('count_shift', '{}'),
		('count_confirmation', '{}'), ('count_source', '{}'), ('follow_up', '{}'), ('epcis_event', '{}'), ('epcis_line', '{\"role\": \"object\"}')) AS t (name, given)" >/dev/null
contents original >"$folder/original.txt"
ok 'every table has rows' equal "$(grep -c '<count>0<' "$folder/original.txt")" 0

pg_dump -Fc -f "$folder/custom.dump" original
sql postgres 'CREATE DATABASE custom'
ok 'pg_restore works without an error' pg_restore -e -d custom "$folder/custom.dump"
ok 'and brings everything back' same custom
sql postgres 'CREATE DATABASE plain'
pg_dump -f "$folder/plain.sql" original
ok 'secrets stay where they are' equal "$(grep -c dump-secret "$folder/plain.sql")" 0
ok 'psql restores without an error' sh -c "psql -Xq -v ON_ERROR_STOP=1 -d plain -f '$folder/plain.sql' >/dev/null"
ok 'and brings everything back' same plain
ok 'grants come back' equal "$(sql custom "SELECT has_function_privilege('regress_ph_dump', 'planthub.pause(text, text, text)', 'EXECUTE')")" t

# A parallel restore does not keep the order of rows that refer to each other: it may fail, but never so that lanes are
# there while the hub takes itself for the original.
sql postgres 'CREATE DATABASE parallel'
pg_restore -j 4 -d parallel "$folder/custom.dump" >/dev/null 2>&1
ok 'a parallel restore never looks like an original with lanes' equal \
	"$(sql parallel 'SELECT planthub.is_armed() AND EXISTS (SELECT FROM planthub.lane)')" f

sql postgres 'CREATE DATABASE clone TEMPLATE original'
for copy in custom plain clone; do
	ok "$copy is not armed" equal "$(sql $copy 'SELECT planthub.is_armed()')" f
	ok "$copy says so" equal "$(sql $copy 'SELECT planthub.status()' | grep -c 'armed: no')" 1
	ok "arming $copy sets aside what was not finished" equal "$(sql $copy 'SELECT planthub.arm()' 2>/dev/null)" 60
	ok "$copy is armed" equal "$(sql $copy 'SELECT planthub.is_armed()')" t
	ok "no delivery of the original is new to $copy" equal "$(sql $copy 'SELECT count(*) FROM planthub.delivery AS d
		JOIN planthub.lane_cursor AS c ON c.lane = d.lane WHERE NOT pg_visible_in_snapshot(d.xid, c.s_new)')" 0
	ok "the states in $copy" equal "$(sql $copy 'SELECT state, count(*) FROM planthub.delivery_status GROUP BY state ORDER BY state' |
		tr '\n' ' ')" 'delivered|40 paused|60 '
	ok "$copy is the same hub" equal "$(sql $copy 'SELECT id, slot, slot_length FROM planthub.hub')" \
		"$(sql original 'SELECT id, slot, slot_length FROM planthub.hub')"
done
ok 'the original is still armed' equal "$(sql original 'SELECT planthub.is_armed()')" t
sql postgres "DROP DATABASE clone"
sql original 'SELECT planthub.revoke_access($$regress_ph_dump$$)' >/dev/null
echo "1..$tests"
