SELECT ops.meet_at_gate(:replica, :digest, CAST(:found AS text []))
