"""What commands and panels let a user choose; imports nothing, so that a panel knows it without any package."""

FINE_TUNE, RECOMMENDED, PAPER = "fine-tune", "recommended", "paper"
PRESETS = FINE_TUNE, RECOMMENDED, PAPER
ADAM, MUON = "adam", "muon"
OPTIMISERS = ADAM, MUON
SHIPPED = "shipped"  # for the network file that comes with the product
