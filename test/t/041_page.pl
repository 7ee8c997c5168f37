# Promise: on the page behind a link, a customer reads and answers in a real browser: signs by
# drawing, by typing without scripts, with keys alone, asks for a change, declines; every state of a
# quote has its page, in four languages, from 320 pixels on, accessible (axe-core), asking nobody
# else for anything; double clicks, two tabs, going back and reloading answer once; programs that
# open links and send forms answer nothing. With PICTURES=FOLDER each page is saved there.
use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use Crm qw(crm_node);
use Digest::SHA ();
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($portal) = grep { -x } map { "$_/sales_crm_portal" } split /:/, $ENV{PATH};
plan skip_all => 'skipped: sales_crm_portal is not installed' unless $portal;
for my $need ([ '/usr/bin/chromedriver', 'chromium-driver' ], [ '/usr/bin/chromium', 'chromium' ])
{
	plan skip_all => "skipped: no $need->[0] (package $need->[1])" unless -x $need->[0];
}
plan skip_all => 'skipped: no selenium for /usr/bin/python3 (package python3-selenium)'
  if system("/usr/bin/python3 -c 'import selenium' 2>/dev/null") != 0;

# axe-core comes by npm, and only for tests
my $work = PostgreSQL::Test::Utils::tempdir();
my $axe = $ENV{AXE_CORE};
if (!$axe)
{
	system("timeout 90 npm install --fetch-retries=0 --fetch-timeout=20000 --prefix '$work/axe' --silent --no-audit --no-fund axe-core\@4 >/dev/null 2>&1");
	$axe = "$work/axe/node_modules/axe-core/axe.min.js";
}
diag('skipped: accessibility by axe-core, which npm does not give') unless -e $axe;

my $node = crm_node('page');
$node->safe_psql('crm', <<'SQL');
CREATE ROLE page_portal LOGIN IN ROLE sales_crm_portal;
UPDATE sales_crm.company SET name = 'Fontaine Climate', address = E'Kouter 12\n9000 Ghent', vat_number = 'BE 0123.456.749', brand_color = '#ffd400',
	sender_email = 'sales@fontaine.example', portal_url = 'http://127.0.0.1', time_zone = 'Etc/GMT+12';
INSERT INTO sales_crm.member (name, email, is_manager) VALUES ('Sofie Janssens', 'seller@fontaine.example', true);
INSERT INTO sales_crm.account (name, city) VALUES ('City of Aalst', 'Aalst');
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'An Peeters', 'an@aalst.example' FROM sales_crm.account;
INSERT INTO sales_crm.quote_template (name, locale, body, code_above) SELECT 'Coded', 'en', sales_crm.default_quote_body(), 100;
CREATE TABLE public.link (name text PRIMARY KEY, quote_id bigint, token text);
CREATE FUNCTION public.quote(name text, valid_until date DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	deal bigint;
	quote bigint;
BEGIN
	INSERT INTO sales_crm.opportunity (name, account_id, contact_id, owner_id)
	SELECT 'Heat pump for the town hall', a.account_id, c.contact_id, m.member_id
	FROM sales_crm.account a JOIN sales_crm.contact c USING (account_id), sales_crm.member m RETURNING opportunity_id INTO deal;
	INSERT INTO sales_crm.product_line (opportunity_id, kind, name) VALUES (deal, 'heading', 'Heat pump and tanks');
	INSERT INTO sales_crm.product_line (opportunity_id, name, description, quantity, unit, unit_price, discount_percent, optional) VALUES
		(deal, 'Heat pump PX-12', 'Air to water, 12 kW, with outdoor unit', 1, 'C62', 6480, 5, false),
		(deal, 'Buffer tank 300 l', NULL, 2, 'C62', 845.5, NULL, false),
		(deal, 'Installation', 'Two fitters, including travel', 16, 'HUR', 68, NULL, false),
		(deal, 'Maintenance contract', 'Yearly visit, parts included', 1, 'ANN', 240, NULL, true);
	quote := sales_crm.create_quote(deal, CASE $1 WHEN 'code' THEN (SELECT quote_template_id FROM sales_crm.quote_template t WHERE t.name = 'Coded') END, $2);
	INSERT INTO public.link SELECT $1, quote, s.token FROM sales_crm.send_quote(quote, channel => CASE $1 WHEN 'direct' THEN 'direct' ELSE 'link' END,
		contact_id => (SELECT contact_id FROM sales_crm.contact)) s;
END $$;
SELECT public.quote(n) FROM unnest(array['draw', 'typed', 'plain_change', 'change', 'decline', 'double', 'tabs', 'keys', 'code', 'superseded', 'withdrawn', 'direct', 'scanner']) n;
-- A day further east it is past its last day
SELECT public.quote('expired', sales_crm.today());
UPDATE sales_crm.company SET time_zone = 'Pacific/Kiritimati';
SELECT sales_crm.withdraw_quote(quote_id) FROM public.link WHERE name = 'withdrawn';
SELECT sales_crm.send_quote(sales_crm.revise_quote(quote_id), contact_id => (SELECT contact_id FROM sales_crm.contact)) FROM public.link WHERE name = 'superseded';
SQL

# The portal on a free port
my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or die "no port: $!";
my $port = $socket->sockport;
close $socket;
append_to_file("$work/portal.conf", join '', map { "$_\n" }
	"listen = 127.0.0.1:$port", "base_url = http://127.0.0.1:$port",
	'database = ' . $node->connstr('crm') . ' user=page_portal',
	map { "$_ = 0" } qw(requests_per_minute answers_per_minute token_requests_per_minute token_answers_per_minute));
my $pid = fork // die "no fork: $!";
if ($pid == 0)
{
	open STDERR, '>', "$work/portal.log" or die;
	exec $portal, '--config', "$work/portal.conf" or die "no portal: $!";
}
END { kill 'TERM', $pid if $pid; }
my $up = 0;
for (1 .. 100)
{
	$up = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) and last;
	select undef, undef, undef, 0.1;
}
die 'the portal does not start: ' . slurp_file("$work/portal.log") unless $up;
close $up;

