package kairos.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;

/** What a peer is told, and how it says how far it has come: tests/bench/w/job.py. */
public record Job(
        String name, String kafka, String redis, String source, String sink, int partitions, double cooldown,
        String folder) {
    private static final int STEP = 500;
    private static final AtomicLong DONE = new AtomicLong();

    static Job read(String text) throws IOException {
        return new ObjectMapper().readValue(text, Job.class);
    }

    /** One more event. */
    static void done() {
        long events = DONE.incrementAndGet();
        if (events % STEP == 0) {
            System.out.println("done " + events);
        }
    }
}
