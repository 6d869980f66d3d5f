"""What the desk's templates say in their own words: ``desk`` (amounts, moments, icons, the score)."""
