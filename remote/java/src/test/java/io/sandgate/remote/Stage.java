package io.sandgate.remote;

import java.io.IOException;
import java.time.Duration;
import java.util.List;

import io.sandgate.remote.testing.Check;
import io.sandgate.remote.testing.Journal;
import io.sandgate.remote.testing.Recorder;
import io.sandgate.remote.testing.Scratch;
import io.sandgate.remote.testing.V1Gateway;

/** An attached {@link Recorder} and its journal, for a gateway that the test plays. */
final class Stage implements AutoCloseable {
    /** Long enough for any machine, and a publish that is to fail does so soon. */
    private static final Patience PATIENCE = new Patience(Duration.ofMillis(50), Duration.ofSeconds(20));

    /** A test. */
    interface Play {
        void play(Stage stage) throws Exception;
    }

    final Journal journal = new Journal();
    final ProxyGateway proxy;
    final String controlId;
    final String messageId;

    private Stage(String controlId, String messageId, Patience patience) throws IOException {
        this.controlId = controlId;
        this.messageId = messageId;
        this.proxy = new ProxyGateway(new ModuleConfiguration(controlId, Recorder.class), patience);
        proxy.attach();
    }

    /** Plays over Unix domain sockets. */
    static void overIpc(Play play) throws Exception {
        overIpc(PATIENCE, play);
    }

    /** Plays over Unix domain sockets, with another patience. */
    static void overIpc(Patience patience, Play play) throws Exception {
        try (Scratch scratch = new Scratch();
                Stage stage = new Stage(scratch.ipc("control"), scratch.ipc("message"), patience)) {
            play.play(stage);
        }
    }

    /** Plays twice, over Unix domain sockets and over TCP. */
    static void overBoth(Play play) throws Exception {
        overIpc(play);
        List<String> ids = Scratch.tcp(2);
        try (Stage stage = new Stage(ids.get(0), ids.get(1), PATIENCE)) {
            play.play(stage);
        }
    }

    /** A gateway that has connected to the control channel. */
    V1Gateway gateway() throws Exception {
        return new V1Gateway(controlId, messageId);
    }

    /** A gateway behind one that has gone: its place has to be seen free first. */
    V1Gateway nextGateway(V1Gateway before) throws Exception {
        long lost = count(Counter.LOST_CONNECTIONS);
        boolean hasMessage = before.message() != null;
        before.close();
        Check.until("the gateway's end", () -> count(Counter.LOST_CONNECTIONS) >= lost + (hasMessage ? 2 : 1));
        return gateway();
    }

    long count(Counter counter) {
        return proxy.count(counter);
    }

    /** Waits for the end of the listening thread. */
    void awaitEnd() throws InterruptedException {
        Check.isTrue(proxy.awaitEnd(Duration.ofSeconds(Check.PATIENCE_SECONDS)), "the listening thread's end");
    }

    @Override
    public void close() {
        proxy.detach();
        journal.close();
    }
}
