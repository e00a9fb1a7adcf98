"""What every package may use: the user's error, whole files, archives, commands, processes."""
