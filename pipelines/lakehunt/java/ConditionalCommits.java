package io.delta.storage;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Arrays;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Commits to Delta logs in S3 so that each version has one writer, whatever process or machine it is on.
 *
 * <p>Delta looks whether a commit's object is there, and then writes it: of two processes, both may have committed, and
 * one commit is lost. Here the store itself refuses an object whose name is taken (If-None-Match: *). delta-rs does the
 * same.
 */
public class ConditionalCommits extends HDFSLogStore {
    private static final String UNLESS_THERE = "fs.option.create.conditional.overwrite";

    public ConditionalCommits(Configuration configuration) {
        super(configuration);
    }

    @Override
    public void write(Path path, Iterator actions, Boolean overwrite, Configuration configuration) throws IOException {
        FileSystem store = path.getFileSystem(configuration);
        byte[] content = lines(actions);
        if (overwrite.booleanValue()) {
            put(writer(store, path), content);
            return;
        }
        try {
            FSDataOutputStreamBuilder builder = writer(store, path);
            builder.must(UNLESS_THERE, true);
            put(builder, content);
        } catch (IOException refused) {
            // Also a request that was sent again because its answer was lost, and was then refused for its own object.
            if (!isThere(store, path)) {
                throw refused;
            }
            if (!holds(store, path, content)) {
                throw new FileAlreadyExistsException(path.toString());
            }
        }
    }

    @Override
    public Boolean isPartialWriteVisible(Path path, Configuration configuration) {
        return Boolean.FALSE;
    }

    private static byte[] lines(Iterator actions) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        while (actions.hasNext()) {
            content.write(((String) actions.next()).getBytes(StandardCharsets.UTF_8));
            content.write('\n');
        }
        return content.toByteArray();
    }

    private static FSDataOutputStreamBuilder writer(FileSystem store, Path path) throws IOException {
        return store.createFile(path).recursive().overwrite(true);
    }

    /** Writes an object; nothing if its content cannot be handed over whole. */
    private static void put(FSDataOutputStreamBuilder builder, byte[] content) throws IOException {
        FSDataOutputStream stream = (FSDataOutputStream) builder.build();
        try {
            stream.write(content);
        } catch (IOException error) {
            stream.abort();
            throw error;
        }
        stream.close();
    }

    private static boolean isThere(FileSystem store, Path path) {
        try {
            return store.exists(path);
        } catch (IOException error) {
            return false;
        }
    }

    private static boolean holds(FileSystem store, Path path, byte[] content) throws IOException {
        byte[] found = new byte[content.length];
        DataInputStream stream = store.open(path);
        try {
            stream.readFully(found);
            return stream.read() < 0 && Arrays.equals(found, content);
        } catch (EOFException shorter) {
            return false;
        } finally {
            stream.close();
        }
    }
}
