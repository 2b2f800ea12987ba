"""The backend as a process under control: it serves the public address only while it is told to."""
