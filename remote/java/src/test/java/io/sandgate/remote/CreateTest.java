package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.until;

import java.nio.file.Files;
import java.nio.file.Path;

import io.sandgate.remote.testing.Golden;
import io.sandgate.remote.testing.Test;
import io.sandgate.remote.testing.V1Gateway;
import io.sandgate.remote.wire.Control.Create;

/** How Creates, good and bad, are answered. */
final class CreateTest {
    /** Expects that nothing but what has been answered before stands between here and the next answer. */
    private static void fence(V1Gateway gateway) throws Exception {
        gateway.control().send(Golden.bytes(V1Gateway.UNKNOWN_VERSION));
        equal(1, gateway.reply());
    }

    @Test
    void identicalCreatesBeforeStartAreAnsweredByOneModule() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                stage.journal.hold("create");
                for (int i = 0; i < 5; i++) {
                    gateway.sendCreate(stage.journal.name());
                }
                stage.journal.expect("create");
                stage.journal.release();
                for (int i = 0; i < 5; i++) {
                    equal(0, gateway.reply());
                }
                gateway.connectMessage();
                gateway.start();
                gateway.publish("hello");
                stage.journal.expect("start", "hello");
            }
        });
    }

    @Test
    void aCreateBehindStartBeginsAnew() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                gateway.attach(stage.journal.name());
                gateway.publish("hello");
                stage.journal.expect("create", "start", "destroy", "create", "start", "hello");
            }
        });
    }

    @Test
    void anotherCreateBeginsAnew() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway first = stage.gateway()) {
                equal(0, first.create(stage.journal.name()));
                String other = stage.messageId + "2";
                first.control().send(new Create("ipc://" + other, stage.journal.name()).encode());
                equal(0, first.reply());
                stage.journal.expect("create", "destroy", "create");
                equal(false, Files.exists(Path.of(stage.messageId)));
                equal(true, Files.exists(Path.of(other)));
            }
        });
    }

    @Test
    void aModuleThatCannotBeCreatedIsAnsweredWithTwo() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                stage.journal.fail("create");
                equal(2, gateway.create(stage.journal.name()));
                equal(2, gateway.create(stage.journal.name()));
                stage.journal.mend("create");
                gateway.attach(stage.journal.name());
                // It was not created, so it is not destroyed.
                stage.journal.expect("create", "create", "create", "start");
                equal(2L, stage.count(Counter.FAILED));
            }
        });
    }

    @Test
    void aMessageChannelThatCannotBeBoundIsAnsweredWithOne() throws Exception {
        Stage.overIpc(stage -> {
            Path file = Files.writeString(Path.of(stage.controlId).resolveSibling("file"), "precious");
            try (V1Gateway gateway = stage.gateway()) {
                for (String uri : new String[] {"ipc://" + file, "ipc:///nowhere/at/all", "http://x", "",
                        "ipc://" + stage.controlId, "tcp://127.0.0.1:x", "ipc://" + "x".repeat(200)}) {
                    gateway.control().send(new Create(uri, stage.journal.name()).encode());
                    equal(1, gateway.reply());
                }
                equal("precious", Files.readString(file));
                stage.journal.expectNothing();
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
            }
        });
    }

    @Test
    void whatIsOfAnotherVersionIsAnsweredWithOne() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                for (String frame : new String[] {"a16c000300000008", "a16cff0300000008",
                        "a16c01010000000a0210", "a16c01010000000a0111"}) {
                    gateway.control().send(Golden.bytes(frame));
                    equal(1, gateway.reply());
                }
                equal(4L, stage.count(Counter.MALFORMED));
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
            }
        });
    }

    @Test
    void anythingElseIsCountedAndIgnored() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                String[] frames = {"", "a1", "a16c010900000008", "a16c010000000008", Golden.REPLY_SUCCESS,
                        Golden.HELLO_WORLD, "a16c01010000000a0110", "a16c010300000007", "a16c01030000000900"};
                for (String frame : frames) {
                    gateway.control().send(Golden.bytes(frame));
                }
                fence(gateway);
                equal(frames.length + 1L, stage.count(Counter.MALFORMED));
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
            }
        });
    }

    @Test
    void aBadCreateDoesNotTouchTheModuleThatIsThere() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                gateway.control().send(Golden.bytes("a16c01010000000a0210"));
                equal(1, gateway.reply());
                gateway.publish("hello");
                stage.journal.expect("create", "start", "hello");
            }
        });
    }

    @Test
    void anOversizedControlMessageCostsItsConnectionAlone() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                gateway.control().claim((1 << 20) + 1);
                gateway.control().awaitEnd();
                until("that it is counted", () -> stage.count(Counter.OVERSIZED) == 1);
                // The message channel is still there.
                gateway.publish("hello");
                equal("hello", gateway.receive());
                gateway.message().close();
                until("the gateway's end", () -> stage.count(Counter.LOST_CONNECTIONS) == 2);
                try (V1Gateway next = stage.gateway()) {
                    next.attach(stage.journal.name());
                    stage.journal.expect("hello", "destroy", "create", "start");
                }
            }
        });
    }
}
