"""What the panel of LungSegResNet Training is made of: talks to Qt and MRML."""
