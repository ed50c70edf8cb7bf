"""What every part uses: imports nothing of Lakehunt."""
