-- worker: the background workers of this database.

CREATE OR REPLACE FUNCTION planthub.start() RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'planthub_start';
COMMENT ON FUNCTION planthub.start() IS 'Starts the workers of this database; needed when the library is not preloaded, and after planthub.stop()';

CREATE OR REPLACE FUNCTION planthub.stop() RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'planthub_stop';
COMMENT ON FUNCTION planthub.stop() IS 'Stops the workers of this database until planthub.start() or a restart of the server; returns when they are gone';

CREATE OR REPLACE FUNCTION planthub.workers(OUT worker_no int, OUT pid int, OUT state text, OUT started_at timestamptz,
    OUT failures int, OUT next_start_at timestamptz)
RETURNS SETOF record LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'planthub_worker_list';
COMMENT ON FUNCTION planthub.workers() IS 'The workers of this database: starting, running, or waiting to be started again after a failure';

-- CREATE EXTENSION: the workers come with its commit.
SELECT planthub.start();
