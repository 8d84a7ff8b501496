package io.sandgate.remote.wire;

import java.nio.ByteBuffer;

import io.sandgate.remote.wire.DecodeException.Reason;

/**
 * A control message: what a gateway and a module host say about a module's life.
 *
 * <pre>
 * 0  A1 6C   magic
 * 2  01      version
 * 3  type    1 Create, 2 Module Reply, 3 Start, 4 Destroy
 * 4  total   32 bit big-endian, size of the whole message
 * 8  body
 * </pre>
 */
public sealed interface Control {
    /**
     * The message's bytes.
     *
     * @return a new array, at most {@link Limits#CONTROL_MAX} long
     * @throws IllegalArgumentException if a text has no form on the wire, or the message would be larger than that
     */
    byte[] encode();

    /**
     * Reads one control message.
     *
     * @param frame its bytes
     * @return the message
     * @throws DecodeException if they depart from the layout in any way
     */
    static Control decode(byte[] frame) throws DecodeException {
        FieldReader reader = new FieldReader(frame);
        int magic = reader.u16("magic");
        if (magic != Layout.MAGIC) {
            throw new DecodeException(Reason.MAGIC, "wrong magic 0x%04x".formatted(magic));
        }
        int version = reader.u8("version");
        if (version != Layout.VERSION) {
            throw new DecodeException(Reason.VERSION, "control message version " + version + " (only 1 is known)");
        }
        int type = reader.u8("type");
        reader.total(Limits.CONTROL_MAX);
        Control control = switch (type) {
            case Layout.CREATE -> Create.decodeBody(reader);
            case Layout.REPLY -> Reply.decodeBody(reader);
            case Layout.START -> new Start();
            case Layout.DESTROY -> new Destroy();
            default -> throw new DecodeException(Reason.UNKNOWN_TYPE, "unknown control message type " + type);
        };
        reader.finish();
        return control;
    }

    /**
     * Gateway to host: bind the message channel and create the module.
     *
     * @param uri the address of the message channel
     * @param arguments the module's {@code args} as JSON text; a string keeps its quotes, nothing is {@code null}
     */
    record Create(String uri, String arguments) implements Control {
        private static Create decodeBody(FieldReader reader) throws DecodeException {
            // V1's hosts accept version 0 as well.
            int version = reader.u8("Create version");
            if (version > Layout.CREATE_VERSION) {
                throw new DecodeException(Reason.CREATE_VERSION,
                        "Create message version " + version + " (at most 1 is known)");
            }
            int channel = reader.u8("channel type");
            if (channel != Layout.CHANNEL_PAIR) {
                throw new DecodeException(Reason.CHANNEL_TYPE,
                        "message channel type 0x%02x (only 0x10, pair, is known)".formatted(channel));
            }
            return new Create(reader.sizedText("message channel address"), reader.sizedText("argument text"));
        }

        @Override
        public byte[] encode() {
            byte[] address = NulText.encode(uri, "message channel address");
            byte[] text = NulText.encode(arguments, "argument text");
            // As a long, for two texts of the greatest length would go beyond an int.
            long size = 2L + 4 + address.length + 1 + 4 + text.length + 1;
            ByteBuffer frame = Layout.begin(Layout.CREATE, size);
            frame.put((byte) Layout.CREATE_VERSION).put((byte) Layout.CHANNEL_PAIR);
            frame.putInt(address.length + 1).put(address).put((byte) 0);
            frame.putInt(text.length + 1).put(text).put((byte) 0);
            return frame.array();
        }
    }

    /**
     * Host to gateway: how the creation went, or that the module is gone. Zero is success, everything else a failure.
     *
     * @param status 0 to 255
     */
    record Reply(int status) implements Control {
        /** The module was created. */
        public static final int SUCCESS = 0;
        /** The message channel could not be bound, or the message was not understood. */
        public static final int CONNECTION_ERROR = 1;
        /** The module refused its configuration, or has failed. */
        public static final int CREATION_ERROR = 2;
        /** The module is no longer there. */
        public static final int DETACH = 255;

        private static Reply decodeBody(FieldReader reader) throws DecodeException {
            Reply reply = new Reply(reader.u8("status"));
            // V1's gateway ignores what stands behind the status; Sandgate's hosts put the offer of a link there.
            reader.take(reader.remaining(), "extension");
            return reply;
        }

        @Override
        public byte[] encode() {
            return Layout.begin(Layout.REPLY, 1).put((byte) status).array();
        }
    }

    /** Gateway to host: every module is created and linked, data may flow. */
    record Start() implements Control {
        @Override
        public byte[] encode() {
            return Layout.begin(Layout.START, 0).array();
        }
    }

    /** Gateway to host: destroy the module. Best effort, nothing answers it. */
    record Destroy() implements Control {
        @Override
        public byte[] encode() {
            return Layout.begin(Layout.DESTROY, 0).array();
        }
    }
}
