# Perl's LWP. KIND is not used. See README.md here.
use strict;
use warnings;

use HTTP::Request;
use LWP::Protocol::http;
use LWP::UserAgent;

my (undef, $list, $pki) = @ARGV;
$| = 1;

# handshake.localhost stands for 127.0.0.1, whatever the resolver says.
sub place {
	my ($host) = @_;
	return $host eq 'handshake.localhost'
		? (PeerAddr => '127.0.0.1', SSL_hostname => $host, SSL_verifycn_name => $host)
		: ();
}

sub put {
	my ($url, $file, $tls, $framing) = @_;
	my ($host) = $url =~ m{^https://([^:/]+)};
	my %tls = (
		SSL_ca_file => "$pki/ca.pem",
		SSL_cert_file => "$pki/client.pem",
		SSL_key_file => "$pki/client.key",
	);
	($tls{SSL_version} = "TLSv$tls") =~ s/\./_/ if $tls ne 'auto';
	my $agent = LWP::UserAgent->new(ssl_opts => \%tls, timeout => 600);
	local @LWP::Protocol::http::EXTRA_SOCK_OPTS = place($host);
	open my $in, '<:raw', $file or die "$file: $!";
	my $request = HTTP::Request->new(PUT => $url);
	$request->header('Content-Length' => -s $file) if $framing eq 'length';
	$request->content(sub { my $n = read $in, my $part, 65536; return $n ? $part : '' });
	my $response = $agent->request($request);
	# LWP makes a 500 of its own where no response came.
	return (0, '', $response->decoded_content) if ($response->header('Client-Warning') // '') eq 'Internal response';
	return ($response->code, $response->content, $response->header('X-Died') // '');
}

open my $jobs, '<', $list or die "$list: $!";
while (my $line = <$jobs>) {
	chomp $line;
	my ($id, $url, $file, $tls, $framing) = split /\t/, $line;
	my ($status, $body, $error) = eval { put($url, $file, $tls, $framing) };
	($status, $body, $error) = (0, '', $@) if $@;
	$error =~ s/[\t\r\n]/ /g;
	print join("\t", $id, $status, unpack('H*', $body), $error), "\n";
}
