package io.sandgate.remote.socket;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.until;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

import io.sandgate.remote.testing.Golden;
import io.sandgate.remote.testing.RawPeer;
import io.sandgate.remote.testing.Scratch;
import io.sandgate.remote.testing.Test;
import io.sandgate.remote.wire.Address;

/** A pair socket and its peers, over Unix domain sockets and TCP. */
final class PairTest {
    private static final int LIMIT = 100_000;
    private static final int CAPACITY = 8;
    private static final Duration LONG = Duration.ofMinutes(1);

    /** A channel, and what happened on it. */
    private static final class Scene implements PairEvents, AutoCloseable {
        private final Map<Incident, AtomicLong> incidents = new EnumMap<>(Incident.class);
        private final AtomicLong news = new AtomicLong();
        private final Reactor reactor = new Reactor();
        private final Pair pair;

        Scene(String id, boolean forgetful) throws IOException {
            for (Incident incident : Incident.values()) {
                incidents.put(incident, new AtomicLong());
            }
            pair = Pair.bind(reactor, Address.parse(id), new PairOptions(LIMIT, CAPACITY, forgetful), this);
        }

        @Override
        public void news() {
            news.incrementAndGet();
        }

        @Override
        public void incident(Incident incident, long count, String detail) {
            incidents.get(incident).addAndGet(count);
        }

        long count(Incident incident) {
            return incidents.get(incident).get();
        }

        void awaitCount(Incident incident, long count) throws InterruptedException {
            until(count + " times " + incident, () -> count(incident) == count);
        }

        void awaitPeer(long number) throws InterruptedException {
            until("peer " + number, () -> pair.peer() == number);
        }

        Frame next() throws InterruptedException {
            Frame[] frame = new Frame[1];
            until("a frame", () -> {
                frame[0] = pair.poll();
                return frame[0] != null;
            });
            return frame[0];
        }

        @Override
        public void close() {
            pair.close();
            reactor.close();
        }
    }

    private interface Play {
        void play(Scene scene, String id) throws Exception;
    }

    private static void overBoth(boolean forgetful, Play play) throws Exception {
        try (Scratch scratch = new Scratch()) {
            for (String id : List.of(scratch.ipc("pair"), Scratch.tcp(1).get(0))) {
                try (Scene scene = new Scene(id, forgetful)) {
                    play.play(scene, id);
                }
            }
        }
    }

    @Test
    void framesGoBothWays() throws Exception {
        overBoth(false, (scene, id) -> {
            try (RawPeer peer = RawPeer.greeted(id)) {
                peer.send(Golden.bytes("0102"));
                peer.send(new byte[0]);
                peer.send(new byte[LIMIT]);
                Frame first = scene.next();
                equal(1L, first.connection());
                equal(2, first.bytes().length);
                equal(0, scene.next().bytes().length);
                equal(LIMIT, scene.next().bytes().length);
                for (int length : new int[] {0, 1, LIMIT}) {
                    equal(Offer.TAKEN, scene.pair.send(new byte[length], LONG));
                }
                for (int length : new int[] {0, 1, LIMIT}) {
                    equal(length, peer.receive().length);
                }
                scene.pair.flush(LONG);
            }
        });
    }

    @Test
    void aSecondPeerIsGreetedAndRefused() throws Exception {
        overBoth(false, (scene, id) -> {
            try (RawPeer first = RawPeer.greeted(id); RawPeer second = RawPeer.greeted(id)) {
                second.awaitEnd();
                scene.awaitCount(Incident.REFUSED, 1);
                first.send(new byte[1]);
                equal(1L, scene.next().connection());
                equal(0L, scene.count(Incident.LOST_CONNECTION));
            }
        });
    }

    @Test
    void thereIsAlwaysANextPeer() throws Exception {
        overBoth(false, (scene, id) -> {
            for (long number = 1; number <= 5; number++) {
                try (RawPeer peer = RawPeer.greeted(id)) {
                    scene.awaitPeer(number);
                    peer.send(new byte[1]);
                    equal(number, scene.next().connection());
                }
                scene.awaitCount(Incident.LOST_CONNECTION, number);
                equal(0L, scene.pair.peer());
            }
        });
    }

