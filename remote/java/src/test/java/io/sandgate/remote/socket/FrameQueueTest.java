package io.sandgate.remote.socket;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.until;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

import io.sandgate.remote.testing.Test;

/** Bounds, order, waiting. */
final class FrameQueueTest {
    private static final long LONG = 60_000_000_000L;

    private static Frame frame(int length) {
        return new Frame(0, new byte[length]);
    }

    private static CompletableFuture<Offer> putting(FrameQueue queue, Frame frame, long patience) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return queue.put(frame, patience);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    @Test
    void itIsBoundedInFrames() throws Exception {
        FrameQueue queue = new FrameQueue(2, 1000);
        equal(Offer.TAKEN, queue.offer(frame(1)));
        equal(Offer.TAKEN, queue.offer(frame(2)));
        equal(Offer.FULL, queue.offer(frame(3)));
        equal(Offer.FULL, queue.put(frame(3), 1));
        equal(1, queue.poll().bytes().length);
        equal(Offer.TAKEN, queue.offer(frame(3)));
        equal(2, queue.clear());
        equal(null, queue.poll());
    }

    @Test
    void itIsBoundedInBytes() {
        FrameQueue queue = new FrameQueue(100, 10);
        equal(Offer.TAKEN, queue.offer(frame(9)));
        equal(Offer.TAKEN, queue.offer(frame(500)));
        equal(Offer.FULL, queue.offer(frame(0)));
        isTrue(queue.isFull() && !queue.isHalfEmpty(), "that it is full");
        queue.poll();
        queue.poll();
        isTrue(queue.isHalfEmpty(), "that it is empty");
        equal(Offer.TAKEN, queue.offer(frame(1)));
    }

    @Test
    void whoWaitsForRoomGetsIt() throws Exception {
        FrameQueue queue = new FrameQueue(2, 1000);
        queue.offer(frame(1));
        queue.offer(frame(2));
        List<CompletableFuture<Offer>> waiting = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            waiting.add(putting(queue, frame(3), LONG));
        }
        for (int i = 0; i < 5; i++) {
            until("a frame", () -> queue.poll() != null);
        }
        for (CompletableFuture<Offer> each : waiting) {
            equal(Offer.TAKEN, each.get());
        }
    }

    @Test
    void closingWakesWhoWaits() throws Exception {
        FrameQueue queue = new FrameQueue(1, 1000);
        queue.offer(frame(1));
        CompletableFuture<Offer> waiting = putting(queue, frame(2), LONG);
        queue.close();
        equal(Offer.CLOSED, waiting.get());
        equal(Offer.CLOSED, queue.offer(frame(2)));
        equal(1, queue.poll().bytes().length);
    }
}
