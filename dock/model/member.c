#include "model/member.h"

#include <string.h>

#include "base/error.h"

static guint count_ports(const IscSpec *spec)
{
	guint n = 0;
	for (guint i = 0; i < spec->expose->len; i++) {
		const IscExpose *x = &g_array_index(spec->expose, IscExpose, i);
		n += (guint)(x->host_last - x->host_first) + 1;
	}
	return n;
}

static gboolean has_room(const IscSpec *spec)
{
	for (guint i = 0; i < spec->expose->len; i++) {
		const IscExpose *x = &g_array_index(spec->expose, IscExpose, i);
		guint each = (guint)(x->host_last - x->host_first) + 1;
		if (x->host_first + each * spec->replica.count - 1 > 65535)
			return FALSE;
	}
	return TRUE;
}

gboolean isc_member_check(const gchar *what, const IscSpec *spec, GError **error)
{
	const IscReplica *r = &spec->replica;
	g_autofree gchar *last = isc_replica_name(spec->name, ISC_REPLICAS_MAX);
	const struct {
		gboolean is_wrong;
		const gchar *why;
	} rules[] = {
		{ r->own_ports && !r->count && !*r->set, "ReplicaPorts= wants Replicas=" },
		{ r->count && *r->set, "Replicas= and Set=: a member of a set is one node" },
		{ *r->set && isc_replica_number(r->set, spec->name) == 0,
				"Set=: its members are named SET-1, SET-2, …" },
		{ r->count && strlen(last) > ISC_NAME_MAX, "Replicas=: the name is too long for "
							   "'-N' behind it: 28 bytes at most" },
		{ r->count && (spec->job.is_job || spec->job.is_ephemeral),
				"Replicas= is for services: not with Job= or Ephemeral=" },
		{ r->count && spec->volumes->len,
				"Replicas= and Volume=: a volume is one node's at a time; "
				"provision the "
				"nodes one by one, each with a volume of its own" },
		{ r->count && !r->own_ports && count_ports(spec) > ISC_SHARED_PORTS_MAX,
				"Replicas=: more than 16 ports cannot be shared; use "
				"ReplicaPorts=own" },
		{ r->count && r->own_ports && !has_room(spec),
				"ReplicaPorts=own: the last member's ports would be above 65535" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
		if (rules[i].is_wrong) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s: %s", what,
					rules[i].why);
			return FALSE;
		}
	return TRUE;
}

/* Ports of its own: the first member has those of the set, each further one those behind.  @by:
 * members; negative: back */
static void move_ports(IscSpec *spec, gint by)
{
	for (guint i = 0; spec->replica.own_ports && i < spec->expose->len; i++) {
		IscExpose *x = &g_array_index(spec->expose, IscExpose, i);
		gint on = (x->host_last - x->host_first + 1) * by;
		x->host_first = (guint16)(x->host_first + on);
		x->host_last = (guint16)(x->host_last + on);
	}
}

/* What was printed can be parsed. */
static IscSpec *copy(const IscSpec *from)
{
	g_autofree gchar *text = isc_spec_print(from);
	IscSpec *spec = isc_spec_parse("set", text, strlen(text), NULL);
	explicit_bzero(text, strlen(text));
	g_assert(spec);
	return spec;
}

static void name_it(IscSpec *spec, gchar *name)
{
	g_free(spec->name);
	spec->name = name;
}

IscSpec *isc_member_spec(const IscSpec *set, guint number)
{
	IscSpec *spec = copy(set);
	g_strlcpy(spec->replica.set, set->name, sizeof(spec->replica.set));
	spec->replica.count = 0;
	name_it(spec, isc_replica_name(set->name, number));
	move_ports(spec, (gint)number - 1);
	return spec;
}

IscSpec *isc_member_to_set(const IscSpec *member, guint number)
{
	IscSpec *spec = copy(member);
	name_it(spec, g_strdup(member->replica.set));
	*spec->replica.set = '\0';
	spec->replica.count = number;
	move_ports(spec, 1 - (gint)number);
	return spec;
}

gboolean isc_member_shares_ports(const IscSpec *spec)
{
	return *spec->replica.set && !spec->replica.own_ports;
}

void isc_member_leave(IscSpec *spec)
{
	spec->replica = (IscReplica){ 0 };
}
