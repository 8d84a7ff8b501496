package io.sandgate.remote.socket;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.equalBytes;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.throwing;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

import io.sandgate.remote.testing.Golden;
import io.sandgate.remote.testing.Test;

/** Frames in a stream. */
final class FramingTest {
    private static final int LIMIT = 1 << 20;
    private static final Framing IPC = new Framing(true);
    private static final Framing TCP = new Framing(false);

    /** Takes up to so many bytes at a time, and every other time none. */
    private static final class Reluctant implements WritableByteChannel {
        private final ByteArrayOutputStream taken = new ByteArrayOutputStream();
        private final Random random;
        private boolean willing;

        Reluctant(Random random) {
            this.random = random;
        }

        @Override
        public int write(ByteBuffer bytes) {
            willing = !willing;
            int length = willing ? Math.min(bytes.remaining(), 1 + random.nextInt(100_000)) : 0;
            byte[] part = new byte[length];
            bytes.get(part);
            taken.writeBytes(part);
            return length;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    /** Gives up to so many bytes at a time. */
    private static ReadableByteChannel inPieces(byte[] bytes, Random random) {
        return Channels.newChannel(new ByteArrayInputStream(bytes) {
            @Override
            public synchronized int read(byte[] into, int offset, int length) {
                return super.read(into, offset, Math.min(length, 1 + random.nextInt(20_000)));
            }
        });
    }

    @Test
    void theGreetingIsTheRecordedOne() {
        ByteBuffer greeting = Framing.greeting();
        byte[] bytes = new byte[greeting.remaining()];
        greeting.get(bytes);
        equalBytes(Golden.GREETING, bytes);
        isTrue(Framing.isGreeting(ByteBuffer.wrap(bytes)), "a greeting");
        // A pair socket of version 1.
        isTrue(!Framing.isGreeting(ByteBuffer.wrap(Golden.bytes("0053500000110000"))), "none");
    }

    @Test
    void theRecordedFrameIsWritten() throws IOException {
        equalBytes(Golden.IPC_HEAD_OF_CREATE + Golden.CREATE, written(IPC, List.of(Golden.bytes(Golden.CREATE))));
        equalBytes(Golden.IPC_HEAD_OF_CREATE.substring(2) + Golden.CREATE,
                written(TCP, List.of(Golden.bytes(Golden.CREATE))));
    }

    @Test
    void framesSurviveAnyPieces() throws IOException {
        Random random = new Random(1);
        for (Framing framing : List.of(IPC, TCP)) {
            List<byte[]> frames = new ArrayList<>();
            for (int length : new int[] {0, 1, 65_527, 65_528, 65_536, 200_000, LIMIT, 0, 9}) {
                byte[] frame = new byte[length];
                random.nextBytes(frame);
                frames.add(frame);
            }
            for (int i = 0; i < 2000; i++) {
                frames.add(new byte[random.nextInt(200)]);
            }
            FrameReader reader = new FrameReader(framing, LIMIT);
            ReadableByteChannel channel = inPieces(written(framing, frames), random);
            int next = 0;
            while (reader.fill(channel) >= 0) {
                for (byte[] frame = reader.next(); frame != null; frame = reader.next()) {
                    isTrue(Arrays.equals(frames.get(next), frame), "frame " + next);
                    next++;
                }
            }
            equal(frames.size(), next);
        }
    }

    private static byte[] written(Framing framing, List<byte[]> frames) throws IOException {
        FrameQueue queue = new FrameQueue(frames.size(), Long.MAX_VALUE);
        frames.forEach(frame -> equal(Offer.TAKEN, queue.offer(new Frame(0, frame))));
        FrameWriter writer = new FrameWriter(framing);
        Reluctant stream = new Reluctant(new Random(2));
        while (!writer.write(stream, queue)) {
            isTrue(writer.unfinished() > 0, "that something is in hand");
        }
        equal(0, writer.unfinished());
        return stream.taken.toByteArray();
    }

    @Test
    void aFrameOverTheLimitIsRefusedByItsHead() throws IOException {
        for (long length : new long[] {LIMIT + 1, Integer.MAX_VALUE, 1L << 32, Long.MAX_VALUE, Long.MIN_VALUE, -1}) {
            FrameReader reader = new FrameReader(TCP, LIMIT);
            reader.fill(Channels.newChannel(
                    new ByteArrayInputStream(ByteBuffer.allocate(8).putLong(length).array())));
            throwing(Framing.OversizedException.class, reader::next);
        }
    }

    @Test
    void aFrameWithoutItsMarkIsRefused() throws IOException {
        FrameReader reader = new FrameReader(IPC, LIMIT);
        reader.fill(Channels.newChannel(new ByteArrayInputStream(Golden.bytes("020000000000000000"))));
        throwing(Framing.StreamException.class, reader::next);
    }
}
