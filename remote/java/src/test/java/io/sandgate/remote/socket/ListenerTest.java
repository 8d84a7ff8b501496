package io.sandgate.remote.socket;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.throwing;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

import io.sandgate.remote.testing.Scratch;
import io.sandgate.remote.testing.Test;
import io.sandgate.remote.wire.Address;

/** Files of sockets: removed when nobody listens on them, and never when they are something else. */
final class ListenerTest {
    private static Listener bind(Path path) throws IOException {
        return Listener.bind(Address.parse(path.toString()));
    }

    @Test
    void aSocketIsForItsOwnerAloneAndGoesWithItsListener() throws Exception {
        try (Scratch scratch = new Scratch()) {
            Path path = scratch.path("socket");
            Listener listener = bind(path);
            equal("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(path)));
            listener.close();
            isTrue(Files.notExists(path), "that the file is removed");
        }
    }

    @Test
    void aSocketThatWasLeftBehindIsRemoved() throws Exception {
        try (Scratch scratch = new Scratch()) {
            Path path = scratch.path("socket");
            ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path)).close();
            isTrue(Files.exists(path), "a stale socket");
            bind(path).close();
        }
    }

    @Test
    void aFileThatIsNoSocketIsNeverRemoved() throws Exception {
        try (Scratch scratch = new Scratch()) {
            Path file = Files.writeString(scratch.path("file"), "precious");
            Path link = Files.createSymbolicLink(scratch.path("link"), scratch.path("nowhere"));
            Path directory = Files.createDirectory(scratch.path("directory"));
            for (Path path : new Path[] {file, link, directory}) {
                throwing(IOException.class, () -> bind(path));
            }
            equal("precious", Files.readString(file));
            isTrue(Files.isSymbolicLink(link) && Files.isDirectory(directory), "that all are there");
        }
    }

    @Test
    void aSocketThatIsInUseIsLeftAlone() throws Exception {
        try (Scratch scratch = new Scratch()) {
            Path path = scratch.path("socket");
            Listener listener = bind(path);
            IOException refusal = throwing(IOException.class, () -> bind(path));
            isTrue(refusal.getMessage().contains("another process does already"), "a reason: " + refusal);
            isTrue(Files.exists(path), "the socket");
            listener.close();
        }
    }

    @Test
    void aSuccessorsSocketIsLeftAlone() throws Exception {
        try (Scratch scratch = new Scratch()) {
            Path path = scratch.path("socket");
            Listener first = bind(path);
            Files.delete(path);
            Listener second = bind(path);
            first.close();
            isTrue(Files.exists(path), "the second one's socket");
            second.close();
        }
    }

    @Test
    void whatCannotBeBoundSaysWhy() throws Exception {
        try (Scratch scratch = new Scratch()) {
            IOException refusal = throwing(IOException.class, () -> bind(scratch.path("missing/socket")));
            isTrue(refusal.getMessage().startsWith("cannot listen on ipc://"), "a reason: " + refusal);
            String id = Scratch.tcp(1).get(0);
            Listener listener = Listener.bind(Address.parse(id));
            throwing(IOException.class, () -> Listener.bind(Address.parse(id)));
            listener.close();
        }
    }
}
