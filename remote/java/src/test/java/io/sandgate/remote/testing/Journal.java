package io.sandgate.remote.testing;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

import io.sandgate.remote.Broker;

/**
 * What the instances of a {@link Recorder} have done, in order, and what they are told to do. A test has its own:
 * its name is the module's configuration.
 */
public final class Journal implements AutoCloseable {
    private static final Map<String, Journal> ALL = new ConcurrentHashMap<>();
    private static final AtomicLong NUMBERS = new AtomicLong();

    private final String name = "\"journal " + NUMBERS.incrementAndGet() + "\"";
    private final BlockingQueue<String> entries = new LinkedBlockingQueue<>();
    private final Set<String> failing = ConcurrentHashMap.newKeySet();
    private final Set<String> holding = ConcurrentHashMap.newKeySet();
    private final Set<String> stubborn = ConcurrentHashMap.newKeySet();
    private final Semaphore permits = new Semaphore(0);
    private volatile Broker broker;

    /** Begins an empty journal. */
    public Journal() {
        ALL.put(name, this);
    }

    static Journal of(String name) {
        return ALL.get(name);
    }

    /**
     * The configuration that leads a module to this journal.
     *
     * @return JSON text
     */
    public String name() {
        return name;
    }

    /**
     * Has every call of this name throw something, until {@link #mend}.
     *
     * @param call such as {@code receive}
     */
    public void fail(String call) {
        failing.add(call);
    }

    /**
     * Has calls of this name work again.
     *
     * @param call such as {@code receive}
     */
    public void mend(String call) {
        failing.remove(call);
    }

    /**
     * Has every call of this name wait for a {@link #release}.
     *
     * @param call such as {@code receive}
     */
    public void hold(String call) {
        holding.add(call);
    }

    /**
     * Like {@link #hold}, and interrupts do not help.
     *
     * @param call such as {@code receive}
     */
    public void holdStubbornly(String call) {
        stubborn.add(call);
    }

    /** Lets one call go on. */
    public void release() {
        permits.release();
    }

    /**
     * The broker of the newest instance.
     *
     * @return null before the first
     */
    public Broker broker() {
        return broker;
    }

    /**
     * Waits for these entries, and nothing else, to be the next ones.
     *
     * @param expected the entries
     * @throws InterruptedException if the thread is interrupted
     */
    public void expect(String... expected) throws InterruptedException {
        for (String entry : expected) {
            Check.equal(entry, entries.poll(Check.PATIENCE_SECONDS, TimeUnit.SECONDS));
        }
    }

    /** Expects that there are no more entries by now. */
    public void expectNothing() {
        Check.equal(null, entries.peek());
    }

    void arrive(Broker newBroker) {
        broker = newBroker;
    }

    void enter(String call, String entry) throws InterruptedException {
        entries.add(entry);
        if (holding.contains(call)) {
            permits.acquire();
        }
        if (stubborn.contains(call)) {
            permits.acquireUninterruptibly();
        }
        if (failing.contains(call)) {
            // An error rather than an exception: it must not get through either.
            throw new AssertionError("told to fail in " + call);
        }
    }

    @Override
    public void close() {
        ALL.remove(name);
    }
}
