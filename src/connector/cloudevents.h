/*
 * cloudevents.h
 *	  CloudEvents 1.0 over HTTP: what an event looks like as a body and header fields.
 */
#ifndef PLANTHUB_CLOUDEVENTS_H
#define PLANTHUB_CLOUDEVENTS_H

#include "connector/buffer.h"
#include "connector/connector.h"

/*
 * Appends the body, and the header fields that describe it ("Name: value", each ended by a NUL).  Returns false and an
 * error in one line when an event cannot be expressed; the buffers are then of no use.  Out of memory is left in the
 * buffers (failed).
 */
extern bool ph_cloudevents_encode(PhContentMode mode, const PhEvent *events, int nevents, PhBuffer *body,
								  PhBuffer *headers, char *error, size_t error_size);

#endif
