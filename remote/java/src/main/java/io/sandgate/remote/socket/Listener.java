package io.sandgate.remote.socket;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;

import io.sandgate.remote.wire.Address;
import jdk.net.ExtendedSocketOptions;

/** A socket that listens, and the care that its file needs. */
final class Listener {
    private static final System.Logger LOG = System.getLogger("io.sandgate.remote");
    /** The bits of a file's mode that tell its kind, and what they are for a socket. */
    private static final int KIND = 0170000;
    private static final int SOCKET = 0140000;
    private static final String ROOT = "root";

    private final ServerSocketChannel channel;
    /** The socket's file, or null over TCP. */
    private final Path path;
    /** What tells our file from a successor's at the same path. */
    private final Object file;
    private final UserPrincipal owner;

    private Listener(ServerSocketChannel channel, Path path) throws IOException {
        this.channel = channel;
        this.path = path;
        this.file = path == null ? null : key(path);
        this.owner = path == null ? null : Files.getOwner(path);
    }

    /**
     * Listens. A socket's file that nobody listens on is removed first.
     *
     * @throws IOException if somebody listens there, the file is no socket, or the address cannot be used
     */
    static Listener bind(Address address) throws IOException {
        return address.isIpc() ? bindIpc(address) : bindTcp(address);
    }

    private static Listener bindTcp(Address address) throws IOException {
        boolean everywhere = "*".equals(address.host());
        InetSocketAddress local = everywhere
                ? new InetSocketAddress(address.port())
                : new InetSocketAddress(address.host(), address.port());
        if (local.isUnresolved()) {
            throw new BindException("cannot listen on " + address + ": the host is not known");
        }
        return new Listener(bound(ServerSocketChannel.open(), local, address), null);
    }

    private static Listener bindIpc(Address address) throws IOException {
        UnixDomainSocketAddress local;
        try {
            local = UnixDomainSocketAddress.of(address.path());
        } catch (InvalidPathException e) {
            throw new BindException("cannot listen on " + address + ": " + e.getMessage());
        }
        Path path = local.getPath();
        if (!path.getFileSystem().supportedFileAttributeViews().contains("unix")) {
            throw new BindException("cannot listen on " + address
                    + ": this system cannot tell a socket's file from another; use tcp://HOST:PORT");
        }
        removeStale(path, address);
        ServerSocketChannel channel = bound(ServerSocketChannel.open(StandardProtocolFamily.UNIX), local, address);
        try {
            // For a moment the file had the permissions that the process's mask leaves it: `accept` looks who came.
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
            return new Listener(channel, path);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    private static ServerSocketChannel bound(ServerSocketChannel channel, SocketAddress local, Address address)
            throws IOException {
        try {
            channel.configureBlocking(false);
            return channel.bind(local);
        } catch (IOException e) {
            channel.close();
            BindException named = new BindException("cannot listen on " + address + ": " + e.getMessage());
            named.initCause(e);
            throw named;
        }
    }

    /** Makes room at a path: removes a socket that a process has left behind, and nothing else. */
    private static void removeStale(Path path, Address address) throws IOException {
        int mode;
        try {
            mode = (Integer) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            return;
        }
        if ((mode & KIND) != SOCKET) {
            throw new BindException("cannot listen on " + address
                    + ": a file that is no socket is there; remove it, or choose another path");
        }
        if (isListenedOn(path)) {
            throw new BindException("cannot listen on " + address + ": another process does already");
        }
        Files.deleteIfExists(path);
    }

    private static boolean isListenedOn(Path path) throws IOException {
        try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            // A listener with a full backlog would make a blocking call wait.
            probe.configureBlocking(false);
            probe.connect(UnixDomainSocketAddress.of(path));
            return true;
        } catch (ConnectException e) {
            return false;
        } catch (IOException e) {
            // A full backlog, or no permission: somebody has it.
            return true;
        }
    }

    ServerSocketChannel channel() {
        return channel;
    }

    /** The next peer's connection, which does not block, or null. One of another user is closed and thrown about. */
    SocketChannel accept() throws IOException {
        SocketChannel peer = channel.accept();
        if (peer == null) {
            return null;
        }
        try {
            peer.configureBlocking(false);
            if (path == null) {
                peer.setOption(StandardSocketOptions.TCP_NODELAY, true);
                // A half-open connection would block the place of the real peer.
                peer.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            } else {
                refuseStrangers(peer);
            }
            return peer;
        } catch (IOException | RuntimeException e) {
            peer.close();
            throw e;
        }
    }

    /** Closes the socket, and removes its file unless that is somebody else's by now. */
    void close() {
        try {
            channel.close();
            if (path != null && file.equals(key(path))) {
                Files.deleteIfExists(path);
            }
        } catch (NoSuchFileException e) {
            // Somebody has tidied up.
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "the socket " + path + " cannot be removed", e);
        }
    }

    private static Object key(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey();
    }

    private void refuseStrangers(SocketChannel peer) throws IOException {
        UserPrincipal user = peer.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
        if (!user.equals(owner) && !ROOT.equals(user.getName())) {
            throw new Framing.StreamException("it belongs to the user " + user.getName());
        }
    }
}
