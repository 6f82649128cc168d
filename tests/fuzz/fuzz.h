#pragma once
/*
 * A fuzzer is one function, LLVMFuzzerTestOneInput(): libFuzzer's (tests/fuzz/run builds it so,
 * with clang), and with ISC_FUZZ_REPLAY that of a plain program for any compiler:
 *
 *   fuzz-X [-n TIMES] FILE-OR-FOLDER…     each file as it is, then TIMES mutations of them, the
 * same ones each time
 */
#include <glib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

#if defined ISC_FUZZ_REPLAY && !defined ISC_LIBFUZZER
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_INPUT_MAX (256u * 1024)

static inline void fuzz_load(GPtrArray *inputs, const gchar *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	gchar *text;
	gsize len;
	for (const gchar *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree gchar *file = g_build_filename(path, name, NULL);
		fuzz_load(inputs, file);
	}
	if (!dir && g_file_get_contents(path, &text, &len, NULL))
		g_ptr_array_add(inputs, g_bytes_new_take(text, len));
}

/* Flips, overwrites, cuts out, doubles, and joins with another input. */
static inline void fuzz_mutate(GByteArray *b, GPtrArray *inputs, GRand *rand)
{
	static const guint8 telling[] = { 0, 1, 0x7f, 0x80, 0xff, '\n', 0x20, 0x31 };
	for (gint n = g_rand_int_range(rand, 1, 8); n > 0 && b->len > 0; n--) {
		guint at = (guint)g_rand_int_range(rand, 0, (gint)b->len);
		guint len = (guint)g_rand_int_range(rand, 1, (gint)MIN(b->len - at, 64) + 1);
		switch (g_rand_int_range(rand, 0, 6)) {
		case 0:
			b->data[at] ^= (guint8)(1u << g_rand_int_range(rand, 0, 8));
			break;
		case 1:
			b->data[at] = telling[g_rand_int_range(rand, 0, G_N_ELEMENTS(telling))];
			break;
		case 2:
			g_byte_array_remove_range(b, at, len);
			break;
		case 3: {
			g_autofree guint8 *copy = g_memdup2(b->data + at, len);
			g_byte_array_append(b, copy, len);
			break;
		}
		case 4:
			g_byte_array_set_size(b, at);
			break;
		default: {
			gsize more;
			guint which = (guint)g_rand_int_range(rand, 0, (gint)inputs->len);
			const guint8 *other = g_bytes_get_data(inputs->pdata[which], &more);
			g_byte_array_set_size(b, at);
			if (more > 0) {
				gsize from = (gsize)g_rand_int_range(rand, 0, (gint)more);
				g_byte_array_append(b, other + from, (guint)(more - from));
			}
			break;
		}
		}
	}
	if (b->len > FUZZ_INPUT_MAX)
		g_byte_array_set_size(b, FUZZ_INPUT_MAX);
}

int main(int argc, char **argv)
{
	g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_autoptr(GRand) rand = g_rand_new_with_seed(4);
	gulong times = 0;
	int i = 1;

	if (argc > 2 && strcmp(argv[1], "-n") == 0) {
		times = strtoul(argv[2], NULL, 10);
		i = 3;
	}
	for (; i < argc; i++)
		fuzz_load(inputs, argv[i]);
	if (inputs->len == 0) {
		fprintf(stderr, "no input: name a file or a folder\n");
		return 2;
	}
	for (guint k = 0; k < inputs->len; k++) {
		gsize len;
		const guint8 *bytes = g_bytes_get_data(inputs->pdata[k], &len);
		/* A copy of exactly this size: the sanitizer sees a byte too far. */
		g_autofree guint8 *copy = g_memdup2(bytes, len);
		LLVMFuzzerTestOneInput(copy, len);
	}
	for (gulong n = 0; n < times; n++) {
		g_autoptr(GByteArray) b = g_byte_array_new();
		gsize len;
		const guint8 *bytes = g_bytes_get_data(inputs->pdata[n % inputs->len], &len);
		g_byte_array_append(b, bytes, (guint)len);
		fuzz_mutate(b, inputs, rand);
		g_autofree guint8 *copy = g_memdup2(b->data, b->len);
		LLVMFuzzerTestOneInput(copy, b->len);
	}
	printf("%u inputs, %lu mutations\n", inputs->len, times);
	return 0;
}
#endif
