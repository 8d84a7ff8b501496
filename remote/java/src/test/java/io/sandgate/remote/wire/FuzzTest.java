package io.sandgate.remote.wire;

import static io.sandgate.remote.testing.Check.isTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

import io.sandgate.remote.Message;
import io.sandgate.remote.testing.Golden;
import io.sandgate.remote.testing.Test;

/**
 * Arbitrary bytes are refused by a {@link DecodeException}, or understood: then they are exactly what is written
 * for the same message. The seeds are fixed.
 */
final class FuzzTest {
    private static final int ROUNDS = 200_000;
    /** Bytes that are more likely to lead somewhere. */
    private static final byte[] DICTIONARY = {0, 0, 0, 1, 2, 3, 4, 8, 14, 16, 'k', (byte) 0xA1, 0x60, 0x6C, -1, -128};

    @Test
    void changedControlMessages() {
        List<String> seeds = List.of(Golden.CREATE, Golden.REPLY_DETACH, Golden.START, Golden.DESTROY);
        Random random = new Random(4);
        int understood = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] frame = changed(random, seeds);
            try {
                Control control = Control.decode(frame);
                understood++;
                byte[] written = control.encode();
                if (control instanceof Control.Create) {
                    // Version 0 is read as well.
                    frame[8] = written[8];
                } else if (control instanceof Control.Reply) {
                    // What stands behind the status is not kept.
                    frame = Arrays.copyOf(frame, 9);
                    System.arraycopy(written, 4, frame, 4, 4);
                }
                same(frame, written);
            } catch (DecodeException e) {
                isTrue(e.getMessage() != null, "a sentence");
            }
        }
        isTrue(understood > 0, "that some are understood");
    }

    @Test
    void changedDataMessages() {
        List<String> seeds = List.of(Golden.HELLO_WORLD, Golden.DATA_2, "a1600000000e0000000000000000",
                "a16000000016" + "00000002" + "6b0061006c006200" + "00000000");
        Random random = new Random(5);
        int understood = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] frame = changed(random, seeds);
            try {
                Message message = Message.fromByteArray(frame);
                understood++;
                same(frame, new Message(message.getProperties(), message.getContent()).toByteArray());
            } catch (DecodeException e) {
                isTrue(e.getMessage() != null, "a sentence");
            }
        }
        isTrue(understood > 0, "that some are understood");
    }

    private static void same(byte[] read, byte[] written) {
        isTrue(Arrays.equals(read, written), "that what was read is what is written: "
                + HexFormat.of().formatHex(read) + " became " + HexFormat.of().formatHex(written));
    }

    /** One of the seeds with up to eight bytes changed, cut off or added, and in half of the cases the right total. */
    private static byte[] changed(Random random, List<String> seeds) {
        byte[] frame = Golden.bytes(seeds.get(random.nextInt(seeds.size())));
        if (random.nextInt(4) == 0) {
            frame = Arrays.copyOf(frame, Math.max(0, frame.length + random.nextInt(17) - 8));
        }
        for (int change = random.nextInt(9); change > 0 && frame.length > 0; change--) {
            int place = random.nextInt(frame.length);
            frame[place] = random.nextBoolean()
                    ? DICTIONARY[random.nextInt(DICTIONARY.length)]
                    : (byte) random.nextInt(256);
        }
        if (random.nextBoolean() && frame.length >= 8) {
            boolean control = frame[1] == 0x6C;
            byte[] total = ByteBuffer.allocate(4).putInt(frame.length).array();
            System.arraycopy(total, 0, frame, control ? 4 : 2, 4);
        }
        return frame;
    }
}
