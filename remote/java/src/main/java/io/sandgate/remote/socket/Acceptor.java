package io.sandgate.remote.socket;

import java.io.IOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Takes in those who connect to a {@link Pair}, until they have said what they are. One who says nothing keeps
 * nobody out: the place of the peer is taken with the greeting. Only on the thread of the sockets.
 */
final class Acceptor implements Reactor.Handler {
    /** How long a stranger may take for its greeting. */
    private static final Duration GREETING = Duration.ofSeconds(10);
    /** Strangers that may be about to say it. */
    private static final int STRANGERS_MAX = 16;
    /** How long to leave the listening socket alone when the system has no room for a connection. */
    private static final Duration RECOVERY = Duration.ofMillis(100);

    private final Listener listener;
    private final Pair pair;
    private final Reactor reactor;
    private final Set<Connection> strangers = new HashSet<>();
    private SelectionKey key;

    Acceptor(Listener listener, Pair pair, Reactor reactor) {
        this.listener = listener;
        this.pair = pair;
        this.reactor = reactor;
    }

    /** Begins to take them in. */
    void begin() {
        try {
            key = reactor.register(listener.channel(), SelectionKey.OP_ACCEPT, this);
        } catch (IOException e) {
            pair.tell(Incident.REFUSED, 1, "nobody can connect: " + e);
        }
    }

    @Override
    public void ready() throws IOException {
        boolean more = true;
        while (more) {
            try {
                SocketChannel channel = listener.accept();
                more = channel != null;
                if (more) {
                    welcome(channel);
                }
            } catch (Framing.StreamException e) {
                pair.tell(Incident.REFUSED, 1, "a peer was refused: " + e.getMessage());
            }
        }
    }

    private void welcome(SocketChannel channel) throws IOException {
        if (strangers.size() >= STRANGERS_MAX) {
            channel.close();
            pair.tell(Incident.REFUSED, 1, "a peer was refused: too many do not say what they are");
            return;
        }
        Connection stranger = new Connection(channel, pair, reactor);
        strangers.add(stranger);
        reactor.after(GREETING, stranger::giveUpGreeting);
        stranger.begin();
    }

    @Override
    public void failed(Throwable reason) {
        // Mostly out of descriptors. The socket would be ready again at once, and again.
        pair.tell(Incident.REFUSED, 1, "a connection cannot be accepted: " + reason.getMessage());
        key.interestOps(0);
        reactor.after(RECOVERY, () -> {
            if (key.isValid()) {
                key.interestOps(SelectionKey.OP_ACCEPT);
            }
        });
    }

    /** A stranger is none any more. */
    void forget(Connection connection) {
        strangers.remove(connection);
    }

    /** Takes in nobody any more, and frees the address. */
    void close() {
        listener.close();
        // Closing one removes it from the set.
        List.copyOf(strangers).forEach(Connection::close);
    }
}
