/*
 * dispatch.h
 *	  The dispatcher: what a worker does.  See dispatch.c.
 */
#ifndef PLANTHUB_DISPATCH_H
#define PLANTHUB_DISPATCH_H

#include "pg/worker.h"

extern const PhWorkerOps ph_dispatch_ops;

#endif
