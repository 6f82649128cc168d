#pragma once
/* The kernel's modules: those that the image builder put into the initrd, in its order. */

#define ISC_MODULES_DIR "/lib/modules"
#define ISC_MODULES_ORDER ISC_MODULES_DIR "/order" /* one file name a line, dependencies first */

/* Loads them all.  A module that does not load is named on the console and passed over: whether it
 * was needed shows at the step that needs it, with an errno of its own.  Returns how many were
 * loaded, or -errno if there is no list. */
int isc_modules_load(void);
