/*
 * worker.h
 *	  The frame of a worker process: connects, keeps the session clean, waits, and calls the engine.
 */
#ifndef PLANTHUB_WORKER_H
#define PLANTHUB_WORKER_H

#include "pg/compat.h"
#include "pg/shmem.h"

/*
 * What the engine gives the frame; module.c plugs it in.  All are called outside a transaction, in a memory context
 * that is reset after each call; an ERROR in start or turn ends the worker (the launcher starts it again).
 */
typedef struct PhWorkerOps
{
	/* Once, after the database is connected and the extension is known to exist. */
	void		(*start) (int worker_no, int workers);

	/*
	 * One turn: marks are those set since the last turn, config says that the configuration changed.  Returns the
	 * number of milliseconds until it wants to be called again at the latest, -1 for no limit, 0 for at once,
	 * PH_TURN_END when the process is not needed before the time in its slot.
	 */
	long		(*turn) (const PhMarks *marks, bool config);

	/* Descriptor that makes the frame call turn when it is readable; -1 for none. */
	int			(*wait_fd) (void);

	/* The extension or the worker is going away: forget everything, give back leases. */
	void		(*stop) (void);
} PhWorkerOps;

#define PH_TURN_END		(-2)

extern void ph_worker_set_ops(const PhWorkerOps *lanes, const PhWorkerOps *jobs);

/* The process; arg is the number of its slot, bgw_extra holds the generation. */
pg_noreturn extern PGDLLEXPORT void ph_worker_main(Datum arg);

/* How a transaction runs. */
typedef struct PhTransaction
{
	const char *activity;		/* shown in pg_stat_activity */
	int			limit_ms;
	Oid			role;			/* InvalidOid: the one that the process runs as */
	bool		cancellable;	/* being cancelled is an error like others, and no request to end */
} PhTransaction;

extern const PhTransaction ph_usual_transaction;	/* of the dispatcher */

/*
 * Runs fn(arg) in a transaction of its own, with an active snapshot and a limit on its time, in the caller's memory
 * context.  An ERROR aborts the transaction and returns false; it is put into *error, allocated in the caller's
 * context, or logged when error is NULL (the first of a streak and every hundredth).
 */
extern bool ph_run_transaction(const PhTransaction *kind, void (*fn) (void *arg), void *arg, ErrorData **error);

/* Makes the session as it was at the start, whatever a role has done in it that is not the owner of the extension. */
extern void ph_worker_clean_session(void);

/* Whether the process is to end: it was told so, or someone wants to drop the database or the extension. */
extern bool ph_worker_is_leaving(void);

/* The owner of the extension. */
extern Oid	ph_worker_owner(void);

#endif