    @Test
    void oneWhoSaysNothingKeepsNobodyOut() throws Exception {
        overBoth(false, (scene, id) -> {
            List<RawPeer> silent = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                silent.add(RawPeer.connect(id));
            }
            try (RawPeer peer = RawPeer.greeted(id)) {
                peer.send(new byte[1]);
                equal(1L, scene.next().connection());
            }
            for (RawPeer each : silent) {
                each.close();
            }
            scene.awaitCount(Incident.REFUSED, 3);
        });
    }

    @Test
    void oneWhoIsNoPairSocketIsRefused() throws Exception {
        overBoth(false, (scene, id) -> {
            for (String greeting : List.of("0053500000110000", "474554202f204854")) {
                try (RawPeer peer = RawPeer.connect(id)) {
                    peer.write(Golden.bytes(greeting));
                    peer.read(8);
                    peer.awaitEnd();
                }
            }
            scene.awaitCount(Incident.REFUSED, 2);
        });
    }

    @Test
    void strangersBeyondANumberAreRefused() throws Exception {
        overBoth(false, (scene, id) -> {
            List<RawPeer> strangers = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                strangers.add(RawPeer.connect(id));
            }
            scene.awaitCount(Incident.REFUSED, 4);
            for (RawPeer stranger : strangers) {
                stranger.close();
            }
            scene.awaitCount(Incident.REFUSED, 20);
        });
    }

    @Test
    void aFrameOverTheLimitEndsItsConnectionAlone() throws Exception {
        overBoth(false, (scene, id) -> {
            long number = 0;
            for (long length : new long[] {LIMIT + 1, 1L << 40, Long.MAX_VALUE, -1}) {
                number++;
                try (RawPeer peer = RawPeer.greeted(id)) {
                    scene.awaitPeer(number);
                    peer.send(new byte[1]);
                    peer.claim(length);
                    peer.awaitEnd();
                }
                scene.awaitCount(Incident.OVERSIZED, number);
                equal(number, scene.next().connection());
            }
        });
    }

    @Test
    void aStreamWithoutItsMarkEndsItsConnectionAlone() throws Exception {
        try (Scratch scratch = new Scratch(); Scene scene = new Scene(scratch.ipc("pair"), false)) {
            try (RawPeer peer = RawPeer.greeted(scratch.ipc("pair"))) {
                peer.write(Golden.bytes("ff0000000000000000"));
                peer.awaitEnd();
                scene.awaitCount(Incident.MALFORMED, 1);
            }
            try (RawPeer peer = RawPeer.greeted(scratch.ipc("pair"))) {
                peer.send(new byte[1]);
                equal(2L, scene.next().connection());
            }
        }
    }

    @Test
    void whatThePeerSendsWaitsForItsReaderAndNothingIsLost() throws Exception {
        overBoth(false, (scene, id) -> {
            int count = 500;
            try (RawPeer peer = RawPeer.greeted(id)) {
                Thread sender = new Thread(() -> {
                    try {
                        for (int i = 0; i < count; i++) {
                            peer.send(new byte[i * 37 % LIMIT]);
                        }
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                });
                sender.start();
                for (int i = 0; i < count; i++) {
                    equal(i * 37 % LIMIT, scene.next().bytes().length);
                }
                sender.join();
            }
        });
    }

    @Test
    void aSweepBringsWhatHasBeenSent() throws Exception {
        // What was written to a Unix domain socket is there at once; over TCP it may be on its way.
        try (Scratch scratch = new Scratch(); Scene scene = new Scene(scratch.ipc("pair"), false)) {
            try (RawPeer peer = RawPeer.greeted(scratch.ipc("pair"))) {
                scene.awaitPeer(1);
                for (int i = 0; i < 100; i++) {
                    peer.send(new byte[7]);
                    scene.pair.sweep();
                    equal(7, scene.pair.poll().bytes().length);
                }
            }
        }
    }

    @Test
    void aQueueThatNobodyEmptiesIsFull() throws Exception {
        overBoth(false, (scene, id) -> {
            for (int i = 0; i < CAPACITY; i++) {
                equal(Offer.TAKEN, scene.pair.send(new byte[] {(byte) i}, Duration.ZERO));
            }
            equal(Offer.FULL, scene.pair.send(new byte[1], Duration.ofMillis(1)));
            // Nobody is there to wait for.
            scene.pair.flush(LONG);
            try (RawPeer peer = RawPeer.greeted(id)) {
                for (int i = 0; i < CAPACITY; i++) {
                    equal((byte) i, peer.receive()[0]);
                }
            }
        });
    }

    @Test
    void whatIsMeantForOnePeerReachesNoOther() throws Exception {
        overBoth(true, (scene, id) -> {
            isTrue(!scene.pair.sendTo(0, new byte[1]) && !scene.pair.sendTo(1, new byte[1]), "that nobody is there");
            try (RawPeer peer = RawPeer.greeted(id)) {
                scene.awaitPeer(1);
                isTrue(scene.pair.sendTo(1, new byte[] {1}), "that it is there");
                // Not received as a frame, or the peer would go on reading.
                byte[] read = peer.read(id.startsWith("tcp") ? 9 : 10);
                equal((byte) 1, read[read.length - 1]);
                // More than the connection holds: some of it stays in the queue.
                for (int i = 0; i < 40; i++) {
                    scene.pair.sendTo(1, new byte[LIMIT]);
                }
            }
            scene.awaitCount(Incident.LOST_CONNECTION, 1);
            try (RawPeer peer = RawPeer.greeted(id)) {
                scene.awaitPeer(2);
                isTrue(!scene.pair.sendTo(1, new byte[] {1}), "that the first one has gone");
                isTrue(scene.pair.sendTo(2, new byte[] {2}), "that the second one is there");
                equal((byte) 2, peer.receive()[0]);
            }
            // Over TCP the system may have had room for all of it.
            isTrue(scene.count(Incident.DROPPED) > 0 || id.startsWith("tcp"), "that what was dropped is counted");
        });
    }

    @Test
    void aClosedChannelCountsWhatItDropsAndFreesItsAddress() throws Exception {
        overBoth(false, (scene, id) -> {
            try (RawPeer peer = RawPeer.greeted(id)) {
                scene.awaitPeer(1);
                long before = scene.news.get();
                peer.send(new byte[1]);
                until("that the frame has arrived", () -> scene.news.get() > before);
                scene.pair.close();
                peer.awaitEnd();
                equal(1L, scene.count(Incident.UNREAD));
                equal(0L, scene.count(Incident.LOST_CONNECTION));
                equal(Offer.CLOSED, scene.pair.send(new byte[1], LONG));
            }
            new Scene(id, false).close();
        });
    }
}
