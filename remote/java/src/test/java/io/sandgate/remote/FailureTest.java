package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.isTrue;

import io.sandgate.remote.testing.Test;
import io.sandgate.remote.testing.V1Gateway;

/** A module that throws something ends itself, is told of, and is created anew; the listening thread lives on. */
final class FailureTest {
    @Test
    void aFailingReceiveIsToldAndTheModuleCreatedAnew() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                for (int i = 0; i < 3; i++) {
                    stage.journal.fail("receive");
                    gateway.publish("bad");
                    equal(2, gateway.reply());
                    stage.journal.expect("create", "start", "bad", "destroy");
                    gateway.message().awaitEnd();
                    stage.journal.mend("receive");
                    gateway.attach(stage.journal.name());
                }
                gateway.publish("good");
                equal("good", gateway.receive());
                stage.journal.expect("create", "start", "good");
                equal(3L, stage.count(Counter.FAILED));
                isTrue(stage.proxy.isAttached(), "that the listening thread lives on");
            }
        });
    }

    @Test
    void aFailingStartIsTold() throws Exception {
        Stage.overBoth(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                stage.journal.fail("start");
                gateway.attach(stage.journal.name());
                equal(2, gateway.reply());
                stage.journal.mend("start");
                gateway.attach(stage.journal.name());
                gateway.publish("hello");
                stage.journal.expect("create", "start", "destroy", "create", "start", "hello");
            }
        });
    }

    @Test
    void aFailingDestroyChangesNothing() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                stage.journal.fail("destroy");
                gateway.attach(stage.journal.name());
                gateway.attach(stage.journal.name());
                gateway.publish("hello");
                equal("hello", gateway.receive());
                gateway.destroy();
                stage.awaitEnd();
                stage.journal.expect("create", "start", "destroy", "create", "start", "hello", "destroy");
            }
        });
    }

    @Test
    void whatWaitedForAFailedModuleIsCounted() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                stage.journal.hold("receive");
                gateway.publish("first");
                stage.journal.expect("first");
                for (int i = 0; i < 10; i++) {
                    gateway.publish("behind it");
                }
                stage.journal.fail("receive");
                stage.journal.release();
                equal(2, gateway.reply());
                stage.journal.expect("destroy");
                equal(1L, stage.count(Counter.RECEIVED));
                // Frames that were still on their way are not known here.
                isTrue(stage.count(Counter.UNREAD) <= 10, "no more than there were");
            }
        });
    }

    @Test
    void aFailureWhileDrainingIsNoReply() throws Exception {
        Stage.overIpc(stage -> {
            try (V1Gateway gateway = stage.gateway()) {
                gateway.attach(stage.journal.name());
                stage.journal.expect("create", "start");
                stage.journal.hold("receive");
                gateway.publish("first");
                stage.journal.expect("first");
                gateway.publish("second");
                gateway.destroy();
                // The first goes well, the second meets the Destroy.
                stage.journal.release();
                stage.journal.expect("second");
                stage.journal.fail("receive");
                stage.journal.release();
                stage.journal.expect("destroy");
                stage.awaitEnd();
                gateway.control().awaitEnd();
                equal(1L, stage.count(Counter.FAILED));
            }
        });
    }
}
