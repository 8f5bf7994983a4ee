-- job: work that the hub does by itself, and how it went.  Run once.

CREATE TABLE planthub.job (
    code       text COLLATE "C" PRIMARY KEY GENERATED ALWAYS AS (kind || CASE name WHEN '' THEN '' ELSE ':' || name END) STORED,
    kind       text COLLATE "C" NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_]{0,30}$'),
    name       text COLLATE "C" NOT NULL DEFAULT '',
    role       text COLLATE "C",
    every      interval CHECK (every >= '1 s' AND every <= '366 days'),
    at_most    int NOT NULL DEFAULT 500 CHECK (at_most BETWEEN 1 AND 10000),
    time_limit interval NOT NULL DEFAULT '5 min' CHECK (time_limit >= '1 s' AND time_limit <= '1 day'),
    builtin    boolean NOT NULL DEFAULT false,
    started_at timestamptz,
    ended_at   timestamptz,
    rows       bigint,
    worked_at  timestamptz,
    failures   int NOT NULL DEFAULT 0,
    failed_at  timestamptz,
    last_error text,
    next_at    timestamptz,
    not_before timestamptz,
    empty_runs int NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE planthub.job IS 'Work that the hub does by itself, in transactions of its own: what it is, and how the last run went';
COMMENT ON COLUMN planthub.job.code IS 'Kind and name, such as collect:legacy-orders';
COMMENT ON COLUMN planthub.job.kind IS 'release: evaluates released events whose key was busy, and makes cases of those that wait too long; collect: lets a collector read; counts: confirms what machines of a site have counted; drain: receives a batch of planthub.staging; rotate: moves to the next log slot.  A run calls planthub.job_run_<kind>()';
COMMENT ON COLUMN planthub.job.name IS 'Which one: the code of the collector, the site, the name of the batch; empty when there is only one';
COMMENT ON COLUMN planthub.job.role IS 'Role that it runs as, never a superuser; null: the owner of the extension';
COMMENT ON COLUMN planthub.job.every IS 'How often it looks for work, or runs at most when commits tell of work; null: whenever a commit does';
COMMENT ON COLUMN planthub.job.at_most IS 'Rows of one run; when it has found as many, the next one follows at once';
COMMENT ON COLUMN planthub.job.time_limit IS 'A run that takes longer is cancelled and counts as failed';
COMMENT ON COLUMN planthub.job.builtin IS 'Whether the extension brought it';
COMMENT ON COLUMN planthub.job.started_at IS 'When the last run began';
COMMENT ON COLUMN planthub.job.ended_at IS 'When it ended; null: it runs, or never ran';
COMMENT ON COLUMN planthub.job.rows IS 'How many rows it did; null: it failed';
COMMENT ON COLUMN planthub.job.worked_at IS 'When a run last found something to do';
COMMENT ON COLUMN planthub.job.failures IS 'Failed runs in a row';
COMMENT ON COLUMN planthub.job.failed_at IS 'When a run last failed';
COMMENT ON COLUMN planthub.job.last_error IS 'What went wrong then';
COMMENT ON COLUMN planthub.job.next_at IS 'With every: not before; null: at once';
COMMENT ON COLUMN planthub.job.not_before IS 'It does not run before, after a failure or a run that found nothing';
COMMENT ON COLUMN planthub.job.empty_runs IS 'Runs in a row that did nothing';
COMMENT ON CONSTRAINT job_kind_check ON planthub.job IS 'Use collect, counts, drain or rotate';
COMMENT ON CONSTRAINT job_every_check ON planthub.job IS 'Use 1 s to 366 days';
COMMENT ON CONSTRAINT job_at_most_check ON planthub.job IS 'Use 1 to 10000 rows';
COMMENT ON CONSTRAINT job_time_limit_check ON planthub.job IS 'Use 1 s to 1 day';

INSERT INTO planthub.job (kind, builtin) VALUES ('release', true);

INSERT INTO planthub.table_class VALUES ('job', 'local');
