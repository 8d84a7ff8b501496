package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.throwing;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

import io.sandgate.remote.PublishException.Reason;
import io.sandgate.remote.testing.Test;
import io.sandgate.remote.testing.V1Gateway;

/** Publishing, from any thread and at any time. */
final class PublishTest {
    private static final int THREADS = 8;
    private static final int MESSAGES = 500;

    private static Message message(String text) {
        return new Message(Map.of("k", "v"), text.getBytes());
    }

    private static void refused(Reason reason, Broker broker) {
        equal(reason, throwing(PublishException.class, () -> broker.publishMessage(message("x"))).reason());
    }

    @Test
    void manyThreadsPublishAndEachKeepsItsOrder() throws Exception {
        Patience patience = Patience.USUAL;
        Stage.overIpc(patience, stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                Broker broker = stage.journal.broker();
                List<CompletableFuture<Void>> publishers = new ArrayList<>();
                for (int thread = 0; thread < THREADS; thread++) {
                    String name = Integer.toString(thread);
                    publishers.add(CompletableFuture.runAsync(() -> publishAll(broker, name)));
                }
                int[] next = new int[THREADS];
                for (int i = 0; i < THREADS * MESSAGES; i++) {
                    String[] words = gateway.receive().split(" ");
                    int thread = Integer.parseInt(words[0]);
                    equal(next[thread], Integer.parseInt(words[1]));
                    next[thread]++;
                }
                for (CompletableFuture<Void> publisher : publishers) {
                    publisher.get();
                }
                equal((long) THREADS * MESSAGES, stage.count(Counter.PUBLISHED));
            }
        });
    }

    private static void publishAll(Broker broker, String name) {
        try {
            for (int i = 0; i < MESSAGES; i++) {
                // In V1's form as well.
                broker.publishMessage(message(name + " " + i), 0);
            }
        } catch (PublishException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void beforeStartAndBehindDestroyNothingIsPublished() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.create(stage.journal.name());
                Broker first = stage.journal.broker();
                refused(Reason.NOT_STARTED, first);
                gateway.start();
                stage.journal.expect("create", "start");
                first.publishMessage(message("hello"));
                equal("hello", gateway.receive());
                gateway.attach(stage.journal.name());
                refused(Reason.DESTROYED, first);
                stage.journal.expect("destroy", "create", "start");
                stage.journal.broker().publishMessage(message("again"));
                equal("again", gateway.receive());
                stage.proxy.detach();
                refused(Reason.DESTROYED, stage.journal.broker());
            }
        });
    }

    @Test
    void aGatewayThatDoesNotReadIsCongestion() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                Broker broker = stage.journal.broker();
                Message large = new Message(Map.of(), new byte[1 << 20]);
                PublishException refusal = throwing(PublishException.class, () -> {
                    // More than the queue's bytes and any socket's buffer.
                    for (int i = 0; i < 200; i++) {
                        broker.publishMessage(large);
                    }
                });
                equal(Reason.CONGESTED, refusal.reason());
                long published = stage.count(Counter.PUBLISHED);
                isTrue(published >= 64 && published < 100, "a bound: " + published);
                // It reads again, and everything that was taken comes.
                for (long i = 0; i < published; i++) {
                    equal(1 << 20, gateway.message().receive().length - 14);
                }
                broker.publishMessage(message("hello"));
                equal("hello", gateway.receive());
            }
        });
    }

    @Test
    void whatNoGatewayTakesIsCounted() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                try (V1Gateway next = stage.nextGateway(gateway)) {
                    for (int i = 0; i < 10; i++) {
                        stage.journal.broker().publishMessage(message("nobody is there"));
                    }
                    next.attach(stage.journal.name());
                    stage.journal.expect("destroy", "create", "start");
                    equal(10L, stage.count(Counter.DROPPED));
                }
            }
        });
    }

    @Test
    void anInterruptEndsTheWait() throws Exception {
        Stage.overIpc(Patience.USUAL, stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                Thread.currentThread().interrupt();
                refused(Reason.INTERRUPTED, stage.journal.broker());
                isTrue(Thread.interrupted(), "that the thread still is interrupted");
            }
        });
    }
}
