#include "model/rules.h"

#include <string.h>

#include "base/error.h"

/* Where the parser stands in a rule's text.  Every taker advances @at or leaves an error that names
 * the place. */
typedef struct {
	const gchar *text, *at;
	GError **error;
} Cursor;

G_GNUC_PRINTF(2, 3)
static gboolean fail(const Cursor *c, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *why = g_strdup_vprintf(format, args);
	va_end(args);
	g_autofree gchar *shown = isc_text_escape(c->text, -1, ISC_RULE_MAX_BYTES);
	g_set_error(c->error, ISC_ERROR, ISC_ERROR_INVALID, "rule '%s', position %u: %s", shown,
			(guint)(c->at - c->text) + 1, why);
	return FALSE;
}

static gboolean start(Cursor *c, const gchar *text, GError **error)
{
	*c = (Cursor){ text ? text : "", text ? text : "", error };
	if (strlen(c->text) > ISC_RULE_MAX_BYTES)
		return fail(c, "longer than %d bytes", ISC_RULE_MAX_BYTES);
	return *c->at ? TRUE : fail(c, "empty");
}

static gboolean take(Cursor *c, const gchar *word)
{
	if (!g_str_has_prefix(c->at, word))
		return FALSE;
	c->at += strlen(word);
	return TRUE;
}

static gboolean take_end(const Cursor *c)
{
	return *c->at ? fail(c, "unexpected text") : TRUE;
}

/* Decimal, no sign, no leading zero: "010" means 8 to some tools and 10 to others. */
static gboolean take_number(Cursor *c, const gchar *what, guint min, guint max, guint *out)
{
	const gchar *p = c->at;
	guint value = 0;

	while (g_ascii_isdigit(*p) && value <= max)
		value = value * 10 + (guint)(*p++ - '0');
	if (p == c->at)
		return fail(c, "%s expected", what);
	if (value < min || value > max)
		return fail(c, "%s must be %u to %u", what, min, max);
	if (*c->at == '0' && p > c->at + 1)
		return fail(c, "%s with a leading zero", what);
	c->at = p;
	*out = value;
	return TRUE;
}

static gboolean take_ports(Cursor *c, guint16 *first, guint16 *last)
{
	guint a, b;

	if (!take_number(c, "port", 1, G_MAXUINT16, &a))
		return FALSE;
	b = a;
	const gchar *begin = c->at;
	if (take(c, "-") && !take_number(c, "port", 1, G_MAXUINT16, &b))
		return FALSE;
	if (b < a) {
		c->at = begin + 1;
		return fail(c, "the range ends before it begins");
	}
	*first = (guint16)a;
	*last = (guint16)b;
	return TRUE;
}

static gboolean take_address(Cursor *c, guint32 *out)
{
	guint32 address = 0;

	for (guint i = 0; i < 4; i++) {
		guint byte;
		if (i > 0 && !take(c, "."))
			return fail(c, "an IPv4 address has four numbers");
		if (!take_number(c, "number of an IPv4 address", 0, 255, &byte))
			return FALSE;
		address = address << 8 | byte;
	}
	*out = address;
	return TRUE;
}

static guint32 mask_of(guint prefix)
{
	return prefix == 0 ? 0 : ~0u << (32 - prefix);
}

static gboolean take_net(Cursor *c, IscNet *out)
{
	const gchar *begin = c->at;
	guint32 address;
	guint prefix = 32;

	if (!take_address(c, &address))
		return FALSE;
	if (take(c, "/") && !take_number(c, "prefix length", 0, 32, &prefix))
		return FALSE;
	if (address & ~mask_of(prefix)) {
		g_autofree gchar *meant = isc_address_print(address & mask_of(prefix));
		c->at = begin;
		return fail(c, "this network begins at %s/%u: write that", meant, prefix);
	}
	*out = (IscNet){ address, (guint8)prefix };
	return TRUE;
}

/* The next field, up to ':', looks like an address rather than like a port. */
static gboolean is_address_next(const Cursor *c)
{
	return memchr(c->at, '.', strcspn(c->at, ":")) != NULL;
}

