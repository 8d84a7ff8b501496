package io.sandgate.remote.testing;

import java.util.HexFormat;
import java.util.Objects;
import java.util.function.BooleanSupplier;

/** What a test expects. */
public final class Check {
    /** How long anything may take before a test fails: the end of patience on a busy machine, never a measurement. */
    public static final long PATIENCE_SECONDS = 30;
    private static final long LOOK_MILLIS = 2;

    /** Something that may throw. */
    public interface Action {
        /**
         * Does it.
         *
         * @throws Exception whatever it is
         */
        void run() throws Exception;
    }

    private Check() {}

    /**
     * Expects a condition.
     *
     * @param condition the condition
     * @param what what it means
     */
    public static void isTrue(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError("expected " + what);
        }
    }

    /**
     * Expects equal values.
     *
     * @param expected the value that is right
     * @param actual the value that is there
     */
    public static void equal(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError("expected <" + expected + ">, got <" + actual + ">");
        }
    }

    /**
     * Expects equal bytes.
     *
     * @param expected in hexadecimal digits
     * @param actual the bytes
     */
    public static void equalBytes(String expected, byte[] actual) {
        equal(expected, HexFormat.of().formatHex(actual));
    }

    /**
     * Expects an exception.
     *
     * @param type its class
     * @param action what throws it
     * @param <E> its class
     * @return the exception
     */
    public static <E extends Throwable> E throwing(Class<E> type, Action action) {
        try {
            action.run();
        } catch (Throwable e) {
            if (type.isInstance(e)) {
                return type.cast(e);
            }
            throw new AssertionError("expected " + type.getSimpleName() + ", got " + e, e);
        }
        throw new AssertionError("expected " + type.getSimpleName() + ", got nothing");
    }

    /**
     * Waits for a condition.
     *
     * @param what what it means
     * @param condition the condition
     * @throws InterruptedException if the thread is interrupted
     */
    public static void until(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE_SECONDS * 1_000_000_000;
        while (!condition.getAsBoolean()) {
            isTrue(System.nanoTime() - end < 0, what + " (waited too long)");
            Thread.sleep(LOOK_MILLIS);
        }
    }
}
