package io.sandgate.remote;

/**
 * A module that keeps what it was created with. A module needs to write {@link #receive} only, unless it is a source,
 * which starts its thread in {@link #start} and ends it in {@link #destroy}.
 */
public abstract class GatewayModule implements IGatewayModule {
    // Volatile, for a module's own threads use them.
    private volatile long moduleAddress;
    private volatile Broker broker;
    private volatile String configuration;

    /** Called by the {@link ProxyGateway}; the work belongs into {@link #create}. */
    protected GatewayModule() {}

    /**
     * Keeps the arguments. A module that reads its configuration overrides this and calls it first.
     *
     * @throws Exception if an overriding method does
     */
    @Override
    public void create(long moduleAddr, Broker broker, String configuration) throws Exception {
        this.moduleAddress = moduleAddr;
        this.broker = broker;
        this.configuration = configuration;
    }

    /**
     * Does nothing.
     *
     * @throws Exception if an overriding method does
     */
    @Override
    public void start() throws Exception {}

    /**
     * Does nothing.
     *
     * @throws Exception if an overriding method does
     */
    @Override
    public void destroy() throws Exception {}

    /**
     * Publishes a message; the same as {@link Broker#publishMessage(Message)}.
     *
     * @param message the message
     * @throws PublishException if the gateway does not get it
     */
    protected final void publish(Message message) throws PublishException {
        broker.publishMessage(message);
    }

    /**
     * The first argument of {@link #create}.
     *
     * @return 0
     */
    public final long getModuleAddress() {
        return moduleAddress;
    }

    /**
     * What takes messages to the gateway.
     *
     * @return null before {@link #create}
     */
    public final Broker getBroker() {
        return broker;
    }

    /**
     * The module's {@code args} as JSON text.
     *
     * @return null before {@link #create}
     */
    public final String getConfiguration() {
        return configuration;
    }
}
