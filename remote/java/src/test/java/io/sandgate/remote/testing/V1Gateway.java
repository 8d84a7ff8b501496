package io.sandgate.remote.testing;

import java.io.IOException;
import java.util.Map;

import io.sandgate.remote.Message;
import io.sandgate.remote.wire.Control;
import io.sandgate.remote.wire.Control.Create;
import io.sandgate.remote.wire.Control.Reply;

/** The gateway's side of one module, as V1 has it, played step by step. */
public final class V1Gateway implements AutoCloseable {
    /**
     * A control message of version 9, which is answered with status 1. Sent behind others it shows what was
     * answered.
     */
    public static final String UNKNOWN_VERSION = "a16c090100000008";

    private final String messageId;
    private RawPeer control;
    private RawPeer message;

    /**
     * Connects the control channel.
     *
     * @param controlId where the module is
     * @param messageId where its message channel is to be
     * @throws Exception if nobody is there
     */
    public V1Gateway(String controlId, String messageId) throws Exception {
        this.messageId = messageId;
        this.control = RawPeer.greeted(controlId);
    }

    /**
     * The control channel.
     *
     * @return its peer
     */
    public RawPeer control() {
        return control;
    }

    /**
     * The message channel.
     *
     * @return its peer, or null before {@link #create} was answered with success
     */
    public RawPeer message() {
        return message;
    }

    /**
     * Sends a Create.
     *
     * @param arguments the module's configuration
     * @throws IOException if the connection has ended
     */
    public void sendCreate(String arguments) throws IOException {
        String uri = messageId.contains("://") ? messageId : "ipc://" + messageId;
        control.send(new Create(uri, arguments).encode());
    }

    /**
     * Sends a Create and waits for the Reply; connects the message channel if it was a success.
     *
     * @param arguments the module's configuration
     * @return the status
     * @throws Exception if there is no Reply
     */
    public int create(String arguments) throws Exception {
        sendCreate(arguments);
        int status = reply();
        if (status == Reply.SUCCESS) {
            connectMessage();
        }
        return status;
    }

    /**
     * Connects the message channel.
     *
     * @throws Exception if nobody is there
     */
    public void connectMessage() throws Exception {
        message = RawPeer.greeted(messageId);
    }

    /**
     * Create, answered with success, and Start.
     *
     * @param arguments the module's configuration
     * @throws Exception if it is not
     */
    public void attach(String arguments) throws Exception {
        Check.equal(Reply.SUCCESS, create(arguments));
        start();
    }

    /**
     * Sends Start.
     *
     * @throws IOException if the connection has ended
     */
    public void start() throws IOException {
        control.send(Golden.bytes(Golden.START));
    }

    /**
     * Sends Destroy.
     *
     * @throws IOException if the connection has ended
     */
    public void destroy() throws IOException {
        control.send(Golden.bytes(Golden.DESTROY));
    }

    /**
     * The next Reply's status.
     *
     * @return the status
     * @throws Exception if something else comes
     */
    public int reply() throws Exception {
        return ((Reply) Control.decode(control.receive())).status();
    }

    /**
     * Publishes a message to the module.
     *
     * @param text its content
     * @throws IOException if the connection has ended
     */
    public void publish(String text) throws IOException {
        message.send(new Message(Map.of("from", "gateway"), text.getBytes()).toByteArray());
    }

    /**
     * The next message that the module publishes.
     *
     * @return its content as text
     * @throws Exception if it is none
     */
    public String receive() throws Exception {
        return new String(Message.fromByteArray(message.receive()).getContent());
    }

    @Override
    public void close() throws IOException {
        control.close();
        if (message != null) {
            message.close();
        }
    }
}
