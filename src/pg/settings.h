/*
 * settings.h
 *	  The settings "planthub.*".
 */
#ifndef PLANTHUB_SETTINGS_H
#define PLANTHUB_SETTINGS_H

extern int	ph_max_payload_size;	/* kB */

#endif
