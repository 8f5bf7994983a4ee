/*
 * function_lookup.c
 *	  Functions that look things up for the evaluation's owner, and those that make identities and codes.
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "mb/pg_wchar.h"

#include "json/base64.h"
#include "json/function.h"
#include "json/number.h"

#define SHA256_LENGTH	32
#define SHA1_LENGTH		20
#define UUID_LENGTH		16

/* ---- xref, unit ---- */

static bool
prepare_xref(PhNode *call, PhError *error, const PhNode **where)
{
	*where = call->list;
	if (call->list->type == PH_NODE_STRING)
		return true;
	error->code = PH_CODE_INVALID_VALUE;
	error->message = "name of a cross-reference must be written as a string";
	return false;
}

/* The owner's error gets its place. */
static bool
failed_lookup(const PhCall *call)
{
	call->evaluation->error.column = ph_expression_column(call->evaluation->expression->text, call->node->offset);
	return false;
}

static bool
unavailable(const PhCall *call)
{
	return ph_function_fail(call, PH_CODE_INVALID_VALUE, "%s() is available in mappings only", call->function->name);
}

/* Null stays null, or becomes the third argument; so does a code that is unknown. */
static bool
look_up(const PhCall *call, bool back, PhValue *result)
{
	PhEvaluation *evaluation = call->evaluation;
	const PhValue *code = &call->arguments[1];
	PhKind		kind = ph_value_kind(code);
	char	   *set;
	bool		found = false;

	*result = call->n > 2 ? call->arguments[2] : ph_value_null();
	if (kind == PH_KIND_NULL)
		return true;
	if (kind != PH_KIND_STRING && kind != PH_KIND_NUMBER && (!back || kind == PH_KIND_EXPRESSION))
		return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument 2 of %s() must be a string or a number, not %s",
								call->function->name, ph_kind_name(kind));
	if (evaluation->xref == NULL)
		return unavailable(call);
	set = ph_function_text(call, 0);
	memset(&evaluation->error, 0, sizeof(PhError));
	if (!evaluation->xref(evaluation->arg, set, back, code, &found, result, &evaluation->error))
		return failed_lookup(call);
	if (found)
		return true;
	if (call->n > 2)
	{
		*result = call->arguments[2];
		return true;
	}
	(void) ph_function_fail(call, PH_CODE_UNMAPPED, "no entry \"%.100s\" in cross-reference \"%s\"", ph_value_plain(code), set);
	evaluation->error.set = set;
	evaluation->error.key = ph_value_plain(code);
	return false;
}

static bool
xref(const PhCall *call, PhValue *result)
{
	return look_up(call, false, result);
}

static bool
xref_back(const PhCall *call, PhValue *result)
{
	return look_up(call, true, result);
}

static bool
unit(const PhCall *call, PhValue *result)
{
	PhEvaluation *evaluation = call->evaluation;
	Numeric		converted;
	const char *fault = ph_number_fault(call->arguments[0].u.number);

	if (fault != NULL)
		return ph_function_fail(call, PH_CODE_NOT_A_NUMBER, "%s", fault);
	if (evaluation->unit == NULL)
		return unavailable(call);
	memset(&evaluation->error, 0, sizeof(PhError));
	if (!evaluation->unit(evaluation->arg, call->arguments[0].u.number, ph_function_text(call, 1),
						  ph_function_text(call, 2), &converted, &evaluation->error))
		return failed_lookup(call);
	*result = ph_value_number(converted);
	return true;
}

/* ---- identities and codes ---- */

static const char hex_digits[] = "0123456789abcdef";

static void
digest(const EVP_MD *type, const void *data, size_t length, unsigned char *out)
{
	if (EVP_Digest(data, length, out, NULL, type, NULL) != 1)
		elog(ERROR, "could not compute a digest");
}

static char *
to_hex(const unsigned char *bytes, int n)
{
	char	   *out = palloc(2 * n + 1);
	int			i;

	for (i = 0; i < n; i++)
	{
		out[2 * i] = hex_digits[bytes[i] >> 4];
		out[2 * i + 1] = hex_digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

static bool
sha256(const PhCall *call, PhValue *result)
{
	unsigned char bytes[SHA256_LENGTH];

	if (!ph_evaluate_pay_text(call->evaluation, call->node, call->arguments[0].length))
		return false;
	digest(EVP_sha256(), call->arguments[0].u.string, call->arguments[0].length, bytes);
	*result = ph_value_text(to_hex(bytes, SHA256_LENGTH));
	return true;
}

/* 8-4-4-4-12 hexadecimal digits. */
static bool
parse_uuid(const PhValue *text, unsigned char bytes[UUID_LENGTH])
{
	int			digits = 0;
	int			i;

	if (text->length != 36)
		return false;
	for (i = 0; i < text->length; i++)
	{
		const char *digit = memchr(hex_digits, pg_tolower((unsigned char) text->u.string[i]), 16);

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (text->u.string[i] != '-')
				return false;
			continue;
		}
		if (digit == NULL)
			return false;
		bytes[digits / 2] = (digits % 2 == 0 ? 0 : bytes[digits / 2]) << 4 | (digit - hex_digits);
		digits++;
	}
	return true;
}

/* Name-based UUID of RFC 9562, version 5: the same name in the same namespace gives the same one. */
static bool
uuid5(const PhCall *call, PhValue *result)
{
	const PhValue *name = &call->arguments[1];
	unsigned char bytes[SHA1_LENGTH];
	unsigned char *input = palloc(UUID_LENGTH + name->length);
	char	   *hex;

	if (!parse_uuid(&call->arguments[0], input))
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 1 of uuid5() must be a UUID");
	if (!ph_evaluate_pay_text(call->evaluation, call->node, name->length))
		return false;
	memcpy(input + UUID_LENGTH, name->u.string, name->length);
	digest(EVP_sha1(), input, UUID_LENGTH + name->length, bytes);
	bytes[6] = (bytes[6] & 0x0f) | 0x50;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	hex = to_hex(bytes, UUID_LENGTH);
	*result = ph_value_text(psprintf("%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20));
	return true;
}

static bool
base64(const PhCall *call, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	char	   *out;

	if (!ph_evaluate_pay_text(call->evaluation, call->node, 2 * (int64) text->length))
		return false;
	out = palloc(ph_base64_encoded_length(text->length) + 1);
	*result = ph_value_string(out, ph_base64_encode(text->u.string, text->length, out));
	return true;
}

static bool
unbase64(const PhCall *call, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	char	   *out;
	long		length;

	if (!ph_evaluate_pay_text(call->evaluation, call->node, text->length))
		return false;
	out = palloc(text->length + 1);
	length = ph_base64_decode(text->u.string, text->length, out);
	if (length < 0)
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 1 of unbase64() is not base64");
	if (!pg_verifymbstr(out, length, true))
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 1 of unbase64() is not text in the encoding of the database");
	*result = ph_value_string(out, length);
	return true;
}

const PhFunction ph_functions_lookup[] = {
	{"base64", "s", 's', 1, 1, base64, NULL},
	{"sha256", "s", 's', 1, 1, sha256, NULL},
	{"unbase64", "s", 's', 1, 1, unbase64, NULL},
	{"unit", "ns", 'n', 3, 3, unit, NULL},
	{"uuid5", "s", 's', 2, 2, uuid5, NULL},
	{"xref", "sx", 'x', 2, 3, xref, prepare_xref},
	{"xref_back", "sx", 'x', 2, 3, xref_back, prepare_xref},
	{NULL}
};
