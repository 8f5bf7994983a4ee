/*
 * careful.c
 *	  Running what may fail without failing with it, and code of others without trusting it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "pg/careful.h"

static bool
must_be_thrown(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'):
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'):
			return true;
		default:
			return false;
	}
}

bool
ph_careful(void (*function) (void *arg), void *arg, const char **message)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resources = CurrentResourceOwner;
	volatile bool good = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		function(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();	/* the user, too */
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = resources;
		if (must_be_thrown(error->sqlerrcode))
			ReThrowError(error);
		*message = error->detail == NULL ? error->message : psprintf("%s: %s", error->message, error->detail);
		good = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = resources;
	return good;
}

void
ph_guard_begin(PhGuard *guard, Oid user)
{
	GetUserIdAndSecContext(&guard->user, &guard->security);
	SetUserIdAndSecContext(user, guard->security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	guard->settings = NewGUCNestLevel();
}

void
ph_guard_end(const PhGuard *guard)
{
	AtEOXact_GUC(false, guard->settings);
	SetUserIdAndSecContext(guard->user, guard->security);
}
