package io.sandgate.remote;

/** Takes messages to the gateway, from any thread. The messages of one thread arrive in the order of its calls. */
public interface Broker {
    /**
     * Publishes a message under the module's name. It goes into a queue of 1,024 messages or 64 MiB; while that is
     * full, which is while the gateway does not take messages or is away, the call waits, for 5 seconds at most. A
     * message that was taken is lost if the gateway goes before it has left, as over all of V1's channels.
     *
     * @param message the message
     * @throws PublishException if the message was not taken; {@link PublishException#reason()} says why
     */
    void publishMessage(Message message) throws PublishException;

    /**
     * The form that V1's modules use.
     *
     * @param message the message
     * @param moduleAddr ignored
     * @throws PublishException if the message was not taken
     */
    default void publishMessage(Message message, long moduleAddr) throws PublishException {
        publishMessage(message);
    }
}
