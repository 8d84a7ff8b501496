package io.sandgate.remote.socket;

/** What may go wrong on a channel. None of it ends the channel. */
public enum Incident {
    /** A peer was refused: a second one, one of another user, one that does not speak the protocol. */
    REFUSED,
    /** A connection has ended. */
    LOST_CONNECTION,
    /** A frame claimed to be over the limit; its connection was ended. */
    OVERSIZED,
    /** A stream made no sense; its connection was ended. */
    MALFORMED,
    /** Frames that had arrived were given up, for the channel was closed. */
    UNREAD,
    /** Frames were taken for sending and not sent, for their peer has gone or the channel was closed. */
    DROPPED
}
