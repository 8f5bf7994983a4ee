/*
 * dispatch.c
 *	  The dispatcher: what a worker does.
 */
#include "postgres.h"

#include "engine/dispatch.h"

static long
turn(const PhLaneSet *lanes, bool config)
{
	return -1;
}

const PhWorkerOps ph_dispatch_ops = {.turn = turn};
