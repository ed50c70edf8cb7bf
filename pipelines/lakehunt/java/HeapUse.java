import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryUsage;
import java.util.Iterator;

/** How full the JVM's heap is with what a collection has left. */
public final class HeapUse {
    private MemoryPoolMXBean old;

    public HeapUse() {
        Iterator pools = ManagementFactory.getMemoryPoolMXBeans().iterator();
        while (pools.hasNext()) {
            MemoryPoolMXBean pool = (MemoryPoolMXBean) pools.next();
            if (pool.getName().matches(".*(Old|Tenured) Gen")) {
                old = pool;
            }
        }
    }

    /**
     * The share of the old generation that was in use after its last collection and still is: from 0 to 1. Without such
     * a generation it is 0.
     */
    public double share() {
        MemoryUsage after = old == null ? null : old.getCollectionUsage();
        if (after == null || after.getMax() <= 0) {
            return 0;
        }
        return Math.min(after.getUsed(), old.getUsage().getUsed()) / (double) after.getMax();
    }

    /** Collects what cancelled jobs have left, so that `share` is known anew. */
    public void collect() {
        System.gc();
    }
}
