/*
 * Java's two HTTP clients. KIND is "httpclient" (java.net.http.HttpClient) or "urlconnection" (HttpsURLConnection).
 * Run with -Djdk.net.hosts.file=FILE, so that handshake.localhost can be resolved. See README.md here.
 */

import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.HexFormat;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

public final class JavaClients {
	private static final char[] PASSWORD = "thaw".toCharArray();

	private record Job(String id, String url, Path file, String tls, boolean chunked, boolean expect) {
		static Job parse(String line) {
			String[] f = line.split("\t");
			return new Job(f[0], f[1], Path.of(f[2]), f[3], f[4].equals("chunked"), f[5].equals("expect"));
		}

		/* null: the client's own choice */
		String[] protocols() {
			return tls.equals("auto") ? null : new String[] {"TLSv" + tls};
		}
	}

	private record Result(int status, byte[] body) {}

	public static void main(String[] args) throws Exception {
		Path pki = Path.of(args[2]);
		for (String line : Files.readAllLines(Path.of(args[1]))) {
			Job job = Job.parse(line);
			String answer;
			try {
				SSLContext context = context(pki); /* a fresh one: no session is resumed */
				Result result = args[0].equals("httpclient")
					? byHttpClient(job, context) : byUrlConnection(job, context);
				answer = result.status() + "\t" + HexFormat.of().formatHex(result.body()) + "\t";
			} catch (Exception e) {
				answer = "0\t\t" + String.valueOf(e).replaceAll("[\\t\\r\\n]", " ");
			}
			System.out.println(job.id() + "\t" + answer);
		}
		System.exit(0); /* HttpClient's threads would be waited for */
	}

	private static SSLContext context(Path pki) throws Exception {
		KeyStore own = KeyStore.getInstance("PKCS12");
		try (InputStream in = new FileInputStream(pki.resolve("client.p12").toFile())) {
			own.load(in, PASSWORD);
		}
		KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
		keys.init(own, PASSWORD);
		KeyStore trusted = KeyStore.getInstance("PKCS12");
		trusted.load(null, null);
		try (InputStream in = new FileInputStream(pki.resolve("ca.pem").toFile())) {
			trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
		}
		TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
		trust.init(trusted);
		SSLContext context = SSLContext.getInstance("TLS");
		context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
		return context;
	}

	private static Result byHttpClient(Job job, SSLContext context) throws Exception {
		HttpClient.Builder client = HttpClient.newBuilder().sslContext(context).version(HttpClient.Version.HTTP_1_1);
		if (job.protocols() != null) {
			SSLParameters parameters = new SSLParameters();
			parameters.setProtocols(job.protocols());
			client.sslParameters(parameters);
		}
		HttpRequest.BodyPublisher body = job.chunked()
			? HttpRequest.BodyPublishers.ofInputStream(() -> open(job.file()))
			: HttpRequest.BodyPublishers.ofFile(job.file());
		HttpRequest request = HttpRequest.newBuilder(URI.create(job.url())).PUT(body)
			.expectContinue(job.expect()).build();
		HttpResponse<byte[]> response = client.build().send(request, HttpResponse.BodyHandlers.ofByteArray());
		return new Result(response.statusCode(), response.body());
	}

	private static InputStream open(Path file) {
		try {
			return Files.newInputStream(file);
		} catch (IOException e) {
			throw new IllegalStateException(e);
		}
	}

	private static Result byUrlConnection(Job job, SSLContext context) throws Exception {
		HttpsURLConnection connection = (HttpsURLConnection) new URL(job.url()).openConnection();
		SSLSocketFactory factory = context.getSocketFactory();
		connection.setSSLSocketFactory(job.protocols() == null ? factory : new Narrowed(factory, job.protocols()));
		connection.setRequestMethod("PUT");
		connection.setDoOutput(true);
		if (job.chunked())
			connection.setChunkedStreamingMode(16384);
		else
			connection.setFixedLengthStreamingMode(Files.size(job.file()));
		if (job.expect())
			connection.setRequestProperty("Expect", "100-continue");
		IOException broken = null;
		try (OutputStream out = connection.getOutputStream()) {
			Files.copy(job.file(), out);
		} catch (IOException e) {
			broken = e; /* a refusal in the middle of the upload: its response may be there */
		}
		try {
			int status = connection.getResponseCode();
			InputStream in = status >= 400 ? connection.getErrorStream() : connection.getInputStream();
			byte[] body = in == null ? new byte[0] : in.readAllBytes();
			return new Result(status, body);
		} catch (IOException e) {
			throw broken != null ? broken : e;
		} finally {
			connection.disconnect();
		}
	}

	/* Sockets of another factory, with fewer protocol versions. */
	private static final class Narrowed extends SSLSocketFactory {
		private final SSLSocketFactory inner;
		private final String[] protocols;

		Narrowed(SSLSocketFactory inner, String[] protocols) {
			this.inner = inner;
			this.protocols = protocols;
		}

		private Socket narrow(Socket socket) {
			((SSLSocket) socket).setEnabledProtocols(protocols);
			return socket;
		}

		@Override
		public String[] getDefaultCipherSuites() {
			return inner.getDefaultCipherSuites();
		}

		@Override
		public String[] getSupportedCipherSuites() {
			return inner.getSupportedCipherSuites();
		}

		@Override
		public Socket createSocket(Socket s, String host, int port, boolean autoClose) throws IOException {
			return narrow(inner.createSocket(s, host, port, autoClose));
		}

		@Override
		public Socket createSocket(String host, int port) throws IOException {
			return narrow(inner.createSocket(host, port));
		}

		@Override
		public Socket createSocket(String host, int port, InetAddress local, int localPort) throws IOException {
			return narrow(inner.createSocket(host, port, local, localPort));
		}

		@Override
		public Socket createSocket(InetAddress host, int port) throws IOException {
			return narrow(inner.createSocket(host, port));
		}

		@Override
		public Socket createSocket(InetAddress host, int port, InetAddress local, int localPort)
			throws IOException {
			return narrow(inner.createSocket(host, port, local, localPort));
		}
	}
}
