package io.sandgate.remote.wire;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

import io.sandgate.remote.wire.DecodeException.Reason;

/**
 * Texts as V1 has them on the wire: UTF-8 that ends in a NUL, so none may stand inside. Both directions are strict:
 * nothing is replaced by a question mark.
 */
public final class NulText {
    private NulText() {}

    /**
     * The bytes of a text, without the NUL at its end.
     *
     * @param text the text
     * @param what what it is, for the exception's sentence
     * @return its bytes in UTF-8
     * @throws IllegalArgumentException if it contains a NUL character, or half of a surrogate pair, which has no UTF-8
     */
    public static byte[] encode(String text, String what) {
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a " + what + " contains a NUL character");
        }
        try {
            ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            return copy;
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("a " + what + " contains half of a surrogate pair", e);
        }
    }

    /**
     * The text between two positions.
     *
     * @param bytes where it is
     * @param from its first byte
     * @param to the byte behind its last one
     * @param what what it is, for the exception's sentence
     * @return the text
     * @throws DecodeException if it is not UTF-8
     */
    static String decode(byte[] bytes, int from, int to, String what) throws DecodeException {
        // Nearly every text is ASCII, which needs no decoder.
        if (isAscii(bytes, from, to)) {
            return new String(bytes, from, to - from, StandardCharsets.ISO_8859_1);
        }
        try {
            // A new decoder reports what it cannot decode.
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, from, to - from)).toString();
        } catch (CharacterCodingException e) {
            throw new DecodeException(Reason.NOT_UTF8, "the " + what + " is not UTF-8");
        }
    }

    private static boolean isAscii(byte[] bytes, int from, int to) {
        for (int i = from; i < to; i++) {
            if (bytes[i] < 0) {
                return false;
            }
        }
        return true;
    }
}
