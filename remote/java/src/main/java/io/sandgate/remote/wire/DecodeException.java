package io.sandgate.remote.wire;

/**
 * Bytes that are no message. It is always the sender's fault, and never fatal to the reader: the frame is counted and
 * dropped.
 */
public final class DecodeException extends Exception {
    private static final long serialVersionUID = 1L;

    /** What is wrong with the bytes. */
    public enum Reason {
        /** The frame ends before the field that it promises. */
        TRUNCATED,
        /** The first two bytes are not those of this kind of message. */
        MAGIC,
        /** A control message of another protocol version than 1. */
        VERSION,
        /** A control message type that V1 does not define. */
        UNKNOWN_TYPE,
        /** A Create message of a version greater than 1. */
        CREATE_VERSION,
        /** A Create message that asks for a message channel which is no pair socket. */
        CHANNEL_TYPE,
        /** The size in the header differs from the bytes that arrived. */
        TOTAL,
        /** The frame is larger than its reader accepts. */
        TOO_LARGE,
        /** More properties are claimed than the remaining bytes can hold. */
        PROPERTY_COUNT,
        /** More properties than {@link Limits#PROPERTIES_MAX}. */
        TOO_MANY_PROPERTIES,
        /** The same property key twice. */
        DUPLICATE_KEY,
        /** A text that is not UTF-8. */
        NOT_UTF8,
        /** A text whose NUL is missing, or not at its end. */
        NUL,
        /** Bytes behind the last field. */
        TRAILING
    }

    /** What is wrong with the bytes. */
    private final Reason reason;

    /**
     * Says what is wrong. There is no stack trace, so that a flood of bad frames costs little.
     *
     * @param reason what is wrong
     * @param message the same as a sentence
     */
    public DecodeException(Reason reason, String message) {
        super(message, null, false, false);
        this.reason = reason;
    }

    /**
     * What is wrong with the bytes.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
