"""The Spark session, its JVM, and what Lakehunt asks of both."""
