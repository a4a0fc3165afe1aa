"""The files that a killed run is resumed from, and the list of replies that cannot be used."""
