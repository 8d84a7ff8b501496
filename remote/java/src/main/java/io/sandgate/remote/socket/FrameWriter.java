package io.sandgate.remote.socket;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/** Puts frames into a stream, many small ones at a time, and large ones piece by piece. */
final class FrameWriter {
    private static final int BUFFER_SIZE = 64 << 10;

    private final Framing framing;
    /** What is to be written next, ready to be written. */
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_SIZE).flip();
    /** The frame whose rest comes behind the buffer, or null. */
    private byte[] payload;
    private int copied;
    /** Frames that were begun since the stream had last taken everything. */
    private int unfinished;

    FrameWriter(Framing framing) {
        this.framing = framing;
    }

    /** Writes frames of the queue until that is empty or the stream takes no more; false in the latter case. */
    boolean write(WritableByteChannel channel, FrameQueue queue) throws IOException {
        while (true) {
            buffer.compact();
            refill(queue);
            buffer.flip();
            if (!buffer.hasRemaining()) {
                unfinished = 0;
                return true;
            }
            channel.write(buffer);
            if (buffer.hasRemaining()) {
                return false;
            }
            // All but the frame whose rest is still to come has left.
            unfinished = payload == null ? 0 : 1;
        }
    }

    private void refill(FrameQueue queue) {
        while (true) {
            if (payload == null) {
                if (buffer.remaining() < framing.headSize()) {
                    return;
                }
                Frame frame = queue.poll();
                if (frame == null) {
                    return;
                }
                payload = frame.bytes();
                copied = 0;
                unfinished++;
                framing.putHead(buffer, payload.length);
            }
            int length = Math.min(buffer.remaining(), payload.length - copied);
            buffer.put(payload, copied, length);
            copied += length;
            if (copied < payload.length) {
                return;
            }
            payload = null;
        }
    }

    /** Frames that were taken from the queue and of which the stream has not taken everything; an upper bound. */
    int unfinished() {
        return unfinished;
    }
}
