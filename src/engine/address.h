/*
 * address.h
 *	  Addresses with places: "/OutbDelivery('{request.DeliveryDocument}')".
 *
 * A place is a JMESPath expression over {"request", "message", "delivery"} whose value is written percent-encoded (RFC
 * 3986, unreserved characters stay), so it can neither end its part of the address nor begin another one.  Between
 * single quotes, quotes in the value are doubled, as OData has it.
 */
#ifndef PLANTHUB_ADDRESS_H
#define PLANTHUB_ADDRESS_H

#include "lib/stringinfo.h"

#include "json/jmespath.h"

typedef struct PhAddress PhAddress;

/* Compiles in the current memory context; NULL: *error says why not, in one line. */
extern const PhAddress *ph_address_compile(const char *text, char **error);

/* The address in UTF-8, in the current memory context; NULL: *error.  Needs a transaction. */
extern char *ph_address_render(const PhAddress *address, const PhValue *document, char **error);

/* An address as it looks with something in its places, to be checked like any other. */
extern char *ph_address_sample(const PhAddress *address);

/* Appends text in UTF-8, percent-encoded; quoted: quotes are doubled. */
extern void ph_address_append_encoded(StringInfo out, const char *text, bool quoted);

/* "https://host:port" of an address, to be freed by pfree; the address is one that the connector accepts. */
extern char *ph_address_origin(const char *address);

#endif
