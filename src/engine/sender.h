/*
 * sender.h
 *	  Who may send a topic for a site, and what is done with it: the answers of planthub.check_source(), remembered.
 *
 * The answer depends on tables that change rarely; they are watched (pg/lookup.h), and when one has changed, everything
 * remembered is thrown away.
 */
#ifndef PLANTHUB_SENDER_H
#define PLANTHUB_SENDER_H

#include "utils/jsonb.h"

typedef struct PhSender
{
	char	   *key;
	text	   *system;
	text	   *kind;
	text	   *site;
	text	   *timezone;
	text	   *effect;				/* NULL: the topic has none */
	Jsonb	   *policies;
	int			nmembers;			/* of the business key; 0: the topic has none */
	char	  **members;
} PhSender;

/*
 * The sender of an event; NULL when it may not send it, or when nothing can be remembered because the site depends on
 * more than source and event say.  source and topic are those of the event.  Valid until the next call.  Needs an SPI
 * connection.
 */
extern const PhSender *ph_sender_find(Jsonb *event, const char *source, const char *topic);

#endif
