/*
 * entry.h
 *	  Deliveries that wait for entries of the cross-reference, or units, which their mappings lacked.
 */
#ifndef PLANTHUB_ENTRY_H
#define PLANTHUB_ENTRY_H

#include "engine/item.h"
#include "pg/shmem.h"

/* Forgets everything. */
extern void ph_entry_start(void);

/* Entries have come. */
extern void ph_entry_mark(const PhMarks *marks);

/* An item whose outcome is recorded in this transaction waits for entries. */
extern void ph_entry_await(const PhItem *item);

/* A lane was taken: nothing is known about what waits in it. */
extern void ph_entry_distrust(void);

/* When to look for what can go; 0: nothing that is waited for has come. */
extern TimestampTz ph_entry_next(void);

/*
 * Lets the deliveries of these lanes go for which an entry has come.  In a transaction that has recorded the outcomes of
 * all finished items, connected to SPI.
 */
extern void ph_entry_release(const int32 *lanes, int n);

/* A transaction has been committed; whether it has let something go. */
extern bool ph_entry_released(void);

#endif
