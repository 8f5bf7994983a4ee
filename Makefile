# PlantHub.  "make demo" and "make check" do everything on a fresh Debian machine; "make" and "make install" build and
# install for the server that pg_config belongs to.

EXTENSION = planthub
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" planthub.control)
MODULE_big = planthub
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))

# Install script: pieces in this order; the tables run once, the functions can be run again by an upgrade.
SQL_TABLES = hub outcome credential config topic_data log held operate xref unit contract mapping inbound master_data lot production_order stock confirmation inbound_data handling_unit shipment receipt quality downtime posting bulk collector counter job epcis
SQL_FUNCTIONS = worker config credential expression xref unit contract contract_compatible mapping lint outcome publish policy inbound line stock master_data genealogy production_order confirmation receive foreign bulk collector event handling_unit shipment receipt quality downtime counter posting balance lane operate replay copy status doctor retention job trace xml epcis append_only dump grants
SQL_PIECES = $(SQL_TABLES:%=src/sql/tables/%.sql) build/contract_data.sql $(SQL_FUNCTIONS:%=src/sql/functions/%.sql) build/mapping_data.sql
CONTRACTS = $(wildcard src/sql/contracts/*.json)
SCHEMAS = $(wildcard src/sql/schemas/*.json)
MAPPINGS = $(wildcard src/sql/mappings/*.json)
DATA_built = planthub--$(EXTVERSION).sql

PG_CPPFLAGS = -I$(srcdir)/src $(shell xml2-config --cflags) -DPLANTHUB_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -std=gnu99 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -lcurl -ljansson -lcrypto -lxml2

EXTRA_CLEAN = planthub--*.sql build

PG_CONFIG ?= $(firstword $(wildcard /usr/lib/postgresql/15/bin/pg_config) pg_config)
ifneq (,$(filter demo check setup,$(MAKECMDGOALS)))
.PHONY: demo check setup
setup:
	@test/lib/setup
demo: setup
	@demo/run
check: setup
	@test/run
else
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h src/*/*.h)

# Contracts, <topic>.v<version>.json, and meta-schemas become rows.
build/contract_data.sql: $(CONTRACTS) $(SCHEMAS) Makefile
	@mkdir -p build
	(echo "INSERT INTO planthub.contract (topic, version, schema, sha256, created_at, author, builtin)"; \
	 echo "SELECT left(f.name, -length(substring(f.name, '[.]v[0-9]+\$$'))), substring(f.name, '[0-9]+\$$')::int, f.document,"; \
	 echo "    encode(sha256(convert_to(f.document::text, 'UTF8')), 'hex'), NULL, 'planthub', true FROM (VALUES"; \
	 comma=; for f in $(CONTRACTS); do echo "$$comma('$$(basename $$f .json)', \$$json\$$"; cat $$f; echo "\$$json\$$::jsonb)"; comma=,; done; \
	 echo ") AS f (name, document);"; \
	 echo "INSERT INTO planthub.json_schema (uri, document, created_at, author, builtin)"; \
	 echo "SELECT rtrim(f.document->>'\$$id', '#'), f.document, NULL, 'planthub', true FROM (VALUES"; \
	 comma=; for f in $(SCHEMAS); do echo "$$comma(\$$json\$$"; cat $$f; echo "\$$json\$$::jsonb)"; comma=,; done; \
	 echo ") AS f (document);") > $@

# Mappings are installed by the functions, and compiled when all of them are there.
build/mapping_data.sql: $(MAPPINGS) Makefile
	@mkdir -p build
	(for f in $(MAPPINGS); do echo "SELECT planthub.install_mapping(\$$json\$$"; cat $$f; echo "\$$json\$$);"; done; \
	 echo "SELECT planthub.mapping_complete(m.name, m.site, m.version) FROM planthub.mapping AS m;") > $@

# "OR REPLACE" is for upgrades; a first install must not adopt an object that is already there.
planthub--$(EXTVERSION).sql: $(SQL_PIECES) planthub.control
	(printf '%s\n' '\echo Use "CREATE EXTENSION planthub" to load this file. \quit'; \
	 for f in $(SQL_PIECES); do echo; cat $$f; done) | sed 's/^CREATE OR REPLACE /CREATE /' > $@
endif
