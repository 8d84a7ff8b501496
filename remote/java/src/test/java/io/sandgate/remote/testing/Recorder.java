package io.sandgate.remote.testing;

import io.sandgate.remote.Broker;
import io.sandgate.remote.GatewayModule;
import io.sandgate.remote.Message;

/** A module that writes into its {@link Journal} what is done with it, and publishes what it receives. */
public final class Recorder extends GatewayModule {
    private Journal journal;

    /** For the proxy. */
    public Recorder() {}

    @Override
    public void create(long moduleAddr, Broker broker, String configuration) throws Exception {
        super.create(moduleAddr, broker, configuration);
        journal = Journal.of(configuration);
        journal.arrive(broker);
        journal.enter("create", "create");
    }

    @Override
    public void start() throws Exception {
        journal.enter("start", "start");
    }

    @Override
    public void receive(Message message) throws Exception {
        journal.enter("receive", new String(message.getContent()));
        publish(message);
    }

    @Override
    public void destroy() throws Exception {
        journal.enter("destroy", "destroy");
    }
}
