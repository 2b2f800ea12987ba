"""Files of daily prices as people export them: read, and judged before anything rests on them."""

# Errors of a file by the names under which they are let pass.
ACCEPTABLE = ("high-below-low", "contradiction", "coverage", "level-shift", "changed-past")