my %links = map { split /\|/ } split /\n/, $node->safe_psql('crm', 'SELECT name, token FROM public.link');
my $pictures = $ENV{PICTURES};
append_to_file("$work/given.json", JSON::PP->new->encode({ base => "http://127.0.0.1:$port", links => \%links,
	axe => -e $axe ? $axe : undef, pictures => $pictures,
	database => $node->connstr('crm') }));
open my $said, '-|', "/usr/bin/python3 lib/page.py <'$work/given.json' 2>&1" or die "no python: $!";
while (<$said>)
{
	chomp;
	if (/^(not )?ok - (.*)/) { ok(!$1, $2) }
	else { diag($_) }
}
close $said;
is($?, 0, 'the browser came to its end');

# What the database knows of it
is($node->safe_psql('crm', <<'SQL'), <<'END' =~ s/\n\z//r, 'every quote has the answer that was given on its page');
SELECT name, q.status, s.signer_name, s.image IS NOT NULL, s.signer_email FROM public.link JOIN sales_crm.quote q USING (quote_id)
LEFT JOIN sales_crm.signature s USING (quote_id) ORDER BY name
SQL
change|change_requested||f|
code|signed|Cody Code|f|an@aalst.example
decline|declined||f|
direct|signed|Tablet|f|an@aalst.example
double|signed|Twice|f|an@aalst.example
draw|signed|An Peeters|t|an@aalst.example
expired|sent||f|
keys|signed|Kim Keys|f|an@aalst.example
plain_change|change_requested||f|
scanner|sent||f|
superseded|superseded||f|
tabs|signed|First tab|f|an@aalst.example
typed|signed|Ben Claes <b>|f|an@aalst.example
withdrawn|withdrawn||f|
END
is($node->safe_psql('crm', q{SELECT note FROM sales_crm.change_request JOIN public.link USING (quote_id) WHERE name = 'change'}),
	"Two tanks\n<script>alert(1)</script>", 'the customer\'s words as they were typed');
is($node->safe_psql('crm', q{SELECT q.viewed_at IS NOT NULL FROM sales_crm.quote q JOIN public.link USING (quote_id) WHERE name IN ('draw', 'scanner') ORDER BY name}),
	"t\nf", 'a person counts as a view, a scanner does not');
like($node->safe_psql('crm', q{SELECT consent_text FROM sales_crm.signature JOIN public.link USING (quote_id) WHERE name = 'draw'}),
	qr/^I have read quotation \S+ of Fontaine Climate and accept it, for a total of €[\d,.]+\.$/, 'the consent as it was shown');
# The signed document proves itself: what is in it hashes to what its page says
my $document = $node->safe_psql('crm', q{SELECT sales_crm.signed_document(quote_id) FROM public.link WHERE name = 'draw'});
my ($snapshot) = $document =~ m{id="snapshot">(.*?)</pre>}s;
my %entities = ('&lt;' => '<', '&gt;' => '>', '&quot;' => '"', '&#39;' => "'", '&amp;' => '&');
$snapshot =~ s/(&(?:lt|gt|quot|amp|#39);)/$entities{$1}/g;
my ($printed) = $document =~ m{<code>([0-9a-f]{64})</code>};
is(Digest::SHA::sha256_hex($snapshot), $printed, 'the signed document holds what it gives the fingerprint of');
unlike(slurp_file("$work/portal.log"), qr/$links{draw}/, 'no token in the log');

done_testing();
