package io.sandgate.remote;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.sandgate.remote.socket.Frame;
import io.sandgate.remote.socket.Pair;
import io.sandgate.remote.socket.PairEvents;
import io.sandgate.remote.socket.PairOptions;
import io.sandgate.remote.socket.Reactor;
import io.sandgate.remote.wire.Address;
import io.sandgate.remote.wire.Control;
import io.sandgate.remote.wire.Control.Create;
import io.sandgate.remote.wire.Control.Reply;
import io.sandgate.remote.wire.DecodeException;
import io.sandgate.remote.wire.Limits;

/**
 * The listening thread, and the control protocol as a module host speaks it: Create, Reply, Start, Destroy. It serves
 * whichever gateway comes, one at a time, until a gateway's Destroy or {@link #stop}.
 */
final class Session {
    private static final System.Logger LOG = System.getLogger("io.sandgate.remote");
    /** Control messages that may wait: a gateway repeats itself every second while a module is created. */
    private static final PairOptions CONTROL = new PairOptions(Limits.CONTROL_MAX, 256, true);
    private static final PairOptions MESSAGE = new PairOptions(Limits.MESSAGE_MAX, 1024, false);
    /** How long the last Reply may take to leave. */
    private static final Duration FAREWELL = Duration.ofMillis(500);
    private static final Duration INTERRUPT_GRACE = Duration.ofSeconds(1);

    private final ModuleConfiguration configuration;
    private final Patience patience;
    private final Tally tally;
    private final Reactor reactor;
    private final Pair control;
    private final Thread thread;
    private final Bell bell = new Bell();
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Burst malformed = new Burst();
    private volatile boolean stopping;
    /** Read by {@link #stop} as well, when the listening thread does not return from the module. */
    private volatile Attachment attached;

    private Session(ModuleConfiguration configuration, Patience patience, Tally tally, Reactor reactor)
            throws IOException {
        this.configuration = configuration;
        this.patience = patience;
        this.tally = tally;
        this.reactor = reactor;
        this.control = Pair.bind(reactor, configuration.control(), CONTROL, events(false));
        // Not a daemon: a program whose main method has returned lives on for its module.
        this.thread = new Thread(this::run, "sandgate-listener");
    }

    /** Binds the control channel and starts the thread. */
    static Session open(ModuleConfiguration configuration, Patience patience, Tally tally) throws IOException {
        Reactor reactor = new Reactor();
        try {
            Session session = new Session(configuration, patience, tally, reactor);
            LOG.log(Level.INFO, "waiting for a gateway control={0}", configuration.control());
            session.thread.start();
            return session;
        } catch (IOException | RuntimeException e) {
            reactor.close();
            throw e;
        }
    }

    boolean hasEnded() {
        return ended.getCount() == 0;
    }

    boolean awaitEnd(Duration limit) throws InterruptedException {
        return ended.await(limit.toMillis(), TimeUnit.MILLISECONDS);
    }

    /**
     * Detaches and waits for the thread's end, unless this is the thread itself. One that does not come back from
     * the module is interrupted, and then left to it.
     */
    void stop() {
        stopping = true;
        bell.ring();
        if (Thread.currentThread() == thread) {
            return;
        }
        try {
            if (awaitEnd(patience.stop())) {
                return;
            }
            LOG.log(Level.WARNING, "the module does not return; interrupting it");
            thread.interrupt();
            if (!awaitEnd(INTERRUPT_GRACE)) {
                abandon();
            }
        } catch (InterruptedException e) {
            // The thread has been told; nobody has to wait for it.
            Thread.currentThread().interrupt();
        }
    }

    private void abandon() {
        LOG.log(Level.ERROR, "the module does not end; its thread is left to it");
        Attachment left = attached;
        if (left != null) {
            left.abandon();
        }
        close(left != null);
    }

    private void run() {
        boolean wasAttached = false;
        try {
            boolean goesOn = true;
            while (goesOn && !stopping) {
                goesOn = step();
            }
            // A gateway that has said Destroy wants no Reply.
            wasAttached = attached != null && goesOn;
        } finally {
            release();
            // Last, so that what the module publishes in its end finds the gateway.
            close(wasAttached);
        }
    }

    private synchronized void close(boolean detach) {
        if (hasEnded()) {
            return;
        }
        if (detach) {
            tellPeer(Reply.DETACH);
        }
        control.flush(FAREWELL);
        control.close();
        reactor.close();
        LOG.log(Level.INFO, "ended {0}", tally);
        ended.countDown();
    }

