"""Landing by Spark: from any file system that Hadoop can read, into a lake on any that Delta supports."""
