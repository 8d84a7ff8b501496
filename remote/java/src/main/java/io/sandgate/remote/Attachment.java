package io.sandgate.remote;

import java.lang.System.Logger.Level;
import java.time.Duration;

import io.sandgate.remote.socket.Frame;
import io.sandgate.remote.socket.Pair;
import io.sandgate.remote.wire.Control.Create;
import io.sandgate.remote.wire.DecodeException;

/** One module instance with its message channel, from a Create to its end. Only on the listening thread. */
final class Attachment {
    private static final System.Logger LOG = System.getLogger("io.sandgate.remote");
    /** How long what was published last may take to leave. */
    private static final Duration FAREWELL = Duration.ofMillis(500);
    /** How long messages that had come before Destroy may take the module. */
    private static final Duration DRAIN = Duration.ofSeconds(1);

    private final Create create;
    private final Pair channel;
    private final BrokerProxy broker;
    private final ModuleInstance module;
    private final Tally tally;
    private final Burst malformed = new Burst();
    private boolean started;

    private Attachment(Create create, Pair channel, BrokerProxy broker, ModuleInstance module, Tally tally) {
        this.create = create;
        this.channel = channel;
        this.broker = broker;
        this.module = module;
        this.tally = tally;
    }

    /** Creates the module on a channel, which is closed if that fails. */
    static Attachment create(ModuleConfiguration configuration, Create create, Pair channel, Duration patience,
            Tally tally) throws ModuleInstance.Failure {
        BrokerProxy broker = new BrokerProxy(channel, patience, tally);
        try {
            ModuleInstance module =
                    ModuleInstance.create(configuration.getModuleClass(), broker, create.arguments());
            return new Attachment(create, channel, broker, module, tally);
        } catch (ModuleInstance.Failure e) {
            broker.close();
            channel.close();
            throw e;
        }
    }

    /** Whether a Create is only the repetition of the one that made this. Behind Start it begins a new attach. */
    boolean isRepeatedBy(Create other) {
        return !started && create.equals(other);
    }

    boolean isStarted() {
        return started;
    }

    /** Starts the module. */
    void start() throws ModuleInstance.Failure {
        started = true;
        // Before the call, in which the module may publish already.
        broker.open();
        module.start();
    }

    /** Gives the module the next message, if there is one and the module is started; false if not. */
    boolean receiveNext() throws ModuleInstance.Failure {
        Frame frame = started ? channel.poll() : null;
        if (frame == null) {
            return false;
        }
        Message message;
        try {
            message = Message.decode(frame.bytes());
        } catch (DecodeException e) {
            tally.add(Counter.MALFORMED);
            long count = malformed.note();
            if (count > 0) {
                LOG.log(Level.WARNING, "dropped malformed messages count={0} reason={1}",
                        Long.toString(count), e.getMessage());
            }
            return true;
        }
        tally.add(Counter.RECEIVED);
        module.receive(message);
        return true;
    }

    /** Gives the module what had come before Destroy, for a bounded time. */
    void drain() throws ModuleInstance.Failure {
        long end = System.nanoTime() + DRAIN.toNanos();
        boolean more = true;
        while (more && System.nanoTime() < end) {
            if (!receiveNext()) {
                // The channels are not ordered among themselves: what was sent before Destroy may not have been read.
                channel.sweep();
                more = receiveNext();
            }
        }
    }

    /** Ends the module and the channel. What it publishes until then gets its time to leave. */
    void end() {
        module.destroy();
        broker.close();
        channel.flush(FAREWELL);
        channel.close();
    }

    /** Ends the channel of a module that does not return. */
    void abandon() {
        broker.close();
        channel.close();
    }

    /** The address of the message channel. */
    String uri() {
        return create.uri();
    }
}
