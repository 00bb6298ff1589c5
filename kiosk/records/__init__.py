"""What is kept on this machine's disk: journal, catalogue, documents."""
