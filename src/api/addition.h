/*
 * addition.h
 *	  What effects add to the message that is published for an event.
 */
#ifndef PLANTHUB_ADDITION_H
#define PLANTHUB_ADDITION_H

/* The data of the message: those of the event, and what an effect has added to this message. */
extern Datum ph_addition_apply(int64 message_id, Datum data);

#endif
