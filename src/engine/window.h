/*
 * window.h
 *	  Reading one window of a lane: the deliveries between two snapshots, in the order of their ids.
 */
#ifndef PLANTHUB_WINDOW_H
#define PLANTHUB_WINDOW_H

#include "engine/snapshot.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

/* Where a lane has been read to; the storage of the snapshots belongs to the cursor's memory context. */
typedef struct PhCursor
{
	PhSnapshot	s_old;
	PhSnapshot	s_new;
	int64		position;			/* last id handed out between them */
	int64		floor;				/* ids of transactions that began after s_old are above this */
	int64		ceiling;			/* ids visible in s_new are not above this */
	int64		next_floor;			/* floor that goes with s_new */
	bool		used_up;			/* nothing is left between the snapshots */
	bool		large;				/* found to be cheaper to read along the ids; a hint */
} PhCursor;

typedef struct PhDeliveryRow
{
	int64		id;
	uint64		xid;
	int64		message_id;
	int64		replay_of;			/* 0: none */
	TimestampTz not_before;			/* 0: at once */
	int			route;
	int			message_slot;
} PhDeliveryRow;

/*
 * The first limit rows of the lane above cursor->position, by id, as snapshot sees them.  rows has room for limit.
 * Returns how many; fewer than limit means that the window is used up.
 */
extern int	ph_window_read(int lane, PhCursor *cursor, int limit, Snapshot snapshot, PhDeliveryRow *rows);

/* Counts rows above the cursor as of now, but no more than limit entries; *exact tells whether that was all. */
extern int64 ph_window_count(int lane, const PhCursor *cursor, int limit, bool *exact, int64 *oldest_id);

/* The snapshot that is active now, as a stored one, palloc'd; and conversions to and from the type pg_snapshot. */
extern Datum ph_window_current_snapshot(void);
extern void ph_window_decode_snapshot(Datum datum, PhSnapshot *snapshot);
extern Datum ph_window_encode_snapshot(const PhSnapshot *snapshot);

#endif
