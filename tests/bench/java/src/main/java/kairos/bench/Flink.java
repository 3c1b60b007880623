package kairos.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * W in Flink: one process, parallelism 1, state on the heap, a checkpoint each second, triggers at least once.
 *
 * <p>Events are decoded after keyBy: before it they would cross an exchange, whose serializer costs more than JSON.
 */
public final class Flink {
    private static final TypeInformation<byte[]> BYTES = PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
    private static final TypeInformation<Tuple2<String, byte[]>> VISIT = Types.TUPLE(Types.STRING, BYTES);
    private static final TypeInformation<Tuple2<byte[], byte[]>> TOLD = Types.TUPLE(BYTES, BYTES);

    public static void main(String[] args) throws Exception {
        Job job = Job.read(args[0]);
        Configuration settings = new Configuration();
        settings.setString("state.backend.type", "hashmap");
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString("execution.checkpointing.dir", "file://" + job.folder());
        settings.setString("execution.buffer-timeout.interval", "0 ms");
        settings.setString("pipeline.object-reuse", "true");
        StreamExecutionEnvironment flow = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
        flow.enableCheckpointing(1_000);
        flow.fromSource(source(job), WatermarkStrategy.noWatermarks(), "events", VISIT)
            .keyBy(visit -> visit.f0, Types.STRING)
            .process(new Fold(job.cooldown()), TOLD)
            .sinkTo(sink(job));
        flow.execute(job.name());
    }

    private static KafkaSource<Tuple2<String, byte[]>> source(Job job) {
        return KafkaSource.<Tuple2<String, byte[]>>builder()
            .setBootstrapServers(job.kafka())
            .setTopics(job.source())
            .setGroupId(job.name())
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setProperty("fetch.max.wait.ms", "100")
            .setDeserializer(new Decoder())
            .build();
    }

    private static KafkaSink<Tuple2<byte[], byte[]>> sink(Job job) {
        String topic = job.sink();
        return KafkaSink.<Tuple2<byte[], byte[]>>builder()
            .setBootstrapServers(job.kafka())
            .setProperty("linger.ms", "0")
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .setRecordSerializer((told, context, time) -> new ProducerRecord<>(topic, told.f0, told.f1))
            .build();
    }

    private static final class Decoder implements KafkaRecordDeserializationSchema<Tuple2<String, byte[]>> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple2<String, byte[]>> out) {
            out.collect(Tuple2.of(new String(record.key(), StandardCharsets.UTF_8), record.value()));
        }

        @Override
        public TypeInformation<Tuple2<String, byte[]>> getProducedType() {
            return VISIT;
        }
    }

    private static final class Fold extends KeyedProcessFunction<String, Tuple2<String, byte[]>, Tuple2<byte[], byte[]>> {
        private final double cooldown;
        private transient ValueState<State> states;

        Fold(double cooldown) {
            this.cooldown = cooldown;
        }

        @Override
        public void open(OpenContext context) {
            states = getRuntimeContext().getState(new ValueStateDescriptor<>("w", State.class));
        }

        @Override
        public void processElement(
                Tuple2<String, byte[]> visit, Context context, Collector<Tuple2<byte[], byte[]>> out)
                throws IOException {
            Event event = Event.read(visit.f1);
            State state = states.value();
            if (state == null) {
                state = new State();
            }
            if (state.apply(event, cooldown)) {
                byte[] key = visit.f0.getBytes(StandardCharsets.UTF_8);
                out.collect(Tuple2.of(key, state.trigger(visit.f0, event)));
            }
            states.update(state);
            Job.done();
        }
    }
}
