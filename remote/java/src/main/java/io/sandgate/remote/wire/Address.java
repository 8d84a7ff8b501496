package io.sandgate.remote.wire;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * Where a channel is: {@code ipc://PATH}, a Unix domain socket, or {@code tcp://HOST:PORT}. Made from V1's ids, in
 * which a text without a scheme is a path; a relative one is relative to the working directory, as in V1.
 */
public final class Address {
    private static final String SEPARATOR = "://";
    private static final Pattern PORT = Pattern.compile("[0-9]{1,5}");
    private static final int PORT_MAX = 65_535;

    private final String text;
    private final String path;
    private final String host;
    private final int port;

    private Address(String text, String path, String host, int port) {
        this.text = text;
        this.path = path;
        this.host = host;
        this.port = port;
    }

    /**
     * Reads an id or an address.
     *
     * @param id a path, {@code ipc://PATH} or {@code tcp://HOST:PORT}
     * @return the address
     * @throws IllegalArgumentException if it is none: empty, another scheme, a path over
     *     {@link Limits#SOCKET_PATH_MAX} bytes, no host or port, or a NUL character; the message says what to write
     */
    public static Address parse(String id) {
        Objects.requireNonNull(id, "the address is null");
        // Strict, like everything that goes over the wire.
        NulText.encode(id, "address");
        int end = id.indexOf(SEPARATOR);
        String scheme = end < 0 ? "ipc" : id.substring(0, end);
        String rest = end < 0 ? id : id.substring(end + SEPARATOR.length());
        if (rest.isEmpty()) {
            throw new IllegalArgumentException("the address is empty; give a socket path such as /tmp/module.control");
        }
        return switch (scheme) {
            case "ipc" -> ipc(rest);
            case "tcp" -> tcp(id, rest);
            default -> throw new IllegalArgumentException("`" + scheme + SEPARATOR + "` is no known kind of address; "
                    + "use a socket path, ipc://PATH or tcp://HOST:PORT");
        };
    }

    private static Address ipc(String path) {
        int length = path.getBytes(StandardCharsets.UTF_8).length;
        if (length > Limits.SOCKET_PATH_MAX) {
            throw new IllegalArgumentException("the socket path has " + length + " bytes, Java allows "
                    + Limits.SOCKET_PATH_MAX + "; choose a shorter one");
        }
        return new Address("ipc" + SEPARATOR + path, path, null, 0);
    }

    private static Address tcp(String id, String rest) {
        int colon = rest.lastIndexOf(':');
        String port = rest.substring(colon + 1);
        if (colon < 1 || !PORT.matcher(port).matches() || Integer.parseInt(port) > PORT_MAX) {
            throw new IllegalArgumentException("`" + id + "` lacks a host and a port; write tcp://HOST:PORT");
        }
        String host = rest.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        }
        return new Address(id, null, host, Integer.parseInt(port));
    }

    /**
     * Whether this is a Unix domain socket.
     *
     * @return false if it is a TCP address
     */
    public boolean isIpc() {
        return path != null;
    }

    /**
     * The path of a Unix domain socket.
     *
     * @return null for a TCP address
     */
    public String path() {
        return path;
    }

    /**
     * The host of a TCP address, without the brackets of an IPv6 address; {@code *} means every address of the machine.
     *
     * @return null for a Unix domain socket
     */
    public String host() {
        return host;
    }

    /**
     * The port of a TCP address.
     *
     * @return 0 for a Unix domain socket
     */
    public int port() {
        return port;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Address address && text.equals(address.text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    /** The address with its scheme, as it goes over the wire. */
    @Override
    public String toString() {
        return text;
    }
}
