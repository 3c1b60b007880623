package kairos.bench;

import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * W in Kafka Streams: an in-memory store with a changelog, a hand-written serde, one thread.
 *
 * <p>Arguments: the guarantee (at_least_once, exactly_once_v2), how it is tuned (quick, or as it comes: defaults), the job.
 */
public final class Streams {
    public static void main(String[] args) throws Exception {
        Job job = Job.read(args[2]);
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, job.name());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.kafka());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, job.folder());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[0]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        if (args[1].equals("quick")) {
            settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), 100);
            settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 0);
            if (args[0].startsWith("exactly")) {
                settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 20);
            }
        }
        KafkaStreams streams = new KafkaStreams(topology(job), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.setUncaughtExceptionHandler(wrong -> {
            wrong.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
    }

    private static Topology topology(Job job) {
        Serde<byte[]> bytes = Serdes.ByteArray();
        Serde<State> states = Serdes.serdeFrom(
            (topic, state) -> state == null ? null : state.toBytes(),
            (topic, value) -> value == null ? null : State.of(value));
        return new Topology()
            .addSource("events", Serdes.String().deserializer(), bytes.deserializer(), job.source())
            .addProcessor("fold", () -> new Fold(job.cooldown()), "events")
            .addStateStore(
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore("states"), Serdes.String(), states)
                    .withCachingEnabled(),
                "fold")
            .addSink("triggers", job.sink(), Serdes.ByteArray().serializer(), bytes.serializer(), "fold");
    }

    private static final class Fold implements Processor<String, byte[], byte[], byte[]> {
        private final double cooldown;
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<String, State> states;

        Fold(double cooldown) {
            this.cooldown = cooldown;
        }

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            states = context.getStateStore("states");
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Event event = Event.read(record.value());
            State state = states.get(record.key());
            if (state == null) {
                state = new State();
            }
            if (state.apply(event, cooldown)) {
                byte[] key = record.key().getBytes(StandardCharsets.UTF_8);
                context.forward(new Record<>(key, state.trigger(record.key(), event), record.timestamp()));
            }
            states.put(record.key(), state);
            Job.done();
        }
    }
}
