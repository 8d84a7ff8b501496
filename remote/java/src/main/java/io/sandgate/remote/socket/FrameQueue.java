package io.sandgate.remote.socket;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** A queue of frames, bounded in number and in bytes. For any number of threads. */
final class FrameQueue {
    private final int capacity;
    private final long budget;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition room = lock.newCondition();
    private final Deque<Frame> frames = new ArrayDeque<>();
    private long bytes;
    private boolean closed;

    /** A queue that is full when it holds so many frames, or so many bytes; one frame may go beyond the bytes. */
    FrameQueue(int capacity, long budget) {
        this.capacity = capacity;
        this.budget = budget;
    }

    /** Adds a frame if there is room now. */
    Offer offer(Frame frame) {
        lock.lock();
        try {
            return add(frame);
        } finally {
            lock.unlock();
        }
    }

    /** Adds a frame, and waits for room for so many nanoseconds at most. */
    Offer put(Frame frame, long patience) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long left = patience;
            while (!closed && isFull() && left > 0) {
                left = room.awaitNanos(left);
            }
            return add(frame);
        } finally {
            lock.unlock();
        }
    }

    private Offer add(Frame frame) {
        if (closed) {
            return Offer.CLOSED;
        }
        if (isFull()) {
            return Offer.FULL;
        }
        frames.add(frame);
        bytes += frame.bytes().length;
        return Offer.TAKEN;
    }

    /** The oldest frame, or null. */
    Frame poll() {
        lock.lock();
        try {
            Frame frame = frames.poll();
            if (frame != null) {
                bytes -= frame.bytes().length;
                // In batches, or producer and consumer would take turns frame by frame.
                if (isHalfEmpty()) {
                    room.signalAll();
                }
            }
            return frame;
        } finally {
            lock.unlock();
        }
    }

    boolean isFull() {
        lock.lock();
        try {
            return frames.size() >= capacity || bytes >= budget;
        } finally {
            lock.unlock();
        }
    }

    boolean isHalfEmpty() {
        lock.lock();
        try {
            return frames.size() <= capacity / 2 && bytes <= budget / 2;
        } finally {
            lock.unlock();
        }
    }

    int size() {
        lock.lock();
        try {
            return frames.size();
        } finally {
            lock.unlock();
        }
    }

    /** Drops everything; tells how much that was. */
    int clear() {
        lock.lock();
        try {
            int count = frames.size();
            frames.clear();
            bytes = 0;
            room.signalAll();
            return count;
        } finally {
            lock.unlock();
        }
    }

    /** Refuses new frames and wakes everyone; what is queued can still be taken. */
    void close() {
        lock.lock();
        try {
            closed = true;
            room.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
