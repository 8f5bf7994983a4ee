/*
 * module.c
 *	  Magic block and _PG_init: what happens when the library is loaded, in fixed order; nothing else.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "engine/dispatch.h"
#include "engine/jobs.h"
#include "pg/compat.h"
#include "pg/launcher.h"
#include "pg/settings.h"
#include "pg/shmem.h"
#include "pg/worker.h"

PH_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/*
 * Runs in the postmaster when preloaded, else in any backend.  Nothing here may touch the catalog, start a thread or
 * call libcurl.
 */
void
_PG_init(void)
{
	ph_settings_define();
	ph_worker_set_ops(&ph_dispatch_ops, &ph_jobs_ops);
	if (!process_shared_preload_libraries_in_progress)
		return;
	ph_shmem_init_hooks();
	if (!IsBinaryUpgrade)
		ph_launcher_register();
}
