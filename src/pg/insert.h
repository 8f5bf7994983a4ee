/*
 * insert.h
 *	  Rows written into tables of ours without SQL, with everything that an INSERT does about them: constraints, indexes
 *	  and triggers, but not defaults.
 */
#ifndef PLANTHUB_INSERT_H
#define PLANTHUB_INSERT_H

typedef struct PhInsert PhInsert;

/*
 * columns: number of columns that the caller knows; those that the table has got since then stay null.  The rows are
 * seen by statements that begin after ph_insert_close().
 */
extern PhInsert *ph_insert_open(const char *table, int columns);

/* Values in the order of the columns, of their types; numerics get the scale of their columns. */
extern void ph_insert_row(PhInsert *insert, const Datum *values, const bool *nulls);
extern void ph_insert_close(PhInsert *insert);

#endif
