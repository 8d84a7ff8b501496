package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;

import io.sandgate.remote.testing.Test;

/** Complaints are told once a second, with their number. */
final class BurstTest {
    private static final long SECOND = 1_000_000_000;

    @Test
    void aBurstIsToldOnce() {
        Burst burst = new Burst();
        // The clock's zero is anywhere.
        long start = Long.MAX_VALUE - 1;
        equal(1L, burst.noteAt(start));
        equal(0L, burst.noteAt(start + 1));
        equal(0L, burst.noteAt(start + SECOND - 1));
        equal(3L, burst.noteAt(start + SECOND));
        equal(0L, burst.noteAt(start + SECOND + 1));
    }
}
