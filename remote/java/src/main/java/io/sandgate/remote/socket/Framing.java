package io.sandgate.remote.socket;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * How the scalability protocols put frames into a stream: a greeting of 8 bytes each way, then frames with their
 * length in front, 8 bytes big-endian; over a Unix domain socket with a byte 1 before that.
 *
 * @param marked whether the byte is there
 */
record Framing(boolean marked) {
    private static final byte MARK = 1;
    private static final int GREETING_SIZE = 8;
    /** NUL, SP, NUL, the protocol number of a pair socket of version 0, and two bytes that are kept for later. */
    private static final long GREETING = 0x00_53_50_00_00_10_00_00L;

    /** A stream that is not what it should be: nothing that follows can be understood. */
    static final class StreamException extends IOException {
        private static final long serialVersionUID = 1L;

        StreamException(String message) {
            super(message);
        }
    }

    /** A frame that claims to be over the limit. Its bytes are not read, so the connection cannot go on. */
    static final class OversizedException extends IOException {
        private static final long serialVersionUID = 1L;

        OversizedException(long length, int limit) {
            super("a frame claims " + Long.toUnsignedString(length) + " bytes, more than the limit of " + limit);
        }
    }

    /** What is said first, ready to be written. */
    static ByteBuffer greeting() {
        return ByteBuffer.allocate(GREETING_SIZE).putLong(GREETING).flip();
    }

    /** Whether a greeting that has arrived whole is that of another pair socket. */
    static boolean isGreeting(ByteBuffer received) {
        return received.getLong(0) == GREETING;
    }

    /** The bytes in front of a frame. */
    int headSize() {
        return Long.BYTES + (marked ? 1 : 0);
    }

    /** Writes what stands in front of a frame of this length. */
    void putHead(ByteBuffer out, int length) {
        if (marked) {
            out.put(MARK);
        }
        out.putLong(length);
    }

    /** Reads the length of the next frame, which is at most the limit. */
    int takeHead(ByteBuffer in, int limit) throws StreamException, OversizedException {
        if (marked) {
            byte mark = in.get();
            if (mark != MARK) {
                throw new StreamException("a frame begins with " + mark + " instead of 1");
            }
        }
        long length = in.getLong();
        // Beyond 2^63 it is negative here.
        if (length < 0 || length > limit) {
            throw new OversizedException(length, limit);
        }
        return (int) length;
    }
}