gboolean isc_expose_parse(const gchar *text, IscExpose *out, GError **error)
{
	Cursor c;
	IscExpose e = { .proto = ISC_PROTO_TCP };
	guint16 node_last;

	if (!start(&c, text, error))
		return FALSE;
	if (take(&c, "udp:"))
		e.proto = ISC_PROTO_UDP;
	else
		take(&c, "tcp:");

	if (is_address_next(&c)) {
		const gchar *begin = c.at;
		if (!take_address(&c, &e.outside))
			return FALSE;
		if (!take(&c, ":"))
			return fail(&c, "':' and a port of the dock expected");
		if (e.outside == 0) {
			c.at = begin;
			return fail(&c, "leave the address out to mean all of the dock's");
		}
	}
	if (!take_ports(&c, &e.host_first, &e.host_last))
		return FALSE;
	if (e.host_last - e.host_first >= ISC_RULE_MAX_PORTS)
		return fail(&c, "a rule exposes at most %d ports", ISC_RULE_MAX_PORTS);
	if (!take(&c, ":"))
		return fail(&c, "':' and a port of the node expected");
	const gchar *node_side = c.at;
	if (!take_ports(&c, &e.node_first, &node_last) || !take_end(&c))
		return FALSE;
	if (node_last - e.node_first != e.host_last - e.host_first) {
		c.at = node_side;
		return fail(&c, "both ranges must be equally long (%d and %d ports)",
				e.host_last - e.host_first + 1, node_last - e.node_first + 1);
	}
	*out = e;
	return TRUE;
}

static void append_ports(GString *s, guint first, guint last)
{
	g_string_append_printf(s, "%u", first);
	if (last != first)
		g_string_append_printf(s, "-%u", last);
}

gchar *isc_expose_print(const IscExpose *e)
{
	GString *s = g_string_new(isc_proto_name(e->proto));

	g_string_append_c(s, ':');
	if (e->outside) {
		g_autofree gchar *address = isc_address_print(e->outside);
		g_string_append_printf(s, "%s:", address);
	}
	append_ports(s, e->host_first, e->host_last);
	g_string_append_c(s, ':');
	append_ports(s, e->node_first, (guint)(e->node_first + e->host_last - e->host_first));
	return g_string_free(s, FALSE);
}

gboolean isc_expose_overlaps(const IscExpose *a, const IscExpose *b)
{
	return a->proto == b->proto && a->host_first <= b->host_last &&
	       b->host_first <= a->host_last &&
	       (!a->outside || !b->outside || a->outside == b->outside);
}

/* NAME:tcp/PORT-PORT of a node or a group. */
static gboolean take_named(Cursor *c, IscEgressKind kind, IscEgress *e)
{
	gsize len = strcspn(c->at, ":");
	g_autofree gchar *name = g_strndup(c->at, len);

	if (kind == ISC_EGRESS_HOST ? !isc_host_is_valid(name) : !isc_name_is_valid(name))
		return fail(c, kind == ISC_EGRESS_HOST
						? "no full host name, like deb.example.org, in "
						  "lower case"
				: kind == ISC_EGRESS_GROUP ? "no group name"
							   : "no node name");
	g_strlcpy(e->name, name, sizeof e->name);
	e->kind = kind;
	c->at += len;
	if (!take(c, ":"))
		return fail(c, "':' and tcp/PORT or udp/PORT expected");
	if (take(c, "tcp/"))
		e->proto = ISC_PROTO_TCP;
	else if (take(c, "udp/"))
		e->proto = ISC_PROTO_UDP;
	else
		return fail(c, "tcp/PORT or udp/PORT expected");
	const gchar *ports = c->at;
	if (!take_ports(c, &e->port_first, &e->port_last))
		return FALSE;
	const gint max = kind == ISC_EGRESS_HOST ? ISC_RULE_MAX_HOST_PORTS : ISC_RULE_MAX_PORTS;
	if (e->port_last - e->port_first < max)
		return TRUE;
	c->at = ports;
	return fail(c, "a rule names at most %d ports of a %s", max,
			kind == ISC_EGRESS_HOST ? "host" : "node");
}

static gboolean take_egress(Cursor *c, IscEgress *e)
{
	if (take(c, "node:"))
		return take_named(c, ISC_EGRESS_NODE, e);
	if (take(c, "host:"))
		return take_named(c, ISC_EGRESS_HOST, e);
	if (take(c, "group:"))
		return take_named(c, ISC_EGRESS_GROUP, e);
	e->kind = ISC_EGRESS_NET;
	if (take(c, "icmp")) {
		e->proto = ISC_PROTO_ICMP;
		return *c->at == '\0' || (take(c, ":") ? take_net(c, &e->net)
						       : fail(c, "':' and a network expected"));
	}
	if (take(c, "tcp:"))
		e->proto = ISC_PROTO_TCP;
	else if (take(c, "udp:"))
		e->proto = ISC_PROTO_UDP;
	else
		return fail(c, "a rule begins with deny, open, tcp:, udp:, icmp, node:, host: or "
			       "group:");
	if (!take_net(c, &e->net))
		return FALSE;
	if (!take(c, ":"))
		return fail(c, "':' and a port expected");
	return take_ports(c, &e->port_first, &e->port_last);
}

