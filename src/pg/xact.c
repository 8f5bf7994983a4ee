/*
 * xact.c
 *	  Wakes the workers when the present transaction commits.
 *
 * The callback is registered once per backend: registering it in every transaction would make each commit slower than
 * the one before.  A subtransaction that rolls back leaves its mark: the worker wakes, looks, and finds nothing.
 */
#include "postgres.h"

#include "access/xact.h"

#include "pg/compat.h"
#include "pg/shmem.h"
#include "pg/xact.h"

static PhLaneSet lanes;
static bool lanes_marked;
static bool config_marked;
static bool registered;

static void
end_of_transaction(XactEvent event, void *arg)
{
	if (!lanes_marked && !config_marked)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			ph_shmem_wake(lanes_marked ? &lanes : NULL, config_marked);
			break;
		case XACT_EVENT_PRE_PREPARE:
			ph_shmem_note_prepared(&lanes, GetTopFullTransactionId());
			return;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	if (lanes_marked)
		memset(&lanes, 0, sizeof(lanes));
	lanes_marked = config_marked = false;
}

static void
register_once(void)
{
	if (registered)
		return;
	(void) ph_shmem_get();			/* not at commit: it may throw */
	RegisterXactCallback(end_of_transaction, NULL);
	registered = true;
}

void
ph_xact_mark_lane(int lane)
{
	int			bit = lane % PH_LANE_BITS;

	register_once();
	lanes.word[bit / 64] |= UINT64CONST(1) << (bit % 64);
	lanes_marked = true;
}

void
ph_xact_mark_config(void)
{
	register_once();
	config_marked = true;
}
