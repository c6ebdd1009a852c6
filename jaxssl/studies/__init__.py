"""What is done, in order: read, pretrain, compare, conclude. It prints nothing."""
