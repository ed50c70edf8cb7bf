"""`lakehunt shell`: queries by one process, one after the other."""
