import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.BasePredicate;
import org.apache.spark.sql.catalyst.expressions.BinaryComparison;
import org.apache.spark.sql.catalyst.expressions.BindReferences;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.EqualTo;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.GreaterThan;
import org.apache.spark.sql.catalyst.expressions.GreaterThanOrEqual;
import org.apache.spark.sql.catalyst.expressions.LessThan;
import org.apache.spark.sql.catalyst.expressions.LessThanOrEqual;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.Predicate$;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.execution.datasources.FileIndex;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.PartitionDirectory;
import org.apache.spark.sql.execution.datasources.parquet.ParquetFileFormat;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.collection.Iterator;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * The files of one version of a Delta table, as its log lists them: nothing is listed or opened to plan a query
 * (logged_files.py has the reasons). Partitions are of days; those that a query does not need, and files whose
 * statistics show that no row can match, are left out.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class LoggedFiles {
    /**
     * The rows of a table's version.
     *
     * @param schema of all columns, as JSON
     * @param days the columns by which the table is partitioned, of type DATE, separated by tabs
     * @param counted columns with statistics, all stored as whole numbers, separated by tabs
     * @param lines a line for each file: its path as in the log, size, time of change, the days of its partition, and
     *     the least and greatest value of each counted column, separated by tabs; unknown ones are empty
     */
    public Dataset open(
            SparkSession session, String root, long version, String schema, String days, String counted, String lines) {
        StructType all = (StructType) DataType.fromJson(schema);
        String[] names = names(days);
        StructField[] partitions = new StructField[names.length];
        for (int i = 0; i < names.length; i++) {
            partitions[i] = all.apply(names[i]);
        }
        LoggedFileIndex files = new LoggedFileIndex(root, version, new StructType(partitions), names(counted), lines);
        scala.collection.immutable.Map options = scala.collection.immutable.Map$.MODULE$.empty();
        // With the partition columns among those of the data they keep their places.
        return session.baseRelationToDataFrame(
                new HadoopFsRelation(
                        files, files.partitions, all, Option.empty(), new ParquetFileFormat(), options, session));
    }

    private static String[] names(String joined) {
        return joined.isEmpty() ? new String[0] : joined.split("\t");
    }

    static final class LoggedFileIndex implements FileIndex {
        /** How much later a time may be than its statistics say: writers may cut them to milliseconds. */
        private static final long CUT = 999;

        private final Path root;
        private final long version;
        private final StructType partitions;
        /** The place of a column's least value among a file's numbers; its greatest follows. */
        private final Map places = new HashMap();
        private final FileStatus[] files;
        /** For each file the days of its partition, and then the statistics; null: unknown. */
        private final Long[][] numbers;

        LoggedFileIndex(String root, long version, StructType partitions, String[] counted, String lines) {
            this.root = new Path(root);
            this.version = version;
            this.partitions = partitions;
            for (int i = 0; i < counted.length; i++) {
                places.put(counted[i], Integer.valueOf(partitions.length() + 2 * i));
            }
            String[] listed = lines.isEmpty() ? new String[0] : lines.split("\n");
            files = new FileStatus[listed.length];
            numbers = new Long[listed.length][];
            for (int i = 0; i < listed.length; i++) {
                read(i, listed[i].split("\t", -1));
            }
        }

        private void read(int file, String[] values) {
            Path path = new Path(root, new Path(URI.create(values[0])));
            files[file] = new FileStatus(Long.parseLong(values[1]), false, 1, 128L << 20, Long.parseLong(values[2]), path);
            numbers[file] = new Long[values.length - 3];
            for (int i = 3; i < values.length; i++) {
                numbers[file][i - 3] = values[i].isEmpty() ? null : Long.valueOf(values[i]);
            }
        }

        public Seq rootPaths() {
            return sequence(Arrays.asList(new Object[] {root}));
        }

        public Seq listFiles(Seq partitionFilters, Seq dataFilters) {
            List conditions = CollectionConverters.asJava(dataFilters);
            Map kept = new LinkedHashMap();
            Map wanted = new HashMap();
            for (int i = 0; i < files.length; i++) {
                List day = Arrays.asList(Arrays.copyOf(numbers[i], partitions.length()));
                Boolean isWanted = (Boolean) wanted.get(day);
                if (isWanted == null) {
                    isWanted = Boolean.valueOf(isWanted(day, partitionFilters));
                    wanted.put(day, isWanted);
                }
                if (isWanted.booleanValue() && mayMatchAll(conditions, numbers[i])) {
                    if (!kept.containsKey(day)) {
                        kept.put(day, new ArrayList());
                    }
                    ((List) kept.get(day)).add(files[i]);
                }
            }
            List found = new ArrayList();
            for (java.util.Iterator each = kept.entrySet().iterator(); each.hasNext(); ) {
                Map.Entry one = (Map.Entry) each.next();
                List own = (List) one.getValue();
                FileStatus[] statuses = (FileStatus[]) own.toArray(new FileStatus[own.size()]);
                found.add(PartitionDirectory.apply(row((List) one.getKey()), statuses));
            }
            return sequence(found);
        }

        /** Spark does not evaluate these filters again. */
        private boolean isWanted(List day, Seq filters) {
            for (Iterator each = filters.iterator(); each.hasNext(); ) {
                Expression filter = (Expression) each.next();
                List columns = new ArrayList();
                List values = new ArrayList();
                for (Iterator names = filter.references().iterator(); names.hasNext(); ) {
                    AttributeReference column = (AttributeReference) names.next();
                    columns.add(column);
                    values.add(day.get(partitions.fieldIndex(column.name())));
                }
                Expression bound = BindReferences.bindReference(filter, new org.apache.spark.sql.catalyst.expressions.package$AttributeSeq(sequence(columns)), false);
                BasePredicate predicate = Predicate$.MODULE$.createInterpreted(bound);
                predicate.initialize(0);
                if (!predicate.eval(row(values))) {
                    return false;
                }
            }
            return true;
        }

        private static InternalRow row(List days) {
            Object[] values = new Object[days.size()];
            for (int i = 0; i < values.length; i++) {
                Long day = (Long) days.get(i);
                values[i] = day == null ? null : Integer.valueOf(day.intValue());
            }
            return new GenericInternalRow(values);
        }

        private boolean mayMatchAll(List conditions, Long[] own) {
            for (int i = 0; i < conditions.size(); i++) {
                if (!mayMatch((Expression) conditions.get(i), own)) {
                    return false;
                }
            }
            return true;
        }

        /** Whether a file with these numbers may have a row for which the condition holds. */
        private boolean mayMatch(Expression condition, Long[] own) {
            if (condition instanceof And) {
                return mayMatch(child(condition, 0), own) && mayMatch(child(condition, 1), own);
            }
            if (condition instanceof Or) {
                return mayMatch(child(condition, 0), own) || mayMatch(child(condition, 1), own);
            }
            if (!(condition instanceof BinaryComparison)) {
                return true;
            }
            Expression left = child(condition, 0);
            Expression right = child(condition, 1);
            if (left instanceof AttributeReference && right instanceof Literal) {
                return mayCompare(condition, (AttributeReference) left, (Literal) right, false, own);
            }
            if (left instanceof Literal && right instanceof AttributeReference) {
                return mayCompare(condition, (AttributeReference) right, (Literal) left, true, own);
            }
            return true;
        }

        private static Expression child(Expression of, int number) {
            return (Expression) of.children().apply(number);
        }

        private boolean mayCompare(
                Expression comparison, AttributeReference column, Literal literal, boolean turned, Long[] own) {
            Integer place = (Integer) places.get(column.name());
            if (place == null || !(literal.value() instanceof Number)) {
                return true;
            }
            Long least = own[place.intValue()];
            Long greatest = own[place.intValue() + 1];
            if (least == null || greatest == null) {
                return true;
            }
            long value = ((Number) literal.value()).longValue();
            boolean isTime = column.dataType().typeName().startsWith("timestamp");
            long last = isTime ? greatest.longValue() + CUT : greatest.longValue();
            if (comparison instanceof EqualTo || comparison instanceof EqualNullSafe) {
                return least.longValue() <= value && value <= last;
            }
            if (comparison instanceof LessThan) {
                return turned ? value < last : least.longValue() < value;
            }
            if (comparison instanceof LessThanOrEqual) {
                return turned ? value <= last : least.longValue() <= value;
            }
            if (comparison instanceof GreaterThan) {
                return turned ? value > least.longValue() : last > value;
            }
            if (comparison instanceof GreaterThanOrEqual) {
                return turned ? value >= least.longValue() : last >= value;
            }
            return true;
        }

        public String[] inputFiles() {
            String[] found = new String[files.length];
            for (int i = 0; i < found.length; i++) {
                found[i] = files[i].getPath().toString();
            }
            return found;
        }

        public void refresh() {}

        public long sizeInBytes() {
            long bytes = 0;
            for (int i = 0; i < files.length; i++) {
                bytes += files[i].getLen();
            }
            return bytes;
        }

        public StructType partitionSchema() {
            return partitions;
        }

        public String toString() {
            return "version " + version + " of " + root;
        }

        /** Two of the same version are equal, so that Spark recognizes plans over them. */
        public boolean equals(Object other) {
            return other instanceof LoggedFileIndex && toString().equals(other.toString());
        }

        public int hashCode() {
            return toString().hashCode();
        }

        private static Seq sequence(List values) {
            return CollectionConverters.asScala(values).toSeq();
        }
    }
}
