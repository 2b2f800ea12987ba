"""The backend as a process: what it is told, how it is served, and the one kept running here."""
