package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.until;

import java.util.Map;

import io.sandgate.remote.testing.RawPeer;
import io.sandgate.remote.testing.Test;
import io.sandgate.remote.testing.V1Gateway;

/** Gateways come and go; the module stays where it can be found. */
final class GatewayChangeTest {
    @Test
    void theNextGatewayGetsANewModule() throws Exception {
        Stage.overBoth(stage -> {
            V1Gateway gateway = stage.gateway();
            for (int i = 0; i < 5; i++) {
                gateway.attach(stage.journal.name());
                gateway.publish("message " + i);
                equal("message " + i, gateway.receive());
                stage.journal.expect("create", "start", "message " + i);
                gateway = stage.nextGateway(gateway);
                // The old one stays until a gateway asks for another.
                stage.journal.expectNothing();
                gateway.sendCreate(stage.journal.name());
                stage.journal.expect("destroy", "create");
                equal(0, gateway.reply());
                gateway.connectMessage();
                gateway.destroy();
                stage.journal.expect("destroy");
                stage.awaitEnd();
                gateway.close();
                stage.proxy.attach();
                gateway = stage.gateway();
            }
            gateway.close();
        });
    }

    @Test
    void aGatewayThatIsKilledBeforeStartLeavesNothingBehind() throws Exception {
        Stage.overBoth(stage -> {
            V1Gateway first = stage.gateway();
            equal(0, first.create(stage.journal.name()));
            try (V1Gateway second = stage.nextGateway(first)) {
                // It asks for the same thing, so the module that waits is the one.
                second.attach(stage.journal.name());
                second.publish("hello");
                equal("hello", second.receive());
                stage.journal.expect("create", "start", "hello");
            }
        });
    }

    @Test
    void theReplyToADeadGatewayDoesNotReachTheNext() throws Exception {
        Stage.overBoth(stage -> {
            V1Gateway first = stage.gateway();
            stage.journal.hold("create");
            stage.journal.fail("create");
            for (int i = 0; i < 3; i++) {
                first.sendCreate(stage.journal.name());
            }
            stage.journal.expect("create");
            try (V1Gateway second = stage.nextGateway(first)) {
                second.sendCreate(stage.journal.name());
                stage.journal.mend("create");
                stage.journal.release();
                stage.journal.release();
                equal(0, second.reply());
                second.connectMessage();
                second.start();
                second.publish("hello");
                equal("hello", second.receive());
                // The first one's module is whose Create is the same; its other Creates are nobody's.
                stage.journal.expect("start", "hello");
            }
        });
    }

    @Test
    void aSecondGatewayIsRefusedWhileOneIsThere() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                try (RawPeer second = RawPeer.greeted(stage.controlId);
                        RawPeer third = RawPeer.greeted(stage.messageId)) {
                    second.awaitEnd();
                    third.awaitEnd();
                }
                until("that both are counted", () -> stage.count(Counter.REFUSED_PEERS) == 2);
                gateway.publish("hello");
                equal("hello", gateway.receive());
            }
        });
    }

    @Test
    void aMessageChannelThatBreaksComesAgain() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                gateway.message().close();
                until("that it is noticed", () -> stage.count(Counter.LOST_CONNECTIONS) == 1);
                // Waits for the next connection.
                stage.journal.broker().publishMessage(new Message(Map.of(), "between".getBytes()));
                gateway.connectMessage();
                equal("between", gateway.receive());
                gateway.publish("hello");
                equal("hello", gateway.receive());
            }
        });
    }
}
