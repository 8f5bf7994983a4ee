/*
 * snapshot.h
 *	  What a stored snapshot sees, and how two of them enclose the transactions of a window.  Pure C.
 *
 * Transactions are the 64-bit ids of PostgreSQL (xid8).  A snapshot sees every transaction below xmax that is not in
 * its sorted list xip of running ones; everything below xmin has ended.
 */
#ifndef PLANTHUB_SNAPSHOT_H
#define PLANTHUB_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct PhSnapshot
{
	uint64_t	xmin;
	uint64_t	xmax;
	int			nxip;
	const uint64_t *xip;
} PhSnapshot;

/* Half-open range of transactions. */
typedef struct PhXidRange
{
	uint64_t	from;
	uint64_t	to;
} PhXidRange;

/* Whether the snapshot sees the transaction, if it committed at all. */
extern bool ph_snapshot_sees(const PhSnapshot *snapshot, uint64_t xid);

/*
 * The transactions that s_new sees and s_old does not: ranges between the two xmax, cut around those that still run in
 * s_new, and the late ones, which ran in s_old and have ended by s_new.  The caller gives room for
 * ph_snapshot_max_ranges(s_new) ranges and s_old->nxip late transactions.
 */
extern int	ph_snapshot_max_ranges(const PhSnapshot *s_new);
extern int	ph_snapshot_ranges(const PhSnapshot *s_old, const PhSnapshot *s_new, PhXidRange *ranges);
extern int	ph_snapshot_late(const PhSnapshot *s_old, const PhSnapshot *s_new, uint64_t *late);

#endif
