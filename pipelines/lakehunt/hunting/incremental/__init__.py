"""Each new event is read once for all hunts: row-level predicates, the prefilter, and the hits that are kept."""
