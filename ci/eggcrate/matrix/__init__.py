"""Components x image versions: who is compatible with whom, and the proof of it."""
