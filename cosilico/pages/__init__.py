"""Pages of the documentation that are made from the code's tables; ``make supported`` writes them."""
