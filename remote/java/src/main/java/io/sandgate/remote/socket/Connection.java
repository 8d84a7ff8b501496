package io.sandgate.remote.socket;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;

/**
 * One connection of a {@link Pair}: first a stranger that has to greet, then the pair's peer. Only on the thread of the
 * sockets.
 */
final class Connection implements Reactor.Handler {
    private static final System.Logger LOG = System.getLogger("io.sandgate.remote");
    /** Reads before other sockets get their turn. */
    private static final int ROUNDS = 16;

    private final SocketChannel channel;
    private final Pair pair;
    private final Reactor reactor;
    private final ByteBuffer toSay = Framing.greeting();
    private final ByteBuffer said = Framing.greeting().clear();
    private SelectionKey key;
    /** Which of the pair's peers this is, or 0. */
    private long number;
    // Made for a peer only: a stranger gets no memory.
    private FrameReader reader;
    private FrameWriter writer;
    private boolean closed;

    Connection(SocketChannel channel, Pair pair, Reactor reactor) {
        this.channel = channel;
        this.pair = pair;
        this.reactor = reactor;
    }

    /** Says what this side is, and waits for what the other is. */
    void begin() {
        try {
            key = reactor.register(channel, SelectionKey.OP_READ, this);
            // At once, also to one who will be refused: a library that finds the connection closed before it was
            // greeted may take that for the end of its own socket.
            greet();
        } catch (IOException e) {
            failed(e);
        }
    }

    @Override
    public void ready() throws IOException {
        if (number == 0) {
            greet();
            return;
        }
        if (key.isValid() && key.isWritable()) {
            write();
        }
        if (key.isValid() && key.isReadable()) {
            read(ROUNDS);
        }
    }

    private void greet() throws IOException {
        channel.write(toSay);
        if (channel.read(said) < 0) {
            throw new Framing.StreamException("it went before it said what it is");
        }
        if (toSay.hasRemaining() || said.hasRemaining()) {
            int write = toSay.hasRemaining() ? SelectionKey.OP_WRITE : 0;
            int read = said.hasRemaining() ? SelectionKey.OP_READ : 0;
            key.interestOps(write | read);
            return;
        }
        if (!Framing.isGreeting(said)) {
            throw new Framing.StreamException("it is no pair socket of version 0");
        }
        number = pair.admit(this);
        if (number == 0) {
            throw new Framing.StreamException("there is a peer already");
        }
        reader = new FrameReader(pair.framing(), pair.frameMax());
        writer = new FrameWriter(pair.framing());
        key.interestOps(SelectionKey.OP_READ);
        write();
    }

    /** The time for the greeting is over. */
    void giveUpGreeting() {
        if (number == 0 && !closed) {
            failed(new Framing.StreamException("it does not say what it is"));
        }
    }

    /** Writes what waits for the peer. */
    void writeAll() {
        guarded(this::write);
    }

    /** Takes in all that has come. */
    void readAll() {
        guarded(() -> read(Integer.MAX_VALUE));
    }

    /** Goes on reading: there is room again. */
    void resume() {
        guarded(() -> {
            key.interestOpsOr(SelectionKey.OP_READ);
            read(ROUNDS);
        });
    }

    private void write() throws IOException {
        if (pair.write(writer, channel)) {
            key.interestOpsAnd(~SelectionKey.OP_WRITE);
        } else {
            key.interestOpsOr(SelectionKey.OP_WRITE);
        }
    }

    private void read(int rounds) throws IOException {
        // What was read and found no room comes first.
        boolean goesOn = takeFrames();
        for (int round = 0; goesOn && round < rounds; round++) {
            int count = reader.fill(channel);
            if (count < 0) {
                close();
                return;
            }
            goesOn = takeFrames() && count > 0;
        }
    }

    /** Hands over the frames that were read; false if reading has to wait for room. */
    private boolean takeFrames() throws IOException {
        while (!pair.pause()) {
            byte[] frame = reader.next();
            if (frame == null) {
                return true;
            }
            pair.arrived(number, frame);
        }
        key.interestOpsAnd(~SelectionKey.OP_READ);
        return false;
    }

    private interface Work {
        void run() throws IOException;
    }

    private void guarded(Work work) {
        // A stranger has nothing to read with yet, and one that was closed no more.
        if (closed || writer == null) {
            return;
        }
        try {
            work.run();
        } catch (IOException | RuntimeException | OutOfMemoryError e) {
            failed(e);
        }
    }

    @Override
    public void failed(Throwable reason) {
        if (closed) {
            return;
        }
        if (number == 0) {
            pair.tell(Incident.REFUSED, 1, "a peer was refused: " + reason.getMessage());
        } else if (reason instanceof Framing.OversizedException) {
            pair.tell(Incident.OVERSIZED, 1, reason.getMessage());
        } else if (reason instanceof Framing.StreamException) {
            pair.tell(Incident.MALFORMED, 1, reason.getMessage());
        } else {
            LOG.log(reason instanceof IOException ? Level.DEBUG : Level.WARNING, "a connection has ended", reason);
        }
        close();
    }

    /** Ends the connection; what the peer has sent and nobody has read is read before, and forgotten. */
    void closeInOrder() {
        try {
            ByteBuffer bin = ByteBuffer.allocate(8 << 10);
            // Over TCP, unread bytes would make the system reset the connection, and the peer lose what was said last.
            for (int round = 0; round < ROUNDS && channel.read(bin) > 0; round++) {
                bin.clear();
            }
        } catch (IOException e) {
            LOG.log(Level.TRACE, "the connection has ended before", e);
        }
        close();
    }

    /** Ends the connection. */
    void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            channel.close();
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "a connection cannot be closed", e);
        }
        int unfinished = writer == null ? 0 : writer.unfinished();
        // The timer of the greeting keeps this for a while; it need not keep the buffers.
        reader = null;
        writer = null;
        pair.left(this, unfinished);
    }
}
