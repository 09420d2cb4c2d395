"""`lungline up`: keeps the processes of one machine alive, with a Redis of its own, and Flower as we run it."""
