#include "cm.h"
#include "builder/program.h"

#include <elf.h>

/* The head of an ELF file with one PT_INTERP. */
static gsize make_elf(guint8 head[4096], const gchar *interpreter)
{
	Elf64_Ehdr e = {
		.e_type = ET_DYN, .e_machine = EM_X86_64, .e_phoff = sizeof e, .e_phnum = 2
	};
	Elf64_Phdr p[2] = { { .p_type = PT_LOAD },
		{ .p_type = PT_INTERP, .p_offset = 1024, .p_filesz = strlen(interpreter) + 1 } };
	memset(head, 0, 4096);
	memcpy(e.e_ident, ELFMAG, SELFMAG);
	e.e_ident[EI_CLASS] = ELFCLASS64;
	memcpy(head, &e, sizeof e);
	memcpy(head + sizeof e, p, sizeof p);
	memcpy(head + 1024, interpreter, strlen(interpreter));
	return 4096;
}

static void a_script_needs_the_program_of_its_first_line(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *interpreter;
	} cases[] = { { "#!/bin/sh\necho", "/bin/sh" },
		{ "#! /usr/bin/env perl -w\n", "/usr/bin/env" }, { "#!/bin/sh", "/bin/sh" },
		{ "#!\n", NULL }, { "echo\n", NULL }, { "", NULL } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const guint8 *head = (const guint8 *)cases[i].text;
		g_autofree gchar *got = isc_program_interpreter(head, strlen(cases[i].text));
		assert_int_equal(g_strcmp0(got, cases[i].interpreter), 0);
	}
}

static void a_dynamic_program_needs_its_loader(void **state)
{
	(void)state;
	guint8 head[4096];
	gsize len = make_elf(head, "/lib64/ld-linux-x86-64.so.2");
	g_autofree gchar *got = isc_program_interpreter(head, len);
	assert_string_equal(got, "/lib64/ld-linux-x86-64.so.2");
	assert_true(isc_program_is_executable(head, len));
}

/* Heads of broken files: whatever the offsets say, nothing behind the bytes is read. */
static void lies_in_the_head_are_no_interpreter(void **state)
{
	(void)state;
	guint8 head[4096];
	make_elf(head, "/x");
	assert_null(isc_program_interpreter(head, 64));
	assert_null(isc_program_interpreter(head, 1025));
	((Elf64_Ehdr *)head)->e_phoff = ~0ull;
	assert_null(isc_program_interpreter(head, 4096));
	((Elf64_Ehdr *)head)->e_phoff = 4090;
	((Elf64_Ehdr *)head)->e_phnum = 65535;
	assert_null(isc_program_interpreter(head, 4096));
	make_elf(head, "/x");
	((Elf64_Phdr *)(head + sizeof(Elf64_Ehdr)))[1].p_offset = ~0ull;
	assert_null(isc_program_interpreter(head, 4096));
	for (gsize len = 0; len < 64; len++)
		assert_false(isc_program_is_executable(head, len));
}

static void other_machines_and_data_are_no_programs(void **state)
{
	(void)state;
	guint8 head[4096];
	gsize len = make_elf(head, "/x");
	((Elf64_Ehdr *)head)->e_machine = EM_AARCH64;
	assert_false(isc_program_is_executable(head, len));
	((Elf64_Ehdr *)head)->e_machine = EM_X86_64;
	((Elf64_Ehdr *)head)->e_type = ET_REL;
	assert_false(isc_program_is_executable(head, len));
	assert_false(isc_program_is_executable((const guint8 *)"hello", 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_script_needs_the_program_of_its_first_line),
		cmocka_unit_test(a_dynamic_program_needs_its_loader),
		cmocka_unit_test(lies_in_the_head_are_no_interpreter),
		cmocka_unit_test(other_machines_and_data_are_no_programs),
	};
	return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
