"""The files of a source: blobs of Defender's Streaming API."""
