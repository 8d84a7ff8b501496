package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.throwing;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

import io.sandgate.remote.testing.Test;
import io.sandgate.remote.testing.V1Gateway;

/** A module that leaves by itself says so. */
final class DetachTest {
    private static final Patience HASTE = new Patience(Duration.ofMillis(50), Duration.ofMillis(50));

    /** Leaves with its first message. */
    static final class Leaving extends GatewayModule {
        static volatile ProxyGateway proxy;
        static volatile boolean destroyed;

        @Override
        public void receive(Message message) throws Exception {
            proxy.detach();
            publish(message);
        }

        @Override
        public void destroy() throws Exception {
            destroyed = true;
            publish(new Message(Map.of(), "goodbye".getBytes()));
        }
    }

    @Test
    void theGatewayIsToldAndTheModuleDestroyed() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                stage.proxy.detach();
                isTrue(!stage.proxy.isAttached(), "that detach waits for the end");
                stage.journal.expect("destroy");
                equal(255, gateway.reply());
                gateway.control().awaitEnd();
                gateway.message().awaitEnd();
            }
            // Without effect.
            stage.proxy.detach();
        });
    }

    @Test
    void theSocketsAreFreed() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.proxy.detach();
                isTrue(Files.notExists(Path.of(stage.controlId)), "that the control channel is gone");
                isTrue(Files.notExists(Path.of(stage.messageId)), "that the message channel is gone");
            }
        });
    }

    @Test
    void whereNothingWasCreatedNothingIsTold() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                stage.proxy.detach();
                gateway.control().awaitEnd();
            }
            stage.journal.expectNothing();
        });
    }

    @Test
    void withoutAGatewayItEndsAsWell() throws Exception {
        Stage.overIpc(stage -> {
            V1Gateway gateway = stage.gateway();
            gateway.attach(stage.journal.name());
            stage.journal.expect("create", "start");
            stage.nextGateway(gateway).close();
            stage.proxy.detach();
            stage.journal.expect("destroy");
        });
    }

    @Test
    void theModuleItselfMayDetach() throws Exception {
        Stage.overIpc(stage -> {
            stage.proxy.detach();
            Leaving.destroyed = false;
            Leaving.proxy = new ProxyGateway(new ModuleConfiguration(stage.controlId, Leaving.class));
            Leaving.proxy.attach();
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach("null");
                gateway.publish("hello");
                // What it publishes until its end still finds the gateway.
                equal("hello", gateway.receive());
                equal("goodbye", gateway.receive());
                equal(255, gateway.reply());
                Leaving.proxy.awaitEnd();
                isTrue(Leaving.destroyed && !Leaving.proxy.isAttached(), "the end");
            }
        });
    }

    @Test
    void aModuleThatWaitsIsInterrupted() throws Exception {
        Stage.overIpc(HASTE, stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.hold("receive");
                gateway.publish("hello");
                stage.journal.expect("create", "start", "hello");
                stage.proxy.detach();
                isTrue(!stage.proxy.isAttached(), "the end");
                stage.journal.expect("destroy");
            }
        });
    }

    @Test
    void aModuleThatNeverReturnsIsLeftBehind() throws Exception {
        Stage.overIpc(HASTE, stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.holdStubbornly("receive");
                gateway.publish("hello");
                stage.journal.expect("create", "start", "hello");
                stage.proxy.detach();
                isTrue(!stage.proxy.isAttached(), "the end");
                equal(255, gateway.reply());
                gateway.control().awaitEnd();
                PublishException refusal = throwing(PublishException.class,
                        () -> stage.journal.broker().publishMessage(new Message(Map.of(), new byte[0])));
                equal(PublishException.Reason.DESTROYED, refusal.reason());
                stage.journal.release();
                stage.journal.expect("destroy");
            }
        });
    }
}
