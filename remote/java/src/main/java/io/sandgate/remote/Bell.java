package io.sandgate.remote;

/**
 * Wakes the listening thread. It looks at everything that may have happened after each ring, so rings need not be
 * counted and none is lost between a look and the wait.
 */
final class Bell {
    private boolean rung;

    synchronized void ring() {
        rung = true;
        notifyAll();
    }

    /** Waits for a ring since the last wait. Interrupts are passed over: the thread is stopped by a ring. */
    synchronized void await() {
        while (!rung) {
            try {
                wait();
            } catch (InterruptedException e) {
                // Left over from a module that was interrupted and has returned since.
            }
        }
        rung = false;
    }
}