    /** Does the next thing, or waits for one; false at the end. Control messages come first. */
    private boolean step() {
        try {
            Frame frame = control.poll();
            if (frame != null) {
                return onFrame(frame);
            }
            if (attached == null || !attached.receiveNext()) {
                bell.await();
            }
        } catch (ModuleInstance.Failure e) {
            fail(e.getMessage(), e.getCause());
        } catch (RuntimeException | Error e) {
            // Such as a large message for which there is no memory: it costs the module, not the thread.
            fail("a message cannot be handled", e);
        }
        return true;
    }

    private boolean onFrame(Frame frame) throws ModuleInstance.Failure {
        Control message;
        try {
            message = Control.decode(frame.bytes());
        } catch (DecodeException e) {
            onMalformed(e.getMessage());
            switch (e.reason()) {
                // V1's hosts answer what they cannot understand in this way, and work on.
                case VERSION, CREATE_VERSION, CHANNEL_TYPE -> reply(frame.connection(), Reply.CONNECTION_ERROR);
                default -> LOG.log(Level.TRACE, "no answer to that");
            }
            return true;
        }
        if (message instanceof Create create) {
            onCreate(create, frame.connection());
        } else if (message instanceof Control.Start) {
            onStart();
        } else if (message instanceof Control.Destroy) {
            onDestroy();
            return false;
        } else {
            onMalformed("a Reply from a gateway");
        }
        return true;
    }

    private void onMalformed(String reason) {
        tally.add(Counter.MALFORMED);
        long count = malformed.note();
        if (count > 0) {
            LOG.log(Level.WARNING, "dropped malformed control messages count={0} reason={1}",
                    Long.toString(count), reason);
        }
    }

    /**
     * A gateway repeats its Create until it is answered; repetitions are answered by one module. One whose gateway
     * has gone is nobody's any more.
     */
    private void onCreate(Create create, long connection) {
        if (connection != control.peer()) {
            return;
        }
        if (attached != null && attached.isRepeatedBy(create)) {
            reply(connection, Reply.SUCCESS);
            return;
        }
        release();
        Pair channel;
        try {
            channel = Pair.bind(reactor, Address.parse(create.uri()), MESSAGE, events(true));
        } catch (IOException | IllegalArgumentException e) {
            LOG.log(Level.ERROR, "cannot bind the message channel: {0}", e.getMessage());
            reply(connection, Reply.CONNECTION_ERROR);
            return;
        }
        try {
            attached = Attachment.create(configuration, create, channel, patience.publish(), tally);
            LOG.log(Level.INFO, "created channel={0}", create.uri());
            reply(connection, Reply.SUCCESS);
        } catch (ModuleInstance.Failure e) {
            tally.add(Counter.FAILED);
            LOG.log(Level.ERROR, e.getMessage(), e.getCause());
            reply(connection, Reply.CREATION_ERROR);
        }
    }

    private void onStart() throws ModuleInstance.Failure {
        if (attached != null && !attached.isStarted()) {
            attached.start();
            LOG.log(Level.INFO, "started");
        }
    }

    private void onDestroy() {
        LOG.log(Level.INFO, "destroyed by the gateway");
        try {
            if (attached != null) {
                attached.drain();
            }
        } catch (ModuleInstance.Failure e) {
            // The gateway wants no module any more, so it is not told.
            tally.add(Counter.FAILED);
            LOG.log(Level.ERROR, e.getMessage(), e.getCause());
        }
    }

    /** The module has failed: the gateway is told, and creates it anew. */
    private void fail(String what, Throwable cause) {
        tally.add(Counter.FAILED);
        LOG.log(Level.ERROR, what, cause);
        release();
        tellPeer(Reply.CREATION_ERROR);
    }

    private void release() {
        Attachment old = attached;
        attached = null;
        if (old != null) {
            old.end();
        }
    }

    private void tellPeer(int status) {
        reply(control.peer(), status);
    }

    /** Answers one gateway, and never its successor. */
    private void reply(long connection, int status) {
        boolean sent = control.sendTo(connection, new Reply(status).encode());
        LOG.log(Level.DEBUG, sent ? "replied {0}" : "no gateway to reply {0} to", status);
    }

    private PairEvents events(boolean data) {
        return new ChannelEvents(data, bell, tally);
    }
}
