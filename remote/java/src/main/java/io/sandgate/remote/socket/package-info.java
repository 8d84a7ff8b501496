/**
 * Pair sockets of the scalability protocols over Unix domain sockets and TCP: one thread, the {@code Reactor}, serves
 * them all without blocking; {@code Pair} is what the rest of the library sees. Nothing here knows what a frame means.
 */
package io.sandgate.remote.socket;
