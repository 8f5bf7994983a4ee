/*
 * mapping_call.h
 *	  Functions that mappings may call: registered in planthub.mapping_function, jsonb -> jsonb.
 */
#ifndef PLANTHUB_MAPPING_CALL_H
#define PLANTHUB_MAPPING_CALL_H

#include "json/value.h"

typedef struct PhMappingFunction PhMappingFunction;

/* Found by its code; in the current memory context, which must live as long as it is used.  NULL: see the message. */
extern PhMappingFunction *ph_mapping_function(const char *code, const char **message);

/*
 * Calls it with the rights of its owner, in a subtransaction; a result of SQL null is null.  An error inside gives
 * false and its message; which ones are thrown on, see pg/careful.h.  That is safe because the function is not volatile,
 * so it has written nothing.
 */
extern bool ph_mapping_function_call(PhMappingFunction *function, const PhValue *with, PhValue *result,
									 const char **message);

/* Differs whenever a function may have changed. */
extern uint64 ph_mapping_function_changes(void);

#endif
