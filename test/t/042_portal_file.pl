# Promise: what a customer takes along is what was frozen or signed, as soon as it is made and not
# before; and a link that was overtaken leads on to the present version, for who was sent that.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use Portal qw(portal_company portal_quote portal_start portal_stop http form_of post);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'skipped: sales_crm_portal is not installed' if system('sales_crm_portal --version >/dev/null 2>&1') != 0;

my $node = crm_node('file');
portal_company($node);
sub query { return $node->safe_psql('crm', $_[0]); }
query('SELECT sales_crm.activate_sending()');
my $portal = portal_start($node);
my $port = $portal->{port};
my %typed = (name => 'Carl', email => 'carl@example.com', consent => 'yes');
sub get { return http($port, $_[1] // 'GET', $_[0], $_[2]); }
# As the sender does it
sub store
{
	return query("SELECT sales_crm.store_pdf(message_id, fence, convert_to('$_[0]', 'UTF8')) FROM sales_crm.claim_messages('test', 1, kinds => '{pdf}')");
}

# The PDF: being made, there; given up, taken back
{
	my ($quote, $token) = portal_quote($node);
	my $path = "/q/$token/quote.pdf";
	like(get("/q/$token")->{body}, qr{<a href="/q/\Q$token\E/quote\.pdf">}, 'the PDF is being made: the page leads to it');
	my $answer = get($path);
	is("$answer->{status} $answer->{head}{'retry-after'}", '202 3', 'where one waits: 202, with word when to come back');
	like($answer->{head}{'content-type'}, qr{^text/html}, 'on a page');
	like($answer->{body}, qr{<meta http-equiv="refresh" content="3">.*</head>}s, 'that looks again by itself');
	is($answer->{head}{'cache-control'}, 'no-store', 'and is not kept');
	like($answer->{head}{'content-security-policy'}, qr/^default-src 'none';.*frame-ancestors 'none'/, 'with the policy of pages');
	like(get("$path?lang=fr")->{body}, qr/<html lang="fr">/, 'in the language that is asked for');
	my $head = get($path, 'HEAD');
	is("$head->{status} $head->{head}{'retry-after'} $head->{body}", '202 3 ', 'HEAD says so, too');
	is($head->{head}{'content-length'}, length $answer->{body}, 'and how long it would be');
	is(store('%PDF-1.7 quote'), 'done', 'it is made');
	$answer = get($path);
	is("$answer->{status} $answer->{body}", '200 %PDF-1.7 quote', 'and there it is, to the byte');
	is($answer->{head}{'content-type'}, 'application/pdf', 'as a PDF');
	my $name = query("SELECT file_name FROM sales_crm.attachment a JOIN sales_crm.quote_document d USING (attachment_id) WHERE d.quote_id = $quote");
	is($answer->{head}{'content-disposition'}, qq{inline; filename="quote.pdf"; filename*=UTF-8''} . ($name =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ger), 'with its name');
	is($answer->{head}{$_->[0]}, $_->[1], $_->[0]) foreach ([ 'cache-control', 'no-store' ], [ 'x-content-type-options', 'nosniff' ], [ 'content-length', 14 ], [ 'retry-after', undef ]);
	$head = get($path, 'HEAD');
	is("$head->{status} $head->{body} $head->{head}{'content-length'}", '200  14', 'HEAD says how long it is');
	my $form = form_of($portal, $token);
	is(http($port, 'POST', $path, { Cookie => $form->{cookie}, 'Content-Length' => 0 })->{head}{allow}, 'GET, HEAD', 'nothing is posted there');

	# Signed: the document with its evidence takes the place of the other
	is(post($portal, $form, 'sign', \%typed)->{status}, 303, 'signed');
	is(get($path)->{status}, 202, 'the one with the signature is being made');
	is(store('%PDF-1.7 signed'), 'done', 'it is made');
	is(get($path)->{body}, '%PDF-1.7 signed', 'and is what there is now');
	like(get("/q/$token")->{body}, qr{<a class="button primary" href="/q/\Q$token\E/quote\.pdf">}, 'the page offers it');
	query("SELECT sales_crm.revoke_quote_link(quote_link_id) FROM sales_crm.quote_link WHERE quote_id = $quote");
	is(get($path)->{status}, 404, 'a revoked link gives it no more');
}
{
	my (undef, $token) = portal_quote($node);
	is(get("/q/$token/quote.pdf")->{status}, 202, 'another one is being made');
	query("SELECT sales_crm.fail_message(message_id, fence, 'no', false) FROM sales_crm.claim_messages('test', 1, kinds => '{pdf}')");
	is(get("/q/$token/quote.pdf")->{status}, 404, 'and was given up: nobody waits for it');
	unlike(get("/q/$token")->{body}, qr/quote\.pdf/, 'nor is led to it');
}
{
	my ($quote, $token) = portal_quote($node);
	store('%PDF-1.7 withdrawn');
	query("SELECT sales_crm.withdraw_quote($quote)");
	is(get("/q/$token/quote.pdf")->{status}, 404, 'a quote that was withdrawn has none');
}
{
	my (undef, $token) = portal_quote($node, 'direct');
	store('%PDF-1.7 tablet');
	my ($mark) = post($portal, form_of($portal, $token, '?direct'), 'sign?direct', \%typed)->{head}{'set-cookie'} =~ /^([^;]+)/;
	is(get("/q/$token/quote.pdf", 'GET', { Cookie => $mark })->{head}{location}, '/thanks', 'a tablet that was handed back gives it to nobody');
}
SKIP:
{
	skip 'skipped: no sales_crm_sender with WeasyPrint', 2 if system('sales_crm_sender --version >/dev/null 2>&1 && /usr/bin/python3 -c "import weasyprint" 2>/dev/null') != 0;
	my (undef, $token) = portal_quote($node);
	local @ENV{ 'PGHOST', 'PGPORT', 'PGDATABASE' } = ($node->host, $node->port, 'crm');
	is(system('sales_crm_sender --once 2>/dev/null'), 0, 'the sender makes one');
	my $answer = get("/q/$token/quote.pdf");
	like("$answer->{status} $answer->{body}", qr/^200 %PDF-1\.\d.*%%EOF\s*$/s, 'which comes whole');
}

# On to the next version
{
	my ($quote, $token) = portal_quote($node);
	my $other = query("SELECT token FROM sales_crm.make_quote_link($quote, recipient_name => 'Other', recipient_email => 'other\@example.com')");
	my $revised = query("SELECT sales_crm.revise_quote($quote)");
	my $form = form_of($portal, $token);
	like($form->{page}{body}, qr/class="status late"/, 'revised: the page says that it was overtaken');
	unlike($form->{page}{body}, qr/<form/, 'and leads nowhere before the next one is sent');
	query("SELECT sales_crm.send_quote($revised, 'link', email => 'carl\@example.com', recipient_name => 'Carl')");
	my $links = sub { query("SELECT count(*) FROM sales_crm.quote_link WHERE quote_id = $revised") };
	$form = form_of($portal, $token);
	like($form->{page}{body}, qr{<form method="post" action="/q/\Q$token\E/follow\?lang=en">}, 'then it leads on');
	is(get("/q/$token/follow")->{status}, 405, 'by nothing that a scanner opens');
	is(post($portal, $form, 'follow', { csrf => undef })->{status}, 403, 'nor a form of nobody');
	is(post($portal, $form, 'follow', undef, { Origin => 'http://evil.example' })->{status}, 403, 'or of another site');
	is($links->(), 1, 'all of which has made no link');
	my $answer = post($portal, $form, 'follow');
	my ($next) = ($answer->{head}{location} // '') =~ m{^/q/([A-Za-z0-9_-]{43})$};
	is($answer->{status}, 303, 'the customer goes on');
	ok($next && $next ne $token, 'by a link of its own');
	my $page = get("/q/$next");
	like($page->{body}, qr{<form id="sign".*}, 'to the version that can be signed');
	like($page->{body}, qr/Version 2/i, 'the second');
	like(post($portal, $form, 'follow?lang=fr')->{head}{location}, qr{^/q/[\w-]{43}\?lang=fr$}, 'once more, in French');
	like(post($portal, $form, 'follow?direct')->{head}{location}, qr{^/q/[\w-]{43}\?direct$}, 'on the tablet');
	like(post($portal, $form, 'follow?lang=nl&direct')->{head}{location}, qr{^/q/[\w-]{43}\?lang=nl&direct$}, 'or both');
	is(query("SELECT count(*) FROM sales_crm.quote_event WHERE quote_id = $revised AND kind = 'link_created' AND data ? 'follows'"), 4, 'each is recorded');
	is(post($portal, form_of($portal, $next), 'sign', \%typed)->{status}, 303, 'which can be signed');
	is(query("SELECT string_agg(status, ' ' ORDER BY version) FROM sales_crm.quote WHERE quote_id IN ($quote, $revised)"), 'superseded signed', 'and is');

	$form = form_of($portal, $other);
	unlike($form->{page}{body}, qr{/follow}, 'who was not sent the new one is not led to it');
	$form = form_of($portal, $token);
	query("SELECT sales_crm.revoke_quote_link(quote_link_id) FROM sales_crm.quote_link WHERE quote_id = $revised");
	is(post($portal, $form, 'follow')->{status}, 409, 'nor who held a form when the new one was taken back');
}
unlike(slurp_file($portal->{log}), qr/ 500 /, 'nothing went wrong inside');
is(portal_stop($portal), 0, 'it ends');
$node->stop;
done_testing();
