"""`lakehunt import`: copies the queries of other people's packs into the folder of hunts, or reports why not."""
