#include "render/domain-meta.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"

#define SPEC_MAX (64 * 1024)
#define LABELS_MAX 64

gboolean isc_domain_text_check(
		const gchar *what, const gchar *value, gsize max, gboolean lines, GError **error)
{
	const gchar *why = NULL;

	if (!value || !*value)
		why = "is missing";
	else if (strlen(value) > max)
		why = "is too long";
	else if (!g_utf8_validate(value, -1, NULL))
		why = "is not UTF-8";
	/* XML 1.0 has no way to write most control characters, and U+FFFE and U+FFFF: such a
	 * document does not parse again.  The rest of them have no business in a name or a path. */
	for (const gchar *p = value; !why && *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (lines && (c == '\n' || c == '\t'))
			continue;
		if (g_unichar_iscntrl(c) || (c & 0xfffe) == 0xfffe)
			why = "holds a control character";
	}
	if (!why)
		return TRUE;

	g_autofree gchar *shown = isc_text_escape(value ? value : "", -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "domain: %s %s: '%s'", what, why, shown);
	return FALSE;
}

static gboolean is_one_of(const gchar *value, const gchar *const *set)
{
	return value && g_strv_contains(set, value);
}

static gboolean is_address(const gchar *value)
{
	struct in_addr a;
	return value && inet_pton(AF_INET, value, &a) == 1;
}

/* One rule for both directions: what is written can be read, and what is read could have been
 * written. */
static gboolean check(const IscDomainMeta *m, GError **error)
{
	static const gchar *const environments[] = { "development", "staging", "production", NULL };
	static const gchar *const statuses[] = { "grey", "blue", "red", "green", "amber", NULL };
	const struct {
		const gchar *what;
		gboolean ok;
	} rules[] = {
		{ "slot", m->slot >= 2 && m->slot <= 65000 },
		{ "address", is_address(m->address) },
		{ "environment", is_one_of(m->environment, environments) },
		{ "image name", isc_name_is_valid(m->image_name) },
		{ "image version", isc_version_is_valid(m->image_version) },
		{ "image digest", isc_digest_is_valid(m->image_digest) },
		{ "image status", is_one_of(m->image_status, statuses) },
		{ "spec digest", isc_digest_is_valid(m->spec_digest) },
		{ "number of labels", m->n_labels <= LABELS_MAX },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
		if (!rules[i].ok) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"node metadata: %s is missing or wrong", rules[i].what);
			return FALSE;
		}
	if (m->spec && !isc_domain_text_check("spec", m->spec, SPEC_MAX, /* lines= */ TRUE, error))
		return FALSE;
	for (gsize i = 0; i < m->n_labels; i++) {
		if (!isc_key_is_valid(m->labels[i].key)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"node metadata: a label's key is wrong");
			return FALSE;
		}
		const gchar *value = m->labels[i].value;
		if ((!value || *value) && !isc_domain_text_check("label", value, 256, FALSE, error))
			return FALSE;
	}
	return TRUE;
}

/* xmlNewText() and xmlNewProp() store bytes as they are and escape them on output: no value becomes
 * markup. */
static xmlNode *add(xmlNode *parent, xmlNs *ns, const gchar *name, const gchar *text)
{
	xmlNode *node = xmlNewChild(parent, ns, BAD_CAST name, NULL);
	if (text)
		xmlAddChild(node, xmlNewText(BAD_CAST text));
	return node;
}

static void prop(xmlNode *node, const gchar *name, const gchar *value)
{
	xmlNewProp(node, BAD_CAST name, BAD_CAST value);
}

gboolean isc_domain_meta_append(xmlNode *parent, const IscDomainMeta *m, GError **error)
{
	if (!check(m, error))
		return FALSE;

	g_autofree gchar *slot = g_strdup_printf("%u", m->slot);
	xmlNode *top = xmlNewChild(parent, NULL, BAD_CAST "node", NULL);
	xmlNs *ns = xmlNewNs(top, BAD_CAST ISC_DOMAIN_META_NS, BAD_CAST ISC_DOMAIN_META_PREFIX);
	xmlSetNs(top, ns);
	add(top, ns, "slot", slot);
	add(top, ns, "address", m->address);
	add(top, ns, "environment", m->environment);
	xmlNode *image = add(top, ns, "image", NULL);
	prop(image, "name", m->image_name);
	prop(image, "version", m->image_version);
	prop(image, "digest", m->image_digest);
	prop(image, "status", m->image_status);
	add(top, ns, "emulated", m->emulated ? "yes" : "no");
	prop(add(top, ns, "spec", m->spec), "digest", m->spec_digest);
	for (gsize i = 0; i < m->n_labels; i++)
		prop(add(top, ns, "label", m->labels[i].value), "key", m->labels[i].key);
	return TRUE;
}

