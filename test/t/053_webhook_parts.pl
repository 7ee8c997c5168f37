# Promise: signatures are those of the vectors that Standard Webhooks publishes, and what could not be
# verified is not signed; no address that Python's ipaddress knows as not global is taken for public,
# nor one that carries such an address, and those of the public internet are.
use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

my $source = "$FindBin::Bin/../../src/bin/sender";
plan skip_all => 'skipped: the sources are not beside the tests' unless -e "$source/address.c";
plan skip_all => 'skipped: glib or libcrypto is not installed' if system('pkg-config --exists glib-2.0 libcrypto') != 0;

my $folder = PostgreSQL::Test::Utils::tempdir;
my $build = "gcc -std=gnu11 -g -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all -o $folder/parts $FindBin::Bin/../unit/webhook_parts.c"
	. " $source/address.c $source/standard_webhook.c \$(pkg-config --cflags --libs glib-2.0 libcrypto)";
is(system($build), 0, 'it builds with sanitizers');

# answers(LINE…): what the program says to each
sub answers
{
	my ($in, $out) = (join("\n", @_) . "\n", '');
	IPC::Run::run([ "$folder/parts" ], '<', \$in, '>', \$out, IPC::Run::timer(60)) or die "it ends with $?";
	return split /\n/, $out;
}
sub signature { return (answers('sign ' . join("\t", @_)))[0]; }

# Signatures: the published vectors
my @message = ('msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}');
my ($symmetric, $asymmetric) = ('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=');
my ($v1, $v1a) = ('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==');
is(signature(@message, $symmetric), $v1, 'v1');
is(signature(@message, $asymmetric), $v1a, 'v1a');
is(signature(@message, $symmetric, $asymmetric), "$v1 $v1a", 'both');
like(signature(@message, $_->[0]), qr/^no: /, $_->[1]) foreach (
	[ 'whsec_', 'an empty secret' ], [ 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'a secret without prefix' ], [ 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La', 'less than 24 bytes' ],
	[ 'whsec_' . encode_base64('x' x 65, ''), 'more than 64 bytes' ], [ 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!', 'no base64' ], [ 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA', 'base64 that is cut' ],
	[ 'whsk_' . encode_base64('x' x 31, ''), 'a short ed25519 key' ], [ 'whsk_' . encode_base64('x' x 64, ''), 'an ed25519 key whose halves do not fit' ], [ 'whpk_' . encode_base64('x' x 32, ''), 'a public key' ]);
like(signature(@message), qr/^no: /, 'no secret at all');
like(signature($_, @message[ 1, 2 ], $symmetric), qr/^no: /, "the id \"$_\"") foreach ('', 'a.b', 'a b', "a\rb");

# Addresses: a table, both sides of each border
my %expected = map { my ($word, @list) = @$_; map { $_ => $word } @list } (
	[ 'refused', qw(0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255
		172.16.0.0 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.7 224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.255
		:: ::1 ::2 ::10.0.0.1 ::8.8.8.8 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:8.8.8.8 64:ff9b::10.0.0.1 64:ff9b::127.0.0.1 64:ff9b:1::1 64:ff9b:1::8.8.8.8 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2
		2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2001:db8:ffff::1 2002:7f00:1::1 2002:808:808::1 3fff::1 3fff:fff::1 4000::1 5f00::1 fc00::1 fd00::1 fdff:ffff::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1
		2a00:1450::5efe:10.0.0.1 2a00:1450::200:5efe:127.0.0.1 2620:4f:8000::1 nonsense 1.2.3 1.2.3.4.5 256.1.1.1 fe80::1%lo 8.8.8.8% ) ],
	[ 'public', qw(1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0
		198.17.255.255 198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2001:200::1 2001:4860:4860::8888 2001:db7:ffff::1 2001:db9::1 2003::1 2a00:1450:4001::1 2606:4700::1111 3ffe::1 2a00:1450::5efe:8.8.8.8) ]);
my @addresses = sort keys %expected;
my @said = answers(map { "address $_" } @addresses);
is(join(' ', map { "$addresses[$_]=$said[$_]" } 0 .. $#addresses), join(' ', map { "$_=$expected{$_}" } @addresses), scalar(@addresses) . ' addresses of a table');
is((answers('address '))[0], 'refused', 'no address');

# And against another implementation: random ones, half of them near to what is special
my $seed = $ENV{STRESS_SEED} // 42;
my ($random, $count) = ('', 20000);
IPC::Run::run([ '/usr/bin/python3', '-c', <<'PYTHON', $seed, $count ], '<', '/dev/null', '>', \$random, IPC::Run::timer(60)) or die;
import ipaddress, random, sys
random.seed(int(sys.argv[1]))
heads = [0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255]
for _ in range(int(sys.argv[2])):
    number = random.getrandbits(32)
    if random.random() < 0.5:
        number = number & 0xffffff | random.choice(heads) << 24
    four = ipaddress.IPv4Address(number)
    six = random.getrandbits(128)
    if random.random() < 0.5:
        six = six & (1 << 112) - 1 | random.choice([0x2001, 0x2002, 0x2000, 0x3fff, 0xfe80, 0xfc00, 0xff02, 0x64, 0x2620, 0]) << 112
    if random.random() < 0.2:
        six = six & (1 << 96) - 1 | 0x20010db8 << 96
    six = random.choice([ipaddress.IPv6Address(six), ipaddress.IPv6Address(0xffff << 32 | number)])
    for address in four, six:
        inner = getattr(address, "ipv4_mapped", None) or address
        print(address, inner.is_global and not inner.is_multicast)
PYTHON
my @pairs = map { [split] } split /\n/, $random;
@said = answers(map { "address $_->[0]" } @pairs);
my @wrong = grep { $said[$_] eq 'public' && $pairs[$_][1] ne 'True' } 0 .. $#pairs;
is(join(' ', map { $pairs[$_][0] } @wrong), '', scalar(@pairs) . " random addresses (seed $seed): none that is not global is taken for public");
cmp_ok(scalar(grep { $_ eq 'public' } @said), '>', $count / 4, 'and many are public');

done_testing();
