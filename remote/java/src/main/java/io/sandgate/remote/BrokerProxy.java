package io.sandgate.remote;

import java.time.Duration;

import io.sandgate.remote.PublishException.Reason;
import io.sandgate.remote.socket.Pair;

/** The broker that a module gets: takes its messages to the message channel, while the module may publish. */
final class BrokerProxy implements Broker {
    private enum Phase {
        CREATED,
        STARTED,
        DESTROYED
    }

    private final Pair channel;
    private final Duration patience;
    private final Tally tally;
    private volatile Phase phase = Phase.CREATED;

    /** A broker that is closed until {@link #open}; a call waits for so long at most. */
    BrokerProxy(Pair channel, Duration patience, Tally tally) {
        this.channel = channel;
        this.patience = patience;
        this.tally = tally;
    }

    /** Lets the module publish. */
    void open() {
        phase = Phase.STARTED;
    }

    /** Lets it publish no more. */
    void close() {
        phase = Phase.DESTROYED;
    }

    @Override
    public void publishMessage(Message message) throws PublishException {
        // Read once, for another thread may change it.
        Phase now = phase;
        if (now == Phase.CREATED) {
            throw new PublishException(Reason.NOT_STARTED,
                    "the module has not been started: publish from start on, not from create");
        }
        if (now == Phase.DESTROYED) {
            throw destroyed();
        }
        try {
            switch (channel.send(message.frame(), patience)) {
                case TAKEN -> tally.add(Counter.PUBLISHED);
                case CLOSED -> throw destroyed();
                case FULL -> throw new PublishException(Reason.CONGESTED,
                        "the gateway has not taken messages for " + patience.toMillis() + " ms");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PublishException(Reason.INTERRUPTED, "the thread was interrupted while it waited for room");
        }
    }

    private static PublishException destroyed() {
        return new PublishException(Reason.DESTROYED, "the module has been destroyed");
    }
}
