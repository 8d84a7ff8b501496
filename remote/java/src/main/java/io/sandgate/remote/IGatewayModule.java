package io.sandgate.remote;

/**
 * A module: what a gateway creates, starts, sends messages to and destroys.
 *
 * <p>All methods are called by one thread, the listening thread of the {@link ProxyGateway}, never two at a time, in
 * this order: {@link #create}, {@link #start}, {@link #receive} for each message, {@link #destroy}. After a failure, or
 * when another gateway comes, a new instance begins with {@code create}. An implementation has a constructor without
 * parameters and does its work in {@code create}.
 *
 * <p>Whatever a method throws ends this instance and nothing else: the gateway is told, and creates the module anew. A
 * method that does not return holds up everything behind it, Destroy included; Java has no way to end it.
 */
public interface IGatewayModule {
    /**
     * Creates the module.
     *
     * @param moduleAddr always 0: V1's address of a module in the gateway's process, which means nothing in another
     *     one. It is here so that a module of V1 keeps its form
     * @param broker takes messages to the gateway, from {@link #start} on
     * @param configuration the module's {@code args} as JSON text: a string keeps its quotes, nothing is
     *     {@code null}
     * @throws Exception if the module cannot be created so; the gateway gets Reply 2, and {@link #destroy} is not
     *     called
     */
    void create(long moduleAddr, Broker broker, String configuration) throws Exception;

    /**
     * Starts the module: from now on it may publish, and gets messages.
     *
     * @throws Exception if the module has failed
     */
    void start() throws Exception;

    /**
     * Takes a message.
     *
     * @param message the message
     * @throws Exception if the module has failed. A message that the module merely does not like is no failure
     */
    void receive(Message message) throws Exception;

    /**
     * Ends the module: also after {@link #start} or {@link #receive} has failed. It should end threads that the module
     * has started, and may publish a last time.
     *
     * @throws Exception which is logged, and changes nothing
     */
    void destroy() throws Exception;
}
