package io.sandgate.remote;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

import io.sandgate.remote.wire.DecodeException;
import io.sandgate.remote.wire.DecodeException.Reason;
import io.sandgate.remote.wire.FieldReader;
import io.sandgate.remote.wire.Limits;
import io.sandgate.remote.wire.NulText;

/**
 * A data message: properties and content. It is immutable and encoded once, in V1's format, so it may be used by any
 * number of threads and passed on at no cost.
 *
 * <pre>
 * 0   A1 60  magic; there is no version byte
 * 2   total  32 bit big-endian, size of the whole message
 * 6   count  32 bit big-endian, number of properties
 * 10  key NUL value NUL, count times
 *     size   32 bit big-endian, of the content
 *     content, up to the total
 * </pre>
 *
 * <p>Limits: {@link Limits#MESSAGE_MAX} bytes in all, {@link Limits#PROPERTIES_MAX} properties, no NUL character in a
 * key or value, no key twice. To a gateway of V1 keep messages below 1 MiB, for it drops larger ones.
 */
public final class Message {
    private static final int MAGIC = 0xA160;
    private static final int HEADER_SIZE = 10;
    private static final int SIZE_SIZE = 4;
    private static final String KEY = "property key";
    private static final String VALUE = "property value";

    private final byte[] frame;
    private final Map<String, String> properties;
    /** Where the content starts. */
    private final int content;

    private Message(byte[] frame, Map<String, String> properties, int content) {
        this.frame = frame;
        this.properties = Collections.unmodifiableMap(properties);
        this.content = content;
    }

    /**
     * Makes a message. Both arguments are copied.
     *
     * @param properties the properties; they go over the wire in the order of the map
     * @param content the content; any bytes
     * @throws IllegalArgumentException if a limit of this class is passed, or a text has no form in UTF-8
     * @throws NullPointerException if anything is null, a key or value included
     */
    public Message(Map<String, String> properties, byte[] content) {
        // Copied first: the caller's map may change meanwhile.
        this.properties = Collections.unmodifiableMap(new LinkedHashMap<>(properties));
        this.frame = encode(this.properties, content);
        this.content = frame.length - content.length;
    }

    private static byte[] encode(Map<String, String> properties, byte[] content) {
        Objects.requireNonNull(content, "the content is null");
        if (properties.size() > Limits.PROPERTIES_MAX) {
            throw new IllegalArgumentException(properties.size() + " properties, more than the limit of "
                    + Limits.PROPERTIES_MAX);
        }
        byte[][] texts = new byte[properties.size() * 2][];
        long total = (long) HEADER_SIZE + SIZE_SIZE + content.length;
        int next = 0;
        for (Map.Entry<String, String> property : properties.entrySet()) {
            texts[next] = NulText.encode(Objects.requireNonNull(property.getKey(), "a property key is null"), KEY);
            texts[next + 1] = NulText.encode(
                    Objects.requireNonNull(property.getValue(), "a property value is null"), VALUE);
            total += (long) texts[next].length + texts[next + 1].length + 2;
            next += 2;
        }
        if (total > Limits.MESSAGE_MAX) {
            throw new IllegalArgumentException("the encoded message has " + total + " bytes, more than the limit of "
                    + Limits.MESSAGE_MAX);
        }
        ByteBuffer frame = ByteBuffer.allocate((int) total);
        frame.putShort((short) MAGIC).putInt((int) total).putInt(properties.size());
        for (byte[] text : texts) {
            frame.put(text).put((byte) 0);
        }
        return frame.putInt(content.length).put(content).array();
    }

    /**
     * Reads a message from V1's format.
     *
     * @param bytes the encoded message; copied
     * @return the message
     * @throws DecodeException if the bytes depart from the layout or pass a limit of this class in any way
     */
    public static Message fromByteArray(byte[] bytes) throws DecodeException {
        return decode(bytes.clone());
    }

    /** Like {@link #fromByteArray} for bytes that nobody else has. */
    static Message decode(byte[] frame) throws DecodeException {
        FieldReader reader = new FieldReader(frame);
        int magic = reader.u16("magic");
        if (magic != MAGIC) {
            throw new DecodeException(Reason.MAGIC, "wrong magic 0x%04x".formatted(magic));
        }
        reader.total(Limits.MESSAGE_MAX);
        long count = reader.u32("property count");
        // The shortest property is two NULs.
        if (count > reader.remaining() / 2) {
            throw new DecodeException(Reason.PROPERTY_COUNT,
                    count + " properties cannot fit in the bytes that follow");
        }
        if (count > Limits.PROPERTIES_MAX) {
            throw new DecodeException(Reason.TOO_MANY_PROPERTIES,
                    count + " properties, more than the limit of " + Limits.PROPERTIES_MAX);
        }
        // Grows with what is really there. Keys that collide cost no more than a search in a tree.
        Map<String, String> properties = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            String key = reader.text(KEY);
            if (properties.put(key, reader.text(VALUE)) != null) {
                throw new DecodeException(Reason.DUPLICATE_KEY, "a property key appears twice");
            }
        }
        int content = reader.take(reader.u32("content size"), "content");
        reader.finish();
        return new Message(frame, properties, content);
    }

    /**
     * The properties, in the order in which they are on the wire.
     *
     * @return a map that cannot be changed
     */
    public Map<String, String> getProperties() {
        return properties;
    }

    /**
     * The value of one property.
     *
     * @param key its key
     * @return its value, or null if there is none
     */
    public String getProperty(String key) {
        return properties.get(key);
    }

    /**
     * The content.
     *
     * @return a copy
     */
    public byte[] getContent() {
        return Arrays.copyOfRange(frame, content, frame.length);
    }

    /**
     * The content, without a copy.
     *
     * @return a new buffer that can only be read
     */
    public ByteBuffer contentBuffer() {
        return ByteBuffer.wrap(frame, content, frame.length - content).slice().asReadOnlyBuffer();
    }

    /**
     * The same message with one more property, or with another value of it.
     *
     * @param key the property's key
     * @param value its value
     * @return a new message; this one stays as it is
     * @throws IllegalArgumentException if a limit of this class is passed, or a text has no form in UTF-8
     */
    public Message withProperty(String key, String value) {
        Map<String, String> changed = new LinkedHashMap<>(properties);
        changed.put(key, value);
        return new Message(changed, getContent());
    }

    /**
     * The message in V1's format.
     *
     * @return a copy
     */
    public byte[] toByteArray() {
        return frame.clone();
    }

    /** Like {@link #toByteArray} for those who only read it. */
    byte[] frame() {
        return frame;
    }

    /** Whether the encoded messages are the same; so the order of the properties counts. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Message message && Arrays.equals(frame, message.frame);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(frame);
    }

    /** Sizes only: payloads do not belong in logs. */
    @Override
    public String toString() {
        return "Message[properties=" + properties.size() + ", contentBytes=" + (frame.length - content) + "]";
    }
}
