package io.sandgate.remote.socket;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;

/**
 * One thread that serves any number of sockets, none of which may block it. Everything about a socket happens on this
 * thread; others ask for it with {@link #execute}.
 */
public final class Reactor implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger("io.sandgate.remote");
    private static final long NANOS_PER_MILLI = 1_000_000;

    /** What a socket does when it is ready. */
    interface Handler {
        /** Reads, writes or accepts as far as it goes without waiting. */
        void ready() throws IOException;

        /** Ends what {@link #ready} could not go on with. */
        void failed(Throwable reason);
    }

    private record Timer(long due, Runnable task) implements Comparable<Timer> {
        @Override
        public int compareTo(Timer other) {
            // Differences, for the clock may overflow.
            return Long.signum(due - other.due);
        }
    }

    private final Selector selector;
    private final Thread thread;
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final PriorityQueue<Timer> timers = new PriorityQueue<>();
    private volatile boolean closing;
    private volatile boolean finished;

    /**
     * Starts the thread. It does not keep the program alive: who uses the sockets does.
     *
     * @throws IOException if the system has no room for it
     */
    public Reactor() throws IOException {
        selector = Selector.open();
        thread = new Thread(this::run, "sandgate-sockets");
        thread.setDaemon(true);
        thread.start();
    }

    /** Has a task done by the thread, soon. After {@link #close} the caller does it. */
    void execute(Runnable task) {
        tasks.add(task);
        selector.wakeup();
        // Behind the last look of the thread nobody else would.
        if (finished) {
            runTasks();
        }
    }

    /** Has a task done and waits for it, which takes no longer than the sockets' work does. */
    void await(Runnable task) {
        if (Thread.currentThread() == thread) {
            task.run();
            return;
        }
        CountDownLatch done = new CountDownLatch(1);
        execute(() -> {
            try {
                task.run();
            } finally {
                done.countDown();
            }
        });
        boolean interrupted = false;
        while (true) {
            try {
                done.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Does a task later. On this thread only. */
    void after(Duration delay, Runnable task) {
        timers.add(new Timer(System.nanoTime() + delay.toNanos(), task));
    }

    /** Serves a socket, which must not block. On this thread only. */
    SelectionKey register(SelectableChannel channel, int operations, Handler handler) throws ClosedChannelException {
        return channel.register(selector, operations, handler);
    }

    /**
     * Frees what sockets that were closed still hold: the system closes a socket that was served only when the selector
     * looks again, and until then its address is in use. On this thread only, in a task.
     */
    void settle() {
        try {
            selector.selectNow(Reactor::serve);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "closed sockets cannot be freed", e);
        }
    }

    /** Ends the thread. The sockets have to be closed before. */
    @Override
    public void close() {
        closing = true;
        selector.wakeup();
    }

    private void run() {
        try {
            while (!closing) {
                selector.select(Reactor::serve, timeout());
                runTasks();
                runTimers();
            }
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.ERROR, "the sockets cannot be served any more", e);
        } finally {
            finished = true;
            runTasks();
            closeSelector();
        }
    }

    private static void serve(SelectionKey key) {
        Handler handler = (Handler) key.attachment();
        try {
            handler.ready();
        } catch (IOException | RuntimeException | OutOfMemoryError e) {
            // One connection's trouble, a frame for which there is no memory included, is no other's.
            handler.failed(e);
        }
    }

    /** Milliseconds until the next timer; 0 waits for ever. */
    private long timeout() {
        Timer next = timers.peek();
        if (next == null) {
            return 0;
        }
        // Rounded up, or the last millisecond would be spent looking.
        return Math.max(1, (next.due - System.nanoTime() + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI);
    }

    private void runTimers() {
        while (!timers.isEmpty() && timers.peek().due - System.nanoTime() <= 0) {
            run(timers.poll().task);
        }
    }

    private void runTasks() {
        Runnable task = tasks.poll();
        while (task != null) {
            run(task);
            task = tasks.poll();
        }
    }

    private static void run(Runnable task) {
        try {
            task.run();
        } catch (RuntimeException | OutOfMemoryError e) {
            LOG.log(Level.ERROR, "a task of the sockets failed", e);
        }
    }

    private void closeSelector() {
        try {
            selector.close();
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "the selector cannot be closed", e);
        }
    }
}
