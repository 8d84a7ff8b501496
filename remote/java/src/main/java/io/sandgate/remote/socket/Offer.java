package io.sandgate.remote.socket;

/** What became of a frame that was offered to a channel. */
public enum Offer {
    /** It is in the queue, and goes out in its turn. */
    TAKEN,
    /** There is no room. */
    FULL,
    /** The channel was closed. */
    CLOSED
}
