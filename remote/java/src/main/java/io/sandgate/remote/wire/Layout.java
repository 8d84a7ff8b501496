package io.sandgate.remote.wire;

import java.nio.ByteBuffer;

/** The numbers of control messages, and the header that all of them have. */
final class Layout {
    static final int MAGIC = 0xA16C;
    static final int VERSION = 1;
    static final int CREATE_VERSION = 1;
    /** The only kind of message channel that V1 knows. */
    static final int CHANNEL_PAIR = 0x10;

    static final int CREATE = 1;
    static final int REPLY = 2;
    static final int START = 3;
    static final int DESTROY = 4;

    private static final int HEADER_SIZE = 8;

    private Layout() {}

    /**
     * A frame with its header written and room for exactly the body.
     *
     * @throws IllegalArgumentException if it would be over the limit
     */
    static ByteBuffer begin(int type, long bodySize) {
        long total = HEADER_SIZE + bodySize;
        if (total > Limits.CONTROL_MAX) {
            throw new IllegalArgumentException("the encoded message has " + total + " bytes, more than the limit of "
                    + Limits.CONTROL_MAX);
        }
        ByteBuffer frame = ByteBuffer.allocate((int) total);
        return frame.putShort((short) MAGIC).put((byte) VERSION).put((byte) type).putInt((int) total);
    }
}
