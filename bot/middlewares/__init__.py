"""What surrounds every handler, in this order: who speaks, in which language, how often."""
