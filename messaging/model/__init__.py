"""What a message is and how it lives: pure values and decisions, standard library only."""
