/*
 * launcher.h
 *	  The process that starts the workers of every database, and starts them again.
 */
#ifndef PLANTHUB_LAUNCHER_H
#define PLANTHUB_LAUNCHER_H

#include "pg/compat.h"

extern void ph_launcher_register(void); /* from _PG_init when preloaded */

/* Starts the launcher from a backend unless it runs; false when no process could be had. */
extern bool ph_launcher_ensure(void);

pg_noreturn extern PGDLLEXPORT void ph_launcher_main(Datum arg);

#endif
