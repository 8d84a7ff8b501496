package io.sandgate.remote.socket;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;

/**
 * Takes frames out of a stream, however that is cut into pieces. A frame's memory is allocated only once its length has
 * been checked.
 */
final class FrameReader {
    private static final int BUFFER_SIZE = 64 << 10;

    private final Framing framing;
    private final int limit;
    /** What was read and not looked at, ready to be taken. */
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_SIZE).flip();
    /** The frame that is being filled, or null. */
    private byte[] payload;
    private int filled;

    FrameReader(Framing framing, int limit) {
        this.framing = framing;
        this.limit = limit;
    }

    /** Reads once; gives the number of bytes, or -1 at the stream's end. {@link #next} must have given null before. */
    int fill(ReadableByteChannel channel) throws IOException {
        buffer.compact();
        try {
            return channel.read(buffer);
        } finally {
            buffer.flip();
        }
    }

    /** The next frame of what was read, or null if more has to be read for it. */
    byte[] next() throws IOException {
        if (payload == null) {
            if (buffer.remaining() < framing.headSize()) {
                return null;
            }
            payload = new byte[framing.takeHead(buffer, limit)];
            filled = 0;
        }
        int length = Math.min(buffer.remaining(), payload.length - filled);
        buffer.get(payload, filled, length);
        filled += length;
        if (filled < payload.length) {
            return null;
        }
        byte[] frame = payload;
        payload = null;
        return frame;
    }
}
