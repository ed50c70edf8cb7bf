"""Landing in processes of its own, without Spark: into a lake that delta-rs can write, from files of this machine."""
