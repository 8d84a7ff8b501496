package io.sandgate.remote.testing;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A peer without a library: it connects, and writes and reads the stream byte by byte, so it can write what no
 * library would. It knows the framing by itself, not from what is tested.
 */
public final class RawPeer implements AutoCloseable {
    private final SocketChannel channel;
    private final boolean ipc;
    /** Frames that came; one without a value is the end of the connection. */
    private final BlockingQueue<Optional<byte[]>> frames = new LinkedBlockingQueue<>();
    private boolean reading;

    private RawPeer(SocketChannel channel, boolean ipc) {
        this.channel = channel;
        this.ipc = ipc;
    }

    /**
     * Connects, as soon as somebody listens there, and says nothing.
     *
     * @param id a path, or {@code tcp://127.0.0.1:PORT}
     * @return the peer
     * @throws InterruptedException if the thread is interrupted
     */
    public static RawPeer connect(String id) throws InterruptedException {
        RawPeer[] peer = new RawPeer[1];
        Check.until("somebody who listens on " + id, () -> {
            try {
                peer[0] = tryConnect(id);
                return true;
            } catch (IOException e) {
                return false;
            }
        });
        return peer[0];
    }

    private static RawPeer tryConnect(String id) throws IOException {
        if (!id.startsWith("tcp://")) {
            SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            channel.connect(UnixDomainSocketAddress.of(id));
            return new RawPeer(channel, true);
        }
        int colon = id.lastIndexOf(':');
        int port = Integer.parseInt(id.substring(colon + 1));
        SocketChannel channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port));
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        return new RawPeer(channel, false);
    }

    /**
     * Connects, and greets until it is the peer: whose place is still taken by another is hung up on.
     *
     * @param id as for {@link #connect}
     * @return the peer
     * @throws Exception if the greeting is wrong
     */
    public static RawPeer greeted(String id) throws Exception {
        RawPeer peer = connect(id);
        peer.greet();
        return peer;
    }

    /**
     * Exchanges greetings.
     *
     * @throws IOException if the connection ends
     */
    public void greet() throws IOException {
        write(Golden.bytes(Golden.GREETING));
        Check.equal(Golden.GREETING, HexFormat.of().formatHex(read(8)));
    }

    /**
     * Writes bytes as they are.
     *
     * @param bytes the bytes
     * @throws IOException if the connection has ended
     */
    public void write(byte[] bytes) throws IOException {
        ByteBuffer rest = ByteBuffer.wrap(bytes);
        while (rest.hasRemaining()) {
            channel.write(rest);
        }
    }

    /**
     * Writes a frame.
     *
     * @param payload what is in it
     * @throws IOException if the connection has ended
     */
    public void send(byte[] payload) throws IOException {
        claim(payload.length);
        write(payload);
    }

    /**
     * Writes what stands before a frame of this length.
     *
     * @param length the length
     * @throws IOException if the connection has ended
     */
    public void claim(long length) throws IOException {
        ByteBuffer head = ByteBuffer.allocate(ipc ? 9 : 8);
        if (ipc) {
            head.put((byte) 1);
        }
        write(head.putLong(length).array());
    }

    /**
     * Reads bytes; not once frames are received.
     *
     * @param count how many
     * @return the bytes
     * @throws IOException if the connection ends before
     */
    public byte[] read(int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes) < 0) {
                throw new EOFException("the connection has ended");
            }
        }
        return bytes.array();
    }

    /**
     * The next frame.
     *
     * @return what is in it
     * @throws InterruptedException if the thread is interrupted
     */
    public byte[] receive() throws InterruptedException {
        return next().orElseThrow(() -> new AssertionError("the connection has ended where a frame was expected"));
    }

    /**
     * The next frame, if one comes within so many milliseconds.
     *
     * @param millis how long to wait
     * @return what is in it
     * @throws InterruptedException if the thread is interrupted
     */
    public Optional<byte[]> receiveWithin(long millis) throws InterruptedException {
        startReading();
        Optional<byte[]> frame = frames.poll(millis, TimeUnit.MILLISECONDS);
        return frame == null ? Optional.empty() : frame;
    }

    /**
     * Waits until the other side ends the connection.
     *
     * @throws InterruptedException if the thread is interrupted
     */
    public void awaitEnd() throws InterruptedException {
        while (next().isPresent()) {
            // What it has said before.
        }
    }

    private Optional<byte[]> next() throws InterruptedException {
        startReading();
        Optional<byte[]> frame = frames.poll(Check.PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (frame == null) {
            throw new AssertionError("waited too long for a frame");
        }
        return frame;
    }

    /** A thread reads, for a blocking channel has no time-out. */
    private void startReading() {
        if (reading) {
            return;
        }
        reading = true;
        Thread reader = new Thread(this::readFrames, "raw-peer");
        reader.setDaemon(true);
        reader.start();
    }

    private void readFrames() {
        try {
            DataInputStream in = new DataInputStream(Channels.newInputStream(channel));
            while (true) {
                if (ipc) {
                    Check.equal((byte) 1, in.readByte());
                }
                frames.add(Optional.of(in.readNBytes(Math.toIntExact(in.readLong()))));
            }
        } catch (IOException e) {
            frames.add(Optional.empty());
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
