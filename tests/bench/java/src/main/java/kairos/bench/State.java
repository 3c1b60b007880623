package kairos.bench;

import java.nio.ByteBuffer;

/** What W remembers of a customer, and its fold: tests/bench/w/work.py says what each line is for. */
public class State {
    static final double RATE = -Math.log(2.0) / 600.0;
    static final double THRESHOLD = 0.85;
    static final int BYTES = 4 + 7 * 4 + 2 * 8 + 8 * 8 + 2 * 8;

    public int events;
    public int nViews, nSearches, nLists, nAdds, nRemoves, nCheckouts, nOrders;
    public double first, last;
    public double views, searches, lists, adds, removes, checkouts, orders, dwell;
    public double score, triggered;

    /** Fold one event. True when it makes a trigger. */
    public boolean apply(Event event, double cooldown) {
        double time = event.time, age = time - last, weight = 1.0;
        if (events == 0) {
            first = last = time;
        } else if (age > 0.0) {
            fade(Math.exp(RATE * age));
            last = time;
        } else if (age < 0.0) {
            weight = Math.exp(-RATE * age);
            first = Math.min(first, time);
        }
        events++;
        count(event.name, weight);
        dwell += event.dwell * weight;
        score = 1.0 / (1.0 + Math.exp(-logit()));
        if (score < THRESHOLD || (triggered != 0.0 && time - triggered < cooldown)) {
            return false;
        }
        triggered = time;
        return true;
    }

    private void fade(double by) {
        views *= by;
        searches *= by;
        lists *= by;
        adds *= by;
        removes *= by;
        checkouts *= by;
        orders *= by;
        dwell *= by;
    }

    private void count(String name, double weight) {
        switch (name) {
            case "Product Viewed" -> { nViews++; views += weight; }
            case "Product List Viewed" -> { nLists++; lists += weight; }
            case "Products Searched" -> { nSearches++; searches += weight; }
            case "Product Added" -> { nAdds++; adds += weight; }
            case "Order Completed" -> { nOrders++; orders += weight; }
            case "Checkout Started" -> { nCheckouts++; checkouts += weight; }
            case "Product Removed" -> { nRemoves++; removes += weight; }
            default -> { }
        }
    }

    private double logit() {
        return -3.6
            + 0.55 * Math.log1p(views)
            + 0.35 * Math.log1p(searches)
            + 0.2 * Math.log1p(lists)
            + 0.95 * Math.log1p(adds)
            - 0.4 * Math.log1p(removes)
            + 1.3 * Math.log1p(checkouts)
            - 0.9 * Math.log1p(orders)
            + 0.12 * Math.log1p(dwell);
    }

    /** The trigger an event made. */
    public byte[] trigger(String customer, Event event) {
        try {
            return Event.JSON.writeValueAsBytes(
                new Trigger(customer, event.time, event.received, score, events));
        } catch (com.fasterxml.jackson.core.JsonProcessingException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    public record Trigger(String customer, double time, double received, double score, int events) { }

    public byte[] toBytes() {
        ByteBuffer to = ByteBuffer.allocate(BYTES);
        to.putInt(events);
        to.putInt(nViews).putInt(nSearches).putInt(nLists).putInt(nAdds).putInt(nRemoves).putInt(nCheckouts).putInt(nOrders);
        to.putDouble(first).putDouble(last);
        to.putDouble(views).putDouble(searches).putDouble(lists).putDouble(adds);
        to.putDouble(removes).putDouble(checkouts).putDouble(orders).putDouble(dwell);
        return to.putDouble(score).putDouble(triggered).array();
    }

    public static State of(byte[] bytes) {
        State state = new State();
        ByteBuffer from = ByteBuffer.wrap(bytes);
        state.events = from.getInt();
        state.nViews = from.getInt();
        state.nSearches = from.getInt();
        state.nLists = from.getInt();
        state.nAdds = from.getInt();
        state.nRemoves = from.getInt();
        state.nCheckouts = from.getInt();
        state.nOrders = from.getInt();
        state.first = from.getDouble();
        state.last = from.getDouble();
        state.views = from.getDouble();
        state.searches = from.getDouble();
        state.lists = from.getDouble();
        state.adds = from.getDouble();
        state.removes = from.getDouble();
        state.checkouts = from.getDouble();
        state.orders = from.getDouble();
        state.dwell = from.getDouble();
        state.score = from.getDouble();
        state.triggered = from.getDouble();
        return state;
    }
}
