"""Reading CT and masks, writing masks."""
