/**
 * A module that runs in a program of its own: {@link io.sandgate.remote.ProxyGateway} attaches an implementation of
 * {@link io.sandgate.remote.IGatewayModule} to a gateway, of Sandgate or of Azure IoT Edge V1, and calls it with
 * what the gateway sends.
 *
 * <p>How a session goes: {@code Session} is the listening thread and the control protocol, {@code Attachment} one
 * module with its message channel, {@code ModuleInstance} the calls into the module. Sockets are in the package
 * {@code io.sandgate.remote.socket}, bytes in {@link io.sandgate.remote.wire}.
 */
package io.sandgate.remote;
