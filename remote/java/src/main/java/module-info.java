/**
 * Attaches a Java program to a gateway as a module that runs in its own process. Plain Java: no native code, nothing
 * but the JDK.
 *
 * <p>{@code jdk.net} tells which user is at the other end of a Unix domain socket.
 */
module io.sandgate.remote {
    requires jdk.net;

    exports io.sandgate.remote;
    exports io.sandgate.remote.wire;
}
