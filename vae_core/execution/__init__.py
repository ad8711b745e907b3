"""What every command needs that executes notebooks and puts files into results: kernels, locks, bars. No Keras here."""
