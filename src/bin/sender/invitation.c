/*
 * invitation.c
 *		Reads an invitation (RFC 5546) with libical.
 */
#include <string.h>

#include <libical/ical.h>

#include "invitation.h"

#define MAX_ATTENDEES 200

static void read_event(Invitation *invitation, icalcomponent *event);
static void read_attendees(Invitation *invitation, icalcomponent *event);
static char *seconds_of(icaltimetype time);

Invitation *
invitation_parse(const char *calendar)
{
	icalcomponent *parsed = icalparser_parse_string(calendar);
	icalcomponent *event = NULL;
	Invitation *invitation = NULL;
	icalproperty_method method = ICAL_METHOD_NONE;

	if (parsed != NULL)
	{
		method = icalcomponent_get_method(parsed);
		event = icalcomponent_get_first_component(parsed, ICAL_VEVENT_COMPONENT);
	}
	if (event != NULL && icalcomponent_get_uid(event) != NULL &&
		(method == ICAL_METHOD_REQUEST || method == ICAL_METHOD_REPLY ||
		 method == ICAL_METHOD_CANCEL))
	{
		invitation = g_new0(Invitation, 1);
		invitation->method = g_strdup(icalproperty_method_to_string(method));
		read_event(invitation, event);
		read_attendees(invitation, event);
	}
	if (parsed != NULL)
		icalcomponent_free(parsed);
	return invitation;
}

void
invitation_free(Invitation *invitation)
{
	g_free(invitation->method);
	g_free(invitation->uid);
	g_free(invitation->sequence);
	g_free(invitation->subject);
	g_free(invitation->location);
	g_free(invitation->details);
	g_free(invitation->starts_at);
	g_free(invitation->ends_at);
	g_ptr_array_unref(invitation->attendees);
	g_ptr_array_unref(invitation->answers);
	g_free(invitation);
}

static void
read_event(Invitation *invitation, icalcomponent *event)
{
	icaltimetype start = icalcomponent_get_dtstart(event);

	invitation->uid = g_strdup(icalcomponent_get_uid(event));
	invitation->sequence = g_strdup_printf("%d", icalcomponent_get_sequence(event));
	invitation->subject = g_strdup(icalcomponent_get_summary(event));
	invitation->location = g_strdup(icalcomponent_get_location(event));
	invitation->details = g_strdup(icalcomponent_get_description(event));
	invitation->starts_at = seconds_of(start);
	invitation->ends_at = seconds_of(icalcomponent_get_dtend(event));
	invitation->all_day = icaltime_is_date(start);
}

static void
read_attendees(Invitation *invitation, icalcomponent *event)
{
	icalproperty *property = icalcomponent_get_first_property(event, ICAL_ATTENDEE_PROPERTY);

	invitation->attendees = g_ptr_array_new_with_free_func(g_free);
	invitation->answers = g_ptr_array_new_with_free_func(g_free);
	for (; property != NULL && invitation->attendees->len < MAX_ATTENDEES;
		 property = icalcomponent_get_next_property(event, ICAL_ATTENDEE_PROPERTY))
	{
		const char *attendee = icalproperty_get_attendee(property);
		icalparameter *answer = icalproperty_get_first_parameter(property, ICAL_PARTSTAT_PARAMETER);

		if (attendee == NULL || g_ascii_strncasecmp(attendee, "mailto:", 7) != 0)
			continue;
		g_ptr_array_add(invitation->attendees, g_strdup(attendee + 7));
		g_ptr_array_add(invitation->answers,
						g_strdup(answer == NULL ? "NEEDS-ACTION"
												: icalparameter_enum_to_string(
													  icalparameter_get_partstat(answer))));
	}
}

static char *
seconds_of(icaltimetype time)
{
	if (icaltime_is_null_time(time) || !icaltime_is_valid_time(time))
		return NULL;
	return g_strdup_printf("%lld", (long long) icaltime_as_timet_with_zone(time, time.zone));
}
