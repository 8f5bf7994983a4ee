/*
 * search.h
 *	  Many searches by key in one table of ours, without SQL: table and index are opened once.
 *
 * They see what the statement that called the function sees, or what the snapshot given sees, without regard to the
 * privileges of the user, who cannot choose what is read.
 */
#ifndef PLANTHUB_SEARCH_H
#define PLANTHUB_SEARCH_H

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#define PH_SEARCH_KEYS		6
#define PH_SEARCH_COLUMNS	8

typedef struct PhSearch PhSearch;

/*
 * Searches with values for the first nkeys columns of a btree index, which are bigint, or text of collation "C".  columns: those
 * that are wanted of the rows; the list ends with NULL.  snapshot NULL: the active one.
 */
extern PhSearch *ph_search_open(const char *table, const char *index, int nkeys, const char *const *columns,
								Snapshot snapshot);

/* The first row with these values in the order of the index, or the last; then its neighbours.  false: there is none. */
extern bool ph_search_first(PhSearch *search, const Datum *keys);
extern bool ph_search_last(PhSearch *search, const Datum *keys);
extern bool ph_search_next(PhSearch *search);

/*
 * The version of master data that holds at a time; the first two columns wanted are valid_from and valid_to, and the key
 * is followed by valid_from in the index.
 */
extern bool ph_search_version(PhSearch *search, Datum code, TimestampTz at);

/* A column of the row, by its place in columns; points into the row, which is there until the next search. */
extern Datum ph_search_value(PhSearch *search, int column, bool *isnull);

/* Whether a column that is a text is this one. */
extern bool ph_search_is(PhSearch *search, int column, Datum wanted);

extern void ph_search_close(PhSearch *search);

#endif
