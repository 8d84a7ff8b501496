package io.sandgate.remote;

import java.lang.System.Logger.Level;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;

/**
 * One instance of the module, and the calls into it. Whatever the module throws comes out as a {@link Failure},
 * errors such as a stack that has overflowed included: the listening thread must outlive it.
 */
final class ModuleInstance {
    private static final System.Logger LOG = System.getLogger("io.sandgate.remote");

    /** A module that has failed. */
    static final class Failure extends Exception {
        private static final long serialVersionUID = 1L;

        private Failure(String call, Throwable cause) {
            super("the module failed in " + call, cause);
        }
    }

    private interface Call {
        void make() throws Exception;
    }

    private final IGatewayModule module;

    private ModuleInstance(IGatewayModule module) {
        this.module = module;
    }

    /** Makes an instance and has it create itself. */
    static ModuleInstance create(Class<? extends IGatewayModule> type, Broker broker, String configuration)
            throws Failure {
        IGatewayModule[] made = new IGatewayModule[1];
        guarded("its constructor", () -> made[0] = construct(type));
        // V1's address of a module means nothing in another process.
        guarded("create", () -> made[0].create(0, broker, configuration));
        return new ModuleInstance(made[0]);
    }

    private static IGatewayModule construct(Class<? extends IGatewayModule> type) throws Exception {
        Constructor<? extends IGatewayModule> constructor = type.getDeclaredConstructor();
        // Neither the class nor its constructor has to be public.
        constructor.setAccessible(true);
        try {
            return constructor.newInstance();
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw e;
        }
    }

    void start() throws Failure {
        guarded("start", module::start);
    }

    void receive(Message message) throws Failure {
        guarded("receive", () -> module.receive(message));
    }

    void destroy() {
        try {
            guarded("destroy", module::destroy);
        } catch (Failure e) {
            LOG.log(Level.WARNING, e.getMessage(), e.getCause());
        }
    }

    private static void guarded(String name, Call call) throws Failure {
        try {
            call.make();
        } catch (Throwable e) {
            throw new Failure(name, e);
        } finally {
            // An interrupt was for the module; it must not meet the next call.
            Thread.interrupted();
        }
    }
}
