// Java's HttpClient over HTTP/2. `H2Java PORT PKI FILE COUNT`: see README.md here.
import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

class H2Java {
    static HttpClient client;
    static String base;

    static CompletableFuture<Void> ask(String name, String method, String path, BodyPublisher body) {
        HttpRequest request = HttpRequest.newBuilder(URI.create(base + path)).method(method, body).build();
        return client.sendAsync(request, BodyHandlers.ofByteArray()).thenAccept(response -> print(name, response));
    }

    static synchronized void print(String name, HttpResponse<byte[]> response) {
        System.out.println(String.join("\t", name, response.version() == HttpClient.Version.HTTP_2 ? "2" : "1",
            String.valueOf(response.statusCode()), HexFormat.of().formatHex(response.body())));
    }

    public static void main(String[] args) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null);
        try (FileInputStream ca = new FileInputStream(args[1] + "/ca.pem")) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(ca));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, trust.getTrustManagers(), null);
        client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).sslContext(tls).build();
        base = "https://localhost:" + args[0];
        Path file = Path.of(args[2]);
        ask("get", "GET", "/get", BodyPublishers.noBody()).get();
        ask("head", "HEAD", "/head", BodyPublishers.noBody()).get();
        ask("put", "PUT", "/put", BodyPublishers.ofFile(file)).get();
        ask("stream", "PUT", "/stream", BodyPublishers.fromPublisher(BodyPublishers.ofFile(file))).get();
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int n = 0; n < Integer.parseInt(args[3]); n++)
            all.add(ask("many", "PUT", "/many?" + n, BodyPublishers.ofByteArray(new byte[1000])));
        CompletableFuture.allOf(all.toArray(new CompletableFuture[0])).get();
        System.exit(0);
    }
}
