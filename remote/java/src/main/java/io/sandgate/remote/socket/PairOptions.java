package io.sandgate.remote.socket;

/**
 * Bounds of a {@link Pair}.
 *
 * @param frameMax the largest frame, each way, in bytes
 * @param capacity frames that each direction holds, as long as they have no more than twice {@code frameMax} bytes
 *     together, or 8 MiB where that is more
 * @param forgetful whether what waits to be sent is dropped with the peer that it was meant for; otherwise the next one
 *     gets it
 */
public record PairOptions(int frameMax, int capacity, boolean forgetful) {
    private static final long BUDGET_MIN = 8 << 20;

    FrameQueue queue() {
        return new FrameQueue(capacity, Math.max(2L * frameMax, BUDGET_MIN));
    }
}
