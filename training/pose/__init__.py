"""Makes the network that knows how a chest picture lies (models/pose.py): `python -m training.pose`."""
