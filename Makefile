# PlantHub.  "make demo" and "make check" do everything on a fresh Debian machine; "make" and "make install" build and
# install for the server that pg_config belongs to.

EXTENSION = planthub
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" planthub.control)
MODULE_big = planthub
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))

# Install script: pieces in this order; the tables run once, the functions can be run again by an upgrade.
SQL_TABLES = hub config topic_data log held operate xref unit
SQL_FUNCTIONS = worker config expression xref unit publish lane operate replay copy status doctor retention trace dump grants
SQL_PIECES = $(SQL_TABLES:%=src/sql/tables/%.sql) $(SQL_FUNCTIONS:%=src/sql/functions/%.sql)
DATA_built = planthub--$(EXTVERSION).sql

PG_CPPFLAGS = -I$(srcdir)/src -DPLANTHUB_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -std=gnu99 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -lcurl -ljansson -lcrypto

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

# "OR REPLACE" is for upgrades; a first install must not adopt an object that is already there.
planthub--$(EXTVERSION).sql: $(SQL_PIECES) planthub.control
	(printf '%s\n' '\echo Use "CREATE EXTENSION planthub" to load this file. \quit'; \
	 for f in $(SQL_PIECES); do echo; cat $$f; done) | sed 's/^CREATE OR REPLACE /CREATE /' > $@
endif
