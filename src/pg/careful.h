/*
 * careful.h
 *	  Running what may fail without failing with it, and code of others without trusting it.
 */
#ifndef PLANTHUB_CAREFUL_H
#define PLANTHUB_CAREFUL_H

/*
 * Runs a function in a subtransaction and in the current memory context.  False: it has raised an error and everything
 * it did is undone; its message, with the detail, is in the current memory context.  Errors that are not its own are
 * raised on: cancelled, shutting down, out of memory or disk, serialisation, internal.
 */
extern bool ph_careful(void (*function) (void *arg), void *arg, const char **message);

/*
 * Between the two runs code that may belong to somebody with fewer rights than the session: as the user given, who can take
 * no other role, cannot have triggers fire at the commit, where the user is another one, and whose settings are taken back.
 * An error needs no ph_guard_end(): the end of the (sub)transaction does it.
 */
typedef struct PhGuard
{
	Oid			user;
	int			security;
	int			settings;
} PhGuard;

extern void ph_guard_begin(PhGuard *guard, Oid user);
extern void ph_guard_end(const PhGuard *guard);

#endif