gboolean isc_egress_parse(const gchar *text, IscEgress *out, GError **error)
{
	Cursor c;
	IscEgress e = { .kind = ISC_EGRESS_DENY };

	if (!start(&c, text, error))
		return FALSE;
	if (strcmp(text, "open") == 0)
		e.kind = ISC_EGRESS_OPEN;
	else if (strcmp(text, "deny") != 0 && !(take_egress(&c, &e) && take_end(&c)))
		return FALSE;
	*out = e;
	return TRUE;
}

gchar *isc_egress_print(const IscEgress *e)
{
	GString *s = g_string_new(NULL);

	switch (e->kind) {
	case ISC_EGRESS_DENY:
		g_string_append(s, "deny");
		break;
	case ISC_EGRESS_OPEN:
		g_string_append(s, "open");
		break;
	case ISC_EGRESS_NET: {
		g_autofree gchar *net = isc_net_print(&e->net);
		g_string_append_printf(s, "%s:%s", isc_proto_name(e->proto), net);
		if (e->proto != ISC_PROTO_ICMP) {
			g_string_append_c(s, ':');
			append_ports(s, e->port_first, e->port_last);
		}
		break;
	}
	case ISC_EGRESS_NODE:
	case ISC_EGRESS_HOST:
	case ISC_EGRESS_GROUP:
		g_string_append_printf(s, "%s:%s:%s/",
				e->kind == ISC_EGRESS_NODE   ? "node"
				: e->kind == ISC_EGRESS_HOST ? "host"
							     : "group",
				e->name, isc_proto_name(e->proto));
		append_ports(s, e->port_first, e->port_last);
		break;
	default:
		g_assert_not_reached();
	}
	return g_string_free(s, FALSE);
}

static gboolean is_few_enough(const gchar *const *texts, GError **error)
{
	if (!texts || g_strv_length((gchar **)texts) <= ISC_RULES_MAX)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "more than %d rules of one kind",
			ISC_RULES_MAX);
	return FALSE;
}

GArray *isc_expose_parse_list(const gchar *const *texts, GError **error)
{
	g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(IscExpose));

	if (!is_few_enough(texts, error))
		return NULL;
	for (gsize i = 0; texts && texts[i]; i++) {
		IscExpose e;
		if (!isc_expose_parse(texts[i], &e, error))
			return NULL;
		for (guint k = 0; k < list->len; k++) {
			if (!isc_expose_overlaps(&g_array_index(list, IscExpose, k), &e))
				continue;
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"rule '%s' claims a port that '%s' has already", texts[i],
					texts[k]);
			return NULL;
		}
		g_array_append_val(list, e);
	}
	return g_steal_pointer(&list);
}

GArray *isc_egress_parse_list(const gchar *const *texts, GError **error)
{
	g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(IscEgress));
	gboolean denies = FALSE;

	if (!is_few_enough(texts, error))
		return NULL;
	for (gsize i = 0; texts && texts[i]; i++) {
		IscEgress e;
		if (!isc_egress_parse(texts[i], &e, error))
			return NULL;
		denies |= e.kind == ISC_EGRESS_DENY;
		g_array_append_val(list, e);
	}
	if (denies && list->len > 1) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"rule 'deny' stands beside others: drop it or them");
		return NULL;
	}
	return g_steal_pointer(&list);
}

gboolean isc_net_parse(const gchar *text, IscNet *out, GError **error)
{
	Cursor c;
	IscNet net;

	if (!start(&c, text, error) || !take_net(&c, &net) || !take_end(&c))
		return FALSE;
	*out = net;
	return TRUE;
}

gchar *isc_address_print(guint32 a)
{
	return g_strdup_printf("%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

gchar *isc_net_print(const IscNet *net)
{
	g_autofree gchar *address = isc_address_print(net->address);
	if (net->prefix == 32)
		return g_steal_pointer(&address);
	return g_strdup_printf("%s/%u", address, net->prefix);
}

gboolean isc_net_contains(const IscNet *outer, const IscNet *inner)
{
	return outer->prefix <= inner->prefix &&
	       (inner->address & mask_of(outer->prefix)) == outer->address;
}

gboolean isc_net_overlaps(const IscNet *a, const IscNet *b)
{
	return isc_net_contains(a, b) || isc_net_contains(b, a);
}

guint32 isc_net_last(const IscNet *net)
{
	return net->address | ~mask_of(net->prefix);
}

const gchar *isc_proto_name(IscProto proto)
{
	switch (proto) {
	case ISC_PROTO_ICMP:
		return "icmp";
	case ISC_PROTO_TCP:
		return "tcp";
	case ISC_PROTO_UDP:
		return "udp";
	default:
		return "?";
	}
}
