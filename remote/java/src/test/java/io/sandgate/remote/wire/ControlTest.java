package io.sandgate.remote.wire;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.equalBytes;
import static io.sandgate.remote.testing.Check.throwing;

import java.nio.ByteBuffer;

import io.sandgate.remote.testing.Golden;
import io.sandgate.remote.testing.Test;
import io.sandgate.remote.wire.Control.Create;
import io.sandgate.remote.wire.Control.Destroy;
import io.sandgate.remote.wire.Control.Reply;
import io.sandgate.remote.wire.Control.Start;
import io.sandgate.remote.wire.DecodeException.Reason;

/** The codec of control messages. */
final class ControlTest {
    @Test
    void recordedMessagesAreReadAndWritten() throws Exception {
        same(Golden.CREATE, new Create(Golden.CREATE_URI, Golden.CREATE_ARGUMENTS));
        same(Golden.REPLY_SUCCESS, new Reply(Reply.SUCCESS));
        same(Golden.REPLY_CREATION_ERROR, new Reply(Reply.CREATION_ERROR));
        same(Golden.REPLY_DETACH, new Reply(Reply.DETACH));
        same(Golden.START, new Start());
        same(Golden.DESTROY, new Destroy());
    }

    private static void same(String hex, Control control) throws DecodeException {
        equalBytes(hex, control.encode());
        equal(control, Control.decode(Golden.bytes(hex)));
    }

    @Test
    void bytesBehindAReplysStatusAreSkipped() throws Exception {
        equal(new Reply(0), Control.decode(Golden.bytes("a16c01020000000c00abcdef")));
    }

    @Test
    void aCreateOfVersionZeroIsAccepted() throws Exception {
        byte[] frame = Golden.bytes(Golden.CREATE);
        frame[8] = 0;
        equal(new Create(Golden.CREATE_URI, Golden.CREATE_ARGUMENTS), Control.decode(frame));
    }

    @Test
    void whatDepartsFromTheLayoutIsRefused() {
        refused(Reason.TRUNCATED, "");
        refused(Reason.TRUNCATED, "a16c01");
        refused(Reason.MAGIC, "a160010300000008");
        refused(Reason.VERSION, "a16c000300000008");
        refused(Reason.VERSION, "a16c020300000008");
        refused(Reason.UNKNOWN_TYPE, "a16c010000000008");
        refused(Reason.UNKNOWN_TYPE, "a16c010500000008");
        refused(Reason.TOTAL, "a16c010300000009");
        refused(Reason.TOTAL, "a16c0103ffffffff");
        refused(Reason.TRUNCATED, "a16c01030000");
        refused(Reason.TRAILING, "a16c01030000000900");
        refused(Reason.TRAILING, "a16c01040000000900");
        refused(Reason.TRUNCATED, "a16c010200000008");
    }

    @Test
    void aCreateThatLiesIsRefused() {
        refused(Reason.TRUNCATED, create("01", ""));
        refused(Reason.CREATE_VERSION, create("02", "10" + "000000026100" + "000000026100"));
        refused(Reason.CHANNEL_TYPE, create("01", "11" + "000000026100" + "000000026100"));
        refused(Reason.TRUNCATED, create("01", "10" + "000000036100"));
        refused(Reason.TRUNCATED, create("01", "10" + "ffffffff6100"));
        refused(Reason.NUL, create("01", "10" + "00000000" + "000000026100"));
        refused(Reason.NUL, create("01", "10" + "000000026161" + "000000026100"));
        refused(Reason.NUL, create("01", "10" + "000000020000" + "000000026100"));
        refused(Reason.NOT_UTF8, create("01", "10" + "00000002ff00" + "000000026100"));
        refused(Reason.TRUNCATED, create("01", "10" + "000000026100"));
        refused(Reason.TRAILING, create("01", "10" + "000000026100" + "000000026100" + "00"));
    }

    private static String create(String version, String rest) {
        return "a16c0101%08x".formatted(8 + (version.length() + rest.length()) / 2) + version + rest;
    }

    private static void refused(Reason reason, String hex) {
        equal(reason, throwing(DecodeException.class, () -> Control.decode(Golden.bytes(hex))).reason());
    }

    @Test
    void asLargeAsAllowedAndNoLarger() throws Exception {
        String arguments = "x".repeat(Limits.CONTROL_MAX - 8 - 2 - 4 - 2 - 4 - 1);
        byte[] largest = new Create("a", arguments).encode();
        equal(Limits.CONTROL_MAX, largest.length);
        equal(arguments, ((Create) Control.decode(largest)).arguments());
        throwing(IllegalArgumentException.class, () -> new Create("ab", arguments).encode());
        ByteBuffer larger = ByteBuffer.allocate(Limits.CONTROL_MAX + 1);
        larger.putInt(0xA16C0102).putInt(larger.capacity());
        equal(Reason.TOO_LARGE, throwing(DecodeException.class, () -> Control.decode(larger.array())).reason());
    }

    @Test
    void whatHasNoFormOnTheWireIsRefused() {
        throwing(IllegalArgumentException.class, () -> new Create("a\0", "").encode());
        throwing(IllegalArgumentException.class, () -> new Create("a", "\uD83D").encode());
    }
}
