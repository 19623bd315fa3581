"""What is computed and what it is called: cells, how they ended, and what is measured of them."""
