import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;

import io.sandgate.remote.Broker;
import io.sandgate.remote.GatewayModule;
import io.sandgate.remote.Message;
import io.sandgate.remote.ModuleConfiguration;
import io.sandgate.remote.ProxyGateway;
import io.sandgate.remote.PublishException;

/** Adds properties to every message and passes the rest on unchanged, in a process of its own. */
public final class Annotate extends GatewayModule {
    private final AtomicLong count = new AtomicLong();

    /** For the proxy, which makes an instance whenever a gateway asks for one. */
    public Annotate() {}

    @Override
    public void create(long moduleAddr, Broker broker, String configuration) throws Exception {
        super.create(moduleAddr, broker, configuration);
        // A module that cannot work with its configuration says so here: what it throws, the gateway is told.
        if (configuration.equals("null")) {
            throw new IllegalArgumentException("the args are null; give a text to annotate messages with");
        }
    }

    @Override
    public void receive(Message message) throws PublishException {
        publish(message
                .withProperty("annotated-by", "java " + Runtime.version().feature())
                .withProperty("annotation", getConfiguration())
                .withProperty("number", Long.toString(count.incrementAndGet())));
    }

    /**
     * Attaches the module, and ends with it.
     *
     * @param arguments the {@code control.id} of the module in the gateway's configuration
     * @throws IOException if nobody can listen there
     */
    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 1) {
            System.err.println("usage: java -cp … Annotate CONTROL_ID");
            System.exit(64);
        }
        ProxyGateway gateway = new ProxyGateway(new ModuleConfiguration(arguments[0], Annotate.class));
        // On Ctrl-C: the gateway hears that the module has gone.
        Runtime.getRuntime().addShutdownHook(new Thread(gateway::detach));
        gateway.attach();
    }
}
