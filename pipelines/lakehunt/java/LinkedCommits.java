package io.delta.storage;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.util.Iterator;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * Commits to Delta logs in local folders so that each version has one writer, whatever process it is in.
 *
 * <p>Delta renames a file to that of the commit after it has looked whether this is there, which only one process may
 * do at a time: of two, both may have committed, and one commit is lost. Here the file is linked, which the file system
 * refuses if the name is taken. delta-rs does the same.
 */
public class LinkedCommits extends HDFSLogStore {
    public LinkedCommits(Configuration configuration) {
        super(configuration);
    }

    @Override
    public void write(Path path, Iterator actions, Boolean overwrite, Configuration configuration) throws IOException {
        if (overwrite.booleanValue()) {
            super.write(path, actions, overwrite, configuration);
            return;
        }
        java.nio.file.Path commit = java.nio.file.Paths.get(path.toUri().getPath());
        java.nio.file.Path unfinished = commit.resolveSibling("." + commit.getFileName() + "." + UUID.randomUUID() + ".tmp");
        try {
            BufferedWriter writer = Files.newBufferedWriter(unfinished, StandardCharsets.UTF_8);
            try {
                while (actions.hasNext()) {
                    writer.write((String) actions.next());
                    writer.write('\n');
                }
            } finally {
                writer.close();
            }
            link(commit, unfinished);
        } finally {
            Files.deleteIfExists(unfinished);
        }
    }

    private static void link(java.nio.file.Path commit, java.nio.file.Path unfinished) throws IOException {
        try {
            Files.createLink(commit, unfinished);
        } catch (FileAlreadyExistsException taken) {
            throw new FileAlreadyExistsException(commit.toString());
        }
    }
}
