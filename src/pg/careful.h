/*
 * careful.h
 *	  Running what may fail without failing with it.
 */
#ifndef PLANTHUB_CAREFUL_H
#define PLANTHUB_CAREFUL_H

/*
 * Runs a function in a subtransaction and in the current memory context.  False: it has raised an error and everything
 * it did is undone; its message, with the detail, is in the current memory context.  Errors that are not its own are
 * raised on: cancelled, shutting down, out of memory or disk, serialisation, internal.
 */
extern bool ph_careful(void (*function) (void *arg), void *arg, const char **message);

#endif