static gboolean is_ours(const xmlNode *node, const gchar *name)
{
	return node->type == XML_ELEMENT_NODE && node->ns &&
	       strcmp((const char *)node->ns->href, ISC_DOMAIN_META_NS) == 0 &&
	       strcmp((const char *)node->name, name) == 0;
}

static const xmlNode *child(const xmlNode *parent, const gchar *name)
{
	for (const xmlNode *n = parent->children; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0)
			return n;
	return NULL;
}

static gchar *take(xmlChar *text)
{
	gchar *copy = g_strdup((const gchar *)text);
	xmlFree(text);
	return copy;
}

static void read_child(IscDomainMeta *m, xmlNode *node)
{
	if (is_ours(node, "slot")) {
		g_autofree gchar *text = take(xmlNodeGetContent(node));
		guint64 slot = 0;
		if (g_ascii_string_to_unsigned(text, 10, 2, 65000, &slot, NULL))
			m->slot = (guint)slot;
	} else if (is_ours(node, "address") && !m->address) {
		m->address = take(xmlNodeGetContent(node));
	} else if (is_ours(node, "environment") && !m->environment) {
		m->environment = take(xmlNodeGetContent(node));
	} else if (is_ours(node, "image") && !m->image_name) {
		m->image_name = take(xmlGetNoNsProp(node, BAD_CAST "name"));
		m->image_version = take(xmlGetNoNsProp(node, BAD_CAST "version"));
		m->image_digest = take(xmlGetNoNsProp(node, BAD_CAST "digest"));
		m->image_status = take(xmlGetNoNsProp(node, BAD_CAST "status"));
	} else if (is_ours(node, "emulated")) {
		g_autofree gchar *text = take(xmlNodeGetContent(node));
		m->emulated = g_strcmp0(text, "no") != 0; /* unknown is the worse case */
	} else if (is_ours(node, "spec") && !m->spec_digest) {
		m->spec_digest = take(xmlGetNoNsProp(node, BAD_CAST "digest"));
		m->spec = take(xmlNodeGetContent(node));
		if (m->spec && !*m->spec)
			g_clear_pointer(&m->spec, g_free);
	} else if (is_ours(node, "label") && m->n_labels <= LABELS_MAX) {
		IscDomainLabel *label = &m->labels[m->n_labels++];
		label->key = take(xmlGetNoNsProp(node, BAD_CAST "key"));
		label->value = take(xmlNodeGetContent(node));
	}
}

IscDomainMeta *isc_domain_meta_parse(const gchar *xml, gsize len, GError **error)
{
	g_autoptr(xmlDoc) doc = NULL;

	if (len <= ISC_DOMAIN_META_MAX)
		doc = xmlReadMemory(xml, (int)len, NULL, NULL,
				XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	/* No DTD: entities are what XXE and "billion laughs" are made of. */
	if (!doc || doc->intSubset || doc->extSubset) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"node metadata: not well-formed XML, too long, or with a DTD");
		return NULL;
	}

	const xmlNode *top = xmlDocGetRootElement(doc);
	if (!is_ours(top, "node")) {
		const xmlNode *metadata = child(top, "metadata");
		top = metadata ? metadata->children : NULL;
		while (top && !is_ours(top, "node"))
			top = top->next;
	}
	if (!top) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"node metadata: no <isc:node>: not a domain of this dock");
		return NULL;
	}

	g_autoptr(IscDomainMeta) m = g_new0(IscDomainMeta, 1);
	m->emulated = TRUE;
	m->labels = g_new0(IscDomainLabel, LABELS_MAX + 1);
	for (xmlNode *n = top->children; n; n = n->next)
		read_child(m, n);
	if (!check(m, error))
		return NULL;
	return g_steal_pointer(&m);
}

void isc_domain_meta_free(IscDomainMeta *m)
{
	if (!m)
		return;
	g_free(m->address);
	g_free(m->environment);
	g_free(m->image_name);
	g_free(m->image_version);
	g_free(m->image_digest);
	g_free(m->image_status);
	g_free(m->spec_digest);
	g_free(m->spec);
	for (gsize i = 0; i < m->n_labels; i++) {
		g_free(m->labels[i].key);
		g_free(m->labels[i].value);
	}
	g_free(m->labels);
	g_free(m);
}
