package dev.darkbloom.agent.api;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** A socket on which a test says exactly what it means, and reads HTTP/1.1 answers without a client's opinions. */
final class RawConnection implements AutoCloseable {
    private static final int TIMEOUT_MILLIS = 20_000;

    final Socket socket;
    private final InputStream in;

    private RawConnection(Socket socket) throws IOException {
        this.socket = socket;
        socket.setSoTimeout(TIMEOUT_MILLIS);
        socket.setTcpNoDelay(true); // what is sent in pieces goes in pieces, and at once
        in = new BufferedInputStream(socket.getInputStream());
    }

    /** One answer; header names are in lower case. */
    record Answer(int status, Map<String, String> headers, String body) {}

    static RawConnection to(int port) {
        try {
            return new RawConnection(new Socket(InetAddress.getLoopbackAddress(), port));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns a request with Host and key. */
    static String request(String method, String path, String... headers) {
        var text = new StringBuilder(method).append(' ').append(path).append(" HTTP/1.1\r\nHost: localhost\r\n");
        text.append("Authorization: Bearer ").append(TestServer.KEY).append("\r\n");
        for (String header : headers) {
            text.append(header).append("\r\n");
        }
        return text.append("\r\n").toString();
    }

    static String post(String path, String body) {
        return request("POST", path, "Content-Length: " + body.length()) + body;
    }

    RawConnection send(String text) {
        return send(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    RawConnection send(byte[] bytes) {
        try {
            socket.getOutputStream().write(bytes);
            socket.getOutputStream().flush();
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads one whole answer. */
    Answer read() {
        try {
            int status = Integer.parseInt(line().split(" ")[1]);
            Map<String, String> headers = headers();
            String length = headers.get("content-length");
            if (length != null) {
                return new Answer(status, headers, new String(in.readNBytes(Integer.parseInt(length)), StandardCharsets.UTF_8));
            }
            if ("chunked".equals(headers.get("transfer-encoding"))) {
                return new Answer(status, headers, chunks());
            }
            boolean bodiless = status == 204 || status == 100;
            return new Answer(status, headers, bodiless ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads the status line and headers only. */
    Answer readHead() {
        try {
            int status = Integer.parseInt(line().split(" ")[1]);
            return new Answer(status, headers(), "");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads one chunk of an answer in chunks. */
    String readChunk() {
        try {
            int size = Integer.parseInt(line(), 16);
            String chunk = new String(in.readNBytes(size), StandardCharsets.UTF_8);
            line();
            return chunk;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads what there is, waiting for the first byte of it, but no more than {@code max} bytes. */
    byte[] readSome(int max) {
        try {
            byte[] bytes = new byte[max];
            int size = in.read(bytes);
            if (size < 0) {
                throw new IOException("ended inside an answer");
            }
            return Arrays.copyOf(bytes, size);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads past {@code bytes} of a body. */
    void skip(long bytes) {
        try {
            in.skipNBytes(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns whether the server has ended the connection, waiting for it. A reset counts. */
    boolean isEnded() {
        try {
            return in.read() < 0;
        } catch (IOException e) {
            return !(e instanceof SocketTimeoutException);
        }
    }

    private String chunks() {
        var body = new StringBuilder();
        for (String chunk = readChunk(); !chunk.isEmpty(); chunk = readChunk()) {
            body.append(chunk);
        }
        return body.toString();
    }

    private Map<String, String> headers() throws IOException {
        var headers = new TreeMap<String, String>();
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            headers.merge(line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip(), (a, b) -> a + ", " + b);
        }
        return headers;
    }

    private String line() throws IOException {
        var bytes = new ByteArrayOutputStream();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0) {
                throw new IOException("ended inside a line after " + bytes.size() + " bytes");
            }
            bytes.write(b);
        }
        return bytes.toString(StandardCharsets.ISO_8859_1).strip();
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
