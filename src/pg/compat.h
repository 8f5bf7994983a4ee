/*
 * compat.h
 *	  Every difference between the server versions, 14 to 18, that the rest of the code would otherwise see.
 */
#ifndef PLANTHUB_COMPAT_H
#define PLANTHUB_COMPAT_H

#if PG_VERSION_NUM >= 160000
#define ph_exec_insert_index_tuples(result, slot, estate) \
	((void) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false))
#else
#define ph_exec_insert_index_tuples(result, slot, estate) \
	((void) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL))
#endif

#if PG_VERSION_NUM >= 180000
#define ph_index_beginscan(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define ph_index_beginscan(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

#endif
