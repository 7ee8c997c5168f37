# Promise: render_template() does what the Mustache specification says, in all its published cases
# that lie beside the checkout.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use Cwd qw(abs_path);
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = abs_path('../../shared/data/mustache_spec');
plan skip_all => 'skipped: no ../shared/data/mustache_spec beside the checkout'
  unless defined $data && glob "$data/*.json";

my $node = crm_node('mustache');
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

for my $file (sort glob "$data/*.json")
{
	my ($topic) = $file =~ m{([^/]+)\.json$};
	my $cases = $json->decode(slurp_file($file))->{tests};
	ok(@$cases > 0, "$topic has cases");

	# All of a topic in one statement: [name, got, expected] each
	my $got = $node->safe_psql('crm', sprintf(<<'SQL', $json->encode($cases)));
SELECT jsonb_agg(jsonb_build_array(c ->> 'name',
	sales_crm.render_template(c ->> 'template', c -> 'data', coalesce(c -> 'partials', '{}')), c ->> 'expected'))
FROM jsonb_array_elements($cases$%s$cases$) c
SQL
	is($_->[1], $_->[2], "$topic: $_->[0]") for @{ $json->decode($got) };
}

done_testing();
