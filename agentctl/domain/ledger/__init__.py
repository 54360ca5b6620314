"""What is: the recorded state of a cluster, its envelope, its codecs, and what was observed."""
