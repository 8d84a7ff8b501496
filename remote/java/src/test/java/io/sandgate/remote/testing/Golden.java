package io.sandgate.remote.testing;

import java.util.HexFormat;

/** Bytes that were recorded from programs of V1. */
public final class Golden {
    /** A Create with a message channel and arguments. */
    public static final String CREATE = "a16c01010000005901100000"
            + "00206970633a2f2f2f746d702f70726f78795f73616d706c652e6d65737361676500"
            + "00000027225448495320495320544845204f4f50204d4f44554c4520434f4e46494755524154494f4e2200";
    /** The message channel in it. */
    public static final String CREATE_URI = "ipc:///tmp/proxy_sample.message";
    /** The arguments in it. */
    public static final String CREATE_ARGUMENTS = "\"THIS IS THE OOP MODULE CONFIGURATION\"";
    /** A Reply of success. */
    public static final String REPLY_SUCCESS = "a16c01020000000900";
    /** A Reply of a failed creation. */
    public static final String REPLY_CREATION_ERROR = "a16c01020000000902";
    /** A Reply of a module that detaches. */
    public static final String REPLY_DETACH = "a16c010200000009ff";
    /** A Start. */
    public static final String START = "a16c010300000008";
    /** A Destroy. */
    public static final String DESTROY = "a16c010400000008";
    /** What both sides of a connection say first. */
    public static final String GREETING = "0053500000100000";
    /** What stands before {@link #CREATE} on a Unix domain socket. */
    public static final String IPC_HEAD_OF_CREATE = "010000000000000059";
    /** The greeting of V1's {@code hello_world}. */
    public static final String HELLO_WORLD = "a1600000004e00000001"
            + "68656c6c6f576f726c6400"
            + "66726f6d20417a75726520496f5420476174657761792053444b2073696d706c652073616d706c652100"
            + "0000000b68656c6c6f20776f726c64";
    /** A message with one short property and 32 bytes that are no text. */
    public static final String DATA_2 = "a16000000032000000016b00760000000020"
            + "000000000000000076589397e600000078787878787878787878787878787878";

    private Golden() {}

    /**
     * The bytes that hexadecimal digits stand for.
     *
     * @param hex the digits
     * @return the bytes
     */
    public static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex);
    }
}
