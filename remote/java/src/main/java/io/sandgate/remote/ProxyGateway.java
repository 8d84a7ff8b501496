package io.sandgate.remote;

import java.io.IOException;
import java.time.Duration;
import java.util.Objects;

/**
 * Stands for the gateway in the module's program: attaches the module to whichever gateway connects, and calls it.
 *
 * <p>How it goes: {@link #attach} binds the control channel and starts the listening thread. A gateway connects and
 * sends CREATE, then {@link IGatewayModule#create} is called; START, {@link IGatewayModule#start}; data,
 * {@link IGatewayModule#receive}; DESTROY, {@link IGatewayModule#destroy}, and the listening thread ends. A gateway
 * that goes without a word leaves the module waiting for the next one, which begins with CREATE again: the old
 * instance is destroyed then and a new one made. A module that throws something is destroyed, the gateway is told,
 * and creates it anew.
 *
 * <p>The listening thread keeps the program alive until DESTROY or {@link #detach}. All methods may be called from
 * any thread.
 */
public final class ProxyGateway {
    private static final Duration LONG = Duration.ofDays(1);

    private final ModuleConfiguration configuration;
    private final Patience patience;
    private final Tally tally = new Tally();
    /** The present or last one; guarded by this. */
    private Session session;

    /**
     * A proxy that is not attached yet.
     *
     * @param configuration where the gateway looks for the module, and the module
     */
    public ProxyGateway(ModuleConfiguration configuration) {
        this(configuration, Patience.USUAL);
    }

    ProxyGateway(ModuleConfiguration configuration, Patience patience) {
        this.configuration = Objects.requireNonNull(configuration, "the configuration is null");
        this.patience = patience;
    }

    /**
     * Binds the control channel and starts the listening thread, without waiting for a gateway. Does nothing while
     * attached; may be called again after the end.
     *
     * @throws IOException if the control channel cannot be bound: another process listens there, a file that is no
     *     socket is at its path, its directory is missing. A socket that a process has left behind is no hindrance
     */
    public synchronized void attach() throws IOException {
        if (!isAttached()) {
            session = Session.open(configuration, patience, tally);
        }
    }

    /**
     * Destroys the module, tells the gateway so (Reply 255, Detach), frees the sockets and ends the listening
     * thread. Waits for that; called by the module itself it returns at once, and all this happens when the module
     * returns. A call that keeps the listening thread for more than 5 seconds is interrupted; if that does not help
     * within a second, the thread is left to it, and the gateway is told nevertheless. Does nothing while not
     * attached.
     */
    public void detach() {
        Session current;
        synchronized (this) {
            current = session;
        }
        // Not under the lock: the module's end may call this class.
        if (current != null) {
            current.stop();
        }
    }

    /**
     * Whether the listening thread runs.
     *
     * @return true from {@link #attach} until DESTROY or {@link #detach}, whether a gateway is there or not
     */
    public synchronized boolean isAttached() {
        return session != null && !session.hasEnded();
    }

    /**
     * Waits for the end of the listening thread, by DESTROY or {@link #detach}.
     *
     * @param limit how long to wait
     * @return whether it has ended; also true if it was never attached
     * @throws InterruptedException if the calling thread is interrupted
     */
    public boolean awaitEnd(Duration limit) throws InterruptedException {
        Session current;
        synchronized (this) {
            current = session;
        }
        return current == null || current.awaitEnd(limit);
    }

    /**
     * Waits for the end of the listening thread, however long that takes.
     *
     * @throws InterruptedException if the calling thread is interrupted
     */
    public void awaitEnd() throws InterruptedException {
        while (!awaitEnd(LONG)) {
            // For ever means for many such waits.
        }
    }

    /**
     * The value of a counter.
     *
     * @param counter which
     * @return what was counted since this proxy was made
     */
    public long count(Counter counter) {
        return tally.get(counter);
    }
}
