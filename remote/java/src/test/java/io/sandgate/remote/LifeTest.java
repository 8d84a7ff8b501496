package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.throwing;
import static io.sandgate.remote.testing.Check.until;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

import io.sandgate.remote.testing.Golden;
import io.sandgate.remote.testing.Recorder;
import io.sandgate.remote.testing.Test;
import io.sandgate.remote.testing.V1Gateway;

/** A module's life as it should be: CREATE, START, data, DESTROY. */
final class LifeTest {
    @Test
    void createStartDataDestroy() throws Exception {
        Stage.overBoth(stage -> {
            isTrue(stage.proxy.isAttached(), "that attach has not waited for a gateway");
            try (V1Gateway gateway = stage.gateway()) {
                equal(0, gateway.create(stage.journal.name()));
                stage.journal.expect("create");
                gateway.start();
                stage.journal.expect("start");
                for (int i = 0; i < 100; i++) {
                    gateway.publish("message " + i);
                }
                for (int i = 0; i < 100; i++) {
                    stage.journal.expect("message " + i);
                    equal("message " + i, gateway.receive());
                }
                gateway.destroy();
                stage.journal.expect("destroy");
                stage.awaitEnd();
                stage.journal.expectNothing();
                gateway.control().awaitEnd();
            }
            isTrue(!stage.proxy.isAttached(), "that Destroy ends the listening thread");
            equal(100L, stage.count(Counter.RECEIVED));
            equal(100L, stage.count(Counter.PUBLISHED));
            equal(0L, stage.count(Counter.DROPPED));
            equal(0L, stage.count(Counter.FAILED));
        });
    }

    @Test
    void itCanBeAttachedAgainBehindItsEnd() throws Exception {
        Stage.overBoth(stage -> {
            for (int i = 0; i < 3; i++) {
                stage.proxy.attach();
                // Attached already, so this does nothing.
                stage.proxy.attach();
                try (V1Gateway gateway = stage.gateway()) {
                    gateway.attach(stage.journal.name());
                    gateway.publish("hello");
                    equal("hello", gateway.receive());
                    gateway.destroy();
                    stage.awaitEnd();
                }
                stage.journal.expect("create", "start", "hello", "destroy");
            }
        });
    }

    @Test
    void dataThatComesBeforeStartWaitsForIt() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.create(stage.journal.name());
                gateway.publish("early");
                // Answered behind all that has come on this channel.
                gateway.control().send(Golden.bytes(V1Gateway.UNKNOWN_VERSION));
                equal(1, gateway.reply());
                stage.journal.expect("create");
                stage.journal.expectNothing();
                gateway.start();
                stage.journal.expect("start", "early");
            }
        });
    }

    @Test
    void dataThatWasSentBeforeDestroyIsReceived() throws Exception {
        // Over TCP nothing says in which order two connections arrive.
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                stage.journal.hold("receive");
                for (int i = 0; i < 5; i++) {
                    gateway.publish("message " + i);
                }
                gateway.destroy();
                for (int i = 0; i < 5; i++) {
                    stage.journal.expect("message " + i);
                    stage.journal.release();
                }
                stage.journal.expect("destroy");
                for (int i = 0; i < 5; i++) {
                    equal("message " + i, gateway.receive());
                }
            }
        });
    }

    @Test
    void aSecondStartIsIgnored() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                // There is nothing to start yet.
                gateway.start();
                gateway.attach(stage.journal.name());
                gateway.start();
                gateway.publish("hello");
                stage.journal.expect("create", "start", "hello");
            }
        });
    }

    @Test
    void aDestroyWithoutAModuleEndsTheThreadToo() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.destroy();
                stage.awaitEnd();
                gateway.control().awaitEnd();
            }
            stage.journal.expectNothing();
        });
    }

    @Test
    void malformedDataIsCountedAndDropped() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                for (String frame : new String[] {"", "a160", "a1600000000f0000000000000000", Golden.START}) {
                    gateway.message().send(Golden.bytes(frame));
                }
                gateway.publish("hello");
                equal("hello", gateway.receive());
                equal(4L, stage.count(Counter.MALFORMED));
                equal(1L, stage.count(Counter.RECEIVED));
            }
        });
    }

    @Test
    void anOversizedMessageCostsItsConnectionAlone() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                gateway.message().claim((32 << 20) + 1);
                gateway.message().awaitEnd();
                until("that it is counted", () -> stage.count(Counter.OVERSIZED) == 1);
                gateway.connectMessage();
                gateway.publish("hello");
                equal("hello", gateway.receive());
                stage.journal.expect("hello");
            }
        });
    }

    @Test
    void theLargestMessageGoesBothWays() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                byte[] largest = new Message(Map.of(), new byte[(32 << 20) - 14]).toByteArray();
                gateway.message().send(largest);
                equal(largest.length, gateway.message().receive().length);
            }
        });
    }

    @Test
    void anIdentifierThatCannotBeBoundIsAnException() throws Exception {
        Stage.overIpc(stage -> {
            ProxyGateway second = new ProxyGateway(new ModuleConfiguration(stage.controlId, Recorder.class));
            throwing(IOException.class, second::attach);
            isTrue(!second.isAttached() && second.awaitEnd(Duration.ZERO), "that it is not attached");
            // Without effect.
            second.detach();
            isTrue(Files.exists(Path.of(stage.controlId)), "the first one's socket");
        });
    }
}
