package io.sandgate.remote;

import java.io.IOException;

/** A message that was not taken to the gateway. The module may go on, and may try again where the reason allows it. */
public final class PublishException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Why a message was not taken. */
    public enum Reason {
        /** The module has not been started: publish from {@code start} on, not from {@code create}. */
        NOT_STARTED,
        /** The gateway has not taken messages for so long that the queue is full. */
        CONGESTED,
        /** The module has been destroyed or has failed. */
        DESTROYED,
        /** The calling thread was interrupted while it waited; it still is. */
        INTERRUPTED
    }

    /** Why the message was not taken. */
    private final Reason reason;

    PublishException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /**
     * Why the message was not taken.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
