"""Where results are kept: run directories, and who may write them."""
