"""What a killed run is resumed from, and the replies that could not be used."""
