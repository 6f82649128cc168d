#pragma once
#include "model/image.h"
#include "model/spec.h"

/**
 * isc_policy_advise:
 * @warnings: (element-type utf8): a line is added for each exposed port that the image says nothing
 * listens on
 *
 * Pure.  What is allowed and probably a mistake; never a reason to refuse.
 */
void isc_policy_advise(const IscSpec *spec, const IscImage *image, GPtrArray *warnings);
