"""Speed and memory as ratios to a peer on the same machine in the same run."""
