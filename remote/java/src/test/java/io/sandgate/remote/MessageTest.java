package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.equalBytes;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.throwing;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.sandgate.remote.testing.Golden;
import io.sandgate.remote.testing.Test;
import io.sandgate.remote.wire.DecodeException;
import io.sandgate.remote.wire.DecodeException.Reason;
import io.sandgate.remote.wire.Limits;

/** The codec of data messages. */
final class MessageTest {
    private static final byte[] NOTHING = {};

    @Test
    void recordedMessagesAreReadAndWritten() throws Exception {
        Message hello = Message.fromByteArray(Golden.bytes(Golden.HELLO_WORLD));
        equal(Map.of("helloWorld", "from Azure IoT Gateway SDK simple sample!"), hello.getProperties());
        equal("hello world", new String(hello.getContent()));
        equalBytes(Golden.HELLO_WORLD, new Message(hello.getProperties(), hello.getContent()).toByteArray());
        Message second = Message.fromByteArray(Golden.bytes(Golden.DATA_2));
        equal("v", second.getProperty("k"));
        equal(32, second.getContent().length);
        equalBytes(Golden.DATA_2, new Message(second.getProperties(), second.getContent()).toByteArray());
    }

    @Test
    void theSmallestMessageHasFourteenBytes() throws Exception {
        Message empty = new Message(Map.of(), NOTHING);
        equalBytes("a1600000000e0000000000000000", empty.toByteArray());
        equal(empty, Message.fromByteArray(empty.toByteArray()));
    }

    @Test
    void propertiesKeepTheirOrderAndAnyText() throws Exception {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put("z", "");
        properties.put("", "a");
        properties.put("grün", "\uD83D\uDE80");
        Message message = Message.fromByteArray(new Message(properties, NOTHING).toByteArray());
        equal(List.copyOf(properties.entrySet()), List.copyOf(message.getProperties().entrySet()));
        equal(null, message.getProperty("absent"));
    }

    @Test
    void whatDepartsFromTheLayoutIsRefused() {
        refused(Reason.TRUNCATED, "");
        refused(Reason.TRUNCATED, "a1");
        refused(Reason.MAGIC, "a16c0000000e0000000000000000");
        refused(Reason.TRUNCATED, "a160000000");
        refused(Reason.TOTAL, "a1600000000f0000000000000000");
        refused(Reason.TOTAL, "a160ffffffff0000000000000000");
        refused(Reason.TRUNCATED, "a16000000008" + "0000");
        refused(Reason.PROPERTY_COUNT, "a1600000000e" + "00000003" + "00000000");
        refused(Reason.PROPERTY_COUNT, "a1600000000e" + "ffffffff" + "00000000");
        // A key, and a value, without an end.
        refused(Reason.TRUNCATED, "a16000000010" + "00000001" + "616161616161");
        refused(Reason.TRUNCATED, "a16000000010" + "00000001" + "610061616161");
        refused(Reason.NOT_UTF8, "a16000000012" + "00000001" + "ff006100" + "00000000");
        // A NUL that is written in two bytes, as Java's own form of UTF-8 has it, and half of a surrogate pair.
        refused(Reason.NOT_UTF8, "a16000000013" + "00000001" + "c080006100" + "00000000");
        refused(Reason.NOT_UTF8, "a16000000014" + "00000001" + "eda080006100" + "00000000");
        refused(Reason.DUPLICATE_KEY, "a16000000016" + "00000002" + "6b0061006b006200" + "00000000");
        refused(Reason.TRUNCATED, "a1600000000f" + "00000000" + "00000002" + "61");
        refused(Reason.TRUNCATED, "a1600000000f" + "00000000" + "ffffffff" + "61");
        refused(Reason.TRAILING, "a16000000010" + "00000000" + "00000001" + "6161");
    }

    private static void refused(Reason reason, String hex) {
        DecodeException refusal =
                throwing(DecodeException.class, () -> Message.fromByteArray(Golden.bytes(hex)));
        equal(reason, refusal.reason());
        equal(0, refusal.getStackTrace().length);
    }

