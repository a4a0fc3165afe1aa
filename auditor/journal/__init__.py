"""What a killed run goes on from, and the replies that could not be used."""
