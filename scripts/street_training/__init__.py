"""What `train_street.py` is made of: the material, the network, the schedule, the export."""
