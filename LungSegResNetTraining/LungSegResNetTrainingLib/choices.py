"""What commands and panels let a user choose; imports nothing, so that a panel knows it without any package."""

PRESETS = FINE_TUNE, RECOMMENDED, PAPER = "fine-tune", "recommended", "paper"
SHIPPED = "shipped"  # for the network file that comes with the product
