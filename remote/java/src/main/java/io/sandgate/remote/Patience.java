package io.sandgate.remote;

import java.time.Duration;

/**
 * How long others are waited for.
 *
 * @param publish how long a publish waits for room in the queue
 * @param stop how long detach waits for a call into the module, before it interrupts it
 */
record Patience(Duration publish, Duration stop) {
    static final Patience USUAL = new Patience(Duration.ofSeconds(5), Duration.ofSeconds(5));
}
