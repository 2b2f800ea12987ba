SELECT pair, epoch, state, seconds_left, stream_seconds, trial_digest
FROM ops.report_at_gate(:replica, :epoch, :state)
