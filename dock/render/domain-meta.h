#pragma once
#include <glib.h>

#include "base/cleanup.h"

/* What stands in a domain's <metadata><isc:node>: what the dock needs to know a node again after
 * the register was lost.  Never a secret and never the node's environment: whoever may read libvirt
 * may read this. Schema: xml-templates/isc-node.rng. */
#define ISC_DOMAIN_META_NS "urn:iscdock:node:1"
#define ISC_DOMAIN_META_PREFIX "isc"
#define ISC_DOMAIN_META_MAX (256 * 1024) /* bytes of XML that are looked at */

typedef struct {
	gchar *key;   /* isc_key_is_valid() */
	gchar *value; /* one line */
} IscDomainLabel;

/* Plain data; every pointer is owned by the struct when it came from isc_domain_meta_parse(), and
 * is only borrowed when it goes into isc_domain_xml_render(). */
typedef struct {
	guint slot;           /* 2..65000 */
	gchar *address;       /* IPv4, "10.77.0.2" */
	gchar *environment;   /* "development" | "staging" | "production" */
	gchar *image_name;    /* isc_name_is_valid() */
	gchar *image_version; /* isc_version_is_valid() */
	gchar *image_digest;  /* isc_digest_is_valid() */
	gchar *image_status;  /* at the node's start: "grey" | "blue" | "red" | "green" | "amber" */
	gchar *spec_digest;   /* isc_digest_is_valid(): SHA-256 of the node's spec */
	gchar *spec;          /* text of the spec without its environment, or NULL */
	gboolean emulated;    /* runs without hardware virtualisation */
	IscDomainLabel *labels; /* n_labels of them, or NULL */
	gsize n_labels;
} IscDomainMeta;

/**
 * isc_domain_meta_append:
 * @parent: gets one more child, <isc:node>
 *
 * Every value is checked (isc_domain_text_check() and the validators above).
 * Errors: ISC_ERROR_INVALID naming the value.
 */
gboolean isc_domain_meta_append(xmlNode *parent, const IscDomainMeta *meta, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_domain_meta_parse:
 * @xml: a domain's XML, or the <isc:node> element alone (what virDomainGetMetadata() gives)
 * @len: bytes, at most ISC_DOMAIN_META_MAX
 *
 * An administrator may have edited it, so nothing is taken on trust: no DTD, no entities, no
 * network, every value passes its validator. Errors: ISC_ERROR_NOT_FOUND: no such element;
 * ISC_ERROR_INVALID. Returns: (transfer full)
 */
IscDomainMeta *isc_domain_meta_parse(const gchar *xml, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

void isc_domain_meta_free(IscDomainMeta *meta);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscDomainMeta, isc_domain_meta_free)

/* TRUE if @value can stand in XML 1.0 as it is: valid UTF-8 of at most @max bytes, not empty, no
 * control characters
 * (@lines: newline and tab are fine).  Errors: ISC_ERROR_INVALID; the value is shown escaped. */
gboolean isc_domain_text_check(
		const gchar *what, const gchar *value, gsize max, gboolean lines, GError **error);
