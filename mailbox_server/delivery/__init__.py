"""The journeys of a message inside the house: routing an address, receiving."""
