package io.sandgate.remote;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;

/** The values of all counters. They only grow; any thread may count. */
final class Tally {
    private final Map<Counter, LongAdder> counters = new EnumMap<>(Counter.class);

    Tally() {
        for (Counter counter : Counter.values()) {
            counters.put(counter, new LongAdder());
        }
    }

    void add(Counter counter) {
        add(counter, 1);
    }

    void add(Counter counter, long count) {
        counters.get(counter).add(count);
    }

    long get(Counter counter) {
        return counters.get(counter).sum();
    }

    /** All counters in a line, as the gateway's log has them. */
    @Override
    public String toString() {
        return counters.entrySet().stream()
                .map(entry -> entry.getKey().name().toLowerCase(Locale.ROOT) + "=" + entry.getValue().sum())
                .collect(Collectors.joining(" "));
    }
}
