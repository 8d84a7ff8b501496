package io.sandgate.remote;

/** What a {@link ProxyGateway} counts, over all modules and gateways that it has had. */
public enum Counter {
    /** Messages that the module was given. */
    RECEIVED,
    /** Messages that the module published and the queue took. */
    PUBLISHED,
    /** Control and data messages that were dropped because they made no sense, unknown types included. */
    MALFORMED,
    /** Frames that claimed to be over the limit; each ended its connection. */
    OVERSIZED,
    /** Connections that ended while their channel was open. */
    LOST_CONNECTIONS,
    /** Peers that were refused: a second one, one of another user, one that does not speak the protocol. */
    REFUSED_PEERS,
    /** Messages that had arrived and were given up, because their gateway or the module had gone. */
    UNREAD,
    /** Messages that were published and did not reach the gateway. */
    DROPPED,
    /** Modules that failed: whose create, start or receive threw something. */
    FAILED
}
