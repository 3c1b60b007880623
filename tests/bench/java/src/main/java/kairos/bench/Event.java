package kairos.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a customer did, as the topic has it. All of it is decoded, as the others decode it. */
@JsonIgnoreProperties(ignoreUnknown = true)
public class Event {
    public static final ObjectMapper JSON = new ObjectMapper();
    private static final ObjectReader READER = JSON.readerFor(Event.class);

    public String id = "";
    public String name = "";
    public double time;
    public double received;
    public String channel = "";
    public String source = "";
    public String anonymous = "";
    public List<Product> products = new ArrayList<>();
    public long total;
    public String currency = "";
    public String order = "";
    public String cart = "";
    public String session = "";
    public String query = "";
    public double dwell;
    public Map<String, Object> properties = new HashMap<>();

    /** A product as an event names it. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    public static class Product {
        public String id = "";
        public String name = "";
        public String category = "";
        public String brand = "";
        public long price;
        public int quantity = 1;
    }

    public static Event read(byte[] value) {
        try {
            return READER.readValue(value);
        } catch (IOException wrong) {
            throw new IllegalArgumentException(wrong);
        }
    }
}
