package io.sandgate.remote.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A directory for the sockets of a test, with a short name, which is removed at the end; and free ports. */
public final class Scratch implements AutoCloseable {
    private final Path directory;

    /**
     * Makes the directory.
     *
     * @throws IOException if it cannot be made
     */
    public Scratch() throws IOException {
        directory = Files.createTempDirectory(Path.of("/tmp"), "sgj");
    }

    /**
     * A path in the directory.
     *
     * @param name the file's name
     * @return the path
     */
    public Path path(String name) {
        return directory.resolve(name);
    }

    /**
     * A path in the directory as an id.
     *
     * @param name the file's name
     * @return the id
     */
    public String ipc(String name) {
        return path(name).toString();
    }

    /**
     * Ids of ports that nobody uses at the moment. All are held until all are found, so they differ.
     *
     * @param count how many
     * @return the ids
     * @throws IOException if there are none
     */
    public static List<String> tcp(int count) throws IOException {
        List<ServerSocket> held = new ArrayList<>();
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));
            held.add(socket);
            ids.add("tcp://127.0.0.1:" + socket.getLocalPort());
        }
        for (ServerSocket socket : held) {
            socket.close();
        }
        return ids;
    }

    @Override
    public void close() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
        }
        Files.delete(directory);
    }
}
