# The timeline of an opportunity with 10,000 entries, my open tasks beside 100,000 done ones, and
# search among 100,000 opportunities: milliseconds of one warm call.
psql <<'SQL'
INSERT INTO sales_crm.member (name, login) VALUES ('Sam', current_user);
INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 5000) i;
INSERT INTO sales_crm.opportunity (name, account_id, description)
SELECT (array['Lamps', 'Chairs', 'Desks', 'Shelves', 'Panels'])[1 + i % 5] || ' for room ' || i, 1 + i % 5000, 'Delivery to floor ' || i % 97
FROM generate_series(1, 100000) i;
INSERT INTO sales_crm.note (opportunity_id, body, created_at) SELECT 1, 'Note ' || i, now() - i * interval '1 minute' FROM generate_series(1, 4000) i;
INSERT INTO sales_crm.email (opportunity_id, direction, subject, sent_at) SELECT 1, 'incoming', 'Mail ' || i, now() - i * interval '1 minute' FROM generate_series(1, 4000) i;
INSERT INTO sales_crm.task (opportunity_id, subject, created_at, done_at, assignee_id) SELECT 1, 'Task ' || i, now() - i * interval '1 minute', now() - i * interval '50 seconds', 1 FROM generate_series(1, 1000) i;
UPDATE sales_crm.task SET done_at = now(), assignee_id = 1 WHERE done_at IS NULL AND task_id > 50;
VACUUM ANALYZE;
SQL
# warm NAME SQL GOAL: the median of calls in one session
warm() {
	for _ in $(seq 20); do printf '%s;\n' "$2"; done >"$work/timeline.sql"
	chmod a+r "$work/timeline.sql"
	psql -c '\timing on' -f "$work/timeline.sql" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 15 | median |
		awk -v n="$1" -v g="$3" '{printf "%-58s %10.2f ms; goal <= %s\n", n, $1, g}'
}
warm 'timeline: first page of 10,000 entries' 'SELECT count(line) FROM sales_crm.timeline_page(1)' 2
warm 'my_open_tasks beside 100,000 done ones' 'SELECT count(subject) FROM sales_crm.my_open_tasks' 2
warm 'search: two words among 100,000 opportunities' "SELECT count(*) FROM sales_crm.search('lamps 4711')" 10
warm 'search: the beginning of a word' "SELECT count(*) FROM sales_crm.search('cha')" 10
