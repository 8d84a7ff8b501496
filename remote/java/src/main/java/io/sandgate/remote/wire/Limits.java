package io.sandgate.remote.wire;

/**
 * The sizes that a reader enforces before it allocates or trusts a length. All but one are those of Sandgate's
 * gateway.
 */
public final class Limits {
    /**
     * The largest data message in bytes, header included: 32 MiB. V1 peers on nanomsg drop anything over 1 MiB
     * without a word, so a message for such a gateway should stay below that.
     */
    public static final int MESSAGE_MAX = 32 << 20;

    /** The most properties that a message has: 65,536. */
    public static final int PROPERTIES_MAX = 1 << 16;

    /** The largest control message in bytes, header included: 1 MiB, which bounds a module's configuration. */
    public static final int CONTROL_MAX = 1 << 20;

    /** The longest path of a Unix domain socket in bytes. The system allows one more, which Java does not use. */
    public static final int SOCKET_PATH_MAX = 106;

    private Limits() {}
}
