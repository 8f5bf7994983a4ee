/*
 * jobs.c
 *	  The jobs of a database: work that no commit and no answer does, such as evaluating events whose key was busy.
 *
 * What there is to do is decided in SQL (functions/job.sql).  A turn takes the job that has waited longest, runs it, and
 * notes what became of it: three transactions, so that a job that fails, or takes the process with it, has been counted.
 * Nothing is looked at before the time in shared memory: a commit that makes work sets it, and so does every look that
 * finds none.
 *
 * One process runs the collectors, whose queries may be long, and another one everything else.
 *
 * A job runs as its role; the session is cleaned after one that is not the owner of the extension.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "engine/jobs.h"
#include "engine/sql.h"

#define LIMIT_MS			30000	/* of taking and noting */
#define LOOK_GAP_MS			500		/* between two looks that find nothing */
#define RETRY_MS			1000	/* after a look that failed */
#define LINGER_MS			10000	/* after the last look, for the next one */

typedef struct Job
{
	bool		found;
	char	   *code;
	char	   *kind;
	char	   *name;
	char	   *role;			/* NULL: the owner of the extension */
	Oid			role_oid;
	int			at_most;
	int			limit_ms;
	TimestampTz next_at;		/* when nothing was found; DT_NOEND: not before a commit says so */
	int64		rows;
	const char *error;			/* NULL: it has succeeded */
	bool		interrupted;	/* the process has to go; that is no failure of the job */
	int			failures;		/* in a row, before this run */
} Job;

static int	own_no;				/* PH_JOBS or PH_COLLECTORS */
static bool recovered;			/* what an earlier process left behind has been noted */
static TimestampTz looked_at;

static void start(int worker_no, int workers);
static long turn(const PhMarks *marks, bool config);
static int	wait_fd(void);
static void stop(void);

const PhWorkerOps ph_jobs_ops = {.start = start,.turn = turn,.wait_fd = wait_fd,.stop = stop};

static void
start(int worker_no, int workers)
{
	own_no = worker_no;
	recovered = false;
	looked_at = 0;
}

static int
wait_fd(void)
{
	return -1;
}

static void
stop(void)
{
}

/* ---- the three transactions ---- */

static PhStatement recover = {"SELECT planthub.recover_jobs($1)", 1, {BOOLOID}, NULL};
static PhStatement take = {"SELECT * FROM planthub.take_job($1)", 1, {BOOLOID}, NULL};
static PhStatement finish = {
	"SELECT planthub.finish_job($1, $2, $3, $4)", 4, {TEXTOID, INT8OID, TEXTOID, BOOLOID}, NULL
};

/* A column as text in the given context; NULL when it is null. */
static char *
text_column(int column, MemoryContext context)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column);

	return value == NULL ? NULL : MemoryContextStrdup(context, value);
}

static void
take_job(void *arg)
{
	Job		   *job = arg;
	MemoryContext context = CurrentMemoryContext;
	Datum		values[1] = {BoolGetDatum(own_no == PH_COLLECTORS)};
	bool		isnull;
	Datum		next_at;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (!recovered)
		(void) ph_sql_run(&recover, values, NULL, SPI_OK_SELECT);
	if (ph_sql_run(&take, values, NULL, SPI_OK_SELECT) != 1)
		elog(ERROR, "no answer from planthub.take_job()");
	job->code = text_column(1, context);
	job->found = job->code != NULL;
	job->kind = text_column(2, context);
	job->name = text_column(3, context);
	job->role = text_column(4, context);
	job->at_most = ph_sql_int32(0, 5);
	job->limit_ms = ph_sql_int32(0, 6);
	next_at = ph_sql_datum(0, 7, &isnull);
	job->next_at = isnull ? DT_NOEND : DatumGetTimestampTz(next_at);
	job->role_oid = job->role == NULL ? ph_worker_owner() : get_role_oid(job->role, true);
	SPI_finish();
}

static void
run_job(void *arg)
{
	Job		   *job = arg;
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(job->name), Int32GetDatum(job->at_most)};
	char	   *sql = psprintf("SELECT planthub.%s($1, $2)", quote_identifier(psprintf("job_run_%s", job->kind)));

	if (!OidIsValid(job->role_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", job->role)));
	if (job->role != NULL && superuser_arg(job->role_oid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" is a superuser", job->role),
				 errdetail("Jobs never run with such rights.")));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_with_args(sql, 2, types, values, NULL, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "no answer from \"%s\"", sql);
	job->rows = ph_sql_int64(0, 1);
	SPI_finish();
}

