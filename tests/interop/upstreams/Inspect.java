import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.websocket.OnMessage;
import jakarta.websocket.server.ServerEndpoint;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;

/** A servlet that tells what came to it. */
public class Inspect extends HttpServlet {
    private static final long serialVersionUID = 1L;

    /** A WebSocket that echoes. */
    @ServerEndpoint("/ws")
    public static class Echo {
        @OnMessage
        public String echo(String text) {
            return text;
        }
    }

    private static String quote(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IOException(e);
        }
        long bytes = 0;
        byte[] buffer = new byte[65536];
        InputStream body = request.getInputStream();
        for (int n = body.read(buffer); n >= 0; n = body.read(buffer)) {
            digest.update(buffer, 0, n);
            bytes += n;
        }
        StringBuilder hex = new StringBuilder();
        for (byte b : digest.digest())
            hex.append(String.format("%02x", b));
        StringBuilder fields = new StringBuilder();
        for (String name : Collections.list(request.getHeaderNames()))
            fields.append(fields.length() > 0 ? "," : "").append(quote(name.toLowerCase())).append(":")
                .append(quote(String.join(", ", Collections.list(request.getHeaders(name)))));
        response.setContentType("application/json");
        response.getWriter().write("{\"method\":" + quote(request.getMethod()) + ",\"target\":"
            + quote(request.getRequestURI()) + ",\"fields\":{" + fields + "},\"body_bytes\":" + bytes
            + ",\"body_sha256\":\"" + hex + "\"}");
    }
}
