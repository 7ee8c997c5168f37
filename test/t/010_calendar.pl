# Promise: what appointment_ics() and calendar_ics() write is iCalendar that others read: parsed back
# by python3-icalendar, the same uid, sequence, times, texts, people and tasks come out, in every
# zone, on days of change and with hostile texts.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'skipped: no python3-icalendar' if system('/usr/bin/python3 -c "import icalendar" 2>/dev/null') != 0;

my $node = crm_node('calendar');
$node->safe_psql('crm', <<'SQL');
INSERT INTO sales_crm.member (name, email) VALUES (E'Zoë "Z" O''Hara; ^x', 'zoe@example.com');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Müller, Jörg', 'jm@example.com' FROM sales_crm.account;
-- Each hour of the days around both changes of the clock, in zones of all sorts
INSERT INTO sales_crm.appointment (subject, starts_at, organiser_id, time_zone, all_day)
SELECT z || ' ' || t, t, 1, z, extract(hour FROM t) = 5
FROM unnest(array['Europe/Brussels', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'Pacific/Apia', 'UTC', 'Africa/Casablanca', 'America/Sao_Paulo']) z,
	unnest(array['2026-03-28', '2026-10-24', '2026-04-04', '2011-12-29']::timestamptz[]) d,
	generate_series(d, d + interval '2 days', interval '5 hours') t;
INSERT INTO sales_crm.appointment (subject, location, details, starts_at, organiser_id, time_zone)
VALUES (E'Comma, semi; back\\slash "quote"', repeat('très long, ', 30), E'line one\nline two\n\nBEGIN:VEVENT\n\temoji 😀' || repeat('é', 200), '2026-07-01 10:00+00', 1, 'Europe/Brussels');
INSERT INTO sales_crm.appointment_attendee (appointment_id, contact_id, answer) SELECT appointment_id, 1, 'tentative' FROM sales_crm.appointment;
UPDATE sales_crm.appointment SET location = 'moved' WHERE appointment_id % 3 = 0;
UPDATE sales_crm.appointment SET cancelled_at = now() WHERE appointment_id % 10 = 0;
INSERT INTO sales_crm.task (subject, details, assignee_id, due_on, priority) VALUES ('Call; now', E'a\nb', 1, '2026-07-02', 'high');
SQL
my $folder = PostgreSQL::Test::Utils::tempdir;
my %expected = (
	events => q(SELECT json_agg(json_build_object('uid', uid, 'sequence', revision, 'summary', subject, 'location', coalesce(location, ''), 'description', coalesce(details, ''),
		'start', CASE WHEN all_day THEN to_char(starts_at AT TIME ZONE time_zone, 'YYYY-MM-DD') ELSE to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') END,
		'end', CASE WHEN all_day THEN to_char(ends_at AT TIME ZONE time_zone, 'YYYY-MM-DD') ELSE to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') END,
		'status', CASE WHEN cancelled_at IS NULL THEN 'CONFIRMED' ELSE 'CANCELLED' END)) FROM sales_crm.appointment),
);
my $calendar = $node->safe_psql('crm', "SELECT encode(convert_to(sales_crm.calendar_ics(1, '2011-01-01', '2030-01-01'), 'UTF8'), 'hex')");
append_to_file("$folder/calendar.ics", pack('H*', $calendar));
append_to_file("$folder/events.json", $node->safe_psql('crm', $expected{events}));
append_to_file("$folder/check.py", <<'PY');
import datetime, json, sys, icalendar
folder = sys.argv[1]
data = open(folder + '/calendar.ics', 'rb').read()
bad = []
for line in data.split(b'\r\n'):
    if len(line) > 75 or b'\n' in line or b'\r' in line: bad.append('line %r' % line)
calendar = icalendar.Calendar.from_ical(data)
expected = {e['uid']: e for e in json.load(open(folder + '/events.json'))}
seen = 0
def told(value):
    if isinstance(value, datetime.datetime): return value.astimezone(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S')
    return value.isoformat()
for event in calendar.walk('VEVENT'):
    e = expected.pop(str(event['UID']))
    seen += 1
    got = {'uid': str(event['UID']), 'sequence': int(event['SEQUENCE']), 'summary': str(event['SUMMARY']), 'location': str(event.get('LOCATION', '')),
        'description': str(event.get('DESCRIPTION', '')), 'start': told(event['DTSTART'].dt), 'end': told(event['DTEND'].dt), 'status': str(event['STATUS'])}
    if got != e: bad.append('%r instead of %r' % (got, e))
    if 'DTSTAMP' not in event: bad.append('no DTSTAMP')
    people = event['ATTENDEE']
    if [str(p) for p in people] != ['mailto:zoe@example.com', 'mailto:jm@example.com']: bad.append('people %r' % people)
    if [p.params['PARTSTAT'] for p in people] != ['ACCEPTED', 'TENTATIVE']: bad.append('answers')
    if people[1].params['CN'] != 'Müller, Jörg': bad.append('name %r' % people[1].params['CN'])
zones = {str(z['TZID']) for z in calendar.walk('VTIMEZONE')}
for event in calendar.walk('VEVENT'):
    zone = event['DTSTART'].params.get('TZID')
    if zone and zone not in zones: bad.append('no VTIMEZONE for ' + zone)
todos = calendar.walk('VTODO')
if [str(t['SUMMARY']) for t in todos] != ['Call; now'] or todos[0]['DUE'].dt != datetime.date(2026, 7, 2): bad.append('todo')
if expected: bad.append('missing %d' % len(expected))
print('\n'.join(bad[:5]) or 'read %s' % ('all' if seen > 200 else seen))
PY
my ($out, $err) = ('', '');
IPC::Run::run([ '/usr/bin/python3', "$folder/check.py", $folder ], '>', \$out, '2>', \$err);
is($out, "read all\n", 'python3-icalendar reads every appointment back as it is') or diag($err);

# libical, by a program made on the spot: every component is there and none has an error, and
# VTIMEZONE gives the moment that the database has
SKIP:
{
	skip 'no libical to compile with', 1 if system('pkg-config --exists libical') != 0;
	append_to_file("$folder/check.c", <<'C');
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	static char text[8 << 20];
	FILE *file = fopen(argv[argc - 1], "r");
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = 0;
	icalcomponent *calendar = icalparser_parse_string(text);
	if (calendar == NULL) return 1;
	printf("errors %d, restrictions %d\n", icalcomponent_count_errors(calendar), icalrestriction_check(calendar) ? 0 : 1);
	for (icalcomponent *e = icalcomponent_get_first_component(calendar, ICAL_VEVENT_COMPONENT); e != NULL; e = icalcomponent_get_next_component(calendar, ICAL_VEVENT_COMPONENT))
	{
		icaltimetype start = icalcomponent_get_dtstart(e);
		if (!icaltime_is_date(start))
			printf("%s %lld\n", icalcomponent_get_uid(e), (long long) icaltime_as_timet_with_zone(start, start.zone));
	}
	return 0;
}
C
	system("cc -o $folder/check $folder/check.c \$(pkg-config --cflags --libs libical)") == 0 or die;
	my $read = '';
	IPC::Run::run([ "$folder/check", "$folder/calendar.ics" ], '>', \$read);
	my @wanted = sort split /\n/, $node->safe_psql('crm', "SELECT uid || ' ' || extract(epoch FROM starts_at)::bigint FROM sales_crm.appointment WHERE NOT all_day");
	my ($head, @got) = split /\n/, $read;
	is($head . "\n" . join("\n", sort @got), "errors 0, restrictions 0\n" . join("\n", @wanted), 'libical reads them, at the same moments');
}
$node->stop;
done_testing();
