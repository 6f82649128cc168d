#pragma once
/* The kernel's settings, made before the service starts; a setting that this kernel lacks is passed
 * over. */
void isc_sysctl_harden(void);

/* No module is loaded from here on, whoever asks. */
void isc_sysctl_lock_modules(void);
