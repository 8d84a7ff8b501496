package io.sandgate.remote.socket;

/**
 * A frame that arrived, or that is to be sent.
 *
 * @param connection which of a channel's connections it came through, from 1; 0 for one that is to be sent
 * @param bytes the payload; not copied
 */
public record Frame(long connection, byte[] bytes) {}
