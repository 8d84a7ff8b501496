package io.sandgate.remote;

import java.lang.reflect.Modifier;
import java.util.Objects;

import io.sandgate.remote.wire.Address;

/** What it takes to attach: where the gateway looks for the module, and the module. */
public final class ModuleConfiguration {
    private final String identifier;
    private final Address control;
    private final Class<? extends IGatewayModule> moduleClass;

    /**
     * Checks and keeps both.
     *
     * @param identifier the {@code control.id} of the module in the gateway's configuration: the path of a Unix
     *     domain socket of at most 106 bytes, {@code ipc://PATH} or {@code tcp://HOST:PORT}. A relative path is
     *     relative to the working directory, which then has to be the gateway's too
     * @param moduleClass the module: a class that can be instantiated, with a constructor without parameters
     * @throws IllegalArgumentException if the identifier is no address, or the class cannot be instantiated
     * @throws NullPointerException if one of them is null
     */
    public ModuleConfiguration(String identifier, Class<? extends IGatewayModule> moduleClass) {
        this.identifier = Objects.requireNonNull(identifier, "the identifier is null");
        this.control = Address.parse(identifier);
        this.moduleClass = Objects.requireNonNull(moduleClass, "the module class is null");
        if (moduleClass.isInterface() || Modifier.isAbstract(moduleClass.getModifiers())) {
            throw new IllegalArgumentException(moduleClass.getName() + " cannot be instantiated: it is abstract");
        }
        try {
            moduleClass.getDeclaredConstructor();
        } catch (NoSuchMethodException e) {
            throw new IllegalArgumentException(moduleClass.getName()
                    + " has no constructor without parameters; a class inside another one must be static", e);
        }
    }

    /**
     * The {@code control.id}, as it was given.
     *
     * @return the identifier
     */
    public String getIdentifier() {
        return identifier;
    }

    /**
     * The module.
     *
     * @return its class
     */
    public Class<? extends IGatewayModule> getModuleClass() {
        return moduleClass;
    }

    /** The address of the control channel. */
    Address control() {
        return control;
    }
}
