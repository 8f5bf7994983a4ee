/*
 * identity.h
 *	  A fact is published once: (source, event id) looked for in every slot of the log.
 */
#ifndef PLANTHUB_IDENTITY_H
#define PLANTHUB_IDENTITY_H

typedef struct PhIdentity PhIdentity;

extern PhIdentity *ph_identity_open(void);

/*
 * Number of the message with this source and event id, 0 if there is none.  Waits for a transaction that is just
 * publishing it.
 */
extern int64 ph_identity_find(PhIdentity *identity, text *source, text *event_id);
extern void ph_identity_close(PhIdentity *identity);

#endif
