/*
 * tap.h
 *	  Test Anything Protocol for plain programs: check(), then done() at the end of main.
 */
#ifndef PLANTHUB_TAP_H
#define PLANTHUB_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int	tap_tests;
static int	tap_failed;

static void __attribute__((format(printf, 2, 3)))
check(bool good, const char *format, ...)
{
	va_list		args;

	printf("%sok %d - ", good ? "" : "not ", ++tap_tests);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	tap_failed += !good;
}

static int
done(void)
{
	printf("1..%d\n", tap_tests);
	return tap_failed == 0 ? 0 : 1;
}

#endif
