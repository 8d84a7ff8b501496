package io.sandgate.remote;

import java.time.Duration;

/** Keeps a complaint that may come with every message to one line a second. Not for several threads. */
final class Burst {
    private static final long REPEAT = Duration.ofSeconds(1).toNanos();

    private boolean spoken;
    private long last;
    private long silent;

    /** Whether to speak now, and of how many occurrences, this one included; 0 is to be silent. */
    long note() {
        return noteAt(System.nanoTime());
    }

    /** The same at a time that a test chooses. */
    long noteAt(long now) {
        silent++;
        if (spoken && now - last < REPEAT) {
            return 0;
        }
        spoken = true;
        last = now;
        long count = silent;
        silent = 0;
        return count;
    }
}
