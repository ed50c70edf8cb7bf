"""Other people's query packs: what `lakehunt import` takes into the folder of hunts, and what it leaves out and why."""
