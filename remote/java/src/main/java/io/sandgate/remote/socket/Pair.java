package io.sandgate.remote.socket;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

import io.sandgate.remote.wire.Address;

/**
 * A pair socket of version 0 that listens: an ordered, bounded channel of frames, each way, with one peer at a time. A
 * second peer is refused; when a peer has gone, the next one may come. For any number of threads, except that one alone
 * takes frames.
 */
public final class Pair implements AutoCloseable {
    private final Reactor reactor;
    private final Acceptor acceptor;
    private final PairOptions options;
    private final PairEvents events;
    private final Framing framing;
    private final FrameQueue incoming;
    private final FrameQueue outgoing;
    private final AtomicBoolean closing = new AtomicBoolean();
    /** The peer is not read from, for the incoming queue is full. Who makes room takes this back. */
    private final AtomicBoolean paused = new AtomicBoolean();
    /** The thread of the sockets has been asked to write and has not begun. */
    private final AtomicBoolean writeAsked = new AtomicBoolean();

    // Guarded by this.
    private Connection peer;
    private long connections;
    private boolean writing;

    private Pair(Reactor reactor, Listener listener, Address address, PairOptions options, PairEvents events) {
        this.reactor = reactor;
        this.acceptor = new Acceptor(listener, this, reactor);
        this.options = options;
        this.events = events;
        this.framing = new Framing(address.isIpc());
        this.incoming = options.queue();
        this.outgoing = options.queue();
    }

    /**
     * Binds an address and waits for peers.
     *
     * @param reactor the thread that serves the socket
     * @param address where
     * @param options bounds
     * @param events who is told what happens
     * @return the channel
     * @throws IOException if somebody listens there, a file that is no socket is there, or the address cannot be used
     */
    public static Pair bind(Reactor reactor, Address address, PairOptions options, PairEvents events)
            throws IOException {
        Pair pair = new Pair(reactor, Listener.bind(address), address, options, events);
        reactor.execute(pair.acceptor::begin);
        return pair;
    }

    /**
     * Takes the oldest frame that has arrived.
     *
     * @return null if there is none; {@link PairEvents#news} tells when there is
     */
    public Frame poll() {
        Frame frame = incoming.poll();
        if (frame != null && incoming.isHalfEmpty() && paused.compareAndSet(true, false)) {
            reactor.execute(() -> withPeer(Connection::resume));
        }
        return frame;
    }

    /** Takes in all that the peer has sent so far and for which there is room. Waits for the thread of the sockets. */
    public void sweep() {
        reactor.await(() -> withPeer(Connection::readAll));
    }

    /**
     * Sends a frame to the peer, or to the next one if there is none now; waits while the queue is full.
     *
     * @param frame the frame; not copied
     * @param patience how long to wait
     * @return whether the queue has taken it
     * @throws InterruptedException if the thread is interrupted while it waits
     */
    public Offer send(byte[] frame, Duration patience) throws InterruptedException {
        Offer offer = outgoing.put(new Frame(0, frame), patience.toNanos());
        if (offer == Offer.TAKEN) {
            askToWrite();
        }
        return offer;
    }

    /**
     * Sends a frame to one peer and to nobody else, without waiting.
     *
     * @param connection the peer's connection
     * @param frame the frame; not copied
     * @return false if that peer has gone or the queue is full
     */
    public boolean sendTo(long connection, byte[] frame) {
        synchronized (this) {
            // Under the lock no other peer can come before the frame is in the queue, which goes with this one.
            if (peer == null || connections != connection || outgoing.offer(new Frame(0, frame)) != Offer.TAKEN) {
                return false;
            }
        }
        askToWrite();
        return true;
    }

    /**
     * The connection of the peer that is there.
     *
     * @return its number, from 1, or 0 if nobody is there
     */
    public synchronized long peer() {
        return peer == null ? 0 : connections;
    }

    /**
     * Waits until everything has been handed to the system, nobody is there to take it, or the time is over.
     *
     * @param patience how long to wait
     */
    public synchronized void flush(Duration patience) {
        long end = System.nanoTime() + patience.toNanos();
        boolean interrupted = false;
        while (peer != null && (writing || outgoing.size() > 0)) {
            long left = (end - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                break;
            }
            try {
                wait(left);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends the channel: its address is free when this returns. What waits is dropped and told as incidents. */
    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            return;
        }
        incoming.close();
        outgoing.close();
        reactor.await(() -> {
            acceptor.close();
            withPeer(Connection::closeInOrder);
            reactor.settle();
        });
        tell(Incident.UNREAD, incoming.clear(), "the channel was closed");
        tell(Incident.DROPPED, outgoing.clear(), "the channel was closed");
    }

    // What follows is called on the thread of the sockets.

    /** Makes a connection the peer, unless there is one; tells its number, or 0. */
    long admit(Connection connection) {
        acceptor.forget(connection);
        long number;
        synchronized (this) {
            if (peer != null || closing.get()) {
                return 0;
            }
            peer = connection;
            connections++;
            number = connections;
        }
        events.news();
        return number;
    }

    /** A connection has been closed, with so many frames in its hands. */
    void left(Connection connection, int unfinished) {
        acceptor.forget(connection);
        int dropped = unfinished;
        synchronized (this) {
            if (peer != connection) {
                return;
            }
            peer = null;
            writing = false;
            if (options.forgetful()) {
                dropped += outgoing.clear();
            }
            notifyAll();
        }
        paused.set(false);
        tell(Incident.DROPPED, dropped, "the peer has gone");
        if (!closing.get()) {
            tell(Incident.LOST_CONNECTION, 1, "the peer has gone");
        }
        events.news();
    }

    void arrived(long connection, byte[] frame) {
        incoming.offer(new Frame(connection, frame));
        events.news();
    }

    /** Whether reading has to wait for room. If so, {@link Connection#resume} is called when there is. */
    boolean pause() {
        if (!incoming.isFull()) {
            return false;
        }
        // Set before the second look: who makes room either is seen by that, or sees this.
        paused.set(true);
        return incoming.isFull() || !paused.compareAndSet(true, false);
    }

    /** Writes what waits; false if the stream takes no more for now. */
    boolean write(FrameWriter writer, SocketChannel channel) throws IOException {
        // Before the first frame is out of the queue, so that `flush` sees it in one place or the other.
        setWriting(true);
        boolean all = writer.write(channel, outgoing);
        setWriting(!all);
        return all;
    }

    private synchronized void setWriting(boolean writing) {
        this.writing = writing;
        if (!writing) {
            notifyAll();
        }
    }

    private void askToWrite() {
        if (writeAsked.compareAndSet(false, true)) {
            reactor.execute(() -> {
                writeAsked.set(false);
                withPeer(Connection::writeAll);
            });
        }
    }

    private void withPeer(Consumer<Connection> action) {
        Connection current;
        synchronized (this) {
            current = peer;
        }
        if (current != null) {
            action.accept(current);
        }
    }

    void tell(Incident incident, long count, String detail) {
        if (count > 0) {
            events.incident(incident, count, detail);
        }
    }

    Framing framing() {
        return framing;
    }

    int frameMax() {
        return options.frameMax();
    }
}
