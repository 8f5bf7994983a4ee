/*
 * settings.h
 *	  The settings planthub.*.
 */
#ifndef PLANTHUB_SETTINGS_H
#define PLANTHUB_SETTINGS_H

extern int	ph_claim_size;
extern char *ph_debug_crash;
extern bool ph_enabled;
extern int	ph_max_connections;
extern int	ph_max_payload_size;	/* kB */
extern int	ph_workers;

extern void ph_settings_define(void);

#endif
