/*
 * compat.h
 *	  Every difference between the server versions, 14 to 18, that the rest of the code would otherwise see.
 */
#ifndef PLANTHUB_COMPAT_H
#define PLANTHUB_COMPAT_H

#if PG_VERSION_NUM < 140000 || PG_VERSION_NUM >= 190000
#error "PlantHub is for PostgreSQL 14 to 18"
#endif

#include <math.h>

#if PG_VERSION_NUM >= 180000
#define PH_MODULE_MAGIC	PG_MODULE_MAGIC_EXT(.name = "planthub", .version = PLANTHUB_VERSION)
#else
#define PH_MODULE_MAGIC	PG_MODULE_MAGIC
#endif

#if PG_VERSION_NUM >= 180000
#define ph_index_beginscan(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define ph_index_beginscan(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

/* A word before the declaration from 18 on, where the attribute behind it is gone. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn	pg_attribute_noreturn()
#endif

/* 14 takes requests for shared memory right in _PG_init. */
#if PG_VERSION_NUM >= 150000
#define PH_SHMEM_REQUEST_HOOK
#endif

#if PG_VERSION_NUM >= 170000
#define PH_TRANSACTION_TIMEOUT
#define ph_create_wait_event_set(nevents)	CreateWaitEventSet(NULL, nevents)
#define ph_wait_event(name)					WaitEventExtensionNew(name)
#else
#define ph_create_wait_event_set(nevents)	CreateWaitEventSet(TopMemoryContext, nevents)
#define ph_wait_event(name)					PG_WAIT_EXTENSION
#endif

#if PG_VERSION_NUM >= 160000
#define ph_exec_insert_index_tuples(result, slot, estate) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false)
#else
#define ph_exec_insert_index_tuples(result, slot, estate) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL)
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"

#define ph_qualified_name(name)	stringToQualifiedNameList(name, NULL)
#else
#define ph_qualified_name(name)	stringToQualifiedNameList(name)
#endif

#if PG_VERSION_NUM >= 150000
#include "common/pg_prng.h"

#define ph_random_uint64()	pg_prng_uint64(&pg_global_prng_state)
#define ph_random_double()	pg_prng_double(&pg_global_prng_state)
#else
static inline uint64
ph_random_uint64(void)
{
	uint64		number;

	if (!pg_strong_random(&number, sizeof(number)))
		elog(ERROR, "no random numbers can be had");
	return number;
}

/* 0 <= x < 1 */
static inline double
ph_random_double(void)
{
	return ldexp((double) (ph_random_uint64() >> 11), -53);
}
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix)			EmitWarningsOnPlaceholders(prefix)
#define InitMaterializedSRF(fcinfo, flags)		ph_init_materialized_srf(fcinfo)

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"

static inline void
ph_init_materialized_srf(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller;
	TupleDesc	desc;

	if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	result->returnMode = SFRM_Materialize;
	result->setDesc = desc;
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	MemoryContextSwitchTo(caller);
}
#endif

/* A database whose DROP was interrupted; older minor releases do not know them. */
#ifndef DATCONNLIMIT_INVALID_DB
#define DATCONNLIMIT_INVALID_DB	(-2)
#endif

#endif
