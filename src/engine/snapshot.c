/*
 * snapshot.c
 *	  Arithmetic on stored snapshots; see snapshot.h.  Pure C.
 */
#ifdef POSTGRES_H
#error "snapshot.c is pure C"
#endif

#include "engine/snapshot.h"

static bool
is_running(const PhSnapshot *snapshot, uint64_t xid)
{
	int			low = 0;
	int			high = snapshot->nxip;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (snapshot->xip[middle] == xid)
			return true;
		if (snapshot->xip[middle] < xid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool
ph_snapshot_sees(const PhSnapshot *snapshot, uint64_t xid)
{
	if (xid < snapshot->xmin)
		return true;
	if (xid >= snapshot->xmax)
		return false;
	return !is_running(snapshot, xid);
}

int
ph_snapshot_max_ranges(const PhSnapshot *s_new)
{
	return s_new->nxip + 1;
}

int
ph_snapshot_ranges(const PhSnapshot *s_old, const PhSnapshot *s_new, PhXidRange *ranges)
{
	uint64_t	from = s_old->xmax;
	int			n = 0;
	int			i;

	for (i = 0; i < s_new->nxip; i++)
	{
		uint64_t	running = s_new->xip[i];

		if (running < from)
			continue;
		if (running > from)
		{
			ranges[n].from = from;
			ranges[n++].to = running;
		}
		from = running + 1;
	}
	if (s_new->xmax > from)
	{
		ranges[n].from = from;
		ranges[n++].to = s_new->xmax;
	}
	return n;
}

int
ph_snapshot_late(const PhSnapshot *s_old, const PhSnapshot *s_new, uint64_t *late)
{
	int			n = 0;
	int			i;

	for (i = 0; i < s_old->nxip; i++)
	{
		if (ph_snapshot_sees(s_new, s_old->xip[i]))
			late[n++] = s_old->xip[i];
	}
	return n;
}
