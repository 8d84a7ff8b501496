package io.sandgate.remote.wire;

import static io.sandgate.remote.testing.Check.equal;
import static io.sandgate.remote.testing.Check.isTrue;
import static io.sandgate.remote.testing.Check.throwing;

import java.util.List;

import io.sandgate.remote.testing.Test;

/** How V1's ids become addresses. */
final class AddressTest {
    @Test
    void anIdBecomesAnIpcAddress() {
        Address address = Address.parse("/tmp/proxy_sample.control");
        equal("ipc:///tmp/proxy_sample.control", address.toString());
        equal("/tmp/proxy_sample.control", address.path());
        isTrue(address.isIpc(), "a Unix domain socket");
        equal(address, Address.parse("ipc:///tmp/proxy_sample.control"));
        equal("outprocess_module_control", Address.parse("outprocess_module_control").path());
    }

    @Test
    void tcpAddressesHaveHostAndPort() {
        Address address = Address.parse("tcp://127.0.0.1:4000");
        equal("tcp://127.0.0.1:4000", address.toString());
        equal("127.0.0.1", address.host());
        equal(4000, address.port());
        isTrue(!address.isIpc(), "TCP");
        equal("::1", Address.parse("tcp://[::1]:65535").host());
        equal("*", Address.parse("tcp://*:0").host());
    }

    @Test
    void badAddressesSayWhy() {
        for (String bad : List.of("", "ipc://", "tcp://", "tcp://x", "tcp://:1", "tcp://x:", "tcp://x:65536",
                "tcp://x:-1", "tcp://x:1a", "tcp://x:999999999999", "http://x:1", "a\0b", "x".repeat(107))) {
            IllegalArgumentException refusal =
                    throwing(IllegalArgumentException.class, () -> Address.parse(bad));
            isTrue(!refusal.getMessage().isEmpty(), "a sentence");
        }
        equal(106, Address.parse("x".repeat(106)).path().length());
        // Bytes count, not characters.
        throwing(IllegalArgumentException.class, () -> Address.parse("ü".repeat(54)));
    }
}
