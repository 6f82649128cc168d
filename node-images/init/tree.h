#pragma once
/*
 * What the service sees as its file system.  Put together in its own mount namespace, then made the
 * root of it; the initramfs, the image's and the overlay's own mounts and the real /dev, /proc and
 * /sys are not in it any more.
 *
 *   strict    /            the image, read-only
 *             writable=    a folder of the overlay disk: over the image's folder if that holds
 * something (overlayfs), in its place if it is empty (owner and mode are the image's); below /run
 * or /tmp: made there flexible  /            the image with the overlay disk over it both      /run
 * tmpfs, belongs to the service's user      /tmp  tmpfs, 1777 /dev         a dozen harmless
 * devices, read-only; /dev/pts and /dev/shm of its own /proc        of its pid namespace; what sets
 * the kernel is read-only, what tells about it is hidden /sys         read-only and empty but for
 * the CPUs /etc         the image's, with hostname, hosts, machine-id and resolv.conf of the node
 * on top
 *
 * volume=: the root folder of a volume's file system stands at its path, whatever the image has
 * there; an empty one that nobody owns yet takes owner and mode of the folder it covers.
 *
 * All is nosuid, all but /dev is nodev.
 */
#include "init/nodeconf.h"

/* The files of /etc that are the node's own, in the initramfs; before isc_tree_build().  Returns 0
 * or -errno. */
int isc_tree_write_etc(const IscNodeConf *conf);

/* Something of it lies on the overlay disk: without one it cannot be built. */
bool isc_tree_needs_overlay(const IscNodeConf *conf);

/* To be called in a new mount and pid namespace, as its first process.  @overlay: an overlay disk
 * is mounted.  @memory: bytes that the service may use, of which /tmp, /dev/shm and /run take a
 * little more than half when they are full.  Returns 0 or -errno; *@failure is an IscInitFailure,
 * and the console names the path at fault. */
int isc_tree_build(const IscNodeConf *conf, bool overlay, uint64_t memory, int *failure);
