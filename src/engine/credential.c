/*
 * credential.c
 *	  Who the hub is for a service.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "engine/address.h"
#include "engine/answer.h"
#include "engine/credential.h"
#include "engine/sql.h"
#include "json/base64.h"

#define TOKEN_LIVES_S		3600	/* when the answer does not say, or says what is no time */
#define TOKEN_MARGIN_S		300		/* a token is not used any more so long before its end, */
#define TOKEN_MARGIN_PART	4		/* or this part of its life when that is less */
#define SHORTEST_SECRET		4		/* a shorter one could be part of any text */

static char *
setting(const PhValue *settings, const char *name)
{
	PhValue		value;

	if (!ph_value_member(settings, name, (int) strlen(name), &value) || ph_value_kind(&value) != PH_KIND_STRING)
		return NULL;
	return ph_value_plain(&value);
}

static char *
to_utf8(char *text)
{
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

/* "Authorization: Basic ..." (RFC 7617). */
static char *
basic_field(const char *user, const char *password)
{
	char	   *pair = psprintf("%s:%s", user, password);
	size_t		length = strlen(pair);
	char	   *encoded = palloc(ph_base64_encoded_length(length) + 1);

	encoded[ph_base64_encode(pair, length, encoded)] = '\0';
	return psprintf("Authorization: Basic %s", encoded);
}

/* application/x-www-form-urlencoded, with %20 for spaces, which every reader takes. */
static char *
form_encode(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	ph_address_append_encoded(&out, text, false);
	return out.data;
}

static void
append_parameters(StringInfo form, const PhValue *settings)
{
	PhValue		parameters;
	PhIterator	iterator;
	PhMember	member;

	if (!ph_value_member(settings, "parameters", (int) strlen("parameters"), &parameters))
		return;
	ph_iterate(&iterator, &parameters);
	while (ph_iterate_next(&iterator, &member))
	{
		if (member.key != NULL)
			appendStringInfo(form, "&%s=%s", form_encode(to_utf8(pnstrdup(member.key, member.length))),
							 form_encode(to_utf8(ph_value_plain(&member.value))));
	}
}

static void
fill_oauth2(PhCredential *credential, const PhValue *settings)
{
	char	   *client = setting(settings, "client_id");
	char	   *scope = setting(settings, "scope");
	char	   *client_auth = setting(settings, "client_auth");
	StringInfoData form;

	credential->is_oauth2 = true;
	credential->token_url = setting(settings, "token_url");
	client = form_encode(to_utf8(client == NULL ? "" : client));
	initStringInfo(&form);
	appendStringInfoString(&form, "grant_type=client_credentials");
	if (scope != NULL)
		appendStringInfo(&form, "&scope=%s", form_encode(to_utf8(scope)));
	append_parameters(&form, settings);
	if (client_auth != NULL && strcmp(client_auth, "body") == 0)
		appendStringInfo(&form, "&client_id=%s&client_secret=%s", client, form_encode(credential->secret));
	else
		credential->client_field = basic_field(client, form_encode(credential->secret));	/* RFC 6749, 2.3.1 */
	credential->form = form.data;
}

static void
fill(PhCredential *credential, const char *kind, const PhValue *settings)
{
	char	   *user = setting(settings, "user");
	char	   *header = setting(settings, "header");
	char	   *prefix = setting(settings, "prefix");

	if (strcmp(kind, "oauth2") == 0)
		fill_oauth2(credential, settings);
	else if (strcmp(kind, "basic") == 0)
		credential->field = basic_field(to_utf8(user == NULL ? "" : user), credential->secret);
	else if (header == NULL)
		credential->field = psprintf("Authorization: %s%s", prefix == NULL ? "Bearer " : prefix, credential->secret);
	else
		credential->field = psprintf("%s: %s%s", header, prefix == NULL ? "" : prefix, credential->secret);
}

bool
ph_credential_load(const char *code, PhCredential *credential, const char **error)
{
	static PhStatement find = {
		"SELECT c.kind, c.settings, s.secret FROM planthub.credential AS c"
		" LEFT JOIN planthub.credential_secret AS s ON s.credential = c.code WHERE c.code = $1", 1, {TEXTOID}
	};
	MemoryContext context = CurrentMemoryContext;
	Datum		values[1] = {CStringGetTextDatum(code)};
	MemoryContext old;
	Datum		datum[3];
	bool		isnull[3];
	PhValue		settings;
	int			i;

	memset(credential, 0, sizeof(*credential));
	*error = NULL;
	SPI_connect();
	if (ph_sql_run(&find, values, NULL, SPI_OK_SELECT) == 0)
		*error = "the credential does not exist";
	for (i = 0; i < 3 && *error == NULL; i++)
		datum[i] = ph_sql_datum(0, i + 1, &isnull[i]);
	if (*error == NULL && isnull[2])
		*error = "the credential has no secret; give it with planthub.set_credential()";
	if (*error == NULL)
	{
		old = MemoryContextSwitchTo(context);
		credential->code = pstrdup(code);
		credential->secret = to_utf8(TextDatumGetCString(datum[2]));
		settings = ph_value_from_jsonb(DatumGetJsonbPCopy(datum[1]));
		fill(credential, TextDatumGetCString(datum[0]), &settings);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return *error == NULL;
}

/* ---- tokens ---- */

/* The code of an error (RFC 6749, 5.2), if it is one: what else the answer says could be a secret. */
static const char *
error_code(const PhValue *body)
{
	char	   *code = setting(body, "error");

	if (code == NULL || strlen(code) > 64 ||
		strspn(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != strlen(code))
		return "no error code";
	return code;
}

/* At least a second: who has waited for a token uses it, and does not wait for another one at once. */
static int64
lives_of(const PhValue *body)
{
	PhValue		value;
	int64		lives = TOKEN_LIVES_S;

	if (ph_value_member(body, "expires_in", (int) strlen("expires_in"), &value))
	{
		/* Some servers give the number as a text. */
		double		seconds = strtod(ph_value_plain(&value), NULL);

		if (seconds > 0)
			lives = (int64) Max(1, Min(seconds, PG_INT32_MAX));
	}
	return lives - Min(TOKEN_MARGIN_S, lives / TOKEN_MARGIN_PART);
}

void
ph_token_read(const PhResult *result, PhToken *token)
{
	PhValue		body = ph_answer_parse(result->body, result->body_len);
	char	   *text = setting(&body, "access_token");

	token->field = NULL;
	token->error = NULL;
	if (result->status / 100 != 2)
		token->error = psprintf("no token: status %d, %s", result->status, error_code(&body));
	else if (text == NULL || *text == '\0')
		token->error = "no token: the answer has no access_token";
	else
	{
		token->field = psprintf("Authorization: Bearer %s", text);
		token->lives_s = lives_of(&body);
	}
}

/* How many bytes at the end of a text may be the beginning of a secret. */
static size_t
begun_secret(const char *text, const char *secret)
{
	size_t		length = strlen(text);
	size_t		n;

	for (n = Min(strlen(secret), length); n >= SHORTEST_SECRET; n--)
	{
		if (strncmp(text + length - n, secret, n) == 0)
			return n;
	}
	return 0;
}

char *
ph_without_secret(const char *text, bool cut_off, const char *secret)
{
	size_t		length = strlen(secret);
	StringInfoData out;
	const char *at;

	if (length < SHORTEST_SECRET)
		return pstrdup(text);
	initStringInfo(&out);
	while ((at = strstr(text, secret)) != NULL)
	{
		appendBinaryStringInfo(&out, text, at - text);
		appendStringInfoString(&out, "***");
		text = at + length;
	}
	appendBinaryStringInfo(&out, text, strlen(text) - (cut_off ? begun_secret(text, secret) : 0));
	return out.data;
}
