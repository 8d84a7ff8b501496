package io.sandgate.remote.wire;

import io.sandgate.remote.wire.DecodeException.Reason;

/**
 * A cursor over bytes from a peer: every step checks what is left before it takes anything. Not for several
 * threads.
 */
public final class FieldReader {
    private final byte[] bytes;
    private int position;

    /**
     * Begins at the first byte.
     *
     * @param bytes what is read; not copied
     */
    public FieldReader(byte[] bytes) {
        this.bytes = bytes;
    }

    /**
     * Where the next field begins.
     *
     * @return the position, from 0
     */
    public int position() {
        return position;
    }

    /**
     * How much is left.
     *
     * @return the number of bytes
     */
    public int remaining() {
        return bytes.length - position;
    }

    /**
     * Passes over some bytes.
     *
     * @param length how many, as the peer claims: any number
     * @param what the field, for the exception's sentence
     * @return where they begin
     * @throws DecodeException if there are not so many
     */
    public int take(long length, String what) throws DecodeException {
        if (length > remaining()) {
            throw new DecodeException(Reason.TRUNCATED, "the frame ends inside the " + what);
        }
        int start = position;
        position += (int) length;
        return start;
    }

    /**
     * An unsigned number of 8 bits.
     *
     * @param what the field, for the exception's sentence
     * @return the number
     * @throws DecodeException if the frame has ended
     */
    public int u8(String what) throws DecodeException {
        return bytes[take(1, what)] & 0xFF;
    }

    /**
     * An unsigned big-endian number of 16 bits.
     *
     * @param what the field, for the exception's sentence
     * @return the number
     * @throws DecodeException if the frame ends inside of it
     */
    public int u16(String what) throws DecodeException {
        int start = take(2, what);
        return (bytes[start] & 0xFF) << 8 | bytes[start + 1] & 0xFF;
    }

    /**
     * An unsigned big-endian number of 32 bits.
     *
     * @param what the field, for the exception's sentence
     * @return the number
     * @throws DecodeException if the frame ends inside of it
     */
    public long u32(String what) throws DecodeException {
        int start = take(4, what);
        long number = 0;
        for (int i = start; i < start + 4; i++) {
            number = number << 8 | bytes[i] & 0xFF;
        }
        return number;
    }

    /**
     * A text that goes up to the next NUL, which is taken too.
     *
     * @param what the field, for the exception's sentence
     * @return the text, without the NUL
     * @throws DecodeException if there is no NUL, or the text is not UTF-8
     */
    public String text(String what) throws DecodeException {
        int start = position;
        int end = indexOfNul(start);
        if (end == bytes.length) {
            throw new DecodeException(Reason.TRUNCATED, "the frame ends inside the " + what);
        }
        position = end + 1;
        return NulText.decode(bytes, start, end, what);
    }

    /**
     * A text with its size in front; the size counts the NUL at its end.
     *
     * @param what the field, for the exception's sentence
     * @return the text, without the NUL
     * @throws DecodeException if the frame is too short for it, its only NUL is not at its end, or it is not UTF-8
     */
    public String sizedText(String what) throws DecodeException {
        long size = u32(what);
        int start = take(size, what);
        if (size == 0 || indexOfNul(start) != position - 1) {
            throw new DecodeException(Reason.NUL, "the " + what + " does not end in its only NUL");
        }
        return NulText.decode(bytes, start, position - 1, what);
    }

    /**
     * Refuses anything behind the last field.
     *
     * @throws DecodeException if something is left
     */
    public void finish() throws DecodeException {
        if (remaining() > 0) {
            throw new DecodeException(Reason.TRAILING, remaining() + " bytes behind the last field");
        }
    }

    /**
     * Reads the size that stands in the header, and checks it against what arrived and what arrived against the limit.
     *
     * @param limit the largest frame, in bytes
     * @throws DecodeException if the frame is over the limit, or the header does not agree
     */
    public void total(int limit) throws DecodeException {
        long claimed = u32("total size");
        if (bytes.length > limit) {
            throw new DecodeException(Reason.TOO_LARGE, bytes.length + " bytes, more than the limit of " + limit);
        }
        if (claimed != bytes.length) {
            throw new DecodeException(Reason.TOTAL,
                    "the header says " + claimed + " bytes, " + bytes.length + " arrived");
        }
    }

    private int indexOfNul(int from) {
        int index = from;
        while (index < bytes.length && bytes[index] != 0) {
            index++;
        }
        return index;
    }
}
