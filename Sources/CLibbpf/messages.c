/* SPDX-License-Identifier: Apache-2.0 */
/* Needs a feature macro that a header for Swift must not set: it would change glibc's own types there. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>

char *clibbpf_format(const char *format, va_list arguments);

char *clibbpf_format(const char *format, va_list arguments)
{
	char *text;

	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}