static void
finish_job(void *arg)
{
	Job		   *job = arg;
	Datum		values[4];
	char		nulls[5] = "    ";

	values[0] = CStringGetTextDatum(job->code);
	values[1] = Int64GetDatum(job->rows);
	values[2] = job->error == NULL ? (Datum) 0 : CStringGetTextDatum(job->error);
	nulls[2] = job->error == NULL ? 'n' : ' ';
	values[3] = BoolGetDatum(job->interrupted);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (ph_sql_run(&finish, values, nulls, SPI_OK_SELECT) != 1)
		elog(ERROR, "no answer from planthub.finish_job()");
	job->failures = ph_sql_int32(0, 1);
	SPI_finish();
}

/* ---- a job ---- */

static const char *
error_text(const ErrorData *error)
{
	return error->detail == NULL ? psprintf("%s (SQLSTATE %s)", error->message, unpack_sql_state(error->sqlerrcode)) :
		psprintf("%s: %s (SQLSTATE %s)", error->message, error->detail, unpack_sql_state(error->sqlerrcode));
}

/* One line for the first failure of a streak, and one for its end. */
static void
report(const Job *job)
{
	if (job->error != NULL && job->failures == 0 && !job->interrupted)
		ereport(LOG,
				(errmsg("job \"%s\" failed", job->code),
				 errdetail_internal("%s", job->error),
				 errhint("It is tried again in growing intervals, without further notice; see planthub.job_status.")));
	else if (job->error == NULL && job->failures > 0)
		ereport(LOG, (errmsg("job \"%s\" works again after %d failures", job->code, job->failures)));
}

static void
run(Job *job)
{
	PhTransaction kind = {.activity = psprintf("planthub: job %s", job->code),.limit_ms = job->limit_ms,
	.role = job->role_oid,.cancellable = true};
	PhTransaction noting = {.activity = "planthub: jobs",.limit_ms = LIMIT_MS,.cancellable = true};
	ErrorData  *error;
	bool		good;

	ph_shmem_set_busy(true);
	good = ph_run_transaction(&kind, run_job, job, &error);
	ph_shmem_set_busy(false);
	QueryCancelPending = false;
	if (!good)
	{
		job->error = error_text(error);
		job->interrupted = error->sqlerrcode == ERRCODE_QUERY_CANCELED && ph_worker_is_leaving();
	}
	if (job->role_oid != ph_worker_owner())
		ph_worker_clean_session();
	noting.role = ph_worker_owner();
	/* When this fails, the next process finds a job that was begun and never ended. */
	if (ph_run_transaction(&noting, finish_job, job, NULL))
		report(job);
	else
		recovered = false;
}

/* ---- turns ---- */

static long
until(TimestampTz at, TimestampTz now)
{
	return at <= now ? 0 : (long) Min((at - now) / 1000 + 1, INT_MAX);
}

static long
rest(TimestampTz due, TimestampTz now)
{
	TimestampTz leave_at = TimestampTzPlusMilliseconds(looked_at, LINGER_MS);

	if (due <= TimestampTzPlusMilliseconds(now, LINGER_MS))
		return until(due, now);
	return leave_at <= now ? PH_TURN_END : until(leave_at, now);
}

static long
turn(const PhMarks *marks, bool config)
{
	PhTransaction taking = {.activity = "planthub: jobs",.limit_ms = LIMIT_MS,.role = ph_worker_owner(),.cancellable = true};
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz earliest = TimestampTzPlusMilliseconds(looked_at, LOOK_GAP_MS);
	TimestampTz due = ph_shmem_jobs_due();
	Job			job = {0};

	if (recovered && due > now)
		return rest(due, now);
	if (recovered && earliest > now)
		return until(earliest, now);
	if (ph_worker_is_leaving())
		return LOOK_GAP_MS;		/* nobody would cancel the next job */
	ph_shmem_take_jobs();
	if (!ph_run_transaction(&taking, take_job, &job, NULL))
	{
		ph_shmem_wake_jobs(own_no, TimestampTzPlusMilliseconds(now, RETRY_MS));
		looked_at = now;
		return RETRY_MS;
	}
	recovered = true;
	if (job.found)
	{
		run(&job);
		ph_shmem_wake_jobs(own_no, 0);	/* look again */
		return 0;
	}
	looked_at = GetCurrentTimestamp();
	if (job.next_at != DT_NOEND)
		ph_shmem_wake_jobs(own_no, job.next_at);
	return 0;
}
