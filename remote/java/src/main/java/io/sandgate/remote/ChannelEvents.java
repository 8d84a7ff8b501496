package io.sandgate.remote;

import java.lang.System.Logger.Level;

import io.sandgate.remote.socket.Incident;
import io.sandgate.remote.socket.PairEvents;

/** What happens on a channel, for the listening thread, the counters and the log. */
final class ChannelEvents implements PairEvents {
    private static final System.Logger LOG = System.getLogger("io.sandgate.remote");

    /** The message channel, and not the control channel. */
    private final boolean data;
    private final Bell bell;
    private final Tally tally;
    private final Burst peersFaults = new Burst();

    ChannelEvents(boolean data, Bell bell, Tally tally) {
        this.data = data;
        this.bell = bell;
        this.tally = tally;
    }

    @Override
    public void news() {
        bell.ring();
    }

    @Override
    public void incident(Incident incident, long count, String detail) {
        switch (incident) {
            case REFUSED -> fault(Counter.REFUSED_PEERS, detail);
            case OVERSIZED -> fault(Counter.OVERSIZED, detail);
            case MALFORMED -> fault(Counter.MALFORMED, detail);
            case LOST_CONNECTION -> {
                tally.add(Counter.LOST_CONNECTIONS, count);
                // With the control channel the gateway has gone; the message channel follows or comes again by itself.
                LOG.log(data ? Level.DEBUG : Level.INFO, data ? "message channel lost" : "gateway gone");
            }
            case UNREAD -> lost(Counter.UNREAD, count);
            case DROPPED -> lost(Counter.DROPPED, count);
        }
    }

    /** As often as a peer likes, so it is told once a second. These come from the thread of the sockets alone. */
    private void fault(Counter counter, String detail) {
        tally.add(counter);
        long count = peersFaults.note();
        if (count > 0) {
            String channel = data ? "message channel" : "control channel";
            LOG.log(Level.WARNING, "{0}: {1} count={2}", channel, detail, Long.toString(count));
        }
    }

    private void lost(Counter counter, long count) {
        // On the control channel these are no messages of the module.
        if (data) {
            tally.add(counter, count);
        }
    }
}
