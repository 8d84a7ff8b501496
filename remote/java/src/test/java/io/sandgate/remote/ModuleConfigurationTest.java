package io.sandgate.remote;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.throwing;

import io.sandgate.remote.testing.Recorder;
import io.sandgate.remote.testing.Test;

/** What cannot be attached is refused when it is named, not when a gateway comes. */
final class ModuleConfigurationTest {
    /** Needs an instance of the class around it. */
    final class Inner extends GatewayModule {
        @Override
        public void receive(Message message) {}
    }

    /** Cannot be made without an argument. */
    static final class Demanding extends GatewayModule {
        Demanding(String demand) {
            equal("nobody", demand);
        }

        @Override
        public void receive(Message message) {}
    }

    @Test
    void whatWasGivenIsKept() {
        ModuleConfiguration configuration = new ModuleConfiguration("/tmp/x.control", Recorder.class);
        equal("/tmp/x.control", configuration.getIdentifier());
        equal(Recorder.class, configuration.getModuleClass());
        equal("ipc:///tmp/x.control", configuration.control().toString());
    }

    @Test
    void aClassThatCannotBeInstantiatedIsRefused() {
        throwing(IllegalArgumentException.class, () -> new ModuleConfiguration("x", IGatewayModule.class));
        throwing(IllegalArgumentException.class, () -> new ModuleConfiguration("x", GatewayModule.class));
        throwing(IllegalArgumentException.class, () -> new ModuleConfiguration("x", Inner.class));
        throwing(IllegalArgumentException.class, () -> new ModuleConfiguration("x", Demanding.class));
        throwing(NullPointerException.class, () -> new ModuleConfiguration("x", null));
    }

    @Test
    void anIdentifierThatIsNoAddressIsRefused() {
        throwing(IllegalArgumentException.class, () -> new ModuleConfiguration("", Recorder.class));
        throwing(IllegalArgumentException.class, () -> new ModuleConfiguration("tcp://x", Recorder.class));
        throwing(NullPointerException.class, () -> new ModuleConfiguration(null, Recorder.class));
        throwing(NullPointerException.class, () -> new ProxyGateway(null));
    }
}
