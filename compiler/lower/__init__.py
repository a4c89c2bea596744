"""From one level to the next one down."""
