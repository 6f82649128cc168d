#pragma once
#include <sqlite3.h>

#include "store/register.h"

/* For the files of the register: hold the lock over each transaction. */
struct IscRegister {
	sqlite3 *db;
	GMutex lock; /* one transaction at a time; SQLite's own lock would let two interleave */
	gchar *path;
};
