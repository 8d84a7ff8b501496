package io.sandgate.remote.testing;

import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Runs tests one after the other and prints a line for each; the exit status is 0 only if all have passed. */
public final class Runner {
    /** A test that takes longer hangs. No test comes near it. */
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final String PACKAGE = "io.sandgate.remote.";
    private static final List<String> CLASSES = List.of(
            "MessageTest", "BurstTest", "ModuleConfigurationTest",
            "wire.ControlTest", "wire.AddressTest", "wire.FuzzTest",
            "socket.FramingTest", "socket.FrameQueueTest", "socket.ListenerTest", "socket.PairTest",
            "LifeTest", "CreateTest", "FailureTest", "GatewayChangeTest", "DetachTest", "PublishTest");

    private final PrintStream out;
    private int passed;
    private int failed;

    private Runner(PrintStream out) {
        this.out = out;
    }

    /**
     * Runs the tests.
     *
     * @param arguments parts of names, such as {@code PairTest}; without any all tests are run
     * @throws Exception if a class cannot be loaded
     */
    public static void main(String[] arguments) throws Exception {
        // What is provoked here is meant to be complained about. The logger is kept, or it would forget its level.
        Logger library = Logger.getLogger("io.sandgate.remote");
        library.setLevel(Boolean.getBoolean("log") ? Level.ALL : Level.OFF);
        Runner runner = new Runner(System.out);
        for (String name : CLASSES) {
            runner.run(Class.forName(PACKAGE + name), arguments);
        }
        runner.out.println(runner.passed + " passed, " + runner.failed + " failed");
        // Threads of a test that has failed must not keep this alive.
        System.exit(runner.failed == 0 && runner.passed > 0 ? 0 : 1);
    }

    private void run(Class<?> type, String[] filters) throws Exception {
        Method[] methods = type.getDeclaredMethods();
        Arrays.sort(methods, Comparator.comparing(Method::getName));
        for (Method method : methods) {
            String name = type.getSimpleName() + "." + method.getName();
            boolean wanted = filters.length == 0 || Arrays.stream(filters).anyMatch(name::contains);
            if (method.isAnnotationPresent(Test.class) && wanted) {
                report(name, run(type, method));
            }
        }
    }

    private void report(String name, Throwable failure) {
        if (failure == null) {
            passed++;
            out.println("ok      " + name);
        } else {
            failed++;
            out.println("FAILED  " + name);
            failure.printStackTrace(out);
        }
    }

    /** What the test has thrown, or null. */
    private static Throwable run(Class<?> type, Method method) throws Exception {
        Constructor<?> constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        method.setAccessible(true);
        Throwable[] failure = new Throwable[1];
        Thread thread = new Thread(() -> {
            try {
                method.invoke(constructor.newInstance());
            } catch (InvocationTargetException e) {
                failure[0] = e.getCause();
            } catch (ReflectiveOperationException e) {
                failure[0] = e;
            }
        }, "test");
        thread.setDaemon(true);
        thread.start();
        thread.join(LIMIT.toMillis());
        if (thread.isAlive()) {
            AssertionError hangs = new AssertionError("the test hangs");
            hangs.setStackTrace(thread.getStackTrace());
            return hangs;
        }
        return failure[0];
    }
}
