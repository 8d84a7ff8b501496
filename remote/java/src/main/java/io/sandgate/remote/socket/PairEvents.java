package io.sandgate.remote.socket;

/**
 * Who is told what happens on a channel. Called on the thread of the sockets, and by who closes the channel; must
 * not wait.
 */
public interface PairEvents {
    /** Something has come, or a peer has come or gone. */
    void news();

    /**
     * Something has gone wrong.
     *
     * @param incident what
     * @param count how many times
     * @param detail a sentence for the log
     */
    void incident(Incident incident, long count, String detail);
}
