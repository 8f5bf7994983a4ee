/*
 * jobs.h
 *	  What the process for the jobs of a database does.  See jobs.c.
 */
#ifndef PLANTHUB_JOBS_H
#define PLANTHUB_JOBS_H

#include "pg/worker.h"

extern const PhWorkerOps ph_jobs_ops;

#endif