    @Test
    void keysThatRepeatAmongManyAreFound() {
        StringBuilder properties = new StringBuilder();
        for (int i = 0; i < 1000; i++) {
            // The first key comes again at the end.
            byte[] key = "%03d".formatted(i % 999).getBytes();
            properties.append(HexFormat.of().formatHex(key)).append("0000");
        }
        int size = 10 + properties.length() / 2 + 4;
        refused(Reason.DUPLICATE_KEY, "a160%08x%08x".formatted(size, 1000) + properties + "00000000");
    }

    @Test
    void asManyPropertiesAsAllowedAndNoMore() throws Exception {
        Map<String, String> properties = new LinkedHashMap<>();
        for (int i = 0; i < Limits.PROPERTIES_MAX; i++) {
            properties.put(Integer.toString(i), "");
        }
        Message most = Message.fromByteArray(new Message(properties, NOTHING).toByteArray());
        equal(Limits.PROPERTIES_MAX, most.getProperties().size());
        throwing(IllegalArgumentException.class, () -> most.withProperty("one more", ""));
        ByteBuffer more = ByteBuffer.allocate(10 + 2 * (Limits.PROPERTIES_MAX + 1) + 4);
        more.putShort((short) 0xA160).putInt(more.capacity()).putInt(Limits.PROPERTIES_MAX + 1);
        equal(Reason.TOO_MANY_PROPERTIES,
                throwing(DecodeException.class, () -> Message.fromByteArray(more.array())).reason());
    }

    @Test
    void asLargeAsAllowedAndNoLarger() throws Exception {
        byte[] content = new byte[Limits.MESSAGE_MAX - 14];
        byte[] largest = new Message(Map.of(), content).toByteArray();
        equal(Limits.MESSAGE_MAX, largest.length);
        equal(content.length, Message.decode(largest).contentBuffer().remaining());
        throwing(IllegalArgumentException.class, () -> new Message(Map.of("", ""), content));
        ByteBuffer larger = ByteBuffer.allocate(Limits.MESSAGE_MAX + 1);
        larger.putShort((short) 0xA160).putInt(larger.capacity());
        equal(Reason.TOO_LARGE, throwing(DecodeException.class, () -> Message.decode(larger.array())).reason());
    }

    @Test
    void whatHasNoFormOnTheWireIsRefused() {
        for (String text : List.of("a\0b", "\uD83D", "\uDE80")) {
            throwing(IllegalArgumentException.class, () -> new Message(Map.of(text, ""), NOTHING));
            throwing(IllegalArgumentException.class, () -> new Message(Map.of("", text), NOTHING));
        }
        Map<String, String> withoutValue = new LinkedHashMap<>();
        withoutValue.put("key", null);
        throwing(NullPointerException.class, () -> new Message(withoutValue, NOTHING));
        throwing(NullPointerException.class, () -> new Message(Map.of(), null));
    }

    @Test
    void aMessageNeverChanges() throws Exception {
        byte[] content = {1, 2, 3};
        Map<String, String> properties = new LinkedHashMap<>(Map.of("k", "v"));
        Message message = new Message(properties, content);
        content[0] = 9;
        properties.put("k", "w");
        message.getContent()[1] = 9;
        message.toByteArray()[0] = 9;
        byte[] bytes = message.toByteArray();
        Message read = Message.fromByteArray(bytes);
        bytes[bytes.length - 1] = 9;
        for (Message each : new ArrayList<>(List.of(message, read))) {
            equalBytes("010203", each.getContent());
            equal("v", each.getProperty("k"));
            throwing(UnsupportedOperationException.class, () -> each.getProperties().put("a", "b"));
            isTrue(each.contentBuffer().isReadOnly(), "a buffer that can only be read");
        }
        equal(message, read);
        equal(message.hashCode(), read.hashCode());
    }

    @Test
    void onePropertyMore() {
        Message message = new Message(Map.of("k", "v"), new byte[] {7});
        Message more = message.withProperty("l", "w").withProperty("k", "x");
        equal(Map.of("k", "x", "l", "w"), more.getProperties());
        equalBytes("07", more.getContent());
        equal(1, message.getProperties().size());
        equal("Message[properties=2, contentBytes=1]", more.toString());
    }
}
