"""What both verbs know of a Pipeline's Jobs."""
